"""Calibrators: from the values of a tensor to the range `(rmin, rmax)` that its codes should cover.

All have one signature, so that a lesson can loop over `CALIBRATORS`. The range always holds 0, and it is never wider
than the min-max range. Symmetric means that one threshold T cuts both sides: (−T, T), or (0, T) where no value is
negative.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qlib.affine import choose_qparams, qrange
from qlib.arguments import as_float32, check_axis, check_count, check_flags, refuse_unmeasurable
from qlib.divergence import clipped_and_quantized, divergences, kl_divergence
from qlib.error import ErrorProfile

Range = tuple[float, float] | tuple[np.ndarray, np.ndarray]


def minmax(
    x: np.ndarray,
    *,
    num_bits: int = 8,
    symmetric: bool = False,
    signed: bool = True,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Range:
    """The smallest range that clips nothing: (min, max), or (−T, T) with T = max|x| when symmetric.

    Parameters
    ----------
    x : array of floats, any shape
    num_bits, signed, narrow_range
        The codes, as in `qrange`. They have no influence here, but every calibrator takes them.
    symmetric : bool
    axis : int or None
        Keep this axis: one range for each of its indices.

    Returns
    -------
    rmin, rmax : float, or float64 arrays of shape (x.shape[axis],)

    Raises
    ------
    ValueError
        If x is empty, not numeric, holds NaN or ±inf (with their count), or `axis` doesn't exist.

    Examples
    --------
    >>> minmax([-1.0, 3.0]), minmax([-1.0, 3.0], symmetric=True)
    ((-1.0, 3.0), (-3.0, 3.0))
    """
    x = _checked(x, num_bits, symmetric, signed, narrow_range, axis)
    if axis is not None:
        return _per_channel(minmax, x, axis, symmetric=symmetric)
    return _cut(x, symmetric, np.max(np.abs(x))) if symmetric else _ends(x)


def percentile(
    x: np.ndarray,
    *,
    num_bits: int = 8,
    symmetric: bool = False,
    signed: bool = True,
    narrow_range: bool = False,
    axis: int | None = None,
    percent: float = 99.9,
) -> Range:
    """Leave out the outermost values: `percent` % of x (of |x| when symmetric) lie inside the range.

    Not symmetric, half of what is left out lies at either end. Everything else is as in `minmax`.

    Raises
    ------
    ValueError
        Like `minmax`, and if `percent` is not in (0, 100].

    Examples
    --------
    >>> percentile(np.arange(101.0), percent=90, symmetric=True)
    (0.0, 90.0)
    """
    if not isinstance(percent, (int, float, np.number)) or not 0 < percent <= 100:
        raise ValueError(f"percent: expected a number in (0, 100], got {percent!r}")
    x = _checked(x, num_bits, symmetric, signed, narrow_range, axis)
    if axis is not None:
        return _per_channel(percentile, x, axis, symmetric=symmetric, percent=percent)
    if symmetric:
        return _cut(x, True, np.percentile(np.abs(x), percent))
    outside = (100 - percent) / 2
    lowest, highest = np.percentile(x, [outside, 100 - outside])
    return min(float(lowest), 0.0), max(float(highest), 0.0)


def mse(
    x: np.ndarray,
    *,
    num_bits: int = 8,
    symmetric: bool = False,
    signed: bool = True,
    narrow_range: bool = False,
    axis: int | None = None,
    candidates: int = 100,
) -> Range:
    """The least mean squared error among `candidates` ranges: the min-max range shrunk to 1/candidates … 1 of itself.

    The error is measured with the codes that `num_bits`, `signed` and `narrow_range` name. Everything else is as in
    `minmax`.

    Raises
    ------
    ValueError
        Like `minmax`, and if `candidates` is no integer from 1 on, or unsigned symmetric codes meet negative values.

    References
    ----------
    Nagel et al., "A white paper on neural network quantization", arXiv:2106.08295 (2021), section 3.1.

    Examples
    --------
    >>> rmin, rmax = mse(np.r_[np.linspace(-1, 1, 9999), 2.0], num_bits=4, symmetric=True)
    >>> rmax < 1.1  # the outlier at 2.0 is given up
    True
    """
    codes = dict(num_bits=num_bits, symmetric=symmetric, signed=signed, narrow_range=narrow_range)
    check_count("candidates", candidates)
    x = _checked(x, num_bits, symmetric, signed, narrow_range, axis)
    if axis is not None:
        return _per_channel(mse, x, axis, **codes, candidates=candidates)
    widest, profile = minmax(x, symmetric=symmetric), ErrorProfile(x)
    ranges = np.outer(np.arange(1, candidates + 1), widest) / candidates
    if symmetric:  # zero point 0 for all: one lookup
        steps = choose_qparams(*ranges.T, axis=0, **codes).scale
        errors = profile.sse_by_step(steps, *qrange(num_bits, signed=signed, narrow_range=narrow_range))
    else:
        errors = [profile.sse(choose_qparams(*ends, **codes)) for ends in ranges]
    rmin, rmax = ranges[np.argmin(errors)]
    return float(rmin), float(rmax)


def entropy(
    x: np.ndarray,
    *,
    num_bits: int = 8,
    symmetric: bool = False,
    signed: bool = True,
    narrow_range: bool = False,
    axis: int | None = None,
    bins: int = 2048,
) -> Range:
    """The threshold whose quantized histogram of |x| is nearest to the clipped one, by Kullback-Leibler divergence.

    Not symmetric, the same threshold cuts the min-max range. Exact zeros are not counted: every quantizer here keeps
    them exact, and after a ReLU they would outweigh all else. The histogram of |x| gets as many levels as the codes
    have for one sign, 2^(b−1), or 2^b where all codes stand for one sign. With as many levels as bins there is nothing
    to choose, and the range is min-max. It wants far more values than bins: of a few hundred it says little.
    Everything else is as in `minmax`.

    Raises
    ------
    ValueError
        Like `minmax`, and if `bins` is no integer from 1 on.

    References
    ----------
    Migacz, "8-bit inference with TensorRT", GPU Technology Conference 2017: the pseudocode of its entropy calibration.
    That one counts zeros, knows 128 levels only, leaves out the widest candidate, and adds half a bin to the threshold.

    Examples
    --------
    >>> entropy([-1.0, 0.25, 1.0], num_bits=16)
    (-1.0, 1.0)
    """
    check_count("bins", bins)
    x = _checked(x, num_bits, symmetric, signed, narrow_range, axis)
    if axis is not None:
        options = dict(num_bits=num_bits, symmetric=symmetric, signed=signed, narrow_range=narrow_range, bins=bins)
        return _per_channel(entropy, x, axis, **options)
    rmin, rmax = _ends(x)
    two_sided = (symmetric and signed) or rmin < 0 < rmax
    levels = 2 ** (num_bits - 1 if two_sided else num_bits)
    if levels >= bins or rmin == rmax:
        return minmax(x, symmetric=symmetric)
    # In float64: the edges between denormal numbers would coincide in float32.
    counts, edges = np.histogram(np.abs(x[x != 0], dtype=np.float64), bins=bins, range=(0.0, max(-rmin, rmax)))
    kept = np.arange(levels, bins + 1)
    scores = divergences(counts, kept, levels)
    # They are right up to rounding. Where several are least, the definition decides.
    kept = kept[scores <= np.min(scores) + 1e-9]
    return _cut(x, symmetric, edges[min(kept, key=lambda i: kl_divergence(*clipped_and_quantized(counts, i, levels)))])


CALIBRATORS: dict[str, Callable[..., Range]] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
}


def _checked(x: object, num_bits: int, symmetric: bool, signed: bool, narrow_range: bool, axis: int | None):
    """x as float32, after every argument that all calibrators share was checked."""
    x = as_float32("x", x)
    refuse_unmeasurable("x", x)
    qrange(num_bits, signed=signed, narrow_range=narrow_range)
    check_flags(symmetric=symmetric)
    check_axis(axis, x.ndim)
    return x


def _per_channel(calibrator: Callable[..., Range], x: np.ndarray, axis: int, **options) -> Range:
    ranges = np.array([calibrator(channel, **options) for channel in np.moveaxis(x, axis, 0)])
    return ranges[:, 0], ranges[:, 1]


def _ends(x: np.ndarray) -> tuple[float, float]:
    return min(float(x.min()), 0.0), max(float(x.max()), 0.0)


def _cut(x: np.ndarray, symmetric: bool, threshold: float) -> tuple[float, float]:
    """The range of x cut at ±threshold."""
    rmin, rmax = _ends(x)
    if symmetric:
        return (-float(threshold) if rmin < 0 else 0.0), float(threshold)
    return max(rmin, -float(threshold)), min(rmax, float(threshold))
