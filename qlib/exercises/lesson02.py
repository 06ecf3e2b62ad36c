"""Exercises of lesson 02, concepts: tasks, hints and solutions. The checks are in `qlib.exercises.checks02`."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks02 as checks
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions02 import PREDICTIONS
from qlib.formats import FORMATS, largest

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_terms():
    return {"post-training", "dynamic", "weights and activations", "symmetric", "per-channel"}


def my_decode_int8(bits):
    return int(bits, 2) - 256 * int(bits[0])


def my_decode_float16(pattern):
    sign, e, m = pattern >> 15, (pattern >> 10) % 32, pattern % 1024
    if e == 31:
        size = np.nan if m else np.inf
    elif e == 0:
        size = m / 1024 * 2.0**-14
    else:
        size = (1 + m / 1024) * 2.0 ** (e - 15)
    return -size if sign else size


def my_spacing(x):
    return 2.0 ** (np.floor(np.log2(x)) - 7)


def my_format(most, step):
    fits = [f for f in FORMATS.values() if largest(f.name) >= most and 2.0**-f.mantissa_bits <= step and f.is_float]
    return min(fits, key=lambda f: (f.num_bits, -f.mantissa_bits)).name


EXERCISES = {
    "2.1": Exercise(
        task="One word of each pair, for a network that is described.",
        check=checks.terms,
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
        check=checks.decode_int8,
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
        check=checks.decode_float16,
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
        check=checks.spacing,
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
        check=checks.format,
        right="bits of exponent buy reach, bits of mantissa buy fineness, and a format can't have both for nothing.",
        hints=(
            "First list the formats that fit; then choose among them.",
            "`largest(name)` says how far one reaches; 2^−mantissa_bits is its step at 1.",
            "`min(fits, key=lambda f: (f.num_bits, -f.mantissa_bits)).name`",
        ),
        solution=my_format,
    ),
}
