"""How integer kernels rescale: a real multiplier as integer and shift, the rounding rules of LiteRT's kernels by name.

An accumulator holds Σ (x − zero_point)·w + bias in steps of s_in·s_w; the output wants steps of s_out. The factor
between them, M = s_in·s_w / s_out, is a real number, and LiteRT's kernels multiply by it in different ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

KERNELS = ("reference", "no_delegate", "xnnpack")


def quantize_multiplier(real: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """A positive real factor as `multiplier, shift`: real ≈ multiplier · 2^(shift − 31), multiplier in [2^30, 2^31).

    Returns
    -------
    multiplier, shift : int64 arrays of the shape of `real`
        A factor below 2^−32 becomes 0, 0, as in LiteRT.

    Raises
    ------
    ValueError
        If a factor is not finite, not positive, or 2^30 and more.

    References
    ----------
    Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
    CVPR 2018, eq. 6 (M = 2^−n · M0, M0 in [0.5, 1)).

    >>> [int(v) for v in quantize_multiplier(0.75 / 4)]
    [1610612736, -2]
    """
    real = np.asarray(real, np.float64)
    if not (np.isfinite(real) & (real > 0) & (real < 2**30)).all():
        raise ValueError(f"real: expected factors between 0 and 2^30, got {real}")
    fraction, shift = np.frexp(real)
    multiplier = np.floor(fraction * 2**31 + 0.5).astype(np.int64)
    carried = multiplier == 2**31  # a fraction just below 1 was rounded up to 1
    multiplier, shift = np.where(carried, 2**30, multiplier), shift.astype(np.int64) + carried
    lost = shift < -31
    return np.where(lost, 0, multiplier), np.where(lost, 0, shift)


def high_multiply(acc: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    """acc · multiplier / 2^31, rounded, ties up: gemmlowp's "rounding doubling high multiply"."""
    product = acc * multiplier
    product += 2**30  # in place, here and below: fewer arrays pass through the cache
    product >>= 31
    return product


def shift_ties_away(v: np.ndarray, n: np.ndarray) -> np.ndarray:
    """v / 2^n, rounded, ties away from zero: gemmlowp's `RoundingDivideByPOT`."""
    rounded = v + (1 << n >> 1)
    rounded -= (v < 0) & (n > 0)
    rounded >>= n
    return rounded


def shift_ties_up(v: np.ndarray, n: np.ndarray) -> np.ndarray:
    """v / 2^n, rounded, ties towards +∞."""
    rounded = v + (1 << n >> 1)
    rounded >>= n
    return rounded


@dataclass(frozen=True, eq=False)
class Multiplier:
    """The factor M = s_in · s_w / s_out in the forms that the kernels use: one value, or one per channel."""

    multiplier: np.ndarray  # Q0.31
    shift: np.ndarray
    single: np.ndarray  # float32

    @classmethod
    def of(cls, real: np.ndarray | float) -> Multiplier:
        """Of a real factor."""
        return cls(*quantize_multiplier(real), np.asarray(real, np.float32))

    @classmethod
    def from_scales(cls, s_in, s_w, s_out) -> Multiplier:
        """From float32 scales; XNNPACK multiplies and divides them in float32, the others in float64."""
        s_in, s_w, s_out = (np.asarray(s, np.float32) for s in (s_in, s_w, s_out))
        multiplier, shift = quantize_multiplier(
            s_in.astype(np.float64) * s_w.astype(np.float64) / s_out.astype(np.float64)
        )
        return cls(multiplier, shift, s_in * s_w / s_out)


