"""Checks of the exercises of lesson 02, concepts, in the order in which they stand."""

from __future__ import annotations

import re

import numpy as np

from qlib.exercises.asking import Wrong, ask, compare
from qlib.formats import FORMATS, largest, value_of

# ------------------------------------------------------------------- 2.1

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


def terms(answer, rng) -> None:
    """The check of 2.1."""
    answer = answer.ravel().tolist() if isinstance(answer, np.ndarray) else answer
    words = answer.values() if isinstance(answer, dict) else answer
    if not isinstance(answer, (set, frozenset, list, tuple, dict)) or not all(isinstance(word, str) for word in words):
        raise Wrong('five words are wanted, in a set: {"…", "…", …}.', got=answer)
    known = set(PAIRS) | {other for other, _ in PAIRS.values()}
    names = {word.replace("-", " "): word for word in known}  # a hyphen more or less is no misconception
    plain = {" ".join(re.sub("[-_]", " ", word.lower()).split()) for word in words}
    said = {names.get(word, word) for word in plain}
    if strange := said - known:
        raise Wrong(f"{sorted(strange)} is none of the words in the list.", got=answer)
    for right, (other, why) in PAIRS.items():
        if right in said and other in said:
            raise Wrong(f"{right} and {other} exclude each other: one word of each pair.", got=answer)
        if other in said:
            raise Wrong(why, expected="the other word of that pair", got=other)
    if missing := set(PAIRS) - said:
        count = {1: "1 of the five is not", 5: "none of the five is"}.get(
            len(missing), f"{len(missing)} of the five are not"
        )
        raise Wrong(f"each pair is a decision of its own, and {count} taken.", got=answer)


# ------------------------------------------------------------------- 2.2


def _int8(bits):
    return int(bits, 2) - 256 * int(bits[0])


def _ones_complement(bits):
    return -(255 - int(bits, 2)) if bits[0] == "1" else int(bits, 2)


def decode_int8(answer, rng) -> None:
    """The check of 2.2."""
    patterns = [0, 1, 2, 127, 255, 254, 129, 128, *map(int, rng.integers(0, 256, 40))]
    compare(
        answer,
        _int8,
        [(f"{pattern:08b}",) for pattern in patterns],
        {
            "without a sign that is right; in int8 the first bit is worth −128, not 128.": lambda b: int(b, 2),
            "that is sign and size; in two's complement the other bits are added to −128, not negated.": lambda b: (
                -int(b[1:], 2) if b[0] == "1" else int(b, 2)
            ),
            "that is one's complement: it has two zeros, and every negative number comes out 1 too high.": (
                _ones_complement
            ),
            "the bits are read from the wrong end: the first is the sign, the last is worth 1.": lambda b: _int8(
                b[::-1]
            ),
            "the first bit is worth −128 only where it is 1.": lambda b: int(b[1:], 2) - 128,
            "the sign bit has a worth, too: −128; what is left is only the other seven.": lambda b: int(b[1:], 2),
            "only −128 is missing: its bits count 128 without a sign, so the test is ≥ 128, not > 128.": lambda b: (
                int(b, 2) - 256 * (int(b, 2) > 128)
            ),
        },
        otherwise="each bit that is 1 adds its worth: −128, 64, 32, 16, 8, 4, 2, 1.",
    )


# ------------------------------------------------------------------- 2.3


def _float16(pattern) -> float:
    return float(value_of(pattern, "float16"))


def _half(pattern, *, bias=15, hidden=1, subnormal=(0, 1), special=True, split=10) -> float:
    """float16 with a part done differently; `subnormal` is (leading digit, exponent field) where that field is 0."""
    sign, e, m = pattern >> 15, (pattern >> split) % 2 ** (15 - split), pattern % 2**split
    if special and e == 2 ** (15 - split) - 1:
        return _float16(pattern)
    lead, power = subnormal if e == 0 else (hidden, e)
    return (-1.0) ** sign * (lead + m / 2**split) * 2.0 ** (power - bias)


def _sign_in_exponent(pattern) -> float:
    e, m = pattern >> 10, pattern % 1024
    return _float16(pattern) if e < 32 else -(1 + m / 1024) * 2.0 ** (e - 15)


def _unpadded(pattern) -> float:
    bits = bin(pattern)[2:]
    sign, e, m = int(bits[0]), int(bits[1:6], 2), int(bits[6:], 2)
    return _half(sign << 15 | e << 10 | m)


def _explained(wrong: Wrong) -> Wrong:
    """With the pattern's bits for the student to read, and a sentence for what no other function could have given."""
    rows, sentence = wrong.rows, str(wrong)
    if "inf" in rows.get("expected", "") and "nan" in rows.get("got", ""):
        sentence = "with the highest exponent not all is NaN: mantissa 0 there is an infinity."
    if re.search(r"base 2: '\d*[2-9]", sentence):
        sentence = 'str() gives the decimal digits; the bits are in format(pattern, "016b").'
    explained = Wrong(sentence)
    bits = re.sub(r"\d+$", lambda digits: f"0b{int(digits[0]):016b}", rows.get("given", ""))
    explained.rows = rows | ({"given": bits} if bits else {})
    return explained


def decode_float16(answer, rng) -> None:
    """The check of 2.3."""
    try:
        _decode_float16(answer, rng)
    except Wrong as wrong:
        raise _explained(wrong) from None


