"""Wrong and right answers to the exercises of lesson 03, each with a piece of the sentence that it gets."""

import numpy as np
import wrong_03_more

import qlib
from qlib import CALIBRATORS, ErrorProfile, choose_qparams, fake_quantize, mse, quantize, sqnr_db
from qlib.qparams import QParams

f32 = np.float32


def weights():
    return {"w": qlib.cnn_tensors()["dense1 weights"]}


CONTEXT = {"3.8": weights}


# ------------------------------------------------------------------ 3.4


def qparams_without_zero(x):
    scale = float(x.max() - x.min()) / 255
    return scale, round(-128 - float(x.min() / scale)) if scale else 0


def qparams_clipped_zero_point(x):
    scale, zero_point = qparams_without_zero(x)
    return scale, min(max(zero_point, -128), 127)


def qparams_by_codes(x):
    rmin, rmax = min(x.min(), 0), max(x.max(), 0)
    scale = (rmax - rmin) / 256
    return scale, int(np.rint(-128 - rmin / scale))


def qparams_of_uint8(x):
    rmin, rmax = min(x.min(), 0), max(x.max(), 0)
    scale = (rmax - rmin) / 255
    return scale, int(np.rint(-rmin / scale))


def qparams_wrong_sign(x):
    rmin, rmax = min(x.min(), 0), max(x.max(), 0)
    scale = (rmax - rmin) / 255
    return scale, int(np.rint(-128 + rmin / scale))


def qparams_cut_off(x):
    rmin, rmax = min(x.min(), 0), max(x.max(), 0)
    scale = (rmax - rmin) / 255
    return scale, int(-128 - rmin / scale)


