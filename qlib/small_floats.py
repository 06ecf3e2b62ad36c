"""Floats of 4, 6 and 8 bits, by their formula: patterns, numbers, and rounding that saturates.

`qlib.formats` (lesson 02) leaves reading and rounding to ml_dtypes; here both are written out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qlib.arguments import as_array, as_float32, check_axis, refuse_unmeasurable


class SmallFloat(NamedTuple):
    """A format: one sign bit, E exponent bits, M mantissa bits, and how many of the last patterns are no finite number.

    `reserved` counts them behind one sign: 1 in E4M3 (NaN), 4 in E5M2 (an infinity and three NaN), 0 in the others.
    """

    exponent_bits: int
    mantissa_bits: int
    reserved: int = 0

    @property
    def num_bits(self) -> int:
        """Bits of one number."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        """What is taken off the exponent field."""
        return 2 ** (self.exponent_bits - 1) - 1

    @property
    def largest(self) -> float:
        """The largest number."""
        last = 2 ** (self.num_bits - 1) - 1 - self.reserved
        exponent, mantissa = divmod(last, 2**self.mantissa_bits)
        return (1 + mantissa / 2**self.mantissa_bits) * 2.0 ** (exponent - self.bias)

    @property
    def emax(self) -> int:
        """The exponent of the largest number: 2 in E2M1, 8 in E4M3, 15 in E5M2."""
        return int(np.frexp(self.largest)[1]) - 1


# E4M3, E5M2: Micikevicius et al., "FP8 formats for deep learning", arXiv:2209.05433, 2022, table 1.
# The others: Open Compute Project, "OCP Microscaling formats (MX) specification", version 1.0, 2023, section 5.3.
SMALL_FLOATS = {
    "E2M1": SmallFloat(2, 1),
    "E2M3": SmallFloat(2, 3),
    "E3M2": SmallFloat(3, 2),
    "E4M3": SmallFloat(4, 3, reserved=1),
    "E5M2": SmallFloat(5, 2, reserved=4),
}


def round_to(x: np.ndarray, name: str) -> np.ndarray:
    """x rounded to the nearest number of a format, half to even; beyond the largest it saturates: float32, x's shape.

    With the exponent e of x, but not below that of the smallest normal number, numbers are 2^(e − M) apart.

    Raises
    ------
    ValueError
        If the format is unknown, or x isn't numeric or holds NaN.

    >>> round_to([0.3, 2.5, -5, 99], "E2M1").tolist()
    [0.5, 2.0, -4.0, 6.0]
    """
    form, x = small_float(name), as_float32("x", x)
    x = np.clip(x, -np.float32(form.largest), np.float32(form.largest))
    exponent = _exponent(x, form)
    step = np.ldexp(np.float32(1), exponent - form.mantissa_bits)
    return np.rint(x / step) * step


def encode(x: np.ndarray, name: str) -> np.ndarray:
    """The patterns of x after `round_to`: uint8, the sign in the highest bit of the format.

    >>> [hex(pattern) for pattern in encode([1, -448, 2**-9], "E4M3")]
    ['0x38', '0xfe', '0x1']
    """
    form, rounded = small_float(name), round_to(x, name)
    size, mantissa_bits = np.abs(rounded), form.mantissa_bits
    exponent = _exponent(size, form)
    # In steps of 2^(exponent − M) a normal number is 2^M + m, a subnormal one m: both add up with the exponent field.
    steps = np.ldexp(size, mantissa_bits - exponent).astype(np.int32)
    patterns = (exponent + form.bias - 1) * 2**mantissa_bits + steps
    return (patterns + np.signbit(rounded) * 2 ** (form.num_bits - 1)).astype(np.uint8)


def decode(patterns: np.ndarray, name: str) -> np.ndarray:
    """The numbers that patterns stand for, ±inf and NaN where the format has them: float32.

    Raises
    ------
    ValueError
        If the format is unknown, or a pattern is no integer of that many bits.

    >>> decode([0x38, 0xFE, 0x01, 0x7F], "E4M3").tolist()
    [1.0, -448.0, 0.001953125, nan]
    """
    form, patterns = small_float(name), as_array("patterns", patterns)
    if patterns.dtype.kind not in "iu" or np.any(patterns < 0) or np.any(patterns >= 2**form.num_bits):
        raise ValueError(f"patterns: expected integers of {form.num_bits} bits, got {patterns}")
    unsigned, steps = 2 ** (form.num_bits - 1), 2**form.mantissa_bits
    sign, rest = np.divmod(patterns.astype(np.int32), unsigned)
    e, m = np.divmod(rest, steps)
    size = np.where(e > 0, (1 + m / steps) * 2.0 ** (e - form.bias), m / steps * 2.0 ** (1 - form.bias))
    ordinary = rest < unsigned - form.reserved
    infinite = (form.reserved > 1) & (m == 0)
    size = np.where(ordinary, size, np.where(infinite, np.inf, np.nan))
    return np.where(sign == 1, -size, size).astype(np.float32)


def fake_quantize_float(x: np.ndarray, name: str, *, axis: int | None = None) -> np.ndarray:
    """x in a small float, with a float32 scale that brings the largest |x| to its largest number.

    One scale (axis None), or one for each index of `axis`. float32, x's shape. A ValueError refuses ±inf, which has no
    scale (`round_to` takes it).

    >>> fake_quantize_float([0.3, 2.5, -5, 12], "E2M1").tolist()
    [0.0, 2.0, -4.0, 12.0]
    """
    x = as_float32("x", x)
    if x.size:
        refuse_unmeasurable("x", x)
    check_axis(axis, x.ndim)
    others = None if axis is None else tuple(k for k in range(x.ndim) if k != axis % x.ndim)
    scale = (np.abs(x).max(axis=others, keepdims=True, initial=0) / small_float(name).largest).astype(np.float32)
    scale = np.where(scale == 0, np.float32(1), scale)
    return round_to(x / scale, name) * scale


def small_float(name: str) -> SmallFloat:
    """The format of this name; a ValueError names those there are."""
    if not isinstance(name, str) or name not in SMALL_FLOATS:
        raise ValueError(f"name: expected one of {list(SMALL_FLOATS)}, got {name!r}")
    return SMALL_FLOATS[name]


def _exponent(x: np.ndarray, form: SmallFloat) -> np.ndarray:
    """The exponent with which x is written: ⌊log₂|x|⌋, but that of the smallest normal number for less, and for 0."""
    smallest = 1 - form.bias
    return np.where(x == 0, smallest, np.maximum(np.frexp(x)[1] - 1, smallest))
