"""Wrong answers to the exercises of lesson 04, each with a piece of the sentence it must get."""

import math

import numpy as np

from qlib.exercises.checks04_integers import my_acc
from qlib.fixedpoint import Multiplier, one_rounding, two_roundings_up


def rounding():
    """What the notebook passes to 4.5: the multiplier of conv1's channel 4, nearly."""
    m, accs = Multiplier.of(0.0013485001), np.arange(-40_000, 40_000)
    results = {"one_rounding": one_rounding(accs, m), "two_roundings_up": two_roundings_up(accs, m)}
    return {"m": m, "accs": accs, "results": results}


def network():
    from qlib.mixed import MixedPrecision
    from qlib.mnist import load_cnn, load_mnist

    _, (x, y) = load_mnist()
    return {"network": MixedPrecision(load_cnn().get_weights(), x[..., None].astype(np.float32) / 255, y)}


CONTEXT = {"4.5": rounding, "4.7": network}
ROUNDING = rounding()


def nearest(fraction):
    """The first accumulator on which both rules agree and whose product has about this part after the point."""
    m = ROUNDING["m"]
    for acc in range(1, 40_000):
        part = acc * int(m.multiplier) / 2 ** (31 - int(m.shift)) % 1
        if abs(part - fraction) < 2e-3:
            return acc
    raise AssertionError(fraction)


def images_root_left(share, error):
    return (share * (1 - share)) ** 0.5 / error**2


def images_error_of_n(share, error):
    return np.sqrt(share * (1 - share) / error)


def packed_without_straddling(sizes, num_bits):
    per_byte = 8 // num_bits
    return sum(math.ceil(size / per_byte) for size in sizes)


def packed_floor(sizes, num_bits):
    total = 0
    for size in sizes:
        total += size * num_bits // 8
    return total


def bias_as_weight(b, s_x, s_w):
    return np.clip(np.round(b / s_x / s_w), -128, 127).astype("int32")


def bias_float(b, s_x, s_w):
    return np.rint(b / (s_x * s_w))


def requantize(acc, multiplier, shift, zero_point, *, add=True, right=None, zero=True):
    n = 31 - shift if right is None else right
    value = acc * multiplier
    value = (value + 2 ** (n - 1)) // 2**n if add else value // 2**n
    return np.clip(value + (zero_point if zero else 0), -128, 127).astype(np.int8)


def requantize_rint(acc, multiplier, shift, zero_point):
    m = multiplier / 2 ** (31 - shift)
    return np.clip(np.round(acc * m) + zero_point, -128, 127).astype(np.int8)


def requantize_int(acc, multiplier, shift, zero_point):
    m = multiplier / 2 ** (31 - shift)
    return np.clip((acc * m).astype(int) + zero_point, -128, 127).astype(np.int8)


def requantize_twice(acc, multiplier, shift, zero_point):
    high = (acc * multiplier + (1 << 30)) >> 31
    return requantize(high, 1, 31, zero_point, right=-shift, add=shift < 0)


def requantize_wraps(acc, multiplier, shift, zero_point):
    n = 31 - shift
    return ((acc * multiplier + (1 << (n - 1)) >> n) + zero_point).astype(np.int8)


def requantize_clip_then_zero(acc, multiplier, shift, zero_point):
    n = 31 - shift
    q = np.clip((acc * multiplier + (1 << (n - 1))) >> n, -128, 127)
    return (q + zero_point).astype(np.int8)


def requantize_zero_first(acc, multiplier, shift, zero_point):
    return requantize(acc + zero_point, multiplier, shift, 0)


def requantize_away(acc, multiplier, shift, zero_point):
    q = np.abs(acc) * multiplier + (1 << (30 - shift)) >> (31 - shift)
    return np.clip(np.where(acc < 0, -q, q) + zero_point, -128, 127).astype(np.int8)


def requantize_single(acc, multiplier, shift, zero_point):
    m = np.float32(multiplier / 2 ** (31 - shift))
    return np.clip(np.floor(acc.astype(np.float32) * m + np.float32(0.5)) + zero_point, -128, 127).astype(np.int8)


def requantize_int64(acc, multiplier, shift, zero_point):
    return requantize(acc, multiplier, shift, zero_point).astype(int)


def requantize_double(acc, multiplier, shift, zero_point):
    m = multiplier * 2.0 ** (shift - 31)
    return np.minimum(np.maximum(np.floor(acc * m + 0.5) + zero_point, -128), 127).astype(np.int8)


