"""The checks of lesson 03, sections 1 and 2: type and range."""

from __future__ import annotations

import numpy as np

from qlib import affine
from qlib.exercises.asking import Wrong, ask, compare, number

f32 = np.float32


def wrap8(codes: np.ndarray) -> np.ndarray:
    """What is left of codes that are cast to int8 without a clip."""
    return codes.astype(np.int64).astype(np.int8)


# ------------------------------------------------------------------ 3.1 and 3.2


def qrange(answer, rng) -> None:
    """The check of 3.1."""

    def right(num_bits, signed):
        return affine.qrange(num_bits, signed=signed)

    cases = [(8, True), (8, False)] + [(b, signed) for b in range(2, 17) for signed in (True, False)]
    wrong = {
        "one code too many: 0 takes a place among the codes that are not negative.": lambda b, s: (
            (-(2 ** (b - 1)), 2 ** (b - 1)) if s else (0, 2**b)
        ),
        "the highest unsigned code is 2^b - 1: counting begins at 0.": lambda b, s: right(b, s) if s else (0, 2**b),
        "the highest signed code is 2^(b-1) - 1: 0 takes a place of that half.": lambda b, s: (
            (-(2 ** (b - 1)), 2 ** (b - 1)) if s else right(b, s)
        ),
        "the lowest code is lost: two's complement has one more negative code than positive ones.": lambda b, s: (
            (1 - 2 ** (b - 1), 2 ** (b - 1) - 1) if s else right(b, s)
        ),
        "`signed` makes no difference here, but unsigned codes begin at 0.": lambda b, s: right(b, True),
        "`signed` makes no difference here, but signed codes begin below 0.": lambda b, s: right(b, False),
        "signed and unsigned have changed places.": lambda b, s: right(b, not s),
        "the order is qmin, qmax.": lambda b, s: right(b, s)[::-1],
        "half of the patterns are negative: 2^(b-1) of them, not 2^b.": lambda b, s: (
            (-(2**b), 2**b - 1) if s else right(b, s)
        ),
        "in Python `^` is no power, but exclusive or: write `2**b`.": lambda b, s: (
            (-(2 ^ (b - 1)), (2 ^ (b - 1)) - 1) if s else (0, (2 ^ b) - 1)
        ),
        "`^` has the lowest rank, and is no power but exclusive or: write `2**b`.": lambda b, s: (
            (-(2 ^ b - 1), 2 ^ b - 1 - 1) if s else (0, 2 ^ b - 1)
        ),
        "`num_bits` makes no difference here.": lambda b, s: right(8, s),
        "this is the range of a whole type of 8 or 16 bits; the widths between have ranges of their own: where do they "
        "begin, where do they end?": lambda b, s: right(8 if b <= 8 else 16, s),
        "unsigned codes lose no bit to a sign: they reach 2^b - 1.": lambda b, s: (
            right(b, s) if s else (0, 2 ** (b - 1) - 1)
        ),
    }
    compare(answer, right, cases, wrong, otherwise="b bits have 2^b patterns: where do they begin, where do they end?")


def cast(answer, rng) -> None:
    """The check of 3.2."""

    def right(codes):
        return np.clip(codes, -128, 127).astype(np.int8)

    def each(q):
        return np.asarray(q, np.int64)

    hand = [0, 5, -5, 127, -128, 128, -129, 200, -200, 256, 40_000, -40_000, 10**6, 2**31 + 5, -(2**33), 2**40 + 1]
    cases = [(np.array([q]),) for q in hand]
    cases += [(rng.integers(-1000, 1000, 50),), (rng.integers(-(2**31), 2**31 - 1, (4, 5), dtype=np.int32),)]
    cases += [(rng.integers(-500, 500, (3, 2, 4), dtype=np.int16),), (np.array([-(2**15)], np.int16),)]
    wrong = {
        "the codes wrap: the cast comes before the clip, and keeps only the lowest 8 bits.": lambda q: wrap8(q),
        "-128 is a code of int8, too; the clip ends one too early.": lambda q: np.clip(q, -127, 127).astype(np.int8),
        "128 is no code of int8: a clip at 128 lets it through, and then it wraps.": lambda q: wrap8(
            np.clip(each(q), -128, 128)
        ),
        "0 to 255 are the codes of uint8; int8 has the codes -128 to 127.": lambda q: wrap8(np.clip(each(q), 0, 255)),
        "negative codes are codes, too: the clip begins at -128, not at 0.": lambda q: right(np.maximum(q, 0)),
        "only the top is clipped: codes below -128 wrap.": lambda q: wrap8(np.minimum(each(q), 127)),
        "only the bottom is clipped: codes above 127 wrap.": lambda q: wrap8(np.maximum(each(q), -128)),
        "`abs` of the lowest integer of a type wraps and stays negative: clip instead.": lambda q: right(
            np.where(np.abs(q) <= 127, wrap8(q), np.sign(q) * 1000)
        ),
        "int16 before the clip is too small for large codes: they wrap there.": lambda q: right(q.astype(np.int16)),
        "int32 before the clip is too small for the largest codes: they wrap there.": lambda q: right(
            q.astype(np.int32)
        ),
        "a code outside the range is not lost: it becomes the nearest code there is.": lambda q: np.where(
            (q < -128) | (q > 127), 0, q
        ).astype(np.int8),
        "the codes are made smaller until they fit, and those that fitted change, too.": lambda q: right(
            np.rint(q * (127 / max(127, int(np.abs(each(q)).max()))))
        ),
    }
    otherwise = "inside -128 to 127 a code stays what it is; outside it becomes the nearer end."
    compare(answer, right, cases, wrong, otherwise=otherwise)


