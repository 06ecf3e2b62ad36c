"""Wrong answers to the exercises 7.3 to 7.5, each with a piece of the sentence it must get."""

import math

import ml_dtypes
import numpy as np


def grouped(divisor=7, key=lambda g: np.abs(g).max(), cast=np.rint, pieces=None, low=-999, high=999):
    """One scale for each piece of w, by one of many rules."""

    def my_groups(w, size):
        parts = pieces(w, size) if pieces else np.split(w, range(size, len(w), size))
        w_hat = []
        for part in parts:
            scale = float(key(part)) / divisor or 1.0
            w_hat += [scale * min(max(float(cast(v / scale)), low), high) for v in part.tolist()]
        return np.array(w_hat)

    return my_groups


def whole_groups(rest):
    """Reshapes to (groups, size), and does something with what is left over."""

    def my_groups(w, size):
        n = len(w) // size * size
        table = w[:n].reshape(-1, size)
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-30) / 7
        return np.concatenate([(np.rint(table / scale) * scale).ravel(), rest(w, n, scale)])

    return my_groups


def filled_up(w, n, scale):
    """The rest of w, with the scale of its last weights, as many as a group has."""
    last = np.abs(w[-(n // len(scale)) :]).max() / 7 if len(scale) else np.abs(w).max() / 7
    return np.rint(w[n:] / last) * last


def padded(w, size):
    """Right: fills up with zeros."""
    table = np.append(w, np.zeros(-len(w) % size)).reshape(-1, size)
    scale = np.abs(table).max(axis=1, keepdims=True) / 7
    scale[scale == 0] = 1
    return (np.clip(np.round(table / scale), -8, 7) * scale).ravel()[: len(w)]


def reshaped_wrong(w, size):
    count = -(-len(w) // size)
    table = np.append(w, np.zeros(count * size - len(w))).reshape(size, count)
    scale = np.abs(table).max(axis=0) / 7
    scale[scale == 0] = 1
    return (np.rint(table / scale) * scale).ravel()[: len(w)]


def running(w, size):
    most, w_hat = 0.0, []
    for i in range(0, len(w), size):
        most = max(most, float(np.abs(w[i : i + size]).max()))
        w_hat.append(np.rint(w[i : i + size] * 7 / most) * most / 7)
    return np.concatenate(w_hat)


def nan_for_zeros(w, size):
    parts = np.split(w, range(size, len(w), size))
    with np.errstate(invalid="ignore"):
        return np.concatenate([np.rint(p / (np.abs(p).max() / 7)) * (np.abs(p).max() / 7) for p in parts])


def affine(w, size):
    w_hat = []
    for part in np.split(w.astype(float), range(size, len(w), size)):
        low, high = min(part.min(), 0), max(part.max(), 0)
        step = (high - low) / 15 or 1.0
        w_hat.append((np.rint(part / step) + np.rint(-low / step)).clip(0, 15) * step - np.rint(-low / step) * step)
    return np.concatenate(w_hat)


def codes_of(w, size):
    parts = np.split(w, range(size, len(w), size))
    return np.concatenate([np.rint(p * 7 / (np.abs(p).max() or 1)) for p in parts])


def e4m3(bias=7, sub=(0, -6), exponent_bits=4, special=None, unit=None, sign=True):
    mantissa_bits = 7 - exponent_bits
    unit = unit or 2**mantissa_bits

    def my_decode(byte):
        e, m = byte // 2**mantissa_bits % 2**exponent_bits, byte % 2**mantissa_bits
        if special and (got := special(e, m)) is not None:
            return math.copysign(got, 128 - byte - 0.5)
        size = (1 + m / unit) * 2.0 ** (e - bias) if e > 0 else (sub[0] + m / unit) * 2.0 ** sub[1]
        return -size if sign and byte > 127 else size

    return my_decode


def e4m3_string(byte):
    """Right, by the digits."""
    bits = f"{byte:08b}"
    s, e, m = int(bits[0]), int(bits[1:5], 2), int(bits[5:], 2)
    if bits[1:] == "1111111":
        return np.nan
    return np.float32((-1) ** s * ((e > 0) + m / 8) * 2.0 ** (max(e, 1) - 7))


def nan_at(*bytes_):
    return lambda byte: math.nan if byte in bytes_ else e4m3()(byte)


NAN = {"special": lambda e, m: math.nan if e == 15 and m == 7 else None}


def scale(exponent):
    return lambda block: 2.0 ** exponent(float(np.abs(block).max()))


def floor2(x):
    return math.floor(math.log2(x))


def first_scale(w, size):
    scale = np.abs(w[:size]).max() / 7 or 1.0
    return np.clip(np.rint(w / scale), -8, 7) * scale


WRONG = {
    "7.3": {
        "per tensor": (lambda w, size: grouped()(w, len(w)), "one scale for all"),
        "number of groups": (grouped(pieces=np.array_split), "not the number of groups"),
        "reshape": (reshaped_wrong, "lie far apart"),
        "rest 0": (whole_groups(lambda w, n, scale: 0 * w[n:]), "left at 0"),
        "rest as it was": (whole_groups(lambda w, n, scale: w[n:]), "left as it was"),
        "rest dropped": (whole_groups(lambda w, n, scale: w[:0]), "the shape"),
        "rest with the scale before": (
            whole_groups(lambda w, n, scale: np.clip(np.rint(w[n:] / scale[-1]), -8, 7) * scale[-1]),
            "scale of the group before",
        ),
        "rest filled up": (whole_groups(filled_up), "filled it up"),
        "by 8, clipped": (grouped(divisor=8, low=-8, high=7), "divide by 8"),
        "by 8": (grouped(divisor=8), "not 8"),
        "by 7.5, clipped": (grouped(divisor=7.5, low=-8, high=7), "divide by 7.5"),
        "by 7.5": (grouped(divisor=7.5), "divide by 7.5"),
        "8 bits": (grouped(divisor=127), "for 8 bits"),
        "without abs": (grouped(key=np.max), ("take |w| first", "is overlooked")),
        "codes": (codes_of, "these are the codes"),
        "floor": (grouped(cast=math.floor), "rounds down"),
        "int": (grouped(cast=int), "cuts off"),
        "ceil": (grouped(cast=math.ceil), "rounds up"),
        "away from 0": (grouped(cast=lambda v: math.copysign(math.ceil(abs(v)), v)), "away from 0"),
        "by 15": (grouped(divisor=15, low=-8, high=7), "by 15"),
        "2 bits": (grouped(divisor=1, low=-2, high=1), "as for 2 bits"),
        "unsigned": (grouped(low=0, high=15), "lose the negative weights"),
        "scale of the first": (first_scale, "the scale of the first one"),
        "float16": (grouped(key=lambda g: 7 * float(np.float16(np.abs(g).max() / 7))), "rounded to float16"),
        "affine": (affine, "this is affine"),
        "running": (running, "from group to group"),
        "NaN": (nan_for_zeros, "0 / 0 is NaN"),
        "unchanged": (lambda w, size: w.copy(), "nothing is rounded"),
        "any": (lambda w, size: np.full(len(w), 0.123), "in each group"),
    },
    "7.4": {
        "bias 8": (e4m3(bias=8, sub=(0, -7), **NAN), "not 8"),
        "bias 6": (e4m3(bias=6, sub=(0, -5), **NAN), "not 6"),
        "bias 15": (e4m3(bias=15, sub=(0, -14), **NAN), "that of float16"),
        "E5M2": (e4m3(exponent_bits=5, bias=15, sub=(0, -14), **NAN), "this is E5M2"),
        "no subnormals": (e4m3(sub=(1, -7), **NAN), "without the 1 before the mantissa"),
        "subnormals a power too low": (e4m3(sub=(0, -7), **NAN), "the power of exponent field 1"),
        "subnormals 0": (e4m3(special=lambda e, m: 0.0 if e == 0 else NAN["special"](e, m)), "not all is 0"),
        "infinity": (
            e4m3(special=lambda e, m: (math.nan if m else math.inf) if e == 15 else None),
            ("has no infinity", "only the mantissa 7"),
        ),
        "infinities": (e4m3(special=lambda e, m: math.inf if e == 15 else None), "has no infinity"),
        "all NaN": (e4m3(special=lambda e, m: math.nan if e == 15 else None), "only the mantissa 7 there is NaN"),
        "no NaN": (e4m3(), "is NaN"),
        "one NaN": (nan_at(0x7F), "of either sign"),
        "the largest is infinite": (
            e4m3(special=lambda e, m: {6: math.inf, 7: math.nan}.get(m) if e == 15 else None),
            "its largest number, 448",
        ),
        "no sign": (e4m3(sign=False, **NAN), "is not looked at"),
        "two's complement": (lambda b: e4m3(**NAN)(b) if b < 128 else -e4m3(**NAN)(256 - b), "two's complement"),
        "sign in the exponent": (
            lambda b: e4m3(**NAN)(b) if b < 128 or b == 255 else (1 + b % 8 / 8) * 2.0 ** (b // 8 - 7),
            "the sign bit is still in the exponent",
        ),
        "mantissa first": (lambda b: e4m3(**NAN)(b & 128 | b % 16 * 8 | b // 16 % 8), "the other way round"),
        "integer": (lambda b: math.nan if b in (127, 255) else float(b), "the byte as an integer"),
        "int8": (lambda b: float(np.int8(b - b // 128 * 256)), "the byte as an int8"),
        "each mantissa 7": (e4m3(special=lambda e, m: math.nan if m == 7 else None), "only the two patterns"),
        "sevenths": (e4m3(unit=7, **NAN), "not m / 7"),
        "whole": (e4m3(unit=1, **NAN), "you added it whole"),
        "any": (lambda b: 0.123, "normal:"),
        "text": (lambda b: f"{b:08b}", "a number is wanted"),
    },
    "7.5": {
        "the exponent": (lambda x: float(floor2(np.abs(x).max()) - 2), "the scale is 2 ** k"),
        "without emax": (scale(floor2), "has to be taken off"),
        "exact": (lambda x: float(np.abs(x).max() / 6), "to 6 exactly"),
        "up": (scale(lambda x: math.ceil(math.log2(x)) - 2), "rounds the exponent up"),
        "nearest": (scale(lambda x: round(math.log2(x)) - 2), "to the nearest"),
        "int": (scale(lambda x: int(math.log2(x)) - 2), "cuts off towards 0"),
        "below a sixth": (scale(lambda x: floor2(x / 6)), "just below max|x| / 6"),
        "above a sixth": (scale(lambda x: math.ceil(math.log2(x / 6))), "just above max|x| / 6"),
        "inverse": (scale(lambda x: 2 - floor2(x)), "this is the inverse"),
        "added": (scale(lambda x: floor2(x) + 2), "you added it"),
        "6": (scale(lambda x: floor2(x) - 6), "its exponent, 2"),
        "3": (scale(lambda x: floor2(x) - 3), "highest exponent field"),
        "frexp": (scale(lambda x: math.frexp(x)[1] - 2), "`np.frexp` gives one more"),
        "int of all": (scale(lambda x: int(math.log2(x) - 2)), "cuts off towards 0: log₂ − 2"),
        "nearest to a sixth": (scale(lambda x: round(math.log2(x / 6))), "nearest to max|x| / 6"),
        "the byte": (lambda x: floor2(np.abs(x).max()) + 125.0, "the stored byte"),
        "sum": (lambda x: 2.0 ** (floor2(np.abs(x).sum()) - 2), "not the sum"),
        "max − min": (lambda x: 2.0 ** (np.floor(np.log2(np.ptp(x))) - 2), "not max − min"),
        "E4M3": (scale(lambda x: floor2(x) - 8), "of E4M3"),
        "without abs": (lambda x: 2.0 ** (floor2(max(float(x.max()), 1e-9)) - 2), "magnitude"),
        "natural": (scale(lambda x: math.floor(math.log(x)) - 2), "to base e"),
        "a quarter": (lambda x: float(np.abs(x).max()) / 4, "not rounded to a power of two"),
        "mean": (lambda x: 2.0 ** (floor2(np.abs(x).mean()) - 2), "not the mean"),
        "any": (lambda x: 0.123, "⌊log₂ max|x|⌋ − 2"),
    },
}

RIGHT = {
    "7.3": [padded, grouped()],
    "7.4": [e4m3_string, e4m3(**NAN), lambda b: np.uint8(b).view(ml_dtypes.float8_e4m3fn)],
    "7.5": [scale(lambda x: floor2(x) - 2), lambda x: np.ldexp(1.0, int(np.frexp(np.abs(x).max())[1]) - 3)],
}
