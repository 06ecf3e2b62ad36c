"""Number formats as bits: from a number to its pattern and back, and all that a small format can say.

A pattern is the integer that its bits spell, the sign bit first. The casts are those of NumPy and ml_dtypes.
"""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np

from qlib.arguments import as_reals

CARRIERS = {1: np.uint8, 2: np.uint16, 4: np.uint32}  # by bytes of memory: int4 takes a byte of its own, too
LISTED = 16  # bits: a list of all values of a longer format would fill the memory


@dataclass(frozen=True)
class Format:
    """A number format: one sign bit, then `exponent_bits`, then `mantissa_bits`.

    An integer (in two's complement) has no exponent; all its bits after the first count as mantissa.

    name : as in `FORMATS`.
    infinities : whether the highest exponent is kept for infinities and NaN, as IEEE 754 has it. E4M3 keeps only the
        pattern with all bits 1 behind the sign, for NaN.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    dtype: np.dtype
    infinities: bool = False

    @property
    def num_bits(self) -> int:
        """Bits of one number."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def is_float(self) -> bool:
        """Whether it has an exponent."""
        return self.exponent_bits > 0

    @property
    def bias(self) -> int:
        """What is taken off the exponent field: half of its range, rounded down. 0 for an integer."""
        return 2 ** (self.exponent_bits - 1) - 1 if self.is_float else 0

    @property
    def letters(self) -> str:
        """A letter for each bit, from the left: S sign, E exponent, M mantissa; I integer."""
        return "S" + "E" * self.exponent_bits + ("M" if self.is_float else "I") * self.mantissa_bits


# float16, float32: IEEE 754-2019. float8: Micikevicius et al., "FP8 formats for deep learning", arXiv:2209.05433, 2022.
FORMATS = {
    format.name: format
    for format in (
        Format("int4", 0, 3, np.dtype(ml_dtypes.int4)),
        Format("int8", 0, 7, np.dtype(np.int8)),
        Format("int16", 0, 15, np.dtype(np.int16)),
        Format("float8 E4M3", 4, 3, np.dtype(ml_dtypes.float8_e4m3fn)),
        Format("float8 E5M2", 5, 2, np.dtype(ml_dtypes.float8_e5m2), infinities=True),
        Format("bfloat16", 8, 7, np.dtype(ml_dtypes.bfloat16), infinities=True),
        Format("float16", 5, 10, np.dtype(np.float16), infinities=True),
        Format("float32", 8, 23, np.dtype(np.float32), infinities=True),
    )
}


def cast(x: np.ndarray, format: str) -> np.ndarray:
    """x in another format, rounded to the nearest, half to even, as an array of that format's dtype.

    An integer saturates. A float that would round beyond the largest value becomes an infinity, or NaN where there is
    none.

    Raises
    ------
    ValueError
        If the format is unknown, or x isn't numeric or holds NaN.

    >>> cast([300, -2.5], "int8"), cast([300, 1.1], "float8 E4M3").astype(float)
    (array([127,  -2], dtype=int8), array([288.   ,   1.125]))
    """
    form, x = _format(format), as_reals("x", x)
    if not form.is_float:
        half = 2**form.mantissa_bits
        return np.clip(np.rint(x), -half, half - 1).astype(np.int16).astype(form.dtype)
    with np.errstate(over="ignore"):
        return x.astype(form.dtype)


def bits_of(x: np.ndarray, format: str) -> np.ndarray:
    """The patterns of x after a `cast`, as unsigned integers.

    >>> bits_of([1.0, -1.0], "float16").tolist() == [0x3C00, 0xBC00]
    True
    """
    form = _format(format)
    patterns = np.asarray(cast(x, format)).view(CARRIERS[form.dtype.itemsize])
    return patterns & patterns.dtype.type(2**form.num_bits - 1)  # int4 lies in a byte whose upper half may hold signs


