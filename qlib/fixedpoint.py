"""How integer kernels rescale: a real multiplier as integer and shift, the rounding rules of LiteRT's kernels by name.

An accumulator holds Σ (x − zero_point)·w + bias in steps of s_in·s_w; the output wants steps of s_out. The factor
between them, M = s_in·s_w / s_out, is a real number, and LiteRT's kernels multiply by it in different ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Affine = tuple[np.float32, int]  # scale and zero point
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
    return (acc * multiplier + 2**30) >> 31


def shift_ties_away(v: np.ndarray, n: np.ndarray) -> np.ndarray:
    """v / 2^n, rounded, ties away from zero: gemmlowp's `RoundingDivideByPOT`."""
    return (v + (1 << n >> 1) - ((v < 0) & (n > 0))) >> n


def shift_ties_up(v: np.ndarray, n: np.ndarray) -> np.ndarray:
    """v / 2^n, rounded, ties towards +∞."""
    return (v + (1 << n >> 1)) >> n


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
    def from_scales(cls, s_in, s_w, s_out, *, product: type = np.float64) -> Multiplier:
        """From float32 scales. XNNPACK computes in float32; the others divide in float64, and multiply in `product`:
        float64, but float32 in one case (`weighted.rescaling`)."""
        s_in, s_w, s_out = (np.asarray(s, np.float32) for s in (s_in, s_w, s_out))
        s_acc = (s_in.astype(product) * s_w.astype(product)).astype(np.float64)
        return cls(*quantize_multiplier(s_acc / s_out.astype(np.float64)), s_in * s_w / s_out)