def _decode_float16(answer, rng) -> None:
    some = [0x3C00, 0x4000, 0x3E00, 0xC000, 0x7BFF, 0x0000, 0x0001, 0x03FF, 0x0400, 0x8001, 0x7C00, 0xFC00]
    ours = [int(p) for p in rng.integers(0, 2**16, 40) if np.isfinite(value_of(int(p), "float16"))]
    compare(
        answer,
        _float16,
        [(pattern,) for pattern in [*some, *ours]],
        {
            "the bias is 2^(5−1) − 1 = 15, not 16; everything comes out half as large.": lambda p: _half(
                p, bias=16, subnormal=(0, 1)
            ),
            "127 is the bias of 8 exponent bits, as in float32 and bfloat16; with 5 it is 15.": lambda p: _half(
                p, bias=127
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
            "the sign bit is lost.": lambda p: abs(_float16(p)),
            "the sign bit is still in the exponent: mask it, with % 32 or & 31.": _sign_in_exponent,
            'bin() drops leading zeros, and all fields move: format(pattern, "016b") keeps them.': _unpadded,
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
        got = ask(answer, pattern)
        if not np.isnan(got):
            sentence = "with the highest exponent, only mantissa 0 is an infinity; all others are NaN."
            raise Wrong(sentence, given=f"pattern = {pattern}", expected="nan", got=got)


# ------------------------------------------------------------------- 2.4


def _spacing(x):
    return 2.0 ** (np.floor(np.log2(x)) - 7)


def _below(x):
    return _spacing(x) / (2 if np.log2(x) == np.rint(np.log2(x)) else 1)


def spacing(answer, rng) -> None:
    """The check of 2.4."""
    every = np.exp2(rng.integers(-30, 30, 30)) * (1 + rng.integers(0, 128, 30) / 128)
    compare(
        answer,
        lambda x: float(_spacing(x)),
        [(float(x),) for x in (1, 2, 4, 0.5, 1.5, 3, 1.9921875, 0.75, 100, 1e6 // 8192 * 8192, *every)],
        {
            "2^−7 is the spacing at 1; it doubles at each power of two.": lambda x: 2.0**-7,
            "x · 2^−7 grows with every x; the spacing is the same for all numbers between two powers of two.": (
                lambda x: x * 2.0**-7
            ),
            "10 is the number of mantissa bits of float16; bfloat16 has 7.": lambda x: _spacing(x) / 8,
            "2^−8 is half of a spacing: the largest rounding error, not the distance of two neighbours.": (
                lambda x: _spacing(x) / 2
            ),
            "the power of two is the one at or below x: round the logarithm down, not to the nearest.": lambda x: (
                2.0 ** (np.rint(np.log2(x)) - 7)
            ),
            "that is the power of two above x; the one at or below it counts.": lambda x: (
                2.0 ** (np.ceil(np.log2(x)) - 7)
            ),
            "int() cuts toward 0, and below 1 the logarithm is negative: there that is up. Take the floor.": lambda x: (
                2.0 ** (int(np.log2(x)) - 7)
            ),
            "the search for the power of two begins at 1; below 1 it has to go down, to 1/2, 1/4, …": lambda x: max(
                _spacing(x), 2.0**-7
            ),
            "that is the next number; its distance from x is wanted.": lambda x: x + _spacing(x),
            "that is the distance to the next smaller number; at a power of two it is only half as far.": _below,
            "that is the spacing of another format: Python's own floats are float64.": lambda x: float(np.spacing(x)),
        },
        otherwise="between 2^k and 2^(k+1) there are 2^7 numbers, evenly spaced.",
    )


# ------------------------------------------------------------------- 2.5


def _pick(most, step, *, steps=lambda f: 2.0**-f.mantissa_bits, reach=lambda f: largest(f.name), key=None, without=""):
    floats = [f for f in FORMATS.values() if f.is_float and f.name != without]
    fits = [f for f in floats if reach(f) >= most and steps(f) <= step]
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
FORMAT_MISTAKES |= {
    f"{name} is left out: go through all float formats of FORMATS.": lambda m, s, name=name: _pick(m, s, without=name)
    for name in ("float8 E4M3", "float8 E5M2", "bfloat16", "float16")
}
CASES = [(100, 0.125), (1000, 0.25), (1000, 0.125), (1, 0.01), (1e5, 0.01), (1e5, 1e-3), (100, 0.0625), (300, 0.3)]
CASES += [(448, 0.125), (449, 0.25), (65504, 1e-3), (65505, 1e-2), (1, 1e-5), (57344, 0.25), (60000, 0.25)]


def format(answer, rng) -> None:
    """The check of 2.5."""
    some = [(float(10 ** rng.uniform(0, 8)), float(2 ** rng.uniform(-20, -1))) for _ in range(20)]
    got = {case: ask(answer, *case) for case in [*CASES, *some]}
    for case, name in got.items():
        if name != _pick(*case):
            given = f"most = {case[0]:g}, step = {case[1]:g}"
            if not isinstance(name, str) or name not in FORMATS:
                raise Wrong("the name of a format is wanted, as in FORMATS.", given=given, got=name)
            if not FORMATS[name].is_float:
                raise Wrong("an integer format needs a scale, and has no step at 1 to speak of.", given=given, got=name)
            agree = {why: sum(f(*c) == got[c] for c in got) for why, f in FORMAT_MISTAKES.items() if f(*case) == name}
            why = max(agree, key=agree.get) if agree else "another format is wanted."
            raise Wrong(why, given=given, expected=_pick(*case), got=name)