def two_roundings_away(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """High multiply, then a right shift with ties away from zero."""
    return shift_ties_away(high_multiply(_left(acc, m), m.multiplier), np.maximum(-m.shift, 0))


def two_roundings_up(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """High multiply, then a right shift with ties up."""
    return shift_ties_up(high_multiply(_left(acc, m), m.multiplier), np.maximum(-m.shift, 0))


def _left(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """acc · 2^shift where the shift is positive: a factor of 1 or more."""
    return acc << np.maximum(m.shift, 0) if np.any(m.shift > 0) else acc


def one_rounding(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """The whole product, shifted once: (acc · multiplier + 2^(30 − shift)) >> (31 − shift)."""
    return (acc * m.multiplier + (1 << (30 - m.shift))) >> (31 - m.shift)


def float_rounding(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """A float32 product, rounded half to even."""
    product = acc.astype(np.float32, copy=False) * m.single
    return np.rint(product, out=product)


# ------------------------------------------------------- operators without weights


def steps_half_away(x: np.ndarray, scale: np.float32) -> np.ndarray:
    """x / scale in float32, rounded, ties away from zero."""
    steps = x.astype(np.float32) / scale
    return np.trunc(steps + np.copysign(np.float32(0.5), steps))


def steps_half_even(x: np.ndarray, scale: np.float32) -> np.ndarray:
    """x · (1 / scale) in float32, rounded half to even. `qlib.quantize` divides: next to a tie that may differ."""
    return np.rint(x.astype(np.float32) * (np.float32(1) / scale))


def rescale_away(v: np.ndarray, s_in: np.float32, s_out: np.float32) -> np.ndarray:
    """Codes minus their zero point, in steps of s_out instead of s_in: two roundings, ties away from zero."""
    return two_roundings_away(v, Multiplier.of(float(s_in) / float(s_out)))


def rescale_up(v: np.ndarray, s_in: np.float32, s_out: np.float32) -> np.ndarray:
    """The same with ties up."""
    return two_roundings_up(v, Multiplier.of(float(s_in) / float(s_out)))


def rescale_xnnpack(v: np.ndarray, s_in: np.float32, s_out: np.float32) -> np.ndarray:
    """The same with a factor in steps of 1/256, where it is at least one such step and at most 128."""
    ratio = s_in / s_out
    if not 2.0**-8 <= ratio <= 2.0**7:
        return rescale_up(v, s_in, s_out)  # XNNPACK leaves the operator to the other kernel
    return shift_ties_up(v * round(float(ratio) * 256), 8)  # Python's round is half to even, as C's lrintf


def add_fixed(a: np.ndarray, b: np.ndarray, s_a: np.float32, s_b: np.float32, s_out: np.float32) -> np.ndarray:
    """a·s_a + b·s_b in steps of s_out: both brought to steps of 2·max(s_a, s_b) / 2^20, added, and rescaled."""
    s_a, s_b, s_out = float(s_a), float(s_b), float(s_out)
    shared = 2 * max(s_a, s_b)
    a, b = (two_roundings_away(v << 20, Multiplier.of(s / shared)) for v, s in ((a, s_a), (b, s_b)))
    return two_roundings_away(a + b, Multiplier.of(shared / (2**20 * s_out)))


def add_xnnpack(a: np.ndarray, b: np.ndarray, s_a: np.float32, s_b: np.float32, s_out: np.float32) -> np.ndarray:
    """a·s_a + b·s_b in steps of s_out: integer factors of up to 21 bits, one shift, ties up."""
    ratios = s_a / s_out, s_b / s_out
    if not 2.0**-10 <= min(ratios) <= max(ratios) < 2.0**8:
        return add_fixed(a, b, s_a, s_b, s_out)  # XNNPACK leaves the operator to the other kernel
    shift = 21 - math.frexp(max(ratios))[1]
    f_a, f_b = (round(float(ratio) * 2**shift) for ratio in ratios)
    return shift_ties_up(a * f_a + b * f_b, shift)


def mean_fixed(v: np.ndarray, axes: tuple, s_in: np.float32, z_in: int, s_out: np.float32, keep: bool) -> np.ndarray:
    """The mean of codes minus z_in, in steps of s_out: the Q0.31 multiplier is divided by the count, rounded down."""
    total, count = _total(v, axes, keep)
    multiplier, shift = quantize_multiplier(float(s_in) / float(s_out))
    spare = min(count.bit_length() - 1, 32, 31 + int(shift))
    return two_roundings_away(total - count * z_in, Multiplier((multiplier << spare) // count, shift - spare, None))


def mean_up(v: np.ndarray, axes: tuple, s_in: np.float32, z_in: int, s_out: np.float32, keep: bool) -> np.ndarray:
    """With its axes kept: the sum of the raw codes rescaled, ties up; the zero point's share, rounded, is taken off."""
    if not keep:
        return mean_fixed(v, axes, s_in, z_in, s_out, keep)
    total, count = _total(v, axes, keep)
    share = steps_half_away(np.array(np.float32(z_in) * s_in), s_out)
    return two_roundings_up(total, Multiplier.of(s_in / (np.float32(count) * s_out))) - int(share)


def mean_xnnpack(v: np.ndarray, axes: tuple, s_in: np.float32, z_in: int, s_out: np.float32, keep: bool) -> np.ndarray:
    """The sum of codes minus z_in, times s_in / (count · s_out) in float32, rounded half to even."""
    total, count = _total(v, axes, keep)
    return np.rint((total - count * z_in).astype(np.float32) * (s_in / (np.float32(count) * s_out)))


def _total(v: np.ndarray, axes: tuple, keep: bool) -> tuple[np.ndarray, int]:
    return v.sum(axis=axes, dtype=np.int64, keepdims=keep), math.prod(v.shape[axis] for axis in axes)


def reals(q: np.ndarray, scale: np.float32, zero_point: int) -> np.ndarray:
    """scale · (q − zero_point), float32."""
    return scale * (q.astype(np.float32) - np.float32(zero_point))


def reals_shifted(q: np.ndarray, scale: np.float32, zero_point: int) -> np.ndarray:
    """scale · q − scale · zero_point, float32: two products, so the last bit may differ."""
    return scale * q.astype(np.float32) - scale * np.float32(zero_point)


# ------------------------------------------------------- which kernel does what

ROUNDING: dict[str, dict[str, Callable]] = {
    "reference": dict(CONV_2D=two_roundings_away, DEPTHWISE_CONV_2D=two_roundings_away, FULLY_CONNECTED=one_rounding),
    "no_delegate": dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), two_roundings_up),
    "xnnpack": dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), float_rounding),
}
QUANTIZE = {"reference": steps_half_away, "no_delegate": steps_half_even, "xnnpack": steps_half_even}
REQUANTIZE = {"reference": rescale_away, "no_delegate": rescale_up, "xnnpack": rescale_xnnpack}
DEQUANTIZE = {"reference": reals, "no_delegate": reals_shifted, "xnnpack": reals}
MEAN = {"reference": mean_fixed, "no_delegate": mean_up, "xnnpack": mean_xnnpack}
ADD = {"reference": add_fixed, "no_delegate": add_fixed, "xnnpack": add_xnnpack}
