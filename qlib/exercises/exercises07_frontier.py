"""Exercises of lesson 07, outlook: the frontier of all results."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks07_frontier as checks
from qlib.exercises.engine import Exercise


def my_frontier(costs):
    stays = []
    for point in costs:
        no_more, less = np.all(costs <= point, axis=1), np.any(costs < point, axis=1)
        stays.append(not np.any(no_more & less))
    return np.array(stays)


def my_steps(accuracy, errors):
    worth, last = [True], 0
    for i in range(1, len(accuracy)):
        noise = np.sqrt(errors[i] ** 2 + errors[last] ** 2)
        worth.append(accuracy[i] - accuracy[last] > 2 * noise)
        if worth[-1]:
            last = i
    return np.array(worth)


EXERCISES: dict[str, Exercise] = {
    "7.1": Exercise(
        task="Which points lie on the frontier?",
        check=checks.frontier,
        right="equal points stay together: neither costs less than the other in anything.",
        hints=(
            "For each point ask: is there another one that costs no more in anything, and less in something?",
            "`np.all(costs <= point, axis=1)` says which cost no more; `np.any(costs < point, axis=1)` which cost less "
            "in something. Both must hold for the same row.",
            "In a loop over the rows: `stays.append(not np.any(no_more & less))`; return them as an array.",
        ),
        solution=my_frontier,
    ),
    "7.2": Exercise(
        task="Which files are worth their bytes beyond noise?",
        check=checks.steps,
        right="a long row of small steps, each within noise, still counts once it adds up: that is why the last one "
        "kept is compared, and not the neighbour.",
        hints=(
            "Remember which file was kept last. The first file is kept.",
            "The standard error of a difference is √(e₁² + e₂²). Keep a file if it is ahead of the last one kept by "
            "more than twice that.",
            "`accuracy[i] - accuracy[last] > 2 * np.sqrt(errors[i] ** 2 + errors[last] ** 2)`; then `last = i`.",
        ),
        solution=my_steps,
    ),
}
