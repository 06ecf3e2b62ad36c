"""Exercises of lesson 07, outlook: rounding that compensates, bias correction, equalization."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks07_rounding as checks
from qlib.exercises.engine import Exercise


def my_step(w, h, rounded):
    inverse = np.linalg.inv(h)
    return w[1:] - inverse[1:, 0] / inverse[0, 0] * (w[0] - rounded)


def my_bias(bias, w, w_hat, x):
    return bias - x.mean(axis=0) @ (w_hat - w)


def my_factors(first, second):
    r1, r2 = np.abs(first).max(axis=0), np.abs(second).max(axis=1)
    alive = (r1 > 0) & (r2 > 0)
    s = np.ones(len(second))
    s[alive] = np.sqrt(r1[alive] / r2[alive])
    return s


EXERCISES: dict[str, Exercise] = {
    "7.8": Exercise(
        task="One step of GPTQ: the other weights make up for the first.",
        check=checks.step,
        right="the others moved by −H⁻¹ of them over H⁻¹ of the first, times its error.",
        hints=(
            "How large is the error of the first weight? And which matrix says how the others should follow?",
            "Take column 0 of h's inverse: its entry 0 belongs to the weight that was rounded, the rest to the others.",
            "`inverse = np.linalg.inv(h)`; subtract `inverse[1:, 0] / inverse[0, 0]`, times the error.",
        ),
        solution=my_step,
    ),
    "7.9": Exercise(
        task="Correct the bias of a layer.",
        check=checks.bias,
        right="the mean of every output is now what it was before rounding, on these samples.",
        hints=(
            "By how much does the mean of each output change, if w becomes w_hat?",
            "The mean of x @ (w_hat − w) is the mean of x, times (w_hat − w).",
            "`bias - x.mean(axis=0) @ (w_hat - w)`",
        ),
        solution=my_bias,
    ),
    "7.10": Exercise(
        task="The scales of cross-layer equalization, with dead units.",
        check=checks.scales,
        right="√(r1 · r2) / r2 is √(r1 / r2), and a unit without a range is left alone.",
        hints=(
            "A unit is a column of first and a row of second. What is the largest |w| of each?",
            "Solve r1 / s = r2 · s for s. Then think of r1 = 0 or r2 = 0.",
            "Begin with `s = np.ones(len(second))`, and fill in `np.sqrt(r1 / r2)` where both are above 0.",
        ),
        solution=my_factors,
    ),
}