def qparams_floor(x):
    rmin, rmax = min(x.min(), 0), max(x.max(), 0)
    scale = (rmax - rmin) / 255
    return scale, int((-128 - rmin / scale) // 1)


def qparams_not_rounded(x):
    rmin, rmax = min(x.min(), 0), max(x.max(), 0)
    scale = (rmax - rmin) / 255
    return scale, -128 - rmin / scale


def qparams_from_rmax(x):
    rmin, rmax = min(x.min(), 0), max(x.max(), 0)
    scale = (rmax - rmin) / 255
    return scale, int(np.rint(-128 + rmax / scale))


def qparams_symmetric(x):
    return float(np.abs(x).max()) / 127, 0


def qparams_only_low_end(x):
    rmin, rmax = min(x.min(), 0), x.max()
    scale = (rmax - rmin) / 255
    return scale, int(np.rint(-128 - rmin / scale)) if scale else 0


def qparams_of_the_library(x):
    p = choose_qparams(float(x.min()), float(x.max()))
    return p.scale, p.zero_point


def qparams_from_the_top(x):
    ends = np.array([0.0, *np.ravel(x)])
    scale = np.ptp(ends) / 255
    return [f32(scale), np.rint(127 - ends.max() / scale).astype(np.int32)]


# ------------------------------------------------------------------ 3.5


def qparams_narrow_zero_point(x):
    scale, zero_point = qparams_of_the_library(x)
    return scale, np.clip(zero_point, -127, 127)


def clipped(codes):
    return np.clip(codes, -128, 127).astype(np.int8)


def quantize_cast_first(x, scale, zero_point):
    codes = (np.rint(np.clip(x, -1e14, 1e14) / scale) + zero_point).astype(np.int64).astype(np.int8)
    return np.clip(codes, -128, 127)


def quantize_int32_first(x, scale, zero_point):
    return clipped(np.rint(np.clip(x, -1e15, 1e15) / scale).astype(np.int64).astype(np.int32) + zero_point)


def quantize_zero_point_after_clip(x, scale, zero_point):
    codes = np.clip(np.rint(x / scale), -128, 127)
    return (codes.astype(np.int64) + zero_point).astype(np.int8)


def quantize_by_library(x, scale, zero_point):
    return quantize(x, QParams(scale, zero_point, -128, 127))


def quantize_in_float64(x, scale, zero_point):
    steps = np.asarray(x, np.float64) / np.float64(scale)
    return clipped(np.round(steps).clip(-1000, 1000).astype(int) + zero_point)


def quantize_clipped_first(x, scale, zero_point):
    low, high = -128 - zero_point, 127 - zero_point
    return (np.clip(np.rint(x / scale), low, high) + zero_point).astype(np.int8)


# ------------------------------------------------------------------ 3.10


def tried(x, num_bits, candidates, measure=mse, pick=np.argmin):
    found = []
    for threshold in candidates:
        p = choose_qparams(-threshold, threshold, num_bits=num_bits, symmetric=True)
        found.append(measure(x, fake_quantize(x, p)))
    return candidates[pick(found)]


def grid(x, count=200):
    return float(np.abs(x).max()) * np.arange(1, count + 1) / count


def calibrator_scale(x, num_bits):
    return tried(x, num_bits, grid(x)) / (2 ** (num_bits - 1) - 1)


WRONG = {
    "3.1": {
        "one too many": (lambda b, s: (-(2 ** (b - 1)), 2 ** (b - 1)) if s else (0, 2**b), "one code too many"),
        "narrow": (lambda b, s: (-(2 ** (b - 1)) + 1, 2 ** (b - 1) - 1) if s else (0, 2**b - 1), "lowest code is lost"),
        "always signed": (lambda b, s: (-(2 ** (b - 1)), 2 ** (b - 1) - 1), "unsigned codes begin at 0"),
        "swapped": (lambda b, s: (0, 2**b - 1) if s else (-(2 ** (b - 1)), 2 ** (b - 1) - 1), "changed places"),
        "reversed": (lambda b, s: (2 ** (b - 1) - 1, -(2 ** (b - 1))) if s else (2**b - 1, 0), "order is qmin, qmax"),
        "exclusive or": (
            lambda b, s: (-(2 ^ (b - 1)), (2 ^ (b - 1)) - 1) if s else (0, (2 ^ b) - 1),
            "`^` is no power",
        ),
        "all bits twice": (lambda b, s: (-(2**b), 2**b - 1) if s else (0, 2**b - 1), "half of the patterns"),
        "int8 only": (lambda b, s: (-128, 127) if s else (0, 255), "`num_bits` makes no difference"),
        "int8 or int16": (
            lambda b, s: qlib.qrange(8, signed=s) if b <= 8 else qlib.qrange(16, signed=s),
            "the widths between have ranges of their own",
        ),
        "floats": (lambda b, s: (-(2**b) / 2, 2**b / 2 - 1) if s else (0, 2**b - 1), "an integer is wanted"),
    },
    "3.2": {
        "casts before it clips": (lambda q: np.clip(q.astype(np.int8), -128, 127), "the cast comes before the clip"),
        "narrow": (lambda q: np.clip(q, -127, 127).astype(np.int8), "-128 is a code"),
        "up to 128": (lambda q: np.clip(q, -128, 128).astype(np.int8), "128 is no code"),
        "uint8": (lambda q: np.clip(q, 0, 255).astype(np.int8), "codes of uint8"),
        "no negatives": (lambda q: np.clip(q, 0, 127).astype(np.int8), "negative codes are codes"),
        "top only": (lambda q: np.minimum(q, 127).astype(np.int8), "only the top"),
        "bottom only": (lambda q: np.maximum(q, -128).astype(np.int8), "only the bottom"),
        "int16 between": (lambda q: np.clip(q.astype(np.int16), -128, 127).astype(np.int8), "int16 before the clip"),
        "int32 between": (lambda q: np.clip(q.astype(np.int32), -128, 127).astype(np.int8), "int32 before the clip"),
        "zeros": (lambda q: np.where(abs(q) <= 128, np.clip(q, -128, 127), 0).astype(np.int8), "is not lost"),
        "no cast": (lambda q: np.clip(q.astype(np.int64), -128, 127), "the type int8 is wanted"),
    },
    "3.3": {
        "by codes": ((0.125, 4), "2 / 16 divides"),
        "by bits": ((0.5, 1), "2 / 4 divides"),
        "upper part": ((0.1, 5), "upper part alone"),
        "cut off": ((2 / 15, 3), "no rounding"),
        "not rounded": ((0.1333, 3.75), "whole number"),
        "signed": ((0.1333, -4), "-4 is no unsigned code"),
        "from the top": ((0.133, 11), "rmax / scale"),
        "code of rmin": ((0.133, 0), "code of rmin"),
        "swapped": ((4, 0.133), "the order is"),
        "8 bits": ((2 / 255, 64), "255 steps"),
        "inverse": ((7.5, 4), "inverse"),
        "two digits": ((0.13, 4), "three digits"),
        "scale alone": (0.133, "two numbers"),
    },
    "3.4": {
        "0 left out": (qparams_without_zero, "0 was left out"),
        "÷ 256": (qparams_by_codes, "256 is the number of codes"),
        "uint8": (qparams_of_uint8, "qmin is missing"),
        "sign": (qparams_wrong_sign, "the sign is wrong"),
        "cut off": (qparams_cut_off, "cuts the fraction off"),
        "floor": (qparams_floor, "floor rounds down"),
        "not rounded": (qparams_not_rounded, "integer: round it"),
        "from rmax": (qparams_from_rmax, "rmax has no part"),
        "symmetric": (qparams_symmetric, "symmetric scheme"),
        "0 left out, zero point clipped": (qparams_clipped_zero_point, "does not make up for it"),
        "zero point from -127": (qparams_narrow_zero_point, "may be the zero point"),
        "0 at one end only": (qparams_only_low_end, "rmax must be at least 0"),
    },
    "3.5": {
        "casts before it clips": (quantize_cast_first, "the cast comes before the clip"),
        "casts to int32 before it clips": (quantize_int32_first, "to int32 before the clip"),
        "zero point after the clip": (quantize_zero_point_after_clip, "the clip comes before the zero point"),
        "cuts off": (lambda x, s, z: clipped(np.trunc(x / s) + z), "1.8 becomes 1. Round to"),
        "no rounding but the cast": (lambda x, s, z: clipped(x / s + z), "Round first"),
        "floor": (lambda x, s, z: clipped(np.floor(x / s) + z), "floor always"),
        "half up": (lambda x, s, z: clipped(np.floor(x / s + 0.5) + z), "ties up"),
        "half away": (lambda x, s, z: clipped(np.sign(x) * np.floor(np.abs(x / s) + 0.5) + z), "away from zero"),
        "adds 0.5 and cuts off": (lambda x, s, z: clipped(np.trunc(x / s + 0.5) + z), "negative numbers wrongly"),
        "inverse scale": (lambda x, s, z: clipped(np.rint(x * (1 / s)) + z), "multiplied by 1 / scale"),
        "inverse scale, float64": (
            lambda x, s, z: clipped(np.rint(x * np.float64(1 / float(s))) + z),
            "multiplied by 1 / scale",
        ),
        "zero point before rounding": (lambda x, s, z: clipped(np.rint(x / s + z)), "added before rounding"),
        "zero point subtracted": (lambda x, s, z: clipped(np.rint(x / s) - z), "subtracted"),
        "zero point forgotten": (lambda x, s, z: clipped(np.rint(x / s)), "the zero point is missing"),
        "zero point added to x": (lambda x, s, z: clipped(np.rint((x + z) / s)), "not to x"),
        "narrow": (lambda x, s, z: np.clip(np.rint(x / s) + z, -127, 127).astype(np.int8), "-128 is a code"),
        "uint8 values": (
            lambda x, s, z: np.clip(np.rint(x / s) + z, 0, 255).astype(int).astype(np.int8),
            "codes of uint8",
        ),
        "no cast": (lambda x, s, z: np.clip(np.rint(x / s) + z, -128, 127), "the type int8 is wanted"),
        "times the scale": (lambda x, s, z: clipped(np.rint(x * s) + z), "divides by it"),
        "in float16": (
            lambda x, s, z: clipped(np.rint(x.astype(np.float16) / np.float16(s)) + np.float32(z)),
            "digits for x and the scale",
        ),
        "x in float16": (lambda x, s, z: clipped(np.rint(x.astype(np.float16) / s) + z), "digits for x: "),
        "quotient to float16": (lambda x, s, z: clipped(np.rint(np.float16(x / s)) + float(z)), "for the quotient"),
        "in float64": (quantize_in_float64, "the quotient is taken in float64"),
    },
    "3.6": {
        "upside down": (lambda x, y: 10 * np.log10(np.mean((x - y) ** 2) / np.mean(x**2)), "upside down"),
        "20 log10": (lambda x, y: 20 * np.log10(np.mean(x**2) / np.mean((x - y) ** 2)), "factor 2"),
        "natural": (lambda x, y: 10 * np.log(np.mean(x**2) / np.mean((x - y) ** 2)), "natural"),
        "log2": (lambda x, y: 10 * np.log2(np.mean(x**2) / np.mean((x - y) ** 2)), "not log2"),
        "bels": (lambda x, y: np.log10(np.mean(x**2) / np.mean((x - y) ** 2)), "bels"),
        "variance": (lambda x, y: 10 * np.log10(x.var() / np.mean((x - y) ** 2)), "leaves out the mean of x"),
        "variances": (lambda x, y: 10 * np.log10(x.var() / (x - y).var()), "means of x and of the error"),
        "not squared": (lambda x, y: 10 * np.log10(np.mean(x**2) / np.mean(abs(x - y))), "the error is not squared"),
        "neither squared": (lambda x, y: 10 * np.log10(abs(x).mean() / abs(x - y).mean()), "signal and error are not"),
        "signed": (lambda x, y: 10 * np.log10(np.mean(x**2) / np.mean(x - y) ** 2), "errors of both signs cancel"),
        "peak": (lambda x, y: 10 * np.log10(abs(x).max() ** 2 / np.mean((x - y) ** 2)), "*peak* ratio"),
        "largest error": (lambda x, y: 10 * np.log10(np.mean(x**2) / abs(x - y).max() ** 2), "the largest error"),
        "roots": (lambda x, y: 10 * np.log10(np.sqrt(np.mean(x**2) / np.mean((x - y) ** 2))), "with roots"),
        "x_hat for noise": (lambda x, y: 10 * np.log10(np.mean(x**2) / np.mean(y**2)), "not x_hat"),
        "no logarithm": (lambda x, y: np.mean(x**2) / np.mean((x - y) ** 2), "logarithm is missing"),
    },
    "3.7": {
        "one for all": (lambda w, b: abs(w).max() / (2 ** (b - 1) - 1), "one scale for all"),
        "one for all, repeated": (
            lambda w, b: np.full(w.shape[-1], abs(w).max() / (2 ** (b - 1) - 1)),
            "have the same scale",
        ),
        "wrong axis": (lambda w, b: abs(w).max(axis=-1).ravel() / (2 ** (b - 1) - 1), "wrong axis"),
        "no absolute value": (
            lambda w, b: w.reshape(-1, w.shape[-1]).max(axis=0) / (2 ** (b - 1) - 1),
            "absolute value is missing",
        ),
        "by codes": (
            lambda w, b: abs(w).max(axis=tuple(range(w.ndim - 1))) / 2 ** (b - 1),
            "one too many: T",
        ),
        "by all steps": (
            lambda w, b: 2 * abs(w).max(axis=tuple(range(w.ndim - 1))) / (2**b - 1),
            "between two codes",
        ),
        "deviation": (lambda w, b: w.reshape(-1, w.shape[-1]).std(axis=0) / (2 ** (b - 1) - 1), "standard deviation"),
        "int8 only": (lambda w, b: abs(w).max(axis=tuple(range(w.ndim - 1))) / 127, "127 is the highest"),
        "threshold": (lambda w, b: abs(w).max(axis=tuple(range(w.ndim - 1))), "this is the threshold"),
        "matrices only": (lambda w, b: abs(w).max(axis=0) / (2 ** (b - 1) - 1), "not the only one to reduce"),
        "keeps the axes": (
            lambda w, b: abs(w).max(axis=tuple(range(w.ndim - 1)), keepdims=True) / (2 ** (b - 1) - 1),
            "`keepdims`",
        ),
    },
    "3.8": {
        "min-max": (0.5205, "min-max itself"),
        "too large": (0.4, "too large"),
        "too small": (0.01, "too small"),
        "negative": (-0.1, "a threshold is a size"),
        "beyond": (1.0, "lies beyond"),
        "fraction": (0.19, "fraction of the largest weight"),
        "4 bits": (0.2342, "best for 4 bits"),
        "a pair": ((-0.1, 0.1), "one number"),
    },
    "3.9": {
        "by codes": (lambda d: int(np.ceil(d / (20 * np.log10(2)))), "number of codes"),
        "6.02": (lambda d: int(np.ceil(d / 6.02)), "6.02 dB per bit is an approximation"),
        "down": (lambda d: int(np.log2(10 ** (d / 20) + 1)), "rounded down: one bit"),
        "nearest": (lambda d: round(np.log2(10 ** (d / 20) + 1)), "rounded to the nearest: many"),
        "10 log10": (lambda d: int(np.ceil(np.log2(10 ** (d / 10) + 1))), "10 log10 is for squares"),
        "one more": (lambda d: int(np.ceil(np.log2(10 ** (d / 20) + 1))) + 1, "one bit too many"),
        "down and 1 more": (lambda d: int(np.log2(10 ** (d / 20) + 1)) + 1, "not down plus 1"),
        "more, not reached": (
            lambda d: next(b for b in range(1, 60) if 20 * np.log10(2**b - 1) > d),
            "reached is enough",
        ),
        "16 bits at most": (
            lambda d: next((b for b in range(1, 16) if 20 * np.log10(2**b - 1) >= d), 16),
            "goes on beyond 16 bits",
        ),
        "minus 1": (lambda d: int(np.ceil(np.log2(max(10 ** (d / 20) - 1, 0.001)))), "the 1 is added"),
        "fraction of a bit": (lambda d: float(np.log2(10 ** (d / 20) + 1)), "an integer is wanted"),
    },
    "3.10": {
        "symmetric forgotten": (
            lambda x, b: min(
                np.abs(x).max() * np.linspace(0.01, 1, 200),
                key=lambda t: mse(x, fake_quantize(x, choose_qparams(-t, t, num_bits=b))),
            ),
            ("without `symmetric=True`", "near the best T"),
        ),
        "min-max": (lambda x, b: np.abs(x).max(), "this is min-max"),
        "percentile": (lambda x, b: np.percentile(np.abs(x), 99.9), "99.9 % percentile"),
        "3 deviations": (lambda x, b: 3 * x.std(), "3 standard deviations"),
        "always 4 bits": (lambda x, b: tried(x, 4, grid(x)), "this is the threshold for 4 bits"),
        "always 8 bits": (lambda x, b: tried(x, 8, grid(x)), "this is the threshold for 8 bits"),
        "no absolute value": (
            lambda x, b: tried(x, b, np.linspace(0.005, 1, 200) * x.max()),
            "absolute value",
        ),
        "scale": (calibrator_scale, "this is the scale"),
        "coarse": (lambda x, b: tried(x, b, grid(x, 5)), "fine enough"),
        "worst": (lambda x, b: tried(x, b, grid(x), pick=np.argmax), "almost everything is clipped"),
        "absolute error": (
            lambda x, b: tried(x, b, grid(x), lambda x, y: np.mean(np.abs(x - y))),
            "mean |error|",
        ),
        "width": (lambda x, b: 2 * tried(x, b, grid(x)), "width of the range"),
        "negative": (lambda x, b: -tried(x, b, grid(x)), "greater than 0"),
    },
}

RIGHT = {
    "3.1": [
        lambda num_bits, signed: (np.int64(-(1 << (num_bits - 1))) if signed else 0, (1 << (num_bits - signed)) - 1),
        lambda num_bits, signed: list(qlib.qrange(num_bits, signed=bool(signed))),
    ],
    "3.2": [
        lambda codes: np.minimum(np.maximum(codes, -128), 127).astype("int8"),
        lambda codes: np.where(codes < -128, -128, np.where(codes > 127, 127, codes)).astype(np.int8),
    ],
    "3.3": [(0.133, 4), (0.1333, 4.0), [2 / 15, np.int64(4)], (f32(0.13333), 4)],
    "3.4": [qparams_of_the_library, qparams_from_the_top],
    "3.5": [quantize_by_library, quantize_clipped_first],
    "3.6": [
        sqnr_db,
        lambda x, y: 20 * np.log10(np.linalg.norm(x) / np.linalg.norm(x - y)),
        lambda x, y: -10 * np.log10(np.sum((x - y) ** 2) / np.sum(x**2)),
    ],
    "3.7": [
        lambda w, b: [float(abs(w[..., c]).max()) / (2 ** (b - 1) - 1) for c in range(w.shape[-1])],
        lambda w, b: np.maximum(w, -w).reshape(-1, w.shape[-1]).max(0).astype(f32) / f32(2 ** (b - 1) - 1),
    ],
    "3.8": [0.0927, 0.07, 0.13, np.float64(0.1), f32(0.1)],
    "3.9": [lambda d: int(np.ceil(np.log2(10 ** (d / 20) + 1)))],
    "3.10": [
        lambda x, b: ErrorProfile(x).best_threshold(b),
        lambda x, b: CALIBRATORS["mse"](x, num_bits=b, symmetric=True)[1],
        lambda x, b: tried(x, b, np.abs(x).max() * np.geomspace(0.01, 1, 400)),
    ],
}

for exercise_id, wrongs in wrong_03_more.WRONG.items():
    WRONG[exercise_id] |= {f"more: {name}": wrong for name, wrong in wrongs.items()}
for exercise_id, answers in wrong_03_more.RIGHT.items():
    RIGHT[exercise_id] += answers
