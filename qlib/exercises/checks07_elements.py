"""Checks of the exercises 7.4 and 7.5, outlook: a byte of E4M3, the scale of an MX block."""

from __future__ import annotations

import math

import numpy as np

from qlib.exercises.asking import Wrong, ask, compare
from qlib.mx import shared_exponents
from qlib.small_floats import decode

# ------------------------------------------------------------------ E4M3

NAN = (0x7F, 0xFF)


def e4m3(answer, rng) -> None:
    """The check of 7.4."""
    first = (0x38, 0x40, 0x3C, 0x39, 0xB8, 0x4D, 0x08, 0x00, 0x01, 0x05, 0x87, 0x78, 0x7E, 0xFE, 0x79)
    every = [byte for byte in range(256) if byte not in NAN]
    for byte in first[:1] + tuple(range(0x78, 0x7F)):
        if _is_nan(ask(answer, byte)):
            sentence = "E4M3 has ordinary numbers with the highest exponent; only the mantissa 7 there is NaN."
            raise Wrong(sentence, given=f"byte = 0x{byte:02X}", expected=_e4m3(byte), got=np.nan)
    wrongs = {
        "the sign bit, the first one, is not looked at.": lambda b: _e4m3(b & 0x7F),
        "a float has a sign bit, and its size behind it; this reads the byte in two's complement.": (
            lambda b: _e4m3(b) if b < 128 else -_e4m3(256 - b)
        ),
        "the bias is 7, 2 ** (E − 1) − 1, not 8.": lambda b: _e4m3(b, bias=8),
        "the bias is 7, 2 ** (E − 1) − 1, not 6.": lambda b: _e4m3(b, bias=6),
        "the bias is 7; 15 is that of float16 and of E5M2.": lambda b: _e4m3(b, bias=15),
        "this is E5M2: here the exponent has 4 bits and the mantissa 3.": lambda b: float(
            decode(np.array(b), "E5M2").item()
        ),
        "with exponent field 0 the number is subnormal, without the 1 before the mantissa.": (
            lambda b: _e4m3(b, hidden=1, low=-7)
        ),
        "without the 1 before the mantissa it is; but also with the power of exponent field 1, 2 ** −6.": (
            lambda b: _e4m3(b, low=-7)
        ),
        "the power is that of subnormals; but they have no 1 before the mantissa.": lambda b: _e4m3(b, hidden=1),
        "with exponent field 0 not all is 0: these are the subnormals, m / 8 · 2 ** −6.": (
            lambda b: 0.0 if b >> 3 & 15 == 0 else _e4m3(b)
        ),
        "subnormals are m / 8 · 2 ** −6; the 8 is missing.": lambda b: _e4m3(b, low=-3),
        "E4M3 has no infinity: with the highest exponent, too, these are ordinary numbers.": (
            lambda b: np.copysign(np.inf, _e4m3(b)) if b >> 3 & 15 == 15 else _e4m3(b)
        ),
        "E4M3 has no infinity; this is its largest number, 448.": (
            lambda b: np.copysign(np.inf, _e4m3(b)) if b & 127 == 126 else _e4m3(b)
        ),
        "three mantissa bits count eighths: m / 8, not m / 7.": lambda b: _e4m3(b, eighths=7),
        "three mantissa bits count eighths: m / 8, not m / 16.": lambda b: _e4m3(b, eighths=16),
        "the mantissa counts eighths; you added it whole.": lambda b: _e4m3(b, eighths=1),
        "the sign bit is still in the exponent: mask it off, `byte >> 3 & 15`.": lambda b: (
            _e4m3(b) if b < 128 else (1 + (b & 7) / 8) * 2.0 ** ((b >> 3) - 7)
        ),
        "behind the sign comes the exponent, then the mantissa; you take them the other way round.": (
            lambda b: _e4m3((b & 0x80) | (b & 15) << 3 | (b >> 4 & 7))
        ),
        "this is the byte as an integer; its bits are sign, exponent and mantissa.": lambda b: float(b),
        "this is the byte as an int8; its bits are sign, exponent and mantissa.": lambda b: float(b - (b >> 7) * 256),
        "the 1 before the mantissa is missing (normal numbers have it, unstored).": lambda b: _e4m3(b, normal=0),
    }
    false = [byte for byte in every if _is_nan(ask(answer, byte))]
    compare(answer, _e4m3, [(b,) for b in (*first, *every) if b not in false], wrongs, otherwise=OTHERWISE)
    for byte in false:
        sentence = "only the two patterns with all seven bits 1 behind the sign are NaN."
        raise Wrong(sentence, given=f"byte = 0x{byte:02X}", expected=_e4m3(byte), got=np.nan)
    for byte in NAN:
        if not _is_nan(got := ask(answer, byte)):
            sentence = "the last pattern of either sign, with all bits 1 behind it, is NaN."
            raise Wrong(sentence, given=f"byte = 0x{byte:02X}", expected="nan", got=got)


OTHERWISE = "normal: ±(1 + m/8) · 2^(e − 7); subnormal, e = 0: ±m/8 · 2^−6."


def _e4m3(b, bias=7, hidden=0, low=None, eighths=8, normal=1):
    e, m = b >> 3 & 15, b & 7
    low = 1 - bias if low is None else low
    size = (normal + m / eighths) * 2.0 ** (e - bias) if e else (hidden + m / eighths) * 2.0**low
    return -size if b >> 7 else size