def value_of(pattern: np.ndarray, format: str) -> np.ndarray:
    """The numbers that patterns stand for, as float64 (exact for all formats here; ±inf and NaN where it has them).

    Raises
    ------
    ValueError
        If a pattern isn't an integer of that many bits.

    >>> value_of([0x00, 0x38, 0x7E], "float8 E4M3")
    array([  0.,   1., 448.])
    """
    form, pattern = _format(format), as_reals("pattern", pattern)
    if pattern.dtype.kind not in "iu" or np.any(pattern < 0) or np.any(pattern >= 2**form.num_bits):
        raise ValueError(f"pattern: expected integers of {form.num_bits} bits, got {pattern}")
    carried = pattern.astype(CARRIERS[form.dtype.itemsize])
    with np.errstate(invalid="ignore"):  # the cast of a signalling NaN
        return carried.view(form.dtype).astype(np.float64)


def fields(pattern: int, format: str) -> tuple[int, int, int]:
    """Sign, exponent and mantissa field of one pattern, as unsigned integers. A ValueError as in `value_of`.

    >>> fields(0b0_0111_001, "float8 E4M3")
    (0, 7, 1)
    """
    value_of(pattern, format)  # refuses what is no pattern of this format
    form, pattern = _format(format), int(pattern)
    exponent = (pattern >> form.mantissa_bits) & (2**form.exponent_bits - 1)
    return pattern >> (form.num_bits - 1), exponent, pattern & (2**form.mantissa_bits - 1)


def values(format: str) -> np.ndarray:
    """All finite values of a format of at most 16 bits, in ascending order, each once (−0 is 0): float64.

    >>> values("int4")[[0, 1, -1]]
    array([-8., -7.,  7.])
    """
    form = _format(format)
    if form.num_bits > LISTED:
        raise ValueError(f"format: expected one of at most {LISTED} bits, got {format!r}")
    every = value_of(np.arange(2**form.num_bits), format)
    return np.unique(every[np.isfinite(every)])


def neighbours(pattern: int, format: str) -> tuple[float, float]:
    """The nearest values below and above that of one pattern; ±inf beyond the last, NaN for NaN.

    >>> neighbours(0x38, "float8 E4M3")
    (0.9375, 1.125)
    """
    form, value = _format(format), float(value_of(pattern, format))
    if not form.is_float:
        half = 2**form.mantissa_bits
        return (value - 1 if value > -half else -np.inf), (value + 1 if value < half - 1 else np.inf)
    if not np.isfinite(value):
        return (np.nan, np.nan) if np.isnan(value) else (min(value, largest(format)), max(value, -largest(format)))
    # Without its sign, a pattern grows with the size of its value: the next one up is the next one out.
    size = int(pattern) & (2 ** (form.num_bits - 1) - 1)
    out = float(value_of(size + 1, format))
    out = np.inf if np.isnan(out) else out
    step_in = float(value_of(size - 1, format)) if size else -out
    return (-out, -step_in) if value < 0 else (step_in, out)


def largest(format: str) -> float:
    """The largest finite value.

    >>> largest("float8 E4M3"), largest("float8 E5M2"), largest("int4")
    (448.0, 57344.0, 7.0)
    """
    form = _format(format)
    # The last pattern before the infinities, or before the only NaN, or of all integers.
    kept = 2**form.mantissa_bits if form.infinities else int(form.is_float)
    return float(value_of(2 ** (form.num_bits - 1) - 1 - kept, format))


def smallest_normal(format: str) -> float:
    """The smallest value above 0 that has all its mantissa bits. Below lie the subnormals.

    >>> smallest_normal("float8 E4M3") == 2**-6
    True
    """
    form = _format(format)
    return 2.0 ** (1 - form.bias) if form.is_float else 1.0


def smallest(format: str) -> float:
    """The smallest value above 0; of a float, a subnormal.

    >>> smallest("float8 E4M3") == 2**-9, smallest("int8")
    (True, 1.0)
    """
    return float(value_of(1, format))


def _format(format: str) -> Format:
    if not isinstance(format, str) or format not in FORMATS:
        raise ValueError(f"format: expected one of {list(FORMATS)}, got {format!r}")
    return FORMATS[format]
