"""Exercises of lesson 06c, pruning: tasks, hints and solutions. The checks are in `checks06c` and its two parts."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks06c as checks
from qlib.exercises import checks06c_bytes as bytecounts
from qlib.exercises import checks06c_structure as structure
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions06c import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_mask(w, sparsity):
    order = np.argsort(np.abs(w), axis=None, kind="stable")
    mask = np.ones(w.size, bool)
    mask[order[: round(sparsity * w.size)]] = False
    return mask.reshape(w.shape)


def my_bytes(w):
    left = int(np.count_nonzero(w))
    rows, size = len(w), w.size
    return 4 * size, 4 * left + 4 * left + 4 * (rows + 1), 4 * left + -(-size // 8)


def my_schedule(step, start, steps, initial, final):
    done = min(max((step - start) / steps, 0), 1)
    return final + (initial - final) * (1 - done) ** 3


def my_weights():
    return 5 * 5 * (64 - 16) * (128 - 48)


def my_nm_mask(w, n, m):
    mask = np.zeros(w.shape, bool)
    for i in range(0, len(w), m):
        largest = np.argsort(np.abs(w[i : i + m]), axis=0)[m - n :]
        np.put_along_axis(mask[i : i + m], largest, True, axis=0)
    return mask


EXERCISES = {
    "6c.1": Exercise(
        task="The mask of magnitude pruning, with an exact count.",
        check=checks.mask,
        right="ranking gives the exact count; a threshold would not where weights are equal.",
        hints=(
            "Which weights are the smallest in magnitude? Rank |w|, not w.",
            "`np.argsort(np.abs(w), axis=None, kind='stable')` gives their places, of equal ones the first first.",
            "Begin with all True, set `mask[order[:round(sparsity * w.size)]] = False`, and reshape.",
        ),
        solution=my_mask,
    ),
    "6c.2": Exercise(
        task="Bytes of a matrix: dense, CSR, bitmap.",
        check=bytecounts.sizes,
        right="a value costs 8 bytes in CSR, 4 in a bitmap, which pays a bit for each zero instead.",
        hints=(
            "Two counts are enough: how many weights there are, and how many are not zero. And the rows, for CSR.",
            "CSR stores a value and a column for each weight that is left, and rows + 1 starts; 4 bytes each.",
            "The bitmap has one bit for each weight, eight in a byte, rounded up: `-(-w.size // 8)`.",
        ),
        solution=my_bytes,
    ),
    "6c.3": Exercise(
        task="The sparsity at a step of gradual pruning.",
        check=checks.schedule,
        right="half of the way brings seven eighths of the zeros: fast at first, slow at the end.",
        hints=(
            "What share of the way is done? (step − start) / steps, but never below 0 or above 1.",
            "At the start it must give `initial`, at the end `final`; insert done = 0 and done = 1.",
            "`final + (initial - final) * (1 - done) ** 3`",
        ),
        solution=my_schedule,
    ),
    "6c.4": Exercise(
        task="The weights of dense1 after filters of conv2 and units of dense1 were removed.",
        check=structure.left,
        right="47 % are left: 75 % of the inputs times 62.5 % of the outputs.",
        hints=(
            "Both ends of this kernel lose something: its inputs and its outputs.",
            "48 filters are left, each with 5 × 5 pixels; and 80 units.",
            "25 · 48 inputs times 80 outputs.",
        ),
        solution=my_weights,
        kind="value",
    ),
    "6c.5": Exercise(
        task="The mask of N:M along the inputs.",
        check=structure.pattern,
        right="each output keeps n of each m inputs; that regularity is what hardware can use.",
        hints=(
            "Which axis has the inputs? Cut that one into groups of m.",
            "Rows i to i + m of w are one group for each column. Rank |w| in it along axis 0.",
            "`np.argsort(np.abs(w[i:i + m]), axis=0)[m - n:]` are the rows that stay; `np.put_along_axis` sets them.",
        ),
        solution=my_nm_mask,
    ),
}