def two_roundings_away(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """High multiply, then a right shift by n = −shift ties away from zero. A positive shift comes first, to the left.

    It is `shift_ties_away(high_multiply(acc, multiplier), n)`, at once: ⌊(⌊a⌋ + h) / 2^n⌋ = ⌊(a + h) / 2^n⌋ for an
    integer h.
    """
    product, n = _product(acc, m)
    half = (1 << n >> 1) << 31
    product += np.where(product < 0, half - ((n > 0) << 31), half)
    product >>= 31 + n
    return product


def two_roundings_up(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """The same with `shift_ties_up`."""
    product, n = _product(acc, m)
    product += (1 << n >> 1) << 31
    product >>= 31 + n
    return product


def _product(acc: np.ndarray, m: Multiplier) -> tuple[np.ndarray, np.ndarray]:
    """acc · multiplier + 2^30, which `high_multiply` shifts by 31, and the n of the second shift."""
    left = np.maximum(m.shift, 0)
    product = (acc << left if left.any() else acc) * m.multiplier
    product += 2**30  # in place, as in what follows: fewer arrays pass through the cache
    return product, np.maximum(-m.shift, 0)


def one_rounding(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """The whole product, shifted once, by 31 − shift, with ties away from zero."""
    return shift_ties_away(acc * m.multiplier, 31 - m.shift)


def float_rounding(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """A float32 product, rounded half to even."""
    return np.rint(np.float32(acc) * m.single)


def up_in_vectors(acc: np.ndarray, m: Multiplier) -> np.ndarray:
    """`two_roundings_up` for vectors of 8 channels, `two_roundings_away` for the channels that are left over."""
    return in_vectors(8, acc, lambda v: two_roundings_up(v, m), lambda v: two_roundings_away(v, m))


# ------------------------------------------------------- operators without weights


def steps_half_away(x: np.ndarray, scale: np.float32, dtype: type = np.float32) -> np.ndarray:
    """x / scale in float32 (or as `dtype` says), rounded, ties away from zero."""
    with np.errstate(over="ignore"):  # beyond float32 it saturates
        steps = (x.astype(dtype) / dtype(scale)).astype(np.float64)  # where half can be added exactly
    return np.trunc(steps + np.copysign(0.5, steps))


def steps_half_even(x: np.ndarray, scale: np.float32) -> np.ndarray:
    """x · (1 / scale) in float32, rounded half to even. `qlib.quantize` divides: next to a tie that may differ."""
    with np.errstate(over="ignore"):
        return np.rint(x.astype(np.float32) * (np.float32(1) / scale))


def in_vectors(width: int, x: np.ndarray, vectors: Callable, rest: Callable) -> np.ndarray:
    """`vectors(x)`, but `rest(x)` for the last values along the last axis, which don't fill a vector of `width`.

    An optimized kernel takes several values at once. What is left over goes through plain code, which may round
    differently: one tensor, two rules.
    """
    whole = x.shape[-1] // width * width
    if whole == x.shape[-1]:
        return vectors(x)
    return np.concatenate([vectors(x)[..., :whole], rest(x)[..., whole:]], axis=-1)


def steps_in_vectors(x: np.ndarray, scale: np.float32) -> np.ndarray:
    """`steps_half_even` for vectors of 8 values; for those that are left over x / scale in float64, ties away."""
    rest = lambda v: steps_half_away(v, scale, np.float64)  # noqa: E731
    return in_vectors(8, x.ravel(), lambda v: steps_half_even(v, scale), rest).reshape(x.shape)


def rescale_away(v: np.ndarray, s_in: np.float32, s_out: np.float32) -> np.ndarray:
    """Codes minus their zero point, in steps of s_out instead of s_in: two roundings, ties away from zero."""
    return two_roundings_away(v, Multiplier.of(float(s_in) / float(s_out)))


def rescale_in_vectors(v: np.ndarray, s_in: np.float32, s_out: np.float32) -> np.ndarray:
    """The same with ties up, but for the last values, which don't fill a vector of 16."""
    m = Multiplier.of(float(s_in) / float(s_out))
    flat = in_vectors(16, v.ravel(), lambda x: two_roundings_up(x, m), lambda x: two_roundings_away(x, m))
    return flat.reshape(v.shape)


def rescale_xnnpack(v: np.ndarray, s_in: np.float32, s_out: np.float32) -> np.ndarray:
    """The same with a factor in steps of 1/256, where it is at least one such step and at most 128."""
    ratio = s_in / s_out
    if not 2.0**-8 <= ratio <= 2.0**7:
        return rescale_in_vectors(v, s_in, s_out)  # XNNPACK leaves the operator to the other kernel
    return shift_ties_up(v * round(float(ratio) * 256), 8)  # Python's round is half to even, as C's lrintf


def add_fixed(a: np.ndarray, b: np.ndarray, s_a: np.float32, s_b: np.float32, s_out: np.float32) -> np.ndarray:
    """a·s_a + b·s_b in steps of s_out: both brought to steps of 2·max(s_a, s_b) / 2^20, added, and rescaled."""
    s_a, s_b, s_out = float(s_a), float(s_b), float(s_out)
    shared = 2 * max(s_a, s_b)
    a, b = (two_roundings_away(v << 20, Multiplier.of(s / shared)) for v, s in ((a, s_a), (b, s_b)))
    return two_roundings_away(a + b, Multiplier.of(shared / (2**20 * s_out)))


def xnnpack_adds(s_a: np.float32, s_b: np.float32, s_out: np.float32) -> bool:
    """Whether XNNPACK takes an ADD of these scales, or leaves it to the other kernel."""
    return bool(2.0**-10 <= min(s_a, s_b) / s_out <= max(s_a, s_b) / s_out < 2.0**8)


def add_xnnpack(a: np.ndarray, b: np.ndarray, s_a: np.float32, s_b: np.float32, s_out: np.float32) -> np.ndarray:
    """a·s_a + b·s_b in steps of s_out: integer factors of up to 21 bits, one shift, ties up."""
    if not xnnpack_adds(s_a, s_b, s_out):
        return add_fixed(a, b, s_a, s_b, s_out)
    ratios = s_a / s_out, s_b / s_out
    shift = 21 - math.frexp(max(ratios))[1]
    f_a, f_b = (round(float(ratio) * 2**shift) for ratio in ratios)
    return shift_ties_up(a * f_a + b * f_b, shift)


def mean_fixed(v: np.ndarray, axes: tuple, keep: bool, a: Affine, out: Affine) -> np.ndarray:
    """Codes of the mean over axes: the Q0.31 multiplier is divided by the count, rounded down."""
    (s_in, z_in), (s_out, z_out), (total, count) = a, out, _total(v, axes, keep)
    multiplier, shift = quantize_multiplier(float(s_in) / float(s_out))
    spare = min(count.bit_length() - 1, 32, 31 + int(shift))
    m = Multiplier((multiplier << spare) // count, shift - spare, None)
    return two_roundings_away(total - count * z_in, m) + z_out


def mean_in_vectors(v: np.ndarray, axes: tuple, keep: bool, a: Affine, out: Affine) -> np.ndarray:
    """With its axes kept: the sum of the raw codes rescaled, and the zero point's share, rounded, taken off.

    Vectors of 16 channels round ties up, the channels that are left over away from zero.
    """
    if not keep:
        return mean_fixed(v, axes, keep, a, out)
    (s_in, z_in), (s_out, z_out), (total, count) = a, out, _total(v, axes, keep)
    share = steps_half_away(np.array(np.float32(z_in) * s_in), s_out)
    m = Multiplier.of(s_in / (np.float32(count) * s_out))
    rescaled = in_vectors(16, total, lambda x: two_roundings_up(x, m), lambda x: two_roundings_away(x, m))
    return rescaled - int(share) + z_out


def mean_xnnpack(v: np.ndarray, axes: tuple, keep: bool, a: Affine, out: Affine) -> np.ndarray:
    """rint(Σq · f + (z_out − count · z_in · f)) with f = 1 / count · (s_in / s_out), all of it in float32."""
    (s_in, z_in), (s_out, z_out), (total, count) = a, out, _total(v, axes, keep)
    f = np.float32(1) / np.float32(count) * (s_in / s_out)
    return np.rint(total.astype(np.float32) * f + (np.float32(z_out) - np.float32(count * z_in) * f))


def _total(v: np.ndarray, axes: tuple, keep: bool) -> tuple[np.ndarray, int]:
    return v.sum(axis=axes, dtype=np.int64, keepdims=keep), math.prod(v.shape[axis] for axis in axes)


def reals(q: np.ndarray, scale: np.float32, zero_point: int) -> np.ndarray:
    """scale · (q − zero_point), float32."""
    return scale * (q.astype(np.float32) - np.float32(zero_point))


def reals_in_vectors(q: np.ndarray, scale: np.float32, zero_point: int) -> np.ndarray:
    """scale · q − scale · zero_point for vectors of 8 values, where the last bit may differ; `reals` for the rest."""
    shifted = lambda x: scale * x.astype(np.float32) - scale * np.float32(zero_point)  # noqa: E731
    return in_vectors(8, q.ravel(), shifted, lambda x: reals(x, scale, zero_point)).reshape(q.shape)


# ------------------------------------------------------- which kernel does what

ROUNDING: dict[str, dict[str, Callable]] = {
    "reference": dict(CONV_2D=two_roundings_away, DEPTHWISE_CONV_2D=two_roundings_away, FULLY_CONNECTED=one_rounding),
    "no_delegate": dict(CONV_2D=two_roundings_up, DEPTHWISE_CONV_2D=up_in_vectors, FULLY_CONNECTED=two_roundings_up),
    "xnnpack": dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), float_rounding),
}
QUANTIZE = {"reference": steps_half_away, "no_delegate": steps_in_vectors, "xnnpack": steps_half_even}
REQUANTIZE = {"reference": rescale_away, "no_delegate": rescale_in_vectors, "xnnpack": rescale_xnnpack}
DEQUANTIZE = {"reference": reals, "no_delegate": reals_in_vectors, "xnnpack": reals}
MEAN = {"reference": mean_fixed, "no_delegate": mean_in_vectors, "xnnpack": mean_xnnpack}
ADD = {"reference": add_fixed, "no_delegate": add_fixed, "xnnpack": add_xnnpack}
