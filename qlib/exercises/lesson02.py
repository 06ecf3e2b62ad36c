"""Exercises of lesson 02, concepts; its predictions are in `predictions02`."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, ask, compare
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions02 import PREDICTIONS
from qlib.formats import FORMATS, largest, value_of

__all__ = ["EXERCISES", "PREDICTIONS"]

# ------------------------------------------------------------------- 2.1


def my_terms():
    return {"post-training", "dynamic", "weights and activations", "symmetric", "per-channel"}


PAIRS = {  # right word: (the other one of its pair, why it is not that one)
    "post-training": ("aware", "quantization-aware means that training sees the codes; here training was over before."),
    "dynamic": ("static", "static ranges are fixed beforehand, by calibration; here each image brings its own range."),
    "weights and activations": (
        "weight-only",
        "weight-only means that the activations stay floats; here they get codes as well, while it runs.",
    ),
    "symmetric": ("affine", "an affine scheme has a zero point of its own; here all zero points of the weights are 0."),
    "per-channel": ("per-tensor", "per-tensor is one scale for a whole tensor; here each output channel has its own."),
}


def _check_terms(answer, rng) -> None:
    words = answer.values() if isinstance(answer, dict) else answer
    if not isinstance(answer, (set, frozenset, list, tuple, dict)) or not all(isinstance(word, str) for word in words):
        raise Wrong('five words are wanted, in a set: {"…", "…", …}.', got=answer)
    said = {
        " ".join(word.lower().replace("_", " ").split()).replace("post training", "post-training") for word in words
    }
    known = set(PAIRS) | {other for other, _ in PAIRS.values()}
    if strange := said - known:
        raise Wrong(f"{sorted(strange)} is none of the words in the list.", got=answer)
    for right, (other, why) in PAIRS.items():
        if right in said and other in said:
            raise Wrong(f"{right} and {other} exclude each other: one word of each pair.", got=answer)
        if other in said:
            raise Wrong(why, expected="the other word of that pair", got=other)
    if missing := set(PAIRS) - said:
        raise Wrong(f"each pair is a decision of its own, and {len(missing)} of the five is not taken.", got=answer)


# ------------------------------------------------------------------- 2.2


def my_decode_int8(bits):
    return int(bits, 2) - 256 * int(bits[0])


def _ones_complement(bits):
    return -(255 - int(bits, 2)) if bits[0] == "1" else int(bits, 2)


def _check_int8(answer, rng) -> None:
    patterns = [0, 1, 2, 127, 255, 254, 129, 128, *map(int, rng.integers(0, 256, 40))]
    compare(
        answer,
        my_decode_int8,
        [(f"{pattern:08b}",) for pattern in patterns],
        {
            "without a sign that is right; in int8 the first bit is worth −128, not 128.": lambda b: int(b, 2),
            "that is sign and size; in two's complement the other bits are added to −128, not negated.": lambda b: (
                -int(b[1:], 2) if b[0] == "1" else int(b, 2)
            ),
            "that is one's complement: it has two zeros, and every negative number comes out 1 too high.": (
                _ones_complement
            ),
            "the bits are read from the wrong end: the first is the sign, the last is worth 1.": lambda b: (
                my_decode_int8(b[::-1])
            ),
            "the first bit is worth −128 only where it is 1.": lambda b: int(b[1:], 2) - 128,
            "the sign bit has a worth, too: −128; what is left is only the other seven.": lambda b: int(b[1:], 2),
        },
        otherwise="each bit that is 1 adds its worth: −128, 64, 32, 16, 8, 4, 2, 1.",
    )


# ------------------------------------------------------------------- 2.3


def my_decode_float16(pattern):
    sign, e, m = pattern >> 15, (pattern >> 10) % 32, pattern % 1024
    if e == 31:
        size = np.nan if m else np.inf
    elif e == 0:
        size = m / 1024 * 2.0**-14
    else:
        size = (1 + m / 1024) * 2.0 ** (e - 15)
    return -size if sign else size


class Pattern(int):
    """A pattern that is shown as its bits."""

    def __repr__(self) -> str:
        return f"0b{int(self):016b}"


def _half(pattern, *, bias=15, hidden=1, subnormal=(0, 1), special=True, split=10) -> float:
    """float16 with a part done differently; `subnormal` is (leading digit, exponent field) where that field is 0."""
    sign, e, m = pattern >> 15, (pattern >> split) % 2 ** (15 - split), pattern % 2**split
    if special and e == 2 ** (15 - split) - 1:
        return my_decode_float16(pattern)
    lead, power = subnormal if e == 0 else (hidden, e)
    return (-1.0) ** sign * (lead + m / 2**split) * 2.0 ** (power - bias)


def _check_float16(answer, rng) -> None:
    some = [0x3C00, 0x4000, 0x3E00, 0xC000, 0x7BFF, 0x0000, 0x0001, 0x03FF, 0x0400, 0x8001, 0x7C00, 0xFC00]
    ours = [int(p) for p in rng.integers(0, 2**16, 40) if np.isfinite(value_of(int(p), "float16"))]
    compare(
        answer,
        lambda pattern: float(value_of(pattern, "float16")),
        [(Pattern(pattern),) for pattern in [*some, *ours]],
        {
            "the bias is 2^(5−1) − 1 = 15, not 16; everything comes out half as large.": lambda p: _half(
                p, bias=16, subnormal=(0, 1)
            ),
            "a normal number has a 1 before its mantissa, which is not stored.": lambda p: _half(p, hidden=0),
            "with exponent 0 the number is subnormal: no 1 before its mantissa.": lambda p: _half(p, subnormal=(1, 0)),
            "with exponent 0 there is no 1 before the mantissa; its power is right.": lambda p: _half(
                p, subnormal=(1, 1)
            ),
            "a subnormal has the power of exponent 1, which is −14: so it goes on where the normal ones end.": (
                lambda p: _half(p, subnormal=(0, 0))
            ),
            "the highest exponent is kept: mantissa 0 is an infinity, and any other NaN.": lambda p: _half(
                p, special=False
            ),
            "the sign bit is lost.": lambda p: abs(my_decode_float16(p)),
            "the fields are those of bfloat16; float16 has 5 bits of exponent and 10 of mantissa.": lambda p: float(
                value_of(p, "bfloat16")
            ),
            "the fields are swapped: after the sign come 5 bits of exponent, then 10 of mantissa.": lambda p: _half(
                (p & 0x8000) | (p % 32) << 10 | (p >> 5) % 1024
            ),
        },
        otherwise="sign, 5 bits of exponent, 10 of mantissa: what does the formula give for them?",
        rtol=1e-9,
    )
    for pattern in (0x7E00, 0x7C01, 0xFFFF):
        got = ask(answer, Pattern(pattern))
        if not np.isnan(got):
            sentence = "with the highest exponent, only mantissa 0 is an infinity; all others are NaN."
            raise Wrong(sentence, given=f"pattern = {Pattern(pattern)!r}", expected="nan", got=got)


# ------------------------------------------------------------------- 2.4


def my_spacing(x):
    return 2.0 ** (np.floor(np.log2(x)) - 7)


def _below(x):
    return my_spacing(x) / (2 if np.log2(x) == np.rint(np.log2(x)) else 1)


def _check_spacing(answer, rng) -> None:
    every = np.exp2(rng.integers(-30, 30, 30)) * (1 + rng.integers(0, 128, 30) / 128)
    compare(
        answer,
        lambda x: float(my_spacing(x)),
        [(float(x),) for x in (1, 2, 4, 0.5, 1.5, 3, 1.9921875, 100, 1e6 // 8192 * 8192, *every)],
        {
            "2^−7 is the spacing at 1; it doubles at each power of two.": lambda x: 2.0**-7,
            "x · 2^−7 grows with every x; the spacing is the same for all numbers between two powers of two.": (
                lambda x: x * 2.0**-7
            ),
            "10 is the number of mantissa bits of float16; bfloat16 has 7.": lambda x: my_spacing(x) / 8,
            "2^−8 is half of a spacing: the largest rounding error, not the distance of two neighbours.": (
                lambda x: my_spacing(x) / 2
            ),
            "the power of two is the one at or below x: round the logarithm down, not to the nearest.": lambda x: (
                2.0 ** (np.rint(np.log2(x)) - 7)
            ),
            "that is the power of two above x; the one at or below it counts.": lambda x: (
                2.0 ** (np.ceil(np.log2(x)) - 7)
            ),
            "that is the distance to the next smaller number; at a power of two it is only half as far.": _below,
            "that is the spacing of another format: Python's own floats are float64.": lambda x: float(np.spacing(x)),
        },
        otherwise="between 2^k and 2^(k+1) there are 2^7 numbers, evenly spaced.",
    )


# ------------------------------------------------------------------- 2.5


def my_format(most, step):
    fits = [f for f in FORMATS.values() if largest(f.name) >= most and 2.0**-f.mantissa_bits <= step and f.is_float]
    return min(fits, key=lambda f: (f.num_bits, -f.mantissa_bits)).name


def _pick(most, step, *, steps=lambda f: 2.0**-f.mantissa_bits, reach=lambda f: largest(f.name), key=None):
    fits = [f for f in FORMATS.values() if f.is_float and reach(f) >= most and steps(f) <= step]
    return min(fits, key=key or (lambda f: (f.num_bits, -f.mantissa_bits))).name if fits else ""


FORMAT_MISTAKES = {
    "it does not reach: a format's largest value counts as well as its step.": lambda m, s: _pick(0, s),
    "it is too coarse: its step at 1 is 2^−M, with M bits of mantissa.": lambda m, s: _pick(m, 1.0),
    "a smaller format will do: first the number of bits, then the step.": lambda m, s: _pick(
        m, s, key=lambda f: -f.num_bits
    ),
    "of two formats of the same size that both fit, the one with the smaller step is wanted.": lambda m, s: _pick(
        m, s, key=lambda f: (f.num_bits, f.mantissa_bits)
    ),
    "half of 2^−M is the largest rounding error at 1; the task asks for the step.": lambda m, s: _pick(
        m, s, steps=lambda f: 2.0 ** -(f.mantissa_bits + 1)
    ),
    "“at least” and “at most” include the limit itself.": lambda m, s: _pick(np.nextafter(m, np.inf), s * (1 - 1e-9)),
    "the largest exponent alone is not the largest value; see `largest`.": lambda m, s: _pick(
        m, s, reach=lambda f: 2.0 ** (2**f.exponent_bits - 1 - f.bias)
    ),
}
CASES = [(100, 0.125), (1000, 0.25), (1000, 0.125), (1, 0.01), (1e5, 0.01), (1e5, 1e-3), (100, 0.0625), (300, 0.3)]
CASES += [(448, 0.125), (449, 0.25), (65504, 1e-3), (65505, 1e-2), (1, 1e-5), (57344, 0.25), (60000, 0.25)]


def _check_format(answer, rng) -> None:
    some = [(float(10 ** rng.uniform(0, 8)), float(2 ** rng.uniform(-20, -1))) for _ in range(20)]
    got = {case: ask(answer, *case) for case in [*CASES, *some]}
    for case, name in got.items():
        if name != my_format(*case):
            given = f"most = {case[0]:g}, step = {case[1]:g}"
            if not isinstance(name, str) or name not in FORMATS:
                raise Wrong("the name of a format is wanted, as in FORMATS.", given=given, got=name)
            if not FORMATS[name].is_float:
                raise Wrong("an integer format needs a scale, and has no step at 1 to speak of.", given=given, got=name)
            agree = {why: sum(f(*c) == got[c] for c in got) for why, f in FORMAT_MISTAKES.items() if f(*case) == name}
            why = max(agree, key=agree.get) if agree else "another format is wanted."
            raise Wrong(why, given=given, expected=my_format(*case), got=name)


EXERCISES = {
    "2.1": Exercise(
        task="One word of each pair, for a network that is described.",
        check=_check_terms,
        right="five decisions, each taken by itself; a name such as “dynamic int8” says only some of them.",
        hints=(
            "Each line of the map is a question. Which sentence of the description answers it?",
            "What becomes of the activations, and when is their range known?",
            "post-training, dynamic (each image's own range), symmetric (zero points 0). What are the other two?",
        ),
        solution=my_terms,
        kind="value",
    ),
    "2.2": Exercise(
        task="The integer that eight bits stand for in int8.",
        check=_check_int8,
        right="with a first bit worth −128, the same adder serves both signs, and there is one zero.",
        hints=(
            "Which bit is the only one with a negative worth?",
            "`int(bits, 2)` counts the first bit as +128. By how much is that too high where it is 1?",
            "`int(bits, 2)` less 256 where the first bit is 1.",
        ),
        solution=my_decode_int8,
    ),
    "2.3": Exercise(
        task="The value of a float16 pattern, infinities and NaN included.",
        check=_check_float16,
        right="subnormals go on evenly down to 0, so that two different numbers never have the difference 0.",
        hints=(
            "Cut the three fields out: `pattern >> 15`, `(pattern >> 10) % 32`, `pattern % 1024`.",
            "Three cases of the exponent field: 0, 31, and all others.",
            "0: m / 1024 · 2^−14. 31: inf or nan. Others: (1 + m / 1024) · 2^(e − 15). Then the sign.",
        ),
        solution=my_decode_float16,
    ),
    "2.4": Exercise(
        task="The distance from a bfloat16 number to the next larger one.",
        check=_check_spacing,
        right="a float's step follows the size of the number; relative to it, it stays between 1/256 and 1/128.",
        hints=(
            "How far is it from 1 to the next number? And from 2?",
            "Between 2^k and 2^(k+1) lie 128 numbers, evenly spaced. Which k belongs to x?",
            "`k = np.floor(np.log2(x))`; the spacing is 2^k / 128.",
        ),
        solution=my_spacing,
    ),
    "2.5": Exercise(
        task="The smallest float format that reaches far enough and is fine enough.",
        check=_check_format,
        right="bits of exponent buy reach, bits of mantissa buy fineness, and a format can't have both for nothing.",
        hints=(
            "First list the formats that fit; then choose among them.",
            "`largest(name)` says how far one reaches; 2^−mantissa_bits is its step at 1.",
            "`min(fits, key=lambda f: (f.num_bits, -f.mantissa_bits)).name`",
        ),
        solution=my_format,
    ),
}
