"""The affine map between reals and integer codes: `x_hat = scale * (q - zero_point)`.

x is a real value, q its integer code, `x_hat` what the code stands for. `scale` is the step Δ, the distance between
neighbouring `x_hat`; `zero_point` is the code of the real 0. The names are those of gemmlowp and LiteRT.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from qlib.arguments import as_array, as_float32, check_flags, check_range, is_integer
from qlib.qparams import SMALLEST_SCALE, QParams, broadcast_qparams

BLOCK = 2**17  # values that are worked on at once: they and their codes stay in the processor's cache


def qrange(num_bits: int, *, signed: bool = True, narrow_range: bool = False) -> tuple[int, int]:
    """The lowest and highest code of b = `num_bits` bits: `(qmin, qmax)`.

    Signed: −2^(b−1) … 2^(b−1) − 1, for b from 2 to 16. Unsigned: 0 … 2^b − 1, for b from 1 to 16. `narrow_range`
    drops the lowest code, which makes a signed range symmetric: −127 … 127 for int8.

    Raises
    ------
    ValueError
        If `num_bits` is not an integer in its range, a flag is no bool, or the range would hold a single code.

    Examples
    --------
    >>> qrange(8), qrange(8, signed=False), qrange(8, narrow_range=True)
    ((-128, 127), (0, 255), (-127, 127))
    """
    check_flags(signed=signed, narrow_range=narrow_range)
    fewest = 2 if signed else 1
    if not is_integer(num_bits) or not fewest <= num_bits <= 16:
        kind = "signed" if signed else "unsigned"
        raise ValueError(f"num_bits: expected an integer from {fewest} to 16 ({kind}), got {num_bits!r}")
    if narrow_range and num_bits == 1:
        raise ValueError("narrow_range: expected at least two codes, got num_bits=1 without its lowest code")
    num_bits = int(num_bits)
    qmin, qmax = (-(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1) if signed else (0, 2**num_bits - 1)
    return qmin + bool(narrow_range), qmax


def choose_qparams(
    rmin: float | np.ndarray,
    rmax: float | np.ndarray,
    *,
    num_bits: int = 8,
    symmetric: bool = False,
    signed: bool = True,
    narrow_range: bool = False,
    axis: int | None = None,
) -> QParams:
    """Scale and zero point for the real range [rmin, rmax], which is first extended so that it holds 0.

    Affine:     Δ = (rmax − rmin) / (qmax − qmin),   z = rint(qmin − rmin / Δ)
    Symmetric:  Δ = T / qmax with the threshold T = max(|rmin|, |rmax|),   z = 0

    Between 2^b codes lie 2^b − 1 steps. The zero point is nudged to an integer, so that the real 0 is exact. A range
    that is all zero gets scale 1 and zero point 0 (qmin, if 0 is no code); a scale below float32's smallest normal
    number is raised to it.

    Parameters
    ----------
    rmin, rmax : float, or array of shape (channels,) when `axis` is given
        The range, in units of x.
    num_bits, signed, narrow_range
        The codes: see `qrange`.
    symmetric : bool
        Fix the zero point to 0. Unsigned symmetric codes stand for values ≥ 0 only.
    axis : int or None
        The axis that keeps its own scale for each index; None for one scale.

    Raises
    ------
    ValueError
        If the range is not finite or rmin > rmax, shapes don't fit `axis`, or unsigned symmetric meets rmin < 0.

    References
    ----------
    Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
    CVPR 2018, eq. 1 and section 3.1.

    Examples
    --------
    >>> choose_qparams(-1.0, 1.0, num_bits=8, symmetric=True).scale == np.float32(1 / 127)
    np.True_
    >>> choose_qparams(0.0, 2.55, signed=False)
    QParams(scale=np.float32(0.01), zero_point=0, qmin=0, qmax=255, axis=None)
    """
    qmin, qmax = qrange(num_bits, signed=signed, narrow_range=narrow_range)
    check_flags(symmetric=symmetric)
    rmin, rmax = check_range(rmin, rmax, axis)
    rmin, rmax = np.minimum(rmin, 0.0), np.maximum(rmax, 0.0)
    if symmetric and not signed and (rmin < 0).any():
        raise ValueError(f"rmin: expected >= 0, because unsigned symmetric codes hold no negative value, got {rmin}")
    if symmetric and qmin > 0:
        raise ValueError("narrow_range: expected False, because unsigned symmetric needs the code 0, got True")
    with np.errstate(over="ignore"):  # a range beyond float32 gives an infinite scale, which QParams refuses
        # In float64, because rmax - rmin of two float32 can overflow; the scale itself is a float32.
        scale = np.maximum(-rmin, rmax) / qmax if symmetric else (rmax - rmin) / (qmax - qmin)
        scale = np.where(scale == 0, 1.0, np.maximum(scale, SMALLEST_SCALE)).astype(np.float32)
    # An all-zero range has no preference: it takes the code 0 where that exists, as a symmetric one does.
    nudged = np.clip(np.rint(qmin - rmin / scale.astype(np.float64)), qmin, qmax)
    zero_point = np.where(symmetric | (rmin == rmax), max(qmin, 0), nudged).astype(np.int32)
    return QParams(scale, zero_point, qmin, qmax, axis)


def quantize(x: np.ndarray, qparams: QParams) -> np.ndarray:
    """Codes of x: `q = clip(rint(x / scale) + zero_point, qmin, qmax)`, half to even, clipped before the cast.

    This is Jacob et al. 2018, eq. 1, solved for q, and the ONNX operator QuantizeLinear.

    Parameters
    ----------
    x : array of floats or integers, any shape
        Used as float32. ±inf saturates.
    qparams : QParams

    Returns
    -------
    array of x's shape, in the smallest dtype that holds [qmin, qmax]: unsigned where no code is negative

    Raises
    ------
    ValueError
        If x holds NaN (with their count) or isn't numeric, or the scales don't fit its axis.

    Examples
    --------
    >>> quantize([-9.0, 0.5, 1.5, 2.5], QParams(1.0, 0, -4, 3))
    array([-4,  0,  2,  2], dtype=int8)
    """
    x = _as_float32(x)
    if x.size <= BLOCK:
        return _coded(x, broadcast_qparams(qparams, x)).astype(qparams.dtype)
    codes = np.empty(x.shape, qparams.dtype)
    for x_block, codes_block, parameters in _blocks(x, codes, qparams):
        codes_block[...] = _coded(x_block, parameters)
    return codes


def dequantize(q: np.ndarray, qparams: QParams) -> np.ndarray:
    """The reals that codes stand for: `x_hat = scale * (q - zero_point)`, float32, of q's shape.

    Raises
    ------
    ValueError
        If q isn't an integer array, or holds a code outside [qmin, qmax], or the scales don't fit its axis.

    Examples
    --------
    >>> dequantize([-4, 0, 2], QParams(0.5, -4, -4, 3))
    array([0., 2., 3.], dtype=float32)
    """
    q = as_array("q", q)
    if q.size and q.dtype.kind not in "iu":
        raise ValueError(f"q: expected integer codes, got dtype {q.dtype}")
    scale, zero_point, *_ = broadcast_qparams(qparams, q)
    if q.size and not qparams.qmin <= q.min() <= q.max() <= qparams.qmax:
        raise ValueError(f"q: expected codes in [{qparams.qmin}, {qparams.qmax}], got {q.min()} to {q.max()}")
    with np.errstate(over="ignore"):  # a scale near float32's end
        return scale * (q.astype(np.float32) - zero_point)


def fake_quantize(x: np.ndarray, qparams: QParams) -> np.ndarray:
    """Quantize and dequantize: x̂ in float32, the reals that survive the integer codes.

    Raises the same `ValueError` as `quantize`.

    Examples
    --------
    >>> fake_quantize([0.24, 0.26, 99.0], QParams(0.5, 0, -128, 127))
    array([ 0. ,  0.5, 63.5], dtype=float32)
    """
    x = _as_float32(x)
    x_hat = np.empty(x.shape, np.float32)
    with np.errstate(over="ignore"):  # a scale near float32's end
        for x_block, x_hat_block, parameters in _blocks(x, x_hat, qparams):
            q = _rounded(x_block, parameters, x_hat_block)
            q += 0.0  # no -0
            q *= parameters[0]
    return x_hat


def _as_float32(x: object) -> np.ndarray:
    """x as float32. NaN is refused here or, in an array that is float32 already, by `_rounded`."""
    return x if type(x) is np.ndarray and x.dtype == np.float32 else as_float32("x", x)


def _rounded(x: np.ndarray, parameters: Sequence[np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
    """Codes counted from zero, clip(rint(x / scale), low, high), in float32. Refuses NaN.

    x is clipped first, to the lowest and highest x_hat: that gives the same codes, and no quotient overflows.
    """
    scale, _, low, high, lowest, highest = parameters
    q = np.asarray(x.clip(lowest, highest, out=out))  # an array, even if x has no axes
    q /= scale
    np.rint(q, q)
    flat = q.ravel()
    if flat.dot(flat) < np.inf:
        return q
    as_float32("x", x)  # refuses NaN; what remains is an infinite x_hat, and there clipping first was not enough
    return q.clip(low, high, out=q)


def _coded(x: np.ndarray, parameters: Sequence[np.ndarray]) -> np.ndarray:
    """clip(rint(x / scale) + zero_point, qmin, qmax) in float32."""
    q, zero_point = _rounded(x, parameters), parameters[1]
    if zero_point.ndim or zero_point:  # nothing to add where it is 0
        q += zero_point
    return q


def _blocks(
    x: np.ndarray, out: np.ndarray, qparams: QParams
) -> Iterator[tuple[np.ndarray, np.ndarray, Sequence[np.ndarray]]]:
    """The same rows of x and of `out`, about BLOCK values at a time, with the parameters that belong to them."""
    parameters = broadcast_qparams(qparams, x)
    if qparams.axis is None and x.flags.c_contiguous:
        x, out = x.reshape(-1), out.reshape(-1)
    rows = max(1, BLOCK * len(x) // max(1, x.size))
    for start in range(0, len(x), rows):
        here = slice(start, start + rows)
        first_axis = qparams.axis is not None and qparams.axis % x.ndim == 0
        yield x[here], out[here], [values[here] for values in parameters] if first_axis else parameters