# ----------------------------------------------------------------- 3.3 and 3.4


def range_by_hand(answer, rng) -> None:
    """The check of 3.3."""
    if not isinstance(answer, (tuple, list, np.ndarray)) or np.shape(answer) != (2,):
        raise Wrong("two numbers are wanted, in a tuple: (scale, zero point).", got=answer)
    scale, zero_point = number(answer[0]), number(answer[1])
    if np.isclose(zero_point, 2 / 15, rtol=0.003) and scale == 4:
        raise Wrong("the order is scale, zero point.", got=answer)
    scales = {
        2 / 16: "2 / 16 divides by the number of codes; between 16 codes lie 15 steps.",
        2 / 4: "2 / 4 divides by the number of bits; 4 bits have 16 codes, with 15 steps between them.",
        1.5 / 15: "the range is rmax - rmin = 2 wide; 1.5 is its upper part alone.",
        1 / 15: "1.5 - 0.5 loses a sign: the range reaches from -0.5 to 1.5 and is 2 wide.",
        1.5 / 7: "1.5 / 7 is the scale of symmetric signed codes. Here the codes are unsigned, 0 to 15.",
        2 / 255: "255 steps belong to 8 bits; 4 bits have 15.",
        15 / 2: "this is the inverse: the scale is reals per step, the range divided by the number of steps.",
    }
    for value, sentence in scales.items():
        if np.isclose(scale, value, rtol=0.003):
            raise Wrong(sentence, got=answer)
    if not np.isclose(scale, 2 / 15, rtol=0.003):
        near = np.isclose(scale, 2 / 15, rtol=0.05)
        raise Wrong(
            "near, but not exact: give three digits of the scale."
            if near
            else "the scale is the range divided by the number of steps.",
            got=answer,
        )
    zero_points = {
        3: "qmin - rmin / scale is 3.75. To cut it off is no rounding: the nearest code is another one.",
        -4: "-4 is no unsigned code: mind the two minus signs in qmin - rmin / scale, and that qmin is 0.",
        -3: "-3 is no unsigned code: mind the two minus signs in qmin - rmin / scale, and round to the nearest.",
        11: "11 is rmax / scale. The zero point is as far above qmin as 0 is above rmin.",
        0: "0 is the code of rmin here. The code of the real 0 lies some steps higher.",
        8: "8 is the middle of the codes, but the real 0 is not the middle of the range.",
        7: "7 is the middle of the codes, but the real 0 is not the middle of the range.",
    }
    if zero_point != np.rint(zero_point):
        raise Wrong("the zero point is a code, so it is a whole number: round it.", got=answer)
    if zero_point != 4:
        sentence = zero_points.get(int(zero_point), "the zero point is qmin - rmin / scale, rounded, and qmin is 0.")
        raise Wrong(sentence, got=answer)


def _range(x: np.ndarray) -> tuple[float, float]:
    return min(float(x.min()), 0.0), max(float(x.max()), 0.0)


def _affine(x, steps=255, rmin_max=_range, qmin=-128):
    rmin, rmax = rmin_max(np.asarray(x, np.float64))
    scale = (rmax - rmin) / steps
    return scale, int(np.rint(qmin - rmin / scale))


def _right_qparams(x):
    p = affine.choose_qparams(*_range(x))
    return float(p.scale), p.zero_point


def _fair(rng, shape, mean, spread) -> np.ndarray:
    """A fresh input whose zero point is not near a tie, so that float32 and float64 round it alike."""
    while True:
        x = rng.normal(mean, spread, shape).astype(f32)
        rmin, rmax = _range(x)
        if abs(rmin * 255 / (rmax - rmin) % 1 - 0.5) > 0.01:
            return x


