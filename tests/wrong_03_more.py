"""More wrong answers for lesson 03, written from the text alone. See wrong_03.py."""

import numpy as np

from qlib import choose_qparams, fake_quantize, mse


# 3.1 ------------------------------------------------------------------------------------------------------------------
def qrange_unsigned_top(num_bits, signed):
    if signed:
        return -(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1
    return 0, 2**num_bits


def qrange_uint16(num_bits, signed):
    one = np.uint16(1)
    if signed:
        half = int(one << (num_bits - 1))
        return -half, half - 1
    return 0, int(one << num_bits) - 1


def qrange_floats(num_bits, signed):
    codes = 2**num_bits
    return (-codes / 2, codes / 2 - 1) if signed else (0, codes - 1)


def qrange_ternary(num_bits, signed):
    if signed:
        return (-1, 1) if num_bits == 2 else (-(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1)
    return 0, 2**num_bits - 1


def qrange_container(num_bits, signed):
    bits = num_bits if num_bits <= 8 else 16
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


# 3.2 ------------------------------------------------------------------------------------------------------------------
def cast_narrow(codes):
    return np.clip(codes, -127, 127).astype(np.int8)


def cast_int32_first(codes):
    return np.clip(np.asarray(codes).astype(np.int32), -128, 127).astype(np.int8)


def cast_top_only(codes):
    return np.minimum(codes, 127).astype(np.int8)


def cast_abs(codes):
    codes = np.asarray(codes)
    return np.where(np.abs(codes) <= 127, codes, np.where(codes > 0, 127, -128)).astype(np.int8)


def cast_sign_flip(codes):
    codes = np.asarray(codes)
    cast = codes.astype(np.int8)
    flipped = (cast < 0) != (codes < 0)
    return np.where(flipped, np.where(codes < 0, -128, 127), cast).astype(np.int8)


# 3.4 ------------------------------------------------------------------------------------------------------------------
def qparams_max_not_extended(x):
    rmin, rmax = min(float(np.min(x)), 0.0), float(np.max(x))
    scale = (rmax - rmin) / 255
    return scale, int(np.rint(-128 - rmin / scale)) if scale else -128


def qparams_float_zero_point(x):
    rmin, rmax = min(float(np.min(x)), 0.0), max(float(np.max(x)), 0.0)
    scale = (rmax - rmin) / 255
    return scale, np.rint(-128 - rmin / scale)


def qparams_own_dtype(x):
    with np.errstate(all="ignore"):
        rmin, rmax = np.minimum(x.min(), 0), np.maximum(x.max(), 0)
        scale = (rmax - rmin) / 255
        return scale, int(np.rint(-128 - rmin / scale))


def qparams_eps(x):
    rmin, rmax = min(float(np.min(x)), 0.0), max(float(np.max(x)), 0.0)
    scale = max((rmax - rmin) / 255, float(np.finfo(np.float32).eps))
    return scale, int(np.clip(np.rint(-128 - rmin / scale), -128, 127))


def qparams_from_top(x):
    rmin, rmax = min(float(np.min(x)), 0.0), max(float(np.max(x)), 0.0)
    scale = (rmax - rmin) / 255
    return scale, 127 - int(np.rint(rmax / scale))


# 3.5 ------------------------------------------------------------------------------------------------------------------
def quantize_reciprocal(x, scale, zero_point):
    with np.errstate(all="ignore"):
        q = np.rint(x * (np.float32(1) / np.float32(scale))) + zero_point
    return np.clip(q, -128, 127).astype(np.int8)


def quantize_float64(x, scale, zero_point):
    q = np.rint(np.asarray(x, np.float64) / np.float64(scale)) + zero_point
    return np.clip(q, -128, 127).astype(np.int8)


def quantize_zero_point_inside(x, scale, zero_point):
    with np.errstate(all="ignore"):
        q = np.rint(x / np.float32(scale) + zero_point)
    return np.clip(q, -128, 127).astype(np.int8)


def quantize_int64_before_clip(x, scale, zero_point):
    with np.errstate(all="ignore"):
        q = np.rint(x / np.float32(scale)).astype(np.int64) + zero_point
    return np.clip(q, -128, 127).astype(np.int8)


def quantize_clip_twice(x, scale, zero_point):
    with np.errstate(all="ignore"):
        q = np.clip(np.rint(x / np.float32(scale)), -128, 127)
    return np.clip(q + zero_point, -128, 127).astype(np.int8)


# 3.6 ------------------------------------------------------------------------------------------------------------------
def sqnr_variance_of_x(x, x_hat):
    x, x_hat = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    with np.errstate(all="ignore"):
        return float(10 * np.log10(np.var(x) / np.mean((x - x_hat) ** 2)))


def sqnr_variance_of_error(x, x_hat):
    x, x_hat = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    with np.errstate(all="ignore"):
        return float(10 * np.log10(np.mean(x**2) / np.var(x - x_hat)))


def sqnr_own_dtype(x, x_hat):
    with np.errstate(all="ignore"):
        return float(10 * np.log10(np.mean(x**2) / np.mean((x - x_hat) ** 2)))


def sqnr_eps(x, x_hat):
    x, x_hat = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    with np.errstate(all="ignore"):
        return float(10 * np.log10(np.mean(x**2) / (np.mean((x - x_hat) ** 2) + 1e-12)))


def sqnr_signal_of_x_hat(x, x_hat):
    x, x_hat = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    with np.errstate(all="ignore"):
        return float(10 * np.log10(np.mean(x_hat**2) / np.mean((x - x_hat) ** 2)))


# 3.7 ------------------------------------------------------------------------------------------------------------------
def scales_no_abs(w, num_bits):
    return w.max(axis=tuple(range(w.ndim - 1))) / (2 ** (num_bits - 1) - 1)


def scales_tight_negative(w, num_bits):
    axes, half = tuple(range(w.ndim - 1)), 2 ** (num_bits - 1)
    return np.maximum(w.max(axis=axes) / (half - 1), -w.min(axis=axes) / half)


def scales_scrambled(w, num_bits):
    channels = w.reshape(w.shape[-1], -1)
    return np.abs(channels).max(axis=1) / (2 ** (num_bits - 1) - 1)


def scales_two_t(w, num_bits):
    return 2 * np.abs(w).max(axis=tuple(range(w.ndim - 1))) / (2**num_bits - 1)


def scales_first_axis_only(w, num_bits):
    return np.abs(w).max(axis=0) / (2 ** (num_bits - 1) - 1)


# 3.9 ------------------------------------------------------------------------------------------------------------------
def bits_enob(decibels):
    return max(1, int(np.ceil((decibels - 1.76) / 6.02)))


def bits_codes_not_steps(decibels):
    return max(1, int(np.ceil(decibels / (20 * np.log10(2)))))


def bits_strictly_more(decibels):
    b = 1
    while 20 * np.log10(2**b - 1) <= decibels:
        b += 1
    return b


def bits_from_two(decibels):
    b = 2
    while 20 * np.log10(2**b - 1) < decibels:
        b += 1
    return b


def bits_up_to_16(decibels):
    for b in range(1, 16):
        if 20 * np.log10(2**b - 1) >= decibels:
            return b
    return 16


# 3.10 -----------------------------------------------------------------------------------------------------------------
def _error(x, num_bits, threshold, **options):
    threshold, signed = float(threshold), options.get("signed", True)
    p = choose_qparams(-threshold if signed else 0.0, threshold, num_bits=num_bits, symmetric=True, **options)
    return mse(x, fake_quantize(x, p))


def calibrator_unsigned(x, num_bits):
    largest, signed = float(np.abs(x).max()), bool(x.min() < 0)
    candidates = np.geomspace(largest / 500, largest, 500)
    return float(min(candidates, key=lambda t: _error(x, num_bits, t, signed=signed)))


def calibrator_narrow(x, num_bits):
    largest = float(np.abs(x).max())
    candidates = np.geomspace(largest / 500, largest, 500)
    return float(min(candidates, key=lambda t: _error(x, num_bits, t, narrow_range=True)))


def calibrator_percentiles(x, num_bits):
    candidates = np.percentile(np.abs(x), np.linspace(50, 100, 501))
    return float(min(candidates[candidates > 0], key=lambda t: _error(x, num_bits, t)))


def calibrator_window(x, num_bits):
    candidates = float(np.abs(x).max()) * np.linspace(0.2, 1, 401)
    return float(min(candidates, key=lambda t: _error(x, num_bits, t)))


def calibrator_first_minimum(x, num_bits):
    threshold = float(np.abs(x).max())
    while _error(x, num_bits, 0.98 * threshold) < _error(x, num_bits, threshold):
        threshold *= 0.98
    return threshold


WRONG = {
    "3.1": {
        "unsigned top is 2^b": (qrange_unsigned_top, "counting begins at 0"),
        "shift in uint16": (qrange_uint16, "where do they begin, where do they end"),
        "halved with /": (qrange_floats, "an integer is wanted"),
        "2 bits are ternary": (qrange_ternary, "the lowest code is lost"),
        "above 8 bits the container": (qrange_container, "where do they begin, where do they end"),
    },
    "3.2": {
        "symmetric clip": (cast_narrow, "ends one too early"),
        "int32 first": (cast_int32_first, "int32 before the clip is too small"),
        "clips the top only": (cast_top_only, "only the top is clipped"),
        "abs <= 127": (cast_abs, "stays negative: clip instead"),
        "overflow seen by a change of sign": (cast_sign_flip, "only the bottom is clipped"),
    },
    "3.3": {
        "divides by 16 codes": ((2.0 / 16, 4), "divides by the number of codes"),
        "zero point truncated": ((2.0 / 15, 3), "To cut it off is no rounding"),
        "signed codes": ((2.0 / 15, -4), "is no unsigned code"),
        "zero point not rounded": ((2.0 / 15, 3.75), "round it"),
        "counted from the top, wrong end": ((2.0 / 15, 11), "11 is rmax / scale"),
    },
    "3.4": {
        "top not extended to 0": (qparams_max_not_extended, "rmax must be at least 0"),
        "zero point of np.rint": (qparams_float_zero_point, "an integer is wanted"),
        "scale raised to float32 eps": (qparams_eps, "the scale is (rmax - rmin) / 255"),
    },
    "3.5": {
        "multiplies by the reciprocal": (quantize_reciprocal, "multiplied by 1 / scale"),
        "divides in float64": (quantize_float64, "the quotient is taken in float64"),
        "zero point before rint": (quantize_zero_point_inside, "added before rounding"),
        "int64 before the clip": (quantize_int64_before_clip, "a cast to int64 before the clip"),
        "clips before and after z": (quantize_clip_twice, "the first clip loses codes"),
    },
    "3.6": {
        "variance of x": (sqnr_variance_of_x, "leaves out the mean of x"),
        "variance of the error": (sqnr_variance_of_error, "a shift is an error, too"),
        "noise + 1e-12": (sqnr_eps, "it drowns the noise"),
        "signal of x_hat": (sqnr_signal_of_x_hat, "x_hat, holds the noise already"),
    },
    "3.7": {
        "max without abs": (scales_no_abs, "the absolute value is missing"),
        "negative side over 2^(b-1)": (scales_tight_negative, "each channel's scale is its own"),
        "reshape(channels, -1)": (scales_scrambled, "each channel's scale is its own"),
        "2T over 2^b - 1": (scales_two_t, "puts the real 0 between two codes"),
        "axis 0 only": (scales_first_axis_only, "the first axis is not the only one"),
    },
    "3.8": {
        "best T of 4 bits": (0.234, "is best for 4 bits"),
        "T over max|x|": (0.178, "too large"),
        "a tenth of the largest": (0.052, "too small"),
        "0.25 after rounding": (0.1457, "too large"),
        "95th percentile": (0.175, "too large"),
    },
    "3.9": {
        "6.02 b + 1.76": (bits_enob, ("is for a sine", "rounded to the nearest")),
        "2^b for 2^b - 1": (bits_codes_not_steps, "the number of codes"),
        "strictly more": (bits_strictly_more, "begin with 1 bit"),
        "starts at 2 bits": (bits_from_two, "begin with 1 bit"),
        "stops at 16 bits": (bits_up_to_16, "one bit too few"),
    },
    "3.10": {
        "unsigned where x >= 0": (calibrator_unsigned, "unsigned codes"),
        "searches narrow codes": (calibrator_narrow, "the lowest code is left out"),
        "candidates are percentiles": (calibrator_percentiles, ("near the best T", "this is min-max")),
        "window 0.2 to 1 of max": (calibrator_window, "near the best T"),
        "first minimum from the top": (calibrator_first_minimum, "near the best T"),
    },
}

# Right after all: with float32 inputs of ordinary size these give what the formula gives (at a tie of the zero point,
# the upper end is as good as the lower).
RIGHT = {
    "3.4": [qparams_own_dtype, qparams_from_top],
    "3.6": [sqnr_own_dtype],
}
