"""Predictions of lesson 06a, the TensorFlow toolkit. What is true is computed in the notebook."""

from __future__ import annotations

import numpy as np

from qlib.exercises.prediction import Prediction, nearest


def _wall(outcomes):
    errors = sum(what.startswith("ValueError") for what in outcomes.values())
    nothing = [name for name, what in outcomes.items() if what == "NoneType"]
    place = 0 if errors == 3 else 1 if errors == 2 and nothing else 2 if errors == 0 and not nothing else 3
    return place, f"{errors} raise a ValueError; what returns None: {', '.join(nothing) or 'none of them'}."


def _half(schedule):
    share = schedule(50, steps=100, final=0.8)
    return nearest(share, (0.4, 0.6, 0.7, 0.8)), f"After 50 of 100 batches {share:.0%} are pruned."


def _dead(kernel):
    """From the codes of conv1, (filters, 3, 3, 1)."""
    dead, zeros = int(np.sum(~kernel.any(axis=(1, 2, 3)))), float(np.mean(kernel == 0))
    chance = len(kernel) * zeros ** kernel[0].size
    return int(np.digitize(dead, (2, 8, 16))), f"{dead} of {len(kernel)}. By chance it would be {chance:.0f}."


def _sixteen(distinct):
    one, several = distinct["one step per dense layer"][2], distinct["a step per channel"][2]
    place = 0 if several == 16 else 1 if several < 200 else 2
    return place, f"{several} codes with a step for each channel, {one} with one step for the layer."


def _range(lower):
    figures = f"It is at {lower:.2f}."
    return (0 if lower > -0.01 else 1 + nearest(-lower, (0.3, 3.0, 5.8))), figures


def _parity(differ):
    return int(np.digitize(differ, (1, 100, 100_000))), f"{differ} codes differ."


def _engine(counted):
    differ, compared = int(counted[:, 1].sum()), int(counted[:, 0].sum())
    place = 0 if differ == 0 else 1 if differ < compared / 1000 else 2
    return place, f"{differ} of {compared:,} values differ."


def _order(zeros):
    return int(np.digitize(-zeros, (-0.7, -0.1))), f"{zeros:.0%} are zero afterwards."


def _control(found):
    qat, control = found["QAT"], found["control, 1 stage"]
    gain, noise = qat.accuracy - control.accuracy, 2 * np.hypot(qat.standard_error, control.standard_error)
    place = 1 if abs(gain) <= noise else 0 if gain > 0 else 2
    return (
        place,
        f"QAT {qat.accuracy:.2%}, the control {control.accuracy:.2%}; twice the standard error is {noise:.2%}.",
    )


PREDICTIONS = {
    "6a.wall": Prediction(
        question="TFMOT was written for Keras 2. What do its three wrappers do with our Keras 3 network?",
        options=(
            "all three raise an error",
            "two raise an error, one returns None",
            "all three work: Keras is Keras",
            "one raises an error, two work",
        ),
        truth=_wall,
        most="One expects an error, or none. The worst case is the third: a None that is noticed lines later.",
    ),
    "6a.half": Prediction(
        question="A schedule prunes from 0 to 80 % in 100 batches, by this equation. How much is pruned after 50?",
        options=("40 %", "60 %", "70 %", "80 %"),
        truth=_half,
        most="Half of the time is taken for half of the way. The cube makes it fast at first.",
    ),
    "6a.dead": Prediction(
        question="conv1 has 32 filters of nine weights each. Four fifths of its 288 weights are zero, those nearest to "
        "0. How many of its filters have lost all nine?",
        options=("none", "about 4", "about 11", "about 20"),
        truth=_dead,
        most="One thinks that zeros lie anywhere, as if drawn by lot. But some filters have small weights throughout, "
        "and magnitude takes all nine.",
    ),
    "6a.sixteen": Prediction(
        question="dense1 has 16 different float weights. How many different codes has it in the int8 file, if each of "
        "its 128 channels has its own step?",
        options=("16", "several times as many", "nearly all 255"),
        truth=_sixteen,
        most="Quantizing can only merge values, one thinks. But one float divided by two steps is two codes.",
    ),
    "6a.range": Prediction(
        question="Where is the lower end of conv1's range after 30 batches?",
        options=("at 0, the least value after a ReLU", "at about −0.3", "at about −3", "at about −5.8"),
        truth=_range,
        most="A range is thought to be what was seen. Here it is mostly what it was started with.",
    ),
    "6a.parity": Prediction(
        question="Both quantize the same three million values with 8 bits. How many codes differ?",
        options=("none", "a handful", "some thousands", "about half of them"),
        truth=_parity,
        most="Either one trusts a formula to be the same everywhere, or floats to differ everywhere. Only ties differ.",
    ),
    "6a.engine": Prediction(
        question="All values of all operators for 10,000 images: how many differ between our engine and LiteRT's "
        "reference kernels?",
        options=("none", "fewer than one in a thousand", "more"),
        truth=_engine,
        most="A few differences would be forgiven in floats. Integers with named rounding rules leave no room for any.",
    ),
    "6a.order": Prediction(
        question="80 % of dense1's weights are zero. Then all its weights are clustered to 16 values, without further "
        "options. How many are zero now?",
        options=("80 %, as before", "about half of that", "none"),
        truth=_order,
        most="Equal weights stay equal, so the zeros stay together. But nobody said that their value stays 0.",
    ),
    "6a.control": Prediction(
        question="QAT, against the control of one stage: a float network that was trained as long, and then converted. "
        "Which names more images rightly?",
        options=("QAT, clearly", "no difference beyond the noise", "the control, clearly"),
        truth=_control,
        most="QAT is compared with the network before it, and the gain of training on is booked to it.",
    ),
}