def qparams(answer, rng) -> None:
    """The check of 3.4."""
    hand = ([-1, 1.2], [-1.1, 1], [-1, 1.1], [2, 3], [-3, -2], [5], [-5], [0, 4], [-4, 0], [3, -1, 2], [0.25, -1e-3])
    cases = [(np.array(x, f32),) for x in (*hand, [-1e-6, 3e-6])]
    for mean, spread in ((0, 1), (1, 1), (-20, 1), (20, 1), (0.3, 0.01), (0, 1e4), (0, 1e-4)):
        cases.append((_fair(rng, 30, mean, spread),))
    cases += [(_fair(rng, (4, 5), 0.5, 1),), (_fair(rng, (2, 3, 4), -0.5, 1),)]

    whole = {x.tobytes() for (x,) in cases}

    def right(x):
        if x.tobytes() not in whole:
            raise ValueError("a piece of an input may have a zero point near a tie")
        return _right_qparams(x)

    def only(low, high):
        return lambda x: (low(x), high(x))

    def unrounded(cut, x):
        (scale, _), (rmin, _) = _affine(x), _range(x)
        return scale, int(cut(-128 - rmin / scale))

    def symmetric(x):
        return np.abs(x).max() / 127, 0

    wrong = {
        "0 was left out: the range is extended until it holds 0.": lambda x: _affine(x, 255, only(np.min, np.max)),
        "0 was left out, and to clip the zero point does not make up for it.": lambda x: (
            _affine(x, 255, only(np.min, np.max))[0],
            int(np.clip(_affine(x, 255, only(np.min, np.max))[1], -128, 127)),
        ),
        "rmax must be at least 0: all values may be negative.": lambda x: _affine(
            x, 255, only(lambda x: min(x.min(), 0.0), np.max)
        ),
        "rmin must be at most 0: all values may be positive.": lambda x: _affine(
            x, 255, only(np.min, lambda x: max(x.max(), 0.0))
        ),
        "256 is the number of codes; between them lie 255 steps.": lambda x: _affine(x, 256),
        "254 steps belong to the codes -127 to 127; -128 is a code, too.": lambda x: _affine(x, 254),
        "from -127 to 127 are 254 steps; int8 begins at -128 and has 255.": lambda x: _affine(x, 254, qmin=-127),
        "the range does not begin at 0: values may be negative.": lambda x: _affine(
            x, 255, only(lambda x: 0.0, lambda x: max(x.max(), 0.0))
        ),
        "a range from -max|x| to max|x| wastes codes: take the smallest and the largest x.": lambda x: _affine(
            x, 255, only(lambda x: -np.abs(x).max(), lambda x: np.abs(x).max())
        ),
        "this is the symmetric scheme, whose zero point is always 0; an affine one is wanted.": symmetric,
        "the sign is wrong: the zero point is qmin MINUS rmin / scale, and rmin is not positive.": lambda x: (
            _affine(x)[0],
            -128 - (_affine(x)[1] + 128),
        ),
        "qmin is missing: these codes would begin at 0, and those of int8 begin at -128.": lambda x: _affine(x, qmin=0),
        "qmin is missing, and so is the sign: the zero point is -128 - rmin / scale.": lambda x: (
            _affine(x)[0],
            -_affine(x, qmin=0)[1],
        ),
        "qmin of int8 is -128, not -127.": lambda x: _affine(x, qmin=-127),
        "-128 is a code of int8, and may be the zero point: the clip ends one too early.": lambda x: (
            _affine(x)[0],
            max(_affine(x)[1], -127),
        ),
        "the zero point is as far above qmin as 0 is above rmin: rmax has no part in it.": lambda x: (
            _affine(x)[0],
            int(np.rint(-128 + _range(x)[1] / _affine(x)[0])),
        ),
        "`int` cuts the fraction off; the zero point is the nearest code: round it.": lambda x: unrounded(np.trunc, x),
        "adding 0.5 and cutting off rounds negative numbers wrongly: use `np.rint`.": lambda x: unrounded(
            lambda v: np.trunc(v + 0.5), x
        ),
        "scale and zero point use different numbers of steps: both use 255.": lambda x: (
            _affine(x)[0],
            _affine(x, 256)[1],
        ),
        "`//` or floor rounds down; the zero point is the nearest code.": lambda x: unrounded(np.floor, x),
        "ceil rounds up; the zero point is the nearest code.": lambda x: unrounded(np.ceil, x),
        "rmin is divided by the scale before it becomes a number of codes.": lambda x: (
            _affine(x)[0],
            int(np.rint(-128 - _range(x)[0])),
        ),
        "this is the inverse of the scale: the scale is reals per step.": lambda x: (
            1 / _affine(x)[0],
            _affine(x)[1],
        ),
    }
    got = ask(answer, cases[0][0])
    if isinstance(got, (tuple, list)) and len(got) == 2 and np.asarray(got[1]).dtype.kind == "f":
        if np.shape(got[1]) == () and got[1] != np.rint(got[1]):
            raise Wrong(
                "the zero point is a code, so it is an integer: round it.",
                given=f"x = {cases[0][0]}",
                expected=_right_qparams(cases[0][0]),
                got=got,
            )
    otherwise = "the scale is (rmax - rmin) / 255 and the zero point -128 - rmin / scale, rounded."
    with np.errstate(all="ignore"):
        compare(answer, right, cases, wrong, otherwise=otherwise)
