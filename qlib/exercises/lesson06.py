"""Exercises of lesson 06, tools: tasks, hints and solutions. The checks are in `checks06` and `checks06_choice`."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks06 as checks
from qlib.exercises.checks06_choice import choice
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions06 import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_stored(zeros, index_bits):
    return int(np.sum(1 + zeros // 2**index_bits))


def my_centroid_gradient(gradient, codes, k):
    return np.bincount(codes.ravel(), weights=gradient.ravel(), minlength=k)


def my_bits():
    return 10 * 1 + 5 * 2 + 3 * 3 + 2 * 3


def my_choice(reference, rows):
    error = np.sqrt(reference * (10_000 - reference) / 10_000)
    fitting = [(size, name) for name, size, right in rows if np.mean(right) >= reference - 2 * error]
    return min(fitting)[1]


EXERCISES = {
    "6.1": Exercise(
        task="How many numbers are stored for these gaps, fillers included?",
        check=checks.stored,
        right="a filler bridges 2^b − 1 zeros before it, and is one itself.",
        hints=(
            "With 2 bits: a gap of 3 needs no filler. And one of 4? Of 7? Of 8?",
            "Each filler takes 2^b zeros away: those before it, and itself.",
            "For each gap 1 + zeros // 2**index_bits numbers are stored.",
        ),
        solution=my_stored,
    ),
    "6.2": Exercise(
        task="The gradient of each centroid from the gradients of the weights.",
        check=checks.centroid_gradient,
        right="it is what backpropagation through a look-up gives: `tf.gather` does the same.",
        hints=(
            "If c moves by a little, each weight with its code moves by as much. What does the loss do?",
            "Add the gradients of all weights with code j; there may be none.",
            "`np.bincount(codes.ravel(), weights=gradient.ravel(), minlength=k)`",
        ),
        solution=my_centroid_gradient,
    ),
    "6.3": Exercise(
        task="How many bits does Huffman's code take for symbols that come 10, 5, 3 and 2 times?",
        check=checks.bits,
        right="a fixed width takes 40 bits, and the entropy is 34.9: Huffman comes close.",
        hints=(
            "Join the two rarest, 3 and 2. What are the groups now?",
            "5 and 5 come next, then 10 and 10. How often was each symbol in a group that was joined?",
            "The codes have 1, 2, 3 and 3 bits. Multiply each by how often its symbol comes.",
        ),
        solution=my_bits,
        kind="value",
    ),
    "6.4": Exercise(
        task="The smallest file that loses nothing beyond noise.",
        check=choice,
        right="and the rule was fixed before looking at the rows: otherwise noise chooses.",
        hints=(
            "First the noise: the standard error of a count of 10,000 is √(n(10,000 − n)/10,000).",
            "Keep the rows whose mean over the seeds is at least the reference less two standard errors.",
            "Of these take the one with the fewest bytes: `min` of pairs (bytes, name).",
        ),
        solution=my_choice,
    ),
}
