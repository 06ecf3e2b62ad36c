"""Exercises of lesson 03, formulas. The checks are in `checks03_codes.py` and its neighbours."""

from __future__ import annotations

import numpy as np

from qlib.affine import choose_qparams, fake_quantize
from qlib.error import mse
from qlib.exercises import checks03_codes as codes
from qlib.exercises import checks03_errors as errors
from qlib.exercises.checks03_calibrator import calibrator
from qlib.exercises.checks03_quantize import quantize
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions03 import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_qrange(num_bits, signed):
    if signed:
        return -(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1
    return 0, 2**num_bits - 1


def my_cast(codes):
    return np.clip(codes, -128, 127).astype(np.int8)


def my_range():
    my_scale = (1.5 - -0.5) / (2**4 - 1)
    return my_scale, int(np.rint(0 - -0.5 / my_scale))


def my_qparams(x):
    rmin, rmax = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (rmax - rmin) / 255
    zero_point = int(np.rint(-128 - rmin / scale))
    return scale, zero_point


def my_quantize(x, scale, zero_point):
    codes = np.rint(x / scale) + zero_point
    return np.clip(codes, -128, 127).astype(np.int8)


def my_sqnr_db(x, x_hat):
    signal, noise = np.mean(x**2), np.mean((x - x_hat) ** 2)
    return 10 * np.log10(signal / noise)


def my_scales(w, num_bits):
    thresholds = np.abs(w).max(axis=tuple(range(w.ndim - 1)))
    return thresholds / (2 ** (num_bits - 1) - 1)


def my_threshold(w):
    candidates = np.linspace(0.01, 0.5, 50)
    two_bits = [choose_qparams(-t, t, num_bits=2, symmetric=True) for t in candidates]
    return candidates[np.argmin([mse(w, fake_quantize(w, p)) for p in two_bits])]


def my_bits(decibels):
    num_bits = 1
    while 20 * np.log10(2**num_bits - 1) < decibels:
        num_bits += 1
    return num_bits


def my_calibrator(x, num_bits):
    candidates = np.abs(x).max() * np.linspace(0.005, 1, 200)
    found = []
    for threshold in candidates:
        p = choose_qparams(-threshold, threshold, num_bits=num_bits, symmetric=True)
        found.append(mse(x, fake_quantize(x, p)))
    return candidates[np.argmin(found)]


EXERCISES = {
    "3.1": Exercise(
        task="The lowest and the highest code of 2 to 16 bits, signed or unsigned.",
        check=codes.qrange,
        right="these two numbers are where a quantizer clips.",
        hints=(
            "How many patterns do the bits have, and which of them are negative?",
            "Half of the patterns are negative. The other half starts with 0, so it ends one earlier.",
            "Signed: `-(2 ** (num_bits - 1))` and `2 ** (num_bits - 1) - 1`. Unsigned: 0 and `2**num_bits - 1`.",
        ),
        solution=my_qrange,
    ),
    "3.2": Exercise(
        task="Codes of any size as int8: those that are too large or too small become the nearest int8 code.",
        check=codes.cast,
        right="a code that is too large becomes the largest one; wrapped, it would become some other number.",
        hints=(
            "What does NumPy make of 200 in int8?",
            "Once a number has wrapped, nobody can tell what it was. So the clip must come first.",
            "`np.clip(codes, -128, 127)`, then `.astype(np.int8)`.",
        ),
        solution=my_cast,
    ),
    "3.3": Exercise(
        task="Scale and zero point of the range [-0.5, 1.5] with 4 unsigned bits, as a tuple.",
        check=codes.range_by_hand,
        right="16 codes have 15 steps between them, and the real 0 has a code of its own.",
        hints=(
            "How many codes have 4 bits? How many steps lie between them?",
            "The scale is the width of the range over the number of steps, 2 / 15.",
            "Unsigned codes begin at 0: the zero point is 0 - (-0.5) / scale = 3.75, rounded.",
        ),
        solution=my_range,
        kind="value",
    ),
    "3.4": Exercise(
        task="Scale and zero point of int8 codes for the range of x, extended so that it holds 0.",
        check=codes.qparams,
        right="whatever the tensor holds, no value is off by more than half a step, and zeros stay exactly 0.",
        hints=(
            "Try it on [2.0, 3.0]. The zero point must be an int8 code.",
            "rmin is the smaller one of 0 and the smallest x; rmax likewise. Int8 has 255 steps.",
            "`scale = (rmax - rmin) / 255`, and `int(np.rint(-128 - rmin / scale))`.",
        ),
        solution=my_qparams,
    ),
    "3.5": Exercise(
        task="int8 codes of x, however far it lies outside the range.",
        check=quantize,
        right="divide, round, add, clip, cast: round in another way, or cast before the clip, and some codes differ.",
        hints=(
            "Five things happen: divide, round, add, clip, cast. In which order?",
            "`np.rint` rounds half to even. The clip needs the finished codes, and the cast needs clipped ones.",
            "`np.rint(x / scale) + zero_point`, then `np.clip(..., -128, 127)`, then `.astype(np.int8)`.",
        ),
        solution=my_quantize,
    ),
    "3.6": Exercise(
        task="The SQNR of x_hat in decibels.",
        check=errors.sqnr_db,
        right="one number compares tensors of any size, because only the ratio of signal and error counts.",
        hints=(
            "Signal and noise are two mean squares. Of what?",
            "The signal is x itself, the noise is x - x_hat. Square first, then take the mean.",
            "`10 * np.log10(np.mean(x**2) / np.mean((x - x_hat) ** 2))`.",
        ),
        solution=my_sqnr_db,
    ),
    "3.7": Exercise(
        task="The symmetric per-channel scales of w along its last axis.",
        check=errors.scales,
        right="each channel uses its codes to the end, so none pays for another's size.",
        hints=(
            "Each channel has a threshold of its own: its largest weight, without the sign.",
            "All axes but the last are reduced: `axis=tuple(range(w.ndim - 1))`.",
            "Divide these thresholds by the largest code, `2 ** (num_bits - 1) - 1`.",
        ),
        solution=my_scales,
    ),
    "3.8": Exercise(
        task="A threshold for 2-bit symmetric codes of w whose mean squared error is below a quarter of min-max's.",
        check=errors.threshold,
        right="with few bits a finer step is worth more than the few largest weights.",
        hints=(
            "In the explorer, set num_bits to 2 and walk to the valley. The panel says T.",
            "The fewer the bits, the smaller the best threshold. At 4 bits it is near 0.23.",
            "Anything between 0.07 and 0.13 will do.",
        ),
        solution=my_threshold,
        kind="value",
    ),
    "3.9": Exercise(
        task="The fewest bits for which 20 log10(2^b - 1) reaches the given decibels.",
        check=errors.bits,
        right="the rule of 6 dB per bit is an approximation, and near the border it can be one bit off.",
        hints=(
            "Try b = 1, 2, 3, ... and stop as soon as the formula says enough.",
            "Solved for b: b = log2(10^(decibels / 20) + 1). But b must be a whole number, and enough.",
            "`while 20 * np.log10(2**num_bits - 1) < decibels: num_bits += 1`, beginning with 1.",
        ),
        solution=my_bits,
    ),
    "3.10": Exercise(
        task="A threshold T for symmetric codes of x whose mean squared error is within 5 % of the least.",
        check=calibrator,
        right="you have written a calibrator, and it looks at the values and at the number of bits.",
        hints=(
            "You need no formula. Try many thresholds, and keep the one with the least error.",
            "`choose_qparams`, `fake_quantize` and `mse` give the error of one threshold, as in section 4.",
            "200 candidates up to `np.abs(x).max()` are fine enough; `np.argmin` of their errors picks one.",
        ),
        solution=my_calibrator,
    ),
}
