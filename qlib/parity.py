"""How other engines choose a scale and round a code, in NumPy: what must be changed in qlib's rules to get their bits.

Lesson 06b compares PyTorch, torchao and ONNX Runtime with qlib on the same tensors. Each function here is one rule; it
gives all codes, or the scale and the zero point, that one of them gives. The codes are int8, −128 … 127, per-tensor.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qlib.arguments import as_array, as_float32

QMIN, QMAX = -128, 127  # int8
EPS = np.finfo(np.float32).eps  # 2⁻²³: the least scale that torchao's quantize_ and PyTorch's observers give
Rule = Callable[[np.ndarray, float, int], np.ndarray]


def divide_round_add(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """rint(x / Δ) + z: qlib, LiteRT's converter, ONNX Runtime's QuantizeLinear.

    Parameters
    ----------
    x : float32 array
    scale : float, used as float32
    zero_point : int

    Returns
    -------
    int8 array of x's shape, clipped to −128 … 127

    Examples
    --------
    >>> divide_round_add([0.5, 1.5, 2.5], 1.0, 1)  # half to even, then add
    array([1, 3, 3], dtype=int8)
    """
    x, scale = as_float32("x", x), np.float32(scale)
    return _clip(np.rint(x / scale) + np.float32(zero_point))


def multiply_round_add(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """rint(x · (1/Δ)) + z, with 1/Δ rounded to float32: torch.fake_quantize…, PT2E's operators, torchao.

    Examples
    --------
    >>> multiply_round_add([0.5, 1.5, 2.5], 1.0, 1)
    array([1, 3, 3], dtype=int8)
    """
    x, inverse = as_float32("x", x), np.float32(1) / np.float32(scale)
    return _clip(np.rint(x * inverse) + np.float32(zero_point))


def multiply_add_round(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """rint(x · (1/Δ) + z), product and sum rounded once: torch.quantize_per_tensor on x86.

    A fused multiply-add has no rounding between its product and its sum. float64 holds the product of two float32
    exactly, and what it rounds off the sum is far below float32.

    Examples
    --------
    >>> multiply_add_round([0.5, 1.5, 2.5], 1.0, 1)  # 1.5, 2.5 and 3.5, half to even
    array([2, 2, 4], dtype=int8)
    """
    x, inverse = as_float32("x", x), np.float32(1) / np.float32(scale)
    return _clip(np.rint((x.astype(np.float64) * np.float64(inverse) + zero_point).astype(np.float32)))


ROUNDING: dict[str, Rule] = {
    "divide, round, add": divide_round_add,
    "multiply, round, add": multiply_round_add,
    "multiply, add, round": multiply_add_round,
}


def explained_by(x: np.ndarray, scale: float, zero_point: int, codes: np.ndarray) -> list[str]:
    """The names of the rules in ROUNDING that give exactly these codes, every one of them.

    Raises
    ------
    ValueError
        If `codes` are no integers of x's shape.

    Examples
    --------
    >>> explained_by([0.5, 1.5], 1.0, 1, np.int8([2, 2]))
    ['multiply, add, round']
    """
    x, codes = as_float32("x", x), as_array("codes", codes)
    if codes.shape != x.shape or codes.dtype.kind not in "iu":
        raise ValueError(f"codes: expected integers of shape {x.shape}, got {codes.dtype} of shape {codes.shape}")
    return [name for name, rule in ROUNDING.items() if np.array_equal(rule(x, scale, zero_point), codes)]


def torch_affine(rmin: np.ndarray, rmax: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point as PyTorch's observers and torchao choose them: every step in float32.

    Δ = max((rmax − rmin) / 255, ε),   z = −128 − rint(rmin / Δ)

    Parameters
    ----------
    rmin, rmax : float32, scalars or arrays of one shape

    Returns
    -------
    scale : float32, zero_point : int32

    Examples
    --------
    >>> torch_affine(np.float32(0), np.float32(2.55))
    (np.float32(0.01), np.int32(-128))
    """
    low, high = _with_zero(rmin, rmax)
    scale = np.maximum((high - low) / np.float32(QMAX - QMIN), EPS)
    return scale, np.clip(QMIN - np.rint(low / scale), QMIN, QMAX).astype(np.int32)


def torch_symmetric(rmin: np.ndarray, rmax: np.ndarray) -> np.ndarray:
    """The symmetric scale of PyTorch's observers and of torchao: Δ = max(T / 127.5, ε), in float32; z is 0.

    127.5 is half of 255, the number of steps between −128 and 127. The threshold itself then gets 127.5 steps, which
    round to 128 and are clipped to 127; −T gets −128.

    Examples
    --------
    >>> torch_symmetric(np.float32(-255), np.float32(100))
    np.float32(2.0)
    """
    low, high = _with_zero(rmin, rmax)
    return np.maximum(np.maximum(-low, high) / np.float32(127.5), EPS)


def ort_affine(rmin: np.ndarray, rmax: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point as ONNX Runtime's static quantization chooses them.

    Both in float64, z before Δ is rounded to float32: Δ = (rmax − rmin) / 255,   z = rint(−128 − rmin / Δ).

    Examples
    --------
    >>> ort_affine(np.float32(-1), np.float32(1))
    (np.float32(0.007843138), np.int32(0))
    """
    low, high = (value.astype(np.float64) for value in _with_zero(rmin, rmax))
    scale = (high - low) / (QMAX - QMIN)
    zero_point = np.rint(QMIN - low / np.where(scale == 0, 1, scale)).astype(np.int32)
    tiny = scale < np.finfo(np.float32).tiny
    return np.where(tiny, 1, scale).astype(np.float32)[()], np.where(tiny, 0, zero_point).astype(np.int32)[()]


def _with_zero(rmin: np.ndarray, rmax: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The range as float32, extended so that it holds 0."""
    rmin, rmax = as_float32("rmin", rmin), as_float32("rmax", rmax)
    if rmin.shape != rmax.shape or (rmin > rmax).any():
        raise ValueError(f"rmin: expected at most rmax, and of its shape {rmax.shape}, got {rmin} and {rmax}")
    return np.minimum(rmin, np.float32(0)), np.maximum(rmax, np.float32(0))


def _clip(codes: np.ndarray) -> np.ndarray:
    return np.clip(codes, QMIN, QMAX).astype(np.int8)
