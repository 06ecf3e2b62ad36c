"""Exercises of lesson 06a, the TensorFlow toolkit: tasks, hints, solutions. The checks are in `checks06a`."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks06a as checks
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions06a import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_sparsity(step, final, begin, end, frequency):
    if step < begin:
        return 0.0
    looks = (min(step, end) - begin) // frequency  # since the first one, at `begin`
    done = looks * frequency / (end - begin)
    return final - final * (1 - done) ** 3


def my_bytes():
    return 204_800 * 4 // 8 + 16 * 4


def my_batches():
    return int(np.ceil(np.log(0.06 / 6) / np.log(0.999)))


def my_tf_codes(x, scale, lowest):
    clipped = np.clip(x, lowest, lowest + 255 * scale)
    return np.floor((clipped - lowest) / scale + np.float32(0.5)).astype(np.int64)


EXERCISES = {
    "6a.1": Exercise(
        task="The sparsity that the network has at a step, if the schedule is looked at every few steps only.",
        check=checks.sparsity,
        right="and if no look falls on the end, the final sparsity is never reached: choose the frequency accordingly.",
        hints=(
            "Find the step of the last look first; then put that into the equation.",
            "The looks are at begin, begin + frequency, … and none is after end. `//` counts those that are past.",
            "`looks = (min(step, end) - begin) // frequency`, and `done = looks * frequency / (end - begin)`",
        ),
        solution=my_sparsity,
    ),
    "6a.2": Exercise(
        task="Bytes of dense1's kernel as numbers of centroids, with the centroids.",
        check=checks.bytes_,
        right="half of int8's 204,800 bytes, and the table hardly counts. gzip made less of the whole file: some "
        "numbers come far more often than others, and it gives those fewer than 4 bits.",
        hints=(
            "How many bits does a number from 0 to 15 need?",
            "4 bits, so two weights share a byte. A float32 takes 4 bytes.",
            "204,800 · 4 / 8 for the numbers, and 16 · 4 for the centroids.",
        ),
        solution=my_bytes,
        kind="value",
    ),
    "6a.3": Exercise(
        task="After how many batches is a moving average that starts at −6 above −0.06?",
        check=checks.batches,
        right="nearly ten passes over the training set, at 128 images a batch.",
        hints=(
            "With min(x) = 0 each batch multiplies the lower end by the same factor. Which?",
            "After n batches it is −6 · 0.999ⁿ. For which n is 0.999ⁿ below 0.01?",
            "n is larger than log(0.01) / log(0.999); take the next whole number.",
        ),
        solution=my_batches,
        kind="value",
    ),
    "6a.4": Exercise(
        task="The codes of TensorFlow's per-tensor rule: clip, shift, divide, round half up.",
        check=checks.tf_codes,
        right="on ties it differs from rint, and elsewhere only where the shift loses the last bits of x.",
        hints=(
            "The highest code is 255. Which real does it stand for?",
            "Clip x to lowest … lowest + 255·scale; subtract lowest; divide by scale.",
            "Round half up: `np.floor(v + 0.5)`. Then `.astype(np.int64)`.",
        ),
        solution=my_tf_codes,
    ),
}
