"""The int8 softmax of LiteRT's kernels: gemmlowp's in integers throughout, and one from a table of floats.

Int8 codes in, softmax over the last axis, int8 codes out, of scale 1/256 and zero point −128. A number "Qm.n" is an
integer that counts steps of 2^−n.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from qlib.fixedpoint import high_multiply, quantize_multiplier, shift_ties_away

EXP_THIRD = np.int64(round(2**31 / 3))
EXP_MINUS_EIGHTH = np.int64(1895147668)  # e^(−1/8) in Q0.31, and below e^(−2^k) for k = −2 … 4
EXP_MINUS_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def softmax_fixed(codes: np.ndarray, scale: float, beta: float = 1.0) -> np.ndarray:
    """Softmax without any float, as gemmlowp has it.

    Exponentials of differences to the largest code are Q0.31, read from Q5.26; their sum is Q12.19, and its reciprocal
    comes from three steps of Newton's method.
    """
    multiplier, left = quantize_multiplier(min(beta * float(scale) * 2.0**26, 2.0**31 - 1))
    differences = codes.astype(np.int64) - codes.max(axis=-1, keepdims=True)
    counted = differences >= -math.floor(31 * 2.0**26 / 2.0 ** int(left))
    exps = exp_q031(high_multiply(np.where(counted, differences, 0) << left, multiplier))
    exps = np.where(counted, exps, 0)
    total = shift_ties_away(exps, 12).sum(axis=-1, keepdims=True)
    reciprocal, exponent = reciprocal_q031(total)
    shares = shift_ties_away(high_multiply(exps, reciprocal), exponent + 31 - 8)
    return np.clip(shares - 128, -128, 127).astype(np.int8)


def exp_q031(a: np.ndarray) -> np.ndarray:
    """e^a for a ≤ 0 in Q5.26, as Q0.31: a fourth-order polynomial on [−1/4, 0), times e^(−2^k) for each further bit."""
    quarter = 1 << 24
    rest = (a & (quarter - 1)) - quarter
    x = (rest << 5) + (1 << 28)  # Q0.31, around −1/8
    x2 = high_multiply(x, x)
    x3, x4 = high_multiply(x2, x), high_multiply(x2, x2)
    series = shift_ties_away(high_multiply(shift_ties_away(x4, 2) + x3, EXP_THIRD) + x2, 1)
    result = EXP_MINUS_EIGHTH + high_multiply(EXP_MINUS_EIGHTH, x + series)
    for k, factor in enumerate(EXP_MINUS_POWERS, start=-2):
        result = np.where((rest - a) >> (26 + k) & 1, high_multiply(result, np.int64(factor)), result)
    return np.where(a == 0, 2**31 - 1, result)


def reciprocal_q031(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 / total for a Q12.19 number, as Q0.31 and an exponent: three Newton steps from 48/17 − 32/17·d."""
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)
    fraction = (total << (32 - bits)) - 2**31  # total = 2^k · (1 + fraction)
    half = (fraction + 2**31) >> 1  # (1 + fraction) / 2 with 1 as 2^31 − 1, rounded
    x = 1515870810 + high_multiply(half, np.int64(-1010580540))  # Q2.29
    for _ in range(3):
        x = x + (high_multiply(x, (1 << 29) - high_multiply(half, x)) << 2)
    return np.minimum(x << 1, 2**31 - 1), bits - 20


def softmax_table(codes: np.ndarray, scale: np.float32, beta: float = 1.0) -> np.ndarray:
    """Softmax from a table of 256 float32 exponentials; the sum runs from left to right.

    `math.exp` rounded to float32 is what C's `expf` gives; NumPy's own float32 `exp` differs in rare values.
    """
    exps = exponentials(float(scale), float(beta))[codes.max(axis=-1, keepdims=True).astype(np.int64) - codes]
    total = np.add.accumulate(exps, axis=-1, dtype=np.float32)[..., -1:]
    share = exps * (np.float32(1) / (total * np.float32(1 / 256)))
    return np.clip((share + np.float32(0.5)).astype(np.int64) - 128, -128, 127).astype(np.int8)


@cache
def exponentials(scale: float, beta: float) -> np.ndarray:
    """e^(−scale · beta · d) for the differences d = 0 … 255 of two codes, float32."""
    step = -np.float32(scale) * np.float32(beta)
    return np.array([math.exp(step * np.float32(d)) for d in range(256)], np.float32)


SOFTMAX = {"reference": softmax_fixed, "no_delegate": softmax_table, "xnnpack": softmax_table}
