"""Predictions of lesson 07, outlook: rounding. What is true is computed from what the notebook measured."""

from __future__ import annotations

import numpy as np

from qlib.compensate import gptq, hessian, output_mse, output_sqnr_db
from qlib.error import sqnr_db
from qlib.exercises.prediction import Prediction


def _compensate(w, nearest, compensated, h):
    weights = [sqnr_db(w, w_hat) for w_hat in (nearest, compensated)]
    outputs = [output_sqnr_db(w, w_hat, h) for w_hat in (nearest, compensated)]
    worse, better = weights[1] < weights[0], outputs[1] > outputs[0]
    figures = f"Weights {weights[0]:.0f} dB to nearest, {weights[1]:.0f} dB with GPTQ; "
    figures += f"outputs {outputs[0]:.0f} dB and {outputs[1]:.0f} dB."
    return (1 if worse else 0) if better else 2, figures


def _few(w, x, grid, new_h, nearest):
    h = hessian(x[:5])
    few, all_of_them = (output_sqnr_db(w, gptq(w, some, grid), new_h) for some in (h, hessian(x)))
    at_nearest = output_sqnr_db(w, nearest, new_h)
    place = 0 if few < at_nearest else 1 if few < all_of_them - 1 else 2
    return place, (
        f"On test images {at_nearest:.0f} dB to nearest, {few:.0f} dB with five images, {all_of_them:.0f} dB with all."
    )


def _updown(better):
    four, two = ([round(count, -1) for count in better[bits]] for bits in (4, 2))  # single images may fall otherwise
    figures = f"About {two[1]} of 100 at 2 bits, about {four[1]} at 4. "
    return int(np.digitize(better[2][1], (1, 16, 85))), f"{figures}(Their outputs err less in {two[0]} and {four[0]}.)"


def _adaround(w, methods, h):
    errors = {name: output_mse(w, w_hat, h) for name, w_hat in methods.items()}
    gain = {name: 10 * np.log10(errors["nearest"] / error) for name, error in errors.items()}
    least = 5 * int(min(gain["GPTQ"], gain["AdaRound"]) // 5)
    figures = f"Both gain more than {least} dB over nearest."
    return int(np.digitize(gain["AdaRound"] - gain["GPTQ"], (-2, 2))), figures


def _bias(before, after):
    return int(np.digitize(after - before, (-0.01, 0.01))), f"{before:.0%} before, {after:.0%} after."


def _equalize(shares):
    by_hand, same = shares["by hand", None, 4], shares["by hand, equalized", None, 4]
    figures = f"Less than {5 * int(np.ceil(20 * by_hand))} % at 4 bits per-tensor; {same:.0%} after equalization."
    return int(np.digitize(-by_hand, (-0.95, -0.5))), figures


PREDICTIONS: dict[str, Prediction] = {
    "7.compensate": Prediction(
        question="dense1 at 3 bits: GPTQ beside rounding to the nearest, on the same grid. What happens to the errors?",
        options=(
            "those of weights and outputs both get smaller",
            "that of the weights gets larger, that of the outputs smaller",
            "that of the outputs gets larger",
        ),
        truth=_compensate,
        most="A better method should bring weights nearer to what they were, one thinks. Nothing is nearer than the "
        "nearest; what gets better is their sum.",
    ),
    "7.few": Prediction(
        question="dense2 at 3 bits, and only five images to calibrate with. How good is GPTQ on the test images?",
        options=("worse than nearest", "between nearest and GPTQ with 2,000 images", "as good as with 2,000 images"),
        truth=_few,
        most="Five images cannot say how 128 inputs go together. The damping keeps the method from believing too much.",
    ),
    "7.updown": Prediction(
        question="dense2 at 2 bits, rounded up or down by chance. How many of 100 such networks name more test images "
        "rightly than the one rounded to the nearest?",
        options=("none", "up to fifteen", "a good part, some 16 to 84", "nearly all"),
        truth=_updown,
        most="Nearest is the best for each weight. Their errors together can still point in a bad direction, and there "
        "are many others.",
    ),
    "7.adaround": Prediction(
        question="dense2 at 2 bits, the error of its outputs. AdaRound learns each rounding in 1,000 steps; GPTQ goes "
        "through the layer once. Who is ahead?",
        options=("GPTQ, by more than 2 dB", "neither: less than 2 dB apart", "AdaRound, by more than 2 dB"),
        truth=_adaround,
        most="More steps look like a better result. But GPTQ may go further than one step up or down, "
        "which AdaRound may not.",
    ),
    "7.bias": Prediction(
        question="dense1 at 2 bits, to the nearest. Its biases are corrected, and the outputs are right on average "
        "now. What happens to the share of test images that the network names rightly?",
        options=("it falls by more than a point", "within a point", "it rises by more than a point"),
        truth=_bias,
        most="The mean is repaired and even the squared error got smaller; how should that harm? What is right on "
        "average need not be right for one image.",
    ),
    "7.equalize": Prediction(
        question="The network with uneven filters computes what the other one does. How many images does it name "
        "rightly with all weights at 4 bits, one scale per tensor?",
        options=("95 % or more, like the other one", "50 to 95 %", "less than half"),
        truth=_equalize,
        most="Equal outputs look like equal networks. But the largest filter sets the step, and the small ones are "
        "rounded to 0.",
    ),
}
