"""Predictions of lesson 03, formulas. Each truth is computed from what the lesson holds at that point."""

from __future__ import annotations

import numpy as np

from qlib.affine import choose_qparams, fake_quantize, qrange
from qlib.error import ErrorProfile, mse, split_mse, sqnr_db
from qlib.exercises.prediction import Prediction, nearest


def _error(x: np.ndarray, threshold: float, num_bits: int) -> float:
    return mse(x, fake_quantize(x, choose_qparams(-threshold, threshold, num_bits=num_bits, symmetric=True)))


def _steps() -> tuple[int, str]:
    (low, high), (wide_low, wide_high) = qrange(8), qrange(16)
    steps, factor = high - low, (wide_high - wide_low + 1) // (high - low + 1)
    right = [(256, 2), (256, 256), (255, 2), (255, 256)].index((steps, factor))
    return (
        right,
        f"From {low} to {high} it is {steps} steps, and {wide_high - wide_low + 1} is {factor} times {steps + 1}.",
    )


def _step(w: np.ndarray) -> tuple[int, str]:
    width = float(w.max() - w.min())
    return nearest(width / 255, (0.04, 0.004, 0.0004)), f"{width:.2f} over 255 steps is {width / 255:.4f}."


def _ties() -> tuple[int, str]:
    ties = np.arange(-1000, 1000) + 0.5
    rules = np.floor(ties + 0.5), np.rint(ties), np.trunc(ties + np.copysign(0.5, ties))
    more = [float(np.mean(rounded - ties)) for rounded in rules]
    figures = f"On average the three rules add {more[0]:.1f}, {more[1]:.1f} and {more[2]:.1f}."
    return int(np.argmax(more)), figures


def _bit(w: np.ndarray) -> tuple[int, str]:
    six, seven = (mse(w, fake_quantize(w, choose_qparams(w.min(), w.max(), num_bits=b))) for b in (6, 7))
    return nearest(six / seven, (2, 4, 8, 16)), f"From 6 to 7 bits the error of w falls {six / seven:.2f} times."


def _direct(tensors: dict[str, np.ndarray]) -> tuple[int, str]:
    names = ("dense1 activations", "conv2 activations", "conv1 activations", "dense1 weights")
    lost = []
    for x in map(tensors.get, names):
        fixed, own = (choose_qparams(*ends) for ends in ((-1, 1), (x.min(), x.max())))
        lost.append(sqnr_db(x, fake_quantize(x, own)) - sqnr_db(x, fake_quantize(x, fixed)))
    worst = int(np.argmax(lost))
    return worst, f"It reaches to {tensors[names[worst]].max():.0f}, and loses {lost[worst]:.0f} dB."


def _relu(tensors: dict[str, np.ndarray]) -> tuple[int, str]:
    x = tensors["dense1 activations"]
    top = x.max()
    symmetric, affine = (choose_qparams(*ends, symmetric=ends[0] < 0) for ends in ((-top, top), (0, top)))
    ratio = mse(x, fake_quantize(x, symmetric)) / mse(x, fake_quantize(x, affine))
    return nearest(ratio, (1, 2, 4, 16)), f"For the outputs of dense1 it is {ratio:.1f} times as large."


def _channel(tensors: dict[str, np.ndarray]) -> tuple[int, str]:
    gains = []
    for name in ("conv1 weights", "conv2 weights", "dense1 weights", "dense2 weights"):
        x, db = tensors[name], []
        for axis in (None, x.ndim - 1):
            top = np.abs(x).max() if axis is None else np.abs(x).reshape(-1, x.shape[-1]).max(axis=0)
            p = choose_qparams(-top, top, num_bits=4, symmetric=True, axis=axis)
            db.append(sqnr_db(x, fake_quantize(x, p)))
        gains.append(db[1] - db[0])
    figures = "The four layers gain " + ", ".join(f"{gain:.1f}" for gain in gains) + " dB."
    return nearest(float(np.mean(gains)), (0.4, 4, 12, 24)), figures


def _threshold(w: np.ndarray) -> tuple[int, str]:
    fraction = ErrorProfile(w).best_threshold(4) / float(np.abs(w).max())
    return nearest(fraction, (1, 0.75, 0.45, 0.1)), f"It is at {fraction:.2f} of the largest weight."


def _out(w: np.ndarray) -> tuple[int, str]:
    four, eight = (ErrorProfile(w).best_threshold(b) for b in (4, 8))
    return [eight > four * 1.05, abs(eight / four - 1) <= 0.05, eight < four * 0.95].index(True), (
        f"It goes from {four:.2f} to {eight:.2f}."
    )


def _twelfth(tensors: dict[str, np.ndarray]) -> tuple[int, str]:
    ratios = []
    for name in ("uniform sample", "Laplace sample", "normal sample", "dense1 weights"):
        x = tensors[name]
        p = choose_qparams(x.min(), x.max(), num_bits=2)
        ratios.append(mse(x, fake_quantize(x, p)) / (float(p.scale) ** 2 / 12))
    worst = int(np.argmax(np.abs(np.log(ratios))))
    return worst, "Error over Δ²/12, in the order of the options: " + ", ".join(f"{r:.2f}" for r in ratios) + "."


def _valley(w: np.ndarray) -> tuple[int, str]:
    best, whole = ErrorProfile(w).best_threshold(4), float(np.abs(w).max())
    figures = (
        f"Error: {_error(w, whole, 4):.2g} at the min-max step, {_error(w, best, 4):.2g} at {best / whole:.2f} of it."
    )
    return nearest(best / whole, (2, 1, 0.45, 0.1)), figures


