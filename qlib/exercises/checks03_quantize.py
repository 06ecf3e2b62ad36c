"""The check of lesson 03's `my_quantize`: every way in which codes go wrong."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import compare
from qlib.exercises.checks03_codes import wrap8

f32 = np.float32


def _codes(x, scale, zero_point, low=-128, high=127):
    return np.clip(np.rint(x / scale) + zero_point, low, high).astype(np.int8)


_MISTAKES = {
    "the codes wrap: the cast comes before the clip, and keeps only the lowest 8 bits.": lambda x, s, z: wrap8(
        np.rint(np.clip(x, -1e15, 1e15) / s) + z
    ),
    "a cast to int16 before the clip wraps, too, for values far out: clip first.": lambda x, s, z: _codes(
        np.rint(x / s).astype(np.int16), 1, z
    ),
    "a cast to int32 before the clip wraps, too, for values far out: clip first.": lambda x, s, z: _codes(
        np.rint(x / s).astype(np.int32), 1, z
    ),
    "a cast to int64 before the clip wraps, too, for values far out: clip first.": lambda x, s, z: _codes(
        np.rint(x / s).astype(np.int64), 1, z
    ),
    "the clip comes before the zero point is added: the sum leaves the range, and wraps.": lambda x, s, z: wrap8(
        np.clip(np.rint(x / s), -128, 127) + z
    ),
    "the codes are clipped before and after the zero point is added; the first clip loses codes.": lambda x, s, z: (
        _codes(np.clip(np.rint(x / s), -128, 127), 1, z)
    ),
    "x is clipped, not the codes: -128 to 127 are codes, and x is in other units.": lambda x, s, z: wrap8(
        np.rint(np.clip(x, -128, 127) / s) + z
    ),
    "x is clipped before it is divided: -128 to 127 are codes, and x is in other units.": lambda x, s, z: _codes(
        np.clip(x, -128, 127), s, z
    ),
    "the fraction is cut off: 1.8 becomes 1. Round to the nearest code.": lambda x, s, z: _codes(np.trunc(x / s), 1, z),
    "the cast cuts the fraction off: 1.8 becomes 1. Round first.": lambda x, s, z: np.trunc(
        np.clip(x / s + z, -128, 127)
    ).astype(np.int8),
    "floor always rounds down: round to the nearest code.": lambda x, s, z: _codes(np.floor(x / s), 1, z),
    "ceil always rounds up: round to the nearest code.": lambda x, s, z: _codes(np.ceil(x / s), 1, z),
    "this rounds ties up (floor of x + 0.5); half to even is wanted, as `np.rint` does it.": lambda x, s, z: _codes(
        np.floor(x / s + f32(0.5)), 1, z
    ),
    "this rounds ties down; half to even is wanted, as `np.rint` does it.": lambda x, s, z: _codes(
        np.ceil(x / s - f32(0.5)), 1, z
    ),
    "this rounds ties away from zero; half to even is wanted, as `np.rint` does it.": lambda x, s, z: _codes(
        np.trunc(x / s + np.copysign(f32(0.5), x)), 1, z
    ),
    "adding 0.5 and cutting off rounds negative numbers wrongly: use `np.rint`.": lambda x, s, z: _codes(
        np.trunc(x / s + f32(0.5)), 1, z
    ),
    "x is multiplied by 1 / scale, which is rounded itself: ties move. Divide by the scale.": lambda x, s, z: _codes(
        x * (f32(1) / s), 1, z
    ),
    "the zero point is added before rounding: a tie goes to another code then. Round first.": lambda x, s, z: _codes(
        x / s + f32(z), 1, 0
    ),
    "the zero point is subtracted; that is for the way back. Add it.": lambda x, s, z: _codes(x, s, -z),
    "the zero point is missing.": lambda x, s, z: _codes(x, s, 0),
    "the zero point is a code: add it after the division, not to x.": lambda x, s, z: _codes(x + f32(z), s, 0),
    "-128 is a code of int8, too; the clip ends one too early.": lambda x, s, z: _codes(x, s, z, -127),
    "0 to 255 are the codes of uint8; int8 has the codes -128 to 127.": lambda x, s, z: wrap8(
        np.clip(np.rint(x / s) + z, 0, 255)
    ),
    "a clip at 128 lets 128 through, and then it wraps: the highest code is 127.": lambda x, s, z: wrap8(
        np.clip(np.rint(x / s) + z, -128, 128)
    ),
    "only the top is clipped: codes below -128 wrap.": lambda x, s, z: wrap8(
        np.minimum(np.rint(np.maximum(x, -1e15) / s) + z, 127)
    ),
    "only the bottom is clipped: codes above 127 wrap.": lambda x, s, z: wrap8(
        np.maximum(np.rint(np.minimum(x, 1e15) / s) + z, -128)
    ),
    "the quotient is taken in float64, and is another one next to a tie; divide in float32.": lambda x, s, z: _codes(
        x.astype(np.float64), np.float64(s), z
    ),
    "float16 has too few digits for x and the scale: divide in float32.": lambda x, s, z: _codes(
        (x.astype(np.float16) / np.float16(s)).astype(f32), 1, z
    ),
    "float16 has too few digits for x: divide in float32.": lambda x, s, z: _codes(
        x.astype(np.float16).astype(f32), s, z
    ),
    "float16 has too few digits for the quotient: keep it in float32.": lambda x, s, z: _codes(
        (x / s).astype(np.float16).astype(f32), 1, z
    ),
    "x is multiplied by the scale; the way to the codes divides by it.": lambda x, s, z: _codes(x * s, 1, z),
}


def quantize(answer, rng) -> None:
    """The check of 3.5."""
    half = f32(0.5)
    cases = [(np.array([x], f32), half, z) for z in (0, 3, -10) for x in (1.0, 0.4, 0.9, -0.4, -0.9, 1.2)]
    cases += [(np.array([k / 4], f32), half, z) for z in (0, 1, -1, 2) for k in (1, 3, 5, 7, -1, -3, -5, -7)]
    odd = f32(117 / 1024)  # its inverse is no float32, and times it a tie is no tie any more
    cases += [(np.arange(-119, 120, 2, dtype=f32) / 2 * odd, odd, z) for z in (0, 1, -4)]
    cases += [(np.array([x], f32), half, 0) for x in (63.5, 64, 100, -64, -64.5, -100)]  # codes 127, 128 …
    cases += [(np.array([x], f32), half, z) for z in (0, 1) for x in (32.745, -32.745)]  # a tie in float16 alone
    ends = [
        (x, z)
        for z in (0, 100, -100, 127, -128)
        for x in (15, -15, 200, -200, 5e3, 1e5, -1e5, 2.6e8, 1e12, -1e12, 1e30)
    ]
    cases += [(np.array([x], f32), f32(0.1), z) for x, z in ends]
    for scale in (1e-3, 0.02, 0.7, 3.0, 1000.0):
        steps = rng.integers(-200, 200, 40) + rng.uniform(-0.49, 0.49, 40)  # no tie
        zero_point = int(rng.integers(-128, 128))
        cases += [((steps * scale).astype(f32), f32(scale), zero_point)]
    cases += [((rng.integers(-90, 90, (3, 4)) * 0.25).astype(f32), f32(0.25), int(rng.integers(-128, 128)))]
    cases += [(x, scale, z) for x, scale in _near_ties() for z in (0, 3)]
    otherwise = "the codes are clip(rint(x / scale) + zero_point, -128, 127)."
    with np.errstate(all="ignore"):
        compare(answer, _codes, cases, _MISTAKES, otherwise=otherwise)


def _near_ties() -> list[tuple[np.ndarray, np.float32]]:
    """Values whose quotient is a tie in float32, and beside one in float64."""
    found = []
    for scale in map(f32, (0.015118216, 0.1, 0.003)):
        x = (np.arange(-100, 100, dtype=f32) + f32(0.5)) * scale
        x = x[np.rint(x / scale) != np.rint(x.astype(np.float64) / np.float64(scale))]
        found += [(x[:1], scale)] if x.size else []
    return found
