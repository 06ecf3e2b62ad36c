"""Predictions of lesson 07, outlook: outliers. What is true is computed from the activations of the notebook."""

from __future__ import annotations

import numpy as np

from qlib.exercises.prediction import Prediction


def _channels(x_max):
    top, median = float(np.max(x_max)), float(np.median(x_max))
    return int(np.digitize(top / median, (2, 4))), f"Channel {np.argmax(x_max)}: {top:.1f}; the median is {median:.1f}."


def _bits(agreement):
    eight, six = agreement
    figures = (
        f"With 8 bits about {eight:.0%} of the guesses stay the same, with 6 bits about {round(10 * six):.0f} of 10."
    )
    return 2 - int(np.digitize(six, (0.75, 0.95))), figures


def _alpha(agreement, without):
    best = max(agreement, key=agreement.get)
    place = 3 if agreement[best] <= without else int(np.digitize(best, (0.25, 0.75)))
    listed = ", ".join(f"{_coarse(share)} at α = {alpha:g}" for alpha, share in agreement.items())
    return place, f"Guesses as in float: {_coarse(without)} without smoothing; {listed}."


def _coarse(share):
    """A share of a few hundred guesses; single ones may fall otherwise on another processor."""
    return "less than half" if share < 0.5 else "nearly all" if share > 0.95 else f"{round(10 * share)} of 10"


PREDICTIONS: dict[str, Prediction] = {
    "7.channels": Prediction(
        question="The input of ffn_output has 512 channels. Take the largest |x| of each. How large is the largest of "
        "these 512, compared with their median?",
        options=("less than twice the median", "two to four times", "more than four times"),
        truth=_channels,
        most="LayerNorm stands between the layers, so one expects channels of one size. But it evens out the mean and "
        "variance of a token, not its channels. And between LayerNorm and here are a matrix and a gelu.",
    ),
    "7.bits": Prediction(
        question="Weights get 8 bits, with a scale for each output. Activations get one scale for each layer: first "
        "with 8 bits, then with 6. How many of the masked tokens does the network with 6 bits guess as in float?",
        options=("more than 95 %", "75 to 95 %", "less than 75 %"),
        truth=_bits,
        most="Two bits less are a step four times as large, which many networks bear. Here the step was large already: "
        "one channel stretches the range, and the others share the few levels near zero.",
    ),
    "7.alpha": Prediction(
        question="Activations have 6 bits, weights 8, and every layer is smoothed. Which α gives the most guesses "
        "as in float?",
        options=("0", "0.5", "1 or nearly", "none is better than no smoothing"),
        truth=_alpha,
        most="The paper takes 0.5 for most of its networks, with 8 bits on both sides. Here the weights have 8 bits, "
        "and a scale for each output, so they can take all of the burden.",
    ),
}
