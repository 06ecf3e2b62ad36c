"""Exercises of lesson 07, outlook: outliers."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks07_outliers as checks
from qlib.exercises.engine import Exercise


def my_scales(x, w, alpha):
    x_max, w_max = np.abs(x).max(axis=0), np.abs(w).max(axis=1)
    alive = (x_max > 0) & (w_max > 0)
    x_max, w_max = np.where(alive, x_max, 1), np.where(alive, w_max, 1)
    return x_max**alpha / w_max ** (1 - alpha)


def my_outliers(x, threshold):
    return (np.abs(x) >= threshold).any(axis=0)


EXERCISES: dict[str, Exercise] = {
    "7.6": Exercise(
        task="The scales of SmoothQuant.",
        check=checks.scales,
        right="large channels of x are divided by much, and the rows of w take it over; dead channels are left alone.",
        hints=(
            "Two maxima for each channel: of a column of x, over all tokens, and of a row of w, over all outputs.",
            "s = x_max**alpha / w_max**(1 - alpha). What does that give for a channel in which one of them is 0?",
            "`alive = (x_max > 0) & (w_max > 0)`; replace both maxima by 1 where not alive, then the formula.",
        ),
        solution=my_scales,
    ),
    "7.7": Exercise(
        task="The channels that LLM.int8() leaves in float.",
        check=checks.outliers,
        right="one token with one large value is enough: its whole channel is computed in float.",
        hints=(
            "A channel is a column of x. It is left in float if at least one of its values is large.",
            "Large is a matter of magnitude: |x| ≥ threshold. `any` along which axis?",
            "`(np.abs(x) >= threshold).any(axis=0)`",
        ),
        solution=my_outliers,
    ),
}
