"""Predictions of lesson 02, concepts."""

from __future__ import annotations

import numpy as np

from qlib.error import sqnr_db
from qlib.exercises.prediction import Prediction
from qlib.formats import value_of, values


def _which(options: list[float], found: float) -> int:
    return int(np.argmin([abs(option - found) for option in options]))


def _zeros(trained, pruned):
    less = 1 - len(pruned) / len(trained)
    sizes = f"{len(trained):,} bytes before, {len(pruned):,} after."
    return _which([0.5, 0.25, 0.0], less), sizes


def _simulated(integers, floats):
    gap = float(np.max(np.abs(integers - floats)) / np.max(np.abs(floats)))
    return int(gap < 1e-5), "The largest difference, relative to the largest result, " + (
        "is below 1e-5." if gap < 1e-5 else f"is {gap:.2g}."
    )


def _byte():
    value = float(value_of(0x40, "float8 E4M3"))
    said = f"0x40 is 0 1000 000: exponent field 8, less the bias 7, mantissa 0; so {value:g}."
    return _which([64.0, 0.25, 2.0], value), said


def _inside():
    every = values("float8 E4M3")
    inside = np.count_nonzero(np.abs(every) <= 1)
    said = f"{inside} of its {every.size} values lie there, {inside / every.size:.0%}."
    return _which([0.5, 1 / 4, 1 / 448], inside / every.size), said


def _best_byte(w, through):
    names = ("float8 E5M2", "float8 E4M3", "int8")
    reached = [sqnr_db(w, through(w, name)) for name in names]
    said = ", ".join(f"{name} {db:.1f} dB" for name, db in zip(names, reached, strict=True))
    return int(np.argmax(reached)), f"{said}."


PREDICTIONS = {
    "2.zeros": Prediction(
        question="Pruning sets half of each layer's weights to 0, those nearest to 0. How much smaller is the file?",
        options=("half as large", "a quarter smaller", "not one byte smaller"),
        truth=_zeros,
        most="Most people expect half. But a 0 takes four bytes like any other float32, until somebody packs it.",
    ),
    "2.simulated": Prediction(
        question="One product of activations and weights: once with the integer codes, scaled at the end, and once "
        "with the dequantized floats. How far apart are the results?",
        options=("by the rounding error of the codes", "by nothing but float rounding"),
        truth=_simulated,
        most="Many expect integers to be less exact. The rounding to codes is in both; what follows is the same "
        "arithmetic, once with integers and once with floats.",
    ),
    "2.byte": Prediction(
        question="In int8 the byte 0100 0000 is 64. What is it in float8 E4M3 (1 sign bit, 4 exponent bits, 3 mantissa "
        "bits)?",
        options=("64 as well", "0.25", "2"),
        truth=_byte,
        most="Most people read the bits as a number first. Bits mean nothing by themselves: the format says what "
        "they are.",
    ),
    "2.line": Prediction(
        question="float8 E4M3 reaches from −448 to 448. How many of its values lie between −1 and 1?",
        options=("almost half of them", "a quarter", "one in 448"),
        truth=_inside,
        most="Most people spread the values evenly, as integers are. A float has as many values between 0.5 and 1 as "
        "between 128 and 256.",
    ),
    "2.best": Prediction(
        question="Each format has 8 bits and a scale that brings the largest weight to its largest value. Which "
        "describes the weights of dense1 with the least error?",
        options=("float8 E5M2", "float8 E4M3", "int8"),
        truth=_best_byte,
        most="Many expect a float to win because it is a float. It spends bits on an exponent, and weights without far "
        "outliers hardly need one.",
    ),
}
