"""Exercises of lesson 08, frequent questions: tasks, hints and solutions. The checks are in `checks08*`."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks08 as checks
from qlib.exercises.checks08_choice import recommendation
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions08 import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_differ(first, second, labels):
    a = np.sum((first == labels) & (second != labels))
    b = np.sum((first != labels) & (second == labels))
    return bool(abs(a - b) > 2 * np.sqrt(a + b))


def my_range(batches):
    rmin, rmax = 0.0, 0.0
    for batch in batches:
        rmin, rmax = min(rmin, float(batch.min())), max(rmax, float(batch.max()))
    return rmin, rmax


def my_next_layer(loss, losses, saved):
    return int(np.argmin((losses - loss) / saved))


def my_recommendation(budget, data, training, rows):
    fitting = [
        (-accuracy, size, name)
        for name, size, accuracy, needs, trains in rows
        if size <= budget and needs <= data and (training or not trains)
    ]
    return min(fitting)[2] if fitting else "nothing fits"


EXERCISES = {
    "8.1": Exercise(
        task="Do two models differ beyond noise, on the same images?",
        check=checks.differ,
        right="images on which both are right, or both wrong, say nothing about the difference.",
        hints=(
            "An image counts if exactly one of the two is right.",
            "`a = np.sum((first == labels) & (second != labels))`, and b the other way round.",
            "Compare `abs(a - b)` with `2 * np.sqrt(a + b)`.",
        ),
        solution=my_differ,
    ),
    "8.2": Exercise(
        task="The range of all batches together, with 0.",
        check=checks.observed,
        right="two numbers are all that such an observer has to remember, however many images come.",
        hints=(
            "Start with a range that holds 0 alone, and widen it with each batch.",
            "The least value of all batches, and the largest; never a mean.",
            "`min(0, min(batch.min() for batch in batches))`, and the same with max.",
        ),
        solution=my_range,
    ),
    "8.3": Exercise(
        task="Which layer costs least additional loss for each byte it saves?",
        check=checks.next_layer,
        right="a layer that hardly hurts but saves nothing is no bargain either.",
        hints=(
            "Additional loss: what is lost compared with now.",
            "Divide it by the bytes saved, for each layer.",
            "`np.argmin((losses - loss) / saved)`",
        ),
        solution=my_next_layer,
    ),
    "8.4": Exercise(
        task="The most accurate method that meets all constraints.",
        check=recommendation,
        right="constraints first, then one figure to decide by, fixed before looking at the rows.",
        hints=(
            "Keep the rows that meet all three: bytes, data, training.",
            "Of these the most accurate, and of equally accurate ones the smallest.",
            "`min` of tuples (−accuracy, bytes, name); and think of an empty list.",
        ),
        solution=my_recommendation,
    ),
}
