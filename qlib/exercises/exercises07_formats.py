"""Exercises of lesson 07, outlook: group-wise weights, E4M3, MX blocks."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks07_elements as elements
from qlib.exercises import checks07_formats as checks
from qlib.exercises.engine import Exercise


def my_groups(w, size):
    w_hat = np.zeros(len(w))
    for i in range(0, len(w), size):
        group = w[i : i + size]
        scale = np.abs(group).max() / 7 or 1.0
        w_hat[i : i + size] = scale * np.rint(group / scale)
    return w_hat


def my_decode_e4m3(byte):
    e, m = byte >> 3 & 15, byte & 7
    if e == 15 and m == 7:
        return float("nan")
    size = (1 + m / 8) * 2.0 ** (e - 7) if e else m / 8 * 2.0**-6
    return -size if byte >> 7 else size


def my_shared_scale(block):
    return 2.0 ** (np.floor(np.log2(np.abs(block).max())) - 2)


EXERCISES = {
    "7.3": Exercise(
        task="Quantize to 4 bits with a scale for each group, and back.",
        check=checks.groups,
        right="the last group may be shorter, and a group of zeros needs some scale, too.",
        hints=(
            "Go through w in steps of `size`: what do you need to know of each group?",
            "A slice may reach beyond the end: `w[i : i + size]` of the last group is just shorter.",
            "scale = max|group| / 7, or 1 if that is 0; then scale * rint(group / scale).",
        ),
        solution=my_groups,
    ),
    "7.4": Exercise(
        task="The number that a byte stands for in E4M3.",
        check=elements.e4m3,
        right="253 numbers, two NaN, no infinity.",
        hints=(
            "Take the byte apart first: `byte >> 7`, `byte >> 3 & 15`, `byte & 7`.",
            "There are three cases: all bits 1 behind the sign; exponent field 0; all others.",
            "Normal: (1 + m / 8) * 2 ** (e − 7). Subnormal: m / 8 * 2 ** −6. Then the sign.",
        ),
        solution=my_decode_e4m3,
    ),
    "7.5": Exercise(
        task="The shared scale of an MXFP4 block.",
        check=elements.shared_scale,
        right="it depends on the largest |x| alone, and on that only by its exponent.",
        hints=(
            "Only the largest |x| counts. Which power of two is just below it, or equal?",
            "The largest E2M1 number is 6 = 1.5 · 2 ** 2. Its exponent is taken off.",
            "2 ** (floor(log2(max|x|)) − 2); `np.floor`, not `int`.",
        ),
        solution=my_shared_scale,
    ),
}