def ste(upstream, w, scale, qmin, qmax):
    q = w / scale
    return upstream * ((q >= qmin - 0.5) & (q <= qmax + 0.5))


def ste_reals(upstream, w, scale, qmin, qmax):
    return np.where((w / scale >= qmin) & (w / scale <= qmax), upstream, 0.0)


def ste_strict(upstream, w, scale, qmin, qmax):
    q = np.round(w / scale)
    return upstream * ((qmin < q) & (q < qmax))


def ste_undivided(upstream, w, scale, qmin, qmax):
    return upstream * ((qmin <= np.rint(w)) & (np.rint(w) <= qmax))


def ste_mask(upstream, w, scale, qmin, qmax):
    q = np.rint(w / scale)
    return ((qmin <= q) & (q <= qmax)).astype(float)


def bits(conv1, conv2, dense1, dense2):
    return {"conv1": conv1, "conv2": conv2, "dense1": dense1, "dense2": dense2}


WRONG = {
    "4.1": {
        "does not square the error": (lambda share, error: share * (1 - share) / error, "is not squared"),
        "p instead of p(1 − p)": (lambda share, error: share / error**2, "p stands in place of"),
        "1 − p instead of p(1 − p)": (lambda share, error: (1 - share) / error**2, "agree only for"),
        "leaves the root on the numerator": (images_root_left, "the root stays"),
        "the root of n": (lambda share, error: (share * (1 - share)) ** 0.5 / error, "this is √n"),
        "puts the error where n stands": (images_error_of_n, "n is what is asked for"),
        "something else": (lambda share, error: 10_000.0, "the wanted error should come out"),
    },
    "4.2": {
        "one byte per code": (lambda sizes, num_bits: sum(sizes), "one byte per code"),
        "always one byte more": (
            lambda sizes, b: sum(n * b // 8 + 1 for n in sizes),
            "where the last one is exactly full",
        ),
        "bits, not bytes": (lambda sizes, num_bits: sum(size * num_bits for size in sizes), "these are bits"),
        "rounds down": (packed_floor, "are dropped"),
        "rounds up once": (lambda sizes, num_bits: math.ceil(sum(sizes) * num_bits / 8), "round up once"),
        "no code straddles two bytes": (packed_without_straddling, "straddles"),
        "leaves the fraction": (lambda sizes, num_bits: sum(sizes) * num_bits / 8, "integer is wanted"),
        "as large as in float32": (lambda sizes, num_bits: 4 * sum(sizes), "codes times their bits"),
    },
    "4.3": {
        "adds a half and cuts off": (
            lambda b, s_x, s_w: (b / (s_x * s_w) + 0.5).astype(np.int32),
            "rounds only positive numbers",
        ),
        "the step of the input alone": (
            lambda b, s_x, s_w: np.rint(b / s_x).astype(np.int32),
            "the weights is missing",
        ),
        "the step of the weights alone": (lambda b, s_x, s_w: np.rint(b / s_w).astype(np.int32), "input is missing"),
        "multiplies": (lambda b, s_x, s_w: np.rint(b * s_x * s_w).astype(np.int32), "don't multiply"),
        "does not round": (lambda b, s_x, s_w: (b / (s_x * s_w)).astype(np.int32), "cut off"),
        "rounds down": (lambda b, s_x, s_w: np.floor(b / (s_x * s_w)).astype(np.int32), "rounded down"),
        "clips to int8": (bias_as_weight, "clipped to int8"),
        "adds the steps": (lambda b, s_x, s_w: np.rint(b / (s_x + s_w)).astype(np.int32), "not their sum"),
        "leaves floats": (bias_float, "int32 is wanted, not float64"),
        "int8": (lambda b, s_x, s_w: np.rint(b / (s_x * s_w)).astype(np.int8), "int32 is wanted, not int8"),
        "adds a zero point": (lambda b, s_x, s_w: np.rint(b / (s_x * s_w) - 128).astype(np.int32), "number of steps"),
    },
    "4.4": {
        "adds no half": (lambda *args: requantize(*args, add=False), "half of what it divides by"),
        "cuts off toward zero": (requantize_int, "cut off toward zero"),
        "rounds ties to even": (requantize_rint, "even neighbour"),
        "rounds ties away from zero": (requantize_away, "ties go away"),
        "forgets the zero point": (lambda *args: requantize(*args, zero=False), "zero point is missing"),
        "subtracts the zero point": (lambda a, m, s, z: requantize(a, m, s, -z), "is subtracted"),
        "adds the zero point to the accumulator": (requantize_zero_first, "before the multiplication"),
        "clips before the zero point": (requantize_clip_then_zero, "clip comes before the zero point"),
        "does not clip": (requantize_wraps, "the codes wrap"),
        "never gives −128": (lambda *args: np.maximum(requantize(*args), -127).astype(np.int8), "too early"),
        "multiplies in float32": (requantize_single, "24 binary places"),
        "shifts by 31 + shift": (lambda a, m, s, z: requantize(a, m, s, z, right=31 + s), "wrong way"),
        "leaves int64": (requantize_int64, "int8 is wanted, not int64"),
        "cuts the multiplier to 15 bits": (
            lambda a, m, s, z: requantize(a, m >> 16, s, z, right=15 - s),
            "the lowest bits of the multiplier are lost",
        ),
        "rounds twice": (requantize_twice, "you round twice"),
    },
    "4.5": {
        "a place, not an accumulator": (
            40_000 + int(my_acc(**{k: ROUNDING[k] for k in ("accs", "results")})),
            "a place",
        ),
        "negative": (-1000, "negative"),
        "zero": (0, "from 1 to 40,000"),
        "just above one half": (nearest(0.5031), "from .5 on"),
        "not close enough": (nearest(0.4905), "nearer still"),
        "anywhere": (nearest(0.1), "both rules round down"),
        "a fraction": (82.4997, "whole number"),
    },
    "4.6": {
        "the highest code on both sides": (
            lambda upstream, w, scale, qmin, qmax: np.where(np.abs(np.rint(w / scale)) <= qmax, upstream, 0),
            "the lowest code is qmin",
        ),
        "passes everywhere": (lambda upstream, w, scale, qmin, qmax: upstream * 1.0, "where w is clipped, too"),
        "zero everywhere": (lambda upstream, w, scale, qmin, qmax: 0 * upstream, "no weight would ever move"),
        "compares reals with codes' ends": (ste_reals, "not its code"),
        "loses the end codes": (ste_strict, "use ≤, not <"),
        "does not divide by the scale": (ste_undivided, "divide w by the scale first"),
        "the mask alone": (ste_mask, "the mask alone"),
        "multiplies by the scale": (lambda u, w, s, lo, hi: s * ste(u, w, s, lo, hi), "No factor".lower()),
        "the forward pass": (lambda u, w, s, lo, hi: s * np.clip(np.round(w / s), lo, hi), "quantized weight"),
        "turned round": (lambda u, w, s, lo, hi: u - ste(u, w, s, lo, hi), "turned round"),
    },
    "4.7": {
        "a list": ([4, 4, 2, 4], "a dict from layer to bits"),
        "a layer missing": ({"conv1": 4, "conv2": 4, "dense1": 2}, "dense2 has none"),
        "a layer that does not exist": (bits(4, 4, 2, 4) | {"pool1": 8}, "no layer 'pool1'"),
        "one bit": (bits(8, 8, 1, 8), "dense1 has 1"),
        "16 bits": (bits(16, 4, 2, 4), "conv1 has 16"),
        "half a bit": (bits(4, 4, 1.5, 4), "whole number of bits"),
        "8 bits everywhere": (bits(8, 8, 8, 8), "dense1 alone takes 204,800"),
        "3 bits everywhere": (bits(3, 3, 3, 3), "dense1 alone takes 76,800"),
        "8 bits everywhere but dense1": (bits(8, 8, 2, 8), "conv2 takes the most, 18,432"),
        "2 bits everywhere": (bits(2, 2, 2, 2), "conv2 is the layer"),
        "the small layers first": (bits(8, 2, 2, 8), "conv2 is the layer"),
        "conv1 too few": (bits(2, 5, 2, 2), "and the bits are fewest"),
    },
}

RIGHT = {
    "4.1": [lambda share, error: math.ceil(share * (1 - share) / error**2), lambda p, e: (p - p * p) / (e * e)],
    "4.2": [lambda sizes, num_bits: int(sum(np.ceil(np.array(sizes) * num_bits / 8)))],
    "4.3": [lambda b, s_x, s_w: np.round(b / s_x / s_w).astype("int32")],
    "4.4": [requantize, requantize_double],
    "4.5": [int(my_acc(**{k: ROUNDING[k] for k in ("accs", "results")}))],
    "4.6": [ste, lambda u, w, s, lo, hi: np.where(np.clip(np.rint(w / s), lo, hi) == np.rint(w / s), u, 0)],
    "4.7": [bits(8, 4, 2, 8), bits(4, 3, 2, 4), bits(np.int64(4), 4, 2, 4)],
}
