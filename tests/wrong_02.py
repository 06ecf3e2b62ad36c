"""Wrong answers of lesson 02, each with a piece of the sentence that it must get; and other right ones."""

import math
import struct

import numpy as np

from qlib.formats import FORMATS, bits_of, largest, neighbours, value_of

TERMS = {"post-training", "dynamic", "weights and activations", "symmetric", "per-channel"}


def swap(word, other):
    return TERMS - {word} | {other}


# ------------------------------------------------------------------- 2.2


def sign_and_size(bits):
    size = sum(2 ** (6 - i) for i in range(7) if bits[i + 1] == "1")
    return -size if bits[0] == "1" else size


def ones_complement(bits):
    if bits[0] == "0":
        return int(bits, 2)
    return -int(bits.translate(str.maketrans("01", "10")), 2)


def backwards(bits):
    worths = (1, 2, 4, 8, 16, 32, 64, -128)
    return sum(worth for worth, bit in zip(worths, bits, strict=True) if bit == "1")


def by_worth(bits):
    worths = (-128, 64, 32, 16, 8, 4, 2, 1)
    return sum(worth for worth, bit in zip(worths, bits, strict=True) if bit == "1")


def by_numpy(bits):
    return np.array([int(bits, 2)], np.uint8).view(np.int8)[0]


def without_the_lowest(bits):
    value = int(bits, 2)
    if value > 128:
        value -= 256
    return value


# ------------------------------------------------------------------- 2.3


def parts(pattern):
    return (-1 if pattern & 0x8000 else 1), (pattern & 0x7C00) // 0x400, (pattern & 0x3FF) / 1024


def half_bias_16(pattern):
    sign, e, m = parts(pattern)
    if e == 31:
        return math.nan if m else sign * math.inf
    return sign * (m * 2**-15 if e == 0 else (1 + m) * 2.0 ** (e - 16))


def half_no_hidden_one(pattern):
    sign, e, m = parts(pattern)
    if e == 31:
        return math.nan if m else sign * math.inf
    return sign * m * 2.0 ** (max(e, 1) - 15)


def half_subnormal_as_normal(pattern):
    sign, e, m = parts(pattern)
    if e == 31:
        return math.nan if m else sign * math.inf
    return sign * (1 + m) * 2.0 ** (e - 15)


def half_subnormal_power(pattern):
    sign, e, m = parts(pattern)
    if e == 31:
        return math.nan if m else sign * math.inf
    return sign * ((e > 0) + m) * 2.0 ** (e - 15)


def half_without_specials(pattern):
    sign, e, m = parts(pattern)
    return sign * ((e > 0) + m) * 2.0 ** (max(e, 1) - 15)


def half_only_infinities(pattern):
    sign, e, m = parts(pattern)
    return sign * math.inf if e == 31 else sign * ((e > 0) + m) * 2.0 ** (max(e, 1) - 15)


def half_unsigned(pattern):
    return abs(half(pattern))


def half_swapped(pattern):
    sign, e, m = pattern >> 15, pattern % 32, ((pattern >> 5) % 1024) / 1024
    if e == 31:
        return math.nan if m else (-1) ** sign * math.inf
    return (-1) ** sign * ((e > 0) + m) * 2.0 ** (max(e, 1) - 15)


def half_bias_127(pattern):
    sign, e, m = parts(pattern)
    if e == 31:
        return math.nan if m else sign * math.inf
    return sign * (m * 2**-14 if e == 0 else (1 + m) * 2.0 ** (e - 127))


def half_all_nan(pattern):
    return math.nan if parts(pattern)[1] == 31 else half(pattern)


def half_not_masked(pattern):
    sign, e, m = (-1) ** (pattern >> 15), pattern >> 10, (pattern & 1023) / 1024
    if e == 31:
        return math.nan if m else sign * math.inf
    return sign * (m * 2**-14 if e == 0 else (1 + m) * 2.0 ** (e - 15))


def half_of_text(bits):
    sign, e, m = int(bits[0]), int(bits[1:6], 2), int(bits[6:], 2)
    return half(sign << 15 | e << 10 | m)


def half(pattern):
    return struct.unpack("<e", struct.pack("<H", pattern))[0]


def half_by_view(pattern):
    return np.array(pattern, np.uint16).view(np.float16)


# ------------------------------------------------------------------- 2.4


def log_to_nearest(x):
    return 2.0 ** (round(math.log2(x)) - 7)


def doubled_from_1(x):
    power = 1.0
    while power * 2 <= x:
        power *= 2
    return power / 128


def next_pattern(x):
    pattern = int(bits_of(x, "bfloat16"))
    return float(value_of(pattern + 1, "bfloat16")) - x


# ------------------------------------------------------------------- 2.5

FLOATS = ("float8 E4M3", "float8 E5M2", "float16", "bfloat16", "float32")


def first_that(fits):
    """A choice among the floats, in this order."""
    return lambda most, step: next((name for name in FLOATS if fits(FORMATS[name], most, step)), "float32")


def finest(most, step):
    return "float32"


def among(*names):
    return lambda most, step: next((name for name in names if fits(FORMATS[name], most, step)), "float32")


def any_of_that_size(most, step):
    names = [name for name in FLOATS if largest(name) >= most and 2.0 ** -FORMATS[name].mantissa_bits <= step]
    return max(names, key=lambda name: (-FORMATS[name].num_bits, largest(name)))


def fits(form, most, step):
    return largest(form.name) >= most and 2.0**-form.mantissa_bits <= step