def _curves(w: np.ndarray) -> tuple[int, str]:
    step = float(np.abs(w).max()) / 14  # half of the min-max step of 4 bits: right of the valley
    parts = []
    for num_bits in (4, 5):
        top = step * (2 ** (num_bits - 1) - 1)
        parts.append(split_mse(w, choose_qparams(-top, top, num_bits=num_bits, symmetric=True)))
    (rounding, clipping), (rounding_5, clipping_5) = parts
    moved = [abs(rounding_5 / rounding - 1) > 0.05, abs(clipping_5 / clipping - 1) > 0.05]
    right = [[False, True], [True, True], [True, False], [False, False]].index(moved)
    return right, (
        f"At a step of {step:.3f}, from 4 to 5 bits: rounding {rounding:.2g} to {rounding_5:.2g}, "
        f"clipping {clipping:.2g} to {clipping_5:.2g}."
    )


def _looks(w: np.ndarray) -> tuple[int, str]:
    borders = 2**4 - 1
    looks = borders * int(w.size).bit_length()
    return nearest(looks, (300, w.size / 2, w.size)), (
        f"4 bits have {borders} borders between codes; {looks} comparisons find where they lie."
    )


PREDICTIONS = {
    "3.steps": Prediction(
        "How many steps lie between the lowest and the highest 8-bit code, and how many times more codes has a "
        "16-bit integer?",
        ("256 steps, 2 times", "256 steps, 256 times", "255 steps, 2 times", "255 steps, 256 times"),
        _steps,
        "It is tempting to count codes instead of the gaps between them, and to think that twice the bits are twice "
        "the codes.",
    ),
    "3.step": Prediction(
        "The weights w reach from −0.47 to 0.52. With 8 bits, how far apart are two neighbouring values that we can "
        "still tell apart?",
        ("about 0.04", "about 0.004", "about 0.0004"),
        _step,
        "A range of about 1 and 255 steps: whoever divides by the number of bits is far too coarse.",
    ),
    "3.ties": Prediction(
        "Take the ties … −1.5, −0.5, 0.5, 1.5, … Which rule makes numbers larger on average?",
        ("half up", "half to even", "half away from zero"),
        _ties,
        "Half away from zero makes them larger in size, but on both sides of 0, which cancels on average.",
    ),
    "3.bit": Prediction(
        "One more bit makes the step half as large, nearly. By what factor does the mean squared error fall?",
        ("2", "4", "8", "16"),
        _bit,
        "The step is halved, but the error is squared.",
    ),
    "3.direct": Prediction(
        "Suppose we fix the range to [−1, 1] for everything. Which tensor loses the most decibels, compared with a "
        "range of its own?",
        ("the outputs of dense1", "the outputs of conv2", "the outputs of conv1", "the weights of dense1"),
        _direct,
        "A range that is too wide wastes some codes. A range that is too narrow cuts off the largest values, which "
        "costs far more here.",
    ),
    "3.relu": Prediction(
        "After a ReLU nothing is negative. With signed symmetric int8 codes instead of affine ones, how large is the "
        "mean squared error?",
        ("the same", "twice as large", "4 times as large", "16 times as large"),
        _relu,
        "Half of the codes are never used, so the step is twice as large. “Twice” forgets the square.",
    ),
    "3.channel": Prediction(
        "One bit is worth about 6 dB. How much do our four layers gain from per-channel scales at 4 bits, on average?",
        ("about 0.4 dB", "about 4 dB", "about 12 dB", "about 24 dB"),
        _channel,
        "Most filters reach more than half as far as the largest of their layer, and a factor of 2 is one bit.",
    ),
    "3.threshold": Prediction(
        "At 4 bits, where is the best threshold for w?",
        ("at its largest value", "at about three quarters of it", "at a little less than half", "at about a tenth"),
        _threshold,
        "To clip feels like damage. But the weights beyond half of the largest are few, and all others gain a finer "
        "step.",
    ),
    "3.out": Prediction(
        "With 8 bits instead of 4, where does the best threshold move?",
        ("outwards", "it stays", "inwards"),
        _out,
        "More codes seem to allow more clipping. But they make the rounding error small, and "
        "clipping must shrink with it.",
    ),
    "3.twelfth": Prediction(
        "“Equally likely” is an assumption. For which tensor is Δ²/12 farthest from the truth at 2 bits?",
        ("the uniform sample", "the Laplace sample", "the normal sample", "the weights of dense1"),
        _twelfth,
        "All bells look alike at a glance. What counts is how much of them lies inside a single step.",
    ),
    "3.valley": Prediction(
        "The weights w have 4-bit codes and the min-max step T/7, with T = max|w|. Where is the step with the least "
        "error?",
        ("at double that step", "right there", "at a little less than half of it", "at a tenth of it"),
        _valley,
        "The step is the threshold in other units, Δ = T/7, so it is the answer of section 4 once more.",
    ),
    "3.curves": Prediction(
        "More bits, the same step. Look at steps larger than the best one: which of the two curves changes there?",
        ("clipping alone", "both", "rounding alone", "neither"),
        _curves,
        "More bits are mostly thought of as finer codes. With the same step they only reach farther.",
    ),
    "3.looks": Prediction(
        "How many of the 204,800 weights must we visit to know the error of w at another step with 4 bits, if we may "
        "prepare once?",
        ("a few hundred", "about half", "all of them"),
        _looks,
        "Every weight has an error of its own. But weights with the same code can be counted together.",
    ),
}