def _is_nan(got) -> bool:
    """Whether this is one NaN: a Python float, a NumPy or ml_dtypes one, or an array of shape ()."""
    try:
        return np.shape(got) == () and math.isnan(float(got))
    except (TypeError, ValueError):
        return False


# ------------------------------------------------------------------ MX


def shared_scale(answer, rng) -> None:
    """The check of 7.5."""
    small = (
        [5, 0.3],
        [4, -1],
        [0.3, -7.9, 1.2],
        [3.9, 0.1],
        [6.5, 2],
        [5.8, -1],
        [0.4, -0.7],
        [0.02, 0.001],
        [-100, 3],
    )
    cases = [(np.array(block, np.float32),) for block in small]
    cases += [((rng.normal(size=32) * factor).astype(np.float32),) for factor in (0.05, 1, 3000)]
    compare(
        answer,
        lambda block: float(2.0 ** shared_exponents(block[None], "E2M1")[0]),
        cases,
        {
            "this is the exponent k; the scale is 2 ** k.": lambda x: _floor(x) - 2,
            "the largest element is 6 = 1.5 · 2 ** 2: its exponent, 2, has to be taken off.": (
                lambda x: 2.0 ** _floor(x)
            ),
            "this scales the largest weight to 6 exactly; an E8M0 scale is a power of two.": (
                lambda x: float(np.abs(x).max()) / 6
            ),
            "this rounds the exponent up, so that nothing saturates; the specification rounds it down.": (
                lambda x: 2.0 ** (np.ceil(_log(x)) - 2)
            ),
            "this rounds the exponent to the nearest; the specification rounds it down.": (
                lambda x: 2.0 ** (np.rint(_log(x)) - 2)
            ),
            "`int` cuts off towards 0, and of a negative logarithm that is up; `np.floor` rounds down.": (
                lambda x: 2.0 ** (np.trunc(_log(x)) - 2)
            ),
            "`int` cuts off towards 0: log₂ − 2 is negative for most blocks here. `np.floor` rounds down.": (
                lambda x: 2.0 ** np.trunc(_log(x) - 2)
            ),
            "this is the power of two nearest to max|x| / 6; take the exponents of both, rounded down.": (
                lambda x: 2.0 ** np.rint(_log(x) - np.log2(6))
            ),
            "this is the stored byte, k + 127; the scale itself is 2 ** k.": lambda x: _floor(x) - 2 + 127,
            "this is the exponent of the largest |x|; take off 2, and make it a power of two.": _floor,
            "the largest |x| of the block counts, not the sum.": lambda x: 2.0 ** (_floor(np.abs(x).sum()) - 2),
            "the largest |x| of the block counts, not max − min.": lambda x: (
                2.0 ** (_floor(np.ptp(x)) - 2) if np.ptp(x) > 0 else 0.0
            ),
            "the largest |x| of the block counts, not the first.": lambda x: 2.0 ** (_floor(x[:1]) - 2),
            "this is the power of two just below max|x| / 6; take the exponents of both, then subtract.": (
                lambda x: 2.0 ** np.floor(_log(x) - np.log2(6))
            ),
            "this is the power of two just above max|x| / 6, without saturation; the specification rounds down.": (
                lambda x: 2.0 ** np.ceil(_log(x) - np.log2(6))
            ),
            "this is the inverse: elements are weights *divided* by the scale.": lambda x: 2.0 ** (2 - _floor(x)),
            "the exponent of the largest element is taken off; you added it.": lambda x: 2.0 ** (_floor(x) + 2),
            "the largest element is 6, but what is taken off is its exponent, 2.": lambda x: 2.0 ** (_floor(x) - 6),
            "4 is 2 ** 2; what is taken off is the exponent, 2.": lambda x: 2.0 ** (_floor(x) - 4),
            "3 is the highest exponent field; without its bias, 1, the exponent is 2.": lambda x: (
                2.0 ** (_floor(x) - 3)
            ),
            "only 1 is taken off; the exponent of the largest element is 2. (`np.frexp` gives one more than ⌊log₂⌋.)": (
                lambda x: 2.0 ** (_floor(x) - 1)
            ),
            "8 is the exponent of E4M3's largest number; that of E2M1 is 2.": lambda x: 2.0 ** (_floor(x) - 8),
            "the largest *magnitude* counts: a negative weight is overlooked here.": (
                lambda x: 2.0 ** (np.floor(np.log2(max(float(x.max()), 1e-9))) - 2)
            ),
            "the largest |x| of the block counts, not the mean.": lambda x: 2.0 ** (_floor(np.abs(x).mean()) - 2),
            "the largest |x| of the block counts, not the smallest.": lambda x: 2.0 ** (_floor(np.abs(x).min()) - 2),
            "the logarithm to base 2 is needed; `np.log` is that to base e.": (
                lambda x: 2.0 ** (np.floor(np.log(np.abs(x).max())) - 2)
            ),
            "the logarithm to base 2 is needed; `np.log10` is that to base 10.": (
                lambda x: 2.0 ** (np.floor(np.log10(np.abs(x).max())) - 2)
            ),
            "this is max|x| / 4, not rounded to a power of two.": lambda x: float(np.abs(x).max()) / 4,
        },
        otherwise="2 to the power of ⌊log₂ max|x|⌋ − 2.",
    )


def _log(x):
    return float(np.log2(np.abs(x).max()))


def _floor(x):
    return float(np.floor(_log(x)))