WRONG = {
    "2.1": {
        "aware": (swap("post-training", "aware"), "training sees the codes"),
        "static": (swap("dynamic", "static"), "fixed beforehand"),
        "weight-only": (swap("weights and activations", "weight-only"), "the activations stay floats"),
        "affine": (swap("symmetric", "affine"), "a zero point of its own"),
        "per-tensor": (swap("per-channel", "per-tensor"), "each output channel has its own"),
        "one is missing": (TERMS - {"dynamic"}, "1 of the five is not taken"),
        "two are missing": (TERMS - {"dynamic", "symmetric"}, "2 of the five are not taken"),
        "an array, with one that does not belong there": (
            np.array(sorted(swap("dynamic", "static"))),
            "fixed beforehand",
        ),
        "all are missing": (set(), "none of the five is taken"),
        "both of a pair": (TERMS | {"static"}, "exclude each other"),
        "another word": (TERMS | {"int8"}, "none of the words"),
    },
    "2.2": {
        "unsigned": (lambda bits: int(bits, 2), "worth −128, not 128"),
        "sign and size": (sign_and_size, "that is sign and size"),
        "one's complement": (ones_complement, "one's complement"),
        "read backwards": (backwards, "from the wrong end"),
        "always takes 128 off": (lambda bits: int(bits[1:], 2) - 128, "only where it is 1"),
        "drops the sign bit": (lambda bits: int(bits[1:], 2), "the sign bit has a worth"),
        "> for ≥": (without_the_lowest, "≥ 128, not > 128"),
    },
    "2.3": {
        "bias 16": (half_bias_16, "not 16"),
        "no hidden one": (half_no_hidden_one, "has a 1 before its mantissa"),
        "a subnormal with a hidden one": (half_subnormal_as_normal, "subnormal: no 1"),
        "a subnormal with the power −15": (half_subnormal_power, "the power of exponent 1"),
        "infinities as numbers": (half_without_specials, "the highest exponent is kept"),
        "NaN as infinity": (half_only_infinities, "only mantissa 0 is an infinity"),
        "without its sign": (half_unsigned, "sign bit is lost"),
        "fields swapped": (half_swapped, "the fields are swapped"),
        "bias 127": (half_bias_127, "with 5 it is 15"),
        "infinities as NaN": (half_all_nan, "mantissa 0 there is an infinity"),
        "exponent not masked": (half_not_masked, "still in the exponent: mask it"),
        "bin, not padded": (lambda p: half_of_text(bin(p)[2:]), "drops leading zeros"),
        "bits of str": (lambda p: half_of_text(str(p)[2:].zfill(16)), "str() gives the decimal digits"),
        "read as bfloat16": (lambda p: float(value_of(p, "bfloat16")), "those of bfloat16"),
    },
    "2.4": {
        "always that at 1": (lambda x: 1 / 128, "it doubles at each power of two"),
        "relative to x": (lambda x: x / 128, "the same for all numbers between"),
        "float16's bits": (lambda x: 2.0 ** (math.floor(math.log2(x)) - 10), "10 is the number"),
        "half a spacing": (lambda x: 2.0 ** (math.floor(math.log2(x)) - 8), "the largest rounding error"),
        "logarithm to the nearest": (log_to_nearest, "round the logarithm down"),
        "to the next smaller": (
            lambda x: x - neighbours(int(bits_of(x, "bfloat16")), "bfloat16")[0],
            "next smaller number",
        ),
        "np.spacing": (np.spacing, "spacing of another format"),
        "the next number": (lambda x: x + next_pattern(x), "that is the next number"),
        "int for floor": (lambda x: 2.0 ** (int(np.log2(x)) - 7), "int() cuts toward 0"),
        "doubles from 1": (doubled_from_1, "begins at 1; below 1 it has to go down"),
        "power of two above": (lambda x: 2.0 ** (math.ceil(math.log2(x)) - 7), "the power of two above x"),
    },
    "2.5": {
        "only the step": (first_that(lambda f, most, step: 2.0**-f.mantissa_bits <= step), "does not reach"),
        "only the reach": (first_that(lambda f, most, step: largest(f.name) >= most), "too coarse"),
        "always float32": (finest, "a smaller format will do"),
        "the other one of two": (any_of_that_size, "the one with the smaller step"),
        "not the limits themselves": (
            first_that(lambda f, most, step: largest(f.name) > most and 2.0**-f.mantissa_bits < step),
            "include the limit itself",
        ),
        "half a step": (
            first_that(lambda f, most, step: largest(f.name) >= most and 2.0**-f.mantissa_bits / 2 <= step),
            "is the largest rounding error",
        ),
        "without E5M2": (among("float8 E4M3", "float16", "bfloat16"), "float8 E5M2 is left out"),
        "without E4M3": (among("float8 E5M2", "float16", "bfloat16"), "float8 E4M3 is left out"),
        "without bfloat16": (among("float8 E4M3", "float8 E5M2", "float16"), "bfloat16 is left out"),
    },
}

RIGHT = {
    "2.1": [
        np.array(sorted(TERMS)),
        {word.replace("-", " ") for word in TERMS},
        list(TERMS),
        tuple(TERMS),
        {word.upper() for word in TERMS},
        dict(enumerate(TERMS)),
    ],
    "2.2": [by_worth, by_numpy, lambda bits: float(by_worth(bits)).__int__()],
    "2.3": [
        half,
        half_by_view,
        lambda p: half_of_text(f"{p:016b}"),
        lambda p: half_of_text(bin(p)[2:].zfill(16)),
        lambda p: np.float16(half(p)),
    ],
    "2.4": [
        next_pattern,
        lambda x: 2.0 ** (math.frexp(x)[1] - 8),
        lambda x: neighbours(int(bits_of(x, "bfloat16")), "bfloat16")[1] - x,
    ],
    "2.5": [first_that(fits)],
}
