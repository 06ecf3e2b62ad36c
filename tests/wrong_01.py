"""Wrong and other right answers to the exercises of lesson 01."""

import math

import numpy as np


def bytes_floor(parameters, num_bits):
    return int(parameters * num_bits / 8)


def bytes_in_bits(parameters, num_bits):
    return num_bits * parameters


def bytes_one_each(parameters, num_bits):
    return sum([math.ceil(num_bits / 8)]) * parameters


def bytes_plus_one(parameters, num_bits):
    return 1 + (parameters * num_bits) // 8


def bytes_of_codes(parameters, num_bits):
    return math.ceil(parameters * 2**num_bits / 8)


def bytes_unrounded(parameters, num_bits):
    return parameters * num_bits / 8


def bytes_nearest(parameters, num_bits):
    return int(np.rint(parameters * num_bits / 8))


def bytes_float32(parameters, num_bits):
    return parameters * 32 // 8


def macs_same_size(height, width, c_in, kernel, c_out):
    return height * width * c_out * c_in * kernel**2


def macs_fence(height, width, c_in, kernel, c_out):
    return (height - kernel) * (width - kernel) * c_in * c_out * kernel**2


def macs_weights(height, width, c_in, kernel, c_out):
    return kernel * kernel * c_in * c_out


def macs_one_input_channel(height, width, c_in, kernel, c_out):
    total = 0
    for _ in range(height - kernel + 1):
        total += (width - kernel + 1) * c_out * kernel**2
    return total


def macs_one_output_channel(height, width, c_in, kernel, c_out):
    return (height - kernel + 1) * (width - kernel + 1) * kernel**2 * c_in


def macs_kernel_once(height, width, c_in, kernel, c_out):
    return (height - kernel + 1) * (width - kernel + 1) * kernel * c_in * c_out


def macs_flop(height, width, c_in, kernel, c_out):
    return (height - kernel + 1) * (width - kernel + 1) * c_out * kernel * kernel * c_in * 2


def macs_outputs(height, width, c_in, kernel, c_out):
    return (height - kernel + 1) * (width - kernel + 1) * c_out


def macs_square(height, width, c_in, kernel, c_out):
    side = height - kernel + 1
    return side * side * c_out * kernel * kernel * c_in


def macs_bias(height, width, c_in, kernel, c_out):
    return (height - kernel + 1) * (width - kernel + 1) * (kernel**2 * c_in + 1) * c_out


def macs_tiles(height, width, c_in, kernel, c_out):
    return int(height / kernel) * int(width / kernel) * kernel**2 * c_in * c_out


def macs_kernel_3(height, width, c_in, kernel, c_out):
    kernel = 3
    return (height - kernel + 1) * (width - kernel + 1) * c_out * kernel * kernel * c_in


def macs_places_of_3(height, width, c_in, kernel, c_out):
    return c_in * c_out * kernel**2 * (height - 2) * (width - 2)


def macs_products_of_3(height, width, c_in, kernel, c_out):
    return c_in * c_out * 9 * (height - kernel + 1) * (width - kernel + 1)


def macs_plus_for_times(height, width, c_in, kernel, c_out):
    return (height - kernel + 1) + (width - kernel + 1) * c_in * c_out * kernel**2


def macs_sum_of_places(height, width, c_in, kernel, c_out):
    places = (height - kernel + 1) + (width - kernel + 1)
    return places * c_in * c_out * kernel**2


def macs_no_parentheses(height, width, c_in, kernel, c_out):
    return height - kernel + 1 * width - kernel + 1 * c_out * kernel * kernel * c_in


def macs_counted(height, width, c_in, kernel, c_out):
    """One by one."""
    rows = sum(1 for top in range(height) if top + kernel <= height)
    columns = sum(1 for left in range(width) if left + kernel <= width)
    return rows * columns * c_out * kernel * kernel * c_in


def roof_branches(peak, bandwidth, intensity):
    return peak if intensity > peak / bandwidth else bandwidth * intensity


WRONG = {
    "1.1": {
        "rounds down": (bytes_floor, "rounded down"),
        "bits, not bytes": (bytes_in_bits, "those are bits"),
        "whole bytes for each weight": (bytes_one_each, "whole bytes of its own"),
        "always one more": (bytes_plus_one, "adds one too many"),
        "counts codes": (bytes_of_codes, "counts the codes"),
        "no rounding": (bytes_unrounded, "an integer is wanted"),
        "rounds to the nearest": (bytes_nearest, "nearest whole number"),
        "float32 whatever comes": (bytes_float32, "4 bytes for each weight"),
    },
    "1.2": {
        "output as large as input": (macs_same_size, "does not fit on every pixel"),
        "one place too few": (macs_fence, "one place is missing"),
        "weights": (macs_weights, "those are the weights"),
        "one input channel": (macs_one_input_channel, "over all the input channels"),
        "one output channel": (macs_one_output_channel, "one output channel"),
        "kernel not squared": (macs_kernel_once, "kernel is square"),
        "FLOP": (macs_flop, "counts as one"),
        "outputs": (macs_outputs, "those are the outputs"),
        "bias": (macs_bias, "takes no MAC"),
        "tiles": (macs_tiles, "not by its own width"),
        "height twice": (macs_square, "takes the height twice"),
        "kernel of 3": (macs_kernel_3, "`kernel` is ignored: this takes 3"),
        "places of a kernel of 3": (macs_places_of_3, "`kernel` is ignored in the places"),
        "products of a kernel of 3": (macs_products_of_3, "`kernel` is ignored in the products"),
        "+ for ×": (macs_plus_for_times, "added to the rest"),
        "rows plus columns": (macs_sum_of_places, "not their sum"),
        "no parentheses": (macs_no_parentheses, "in parentheses"),
    },
    "1.3": {
        "the memory alone": (4, "the speed decides"),
        "too careful": (2, "a larger width"),
        "the speed alone at 10 passes": (5, "4.375 GB"),
        "one byte each": (8, "7 GB"),
        "half precision": (16, "two bytes"),
        "bits that come out, not a width of the list": (3.8, "one of the bit widths"),
        "GB, not bits": (3.5, "one of the bit widths"),
    },
    "1.4": {
        "the larger": (lambda peak, bandwidth, intensity: max(peak, intensity * bandwidth), "the slower of the two"),
        "memory alone": (lambda peak, bandwidth, intensity: intensity * bandwidth, "what the memory allows"),
        "arithmetic alone": (lambda peak, bandwidth, intensity: peak, "what the arithmetic allows"),
        "intensity forgotten": (lambda peak, bandwidth, intensity: min(peak, bandwidth), "a bandwidth is bytes"),
        "divides": (lambda peak, bandwidth, intensity: min(peak, bandwidth / intensity), "it does not divide"),
        "sum": (lambda peak, bandwidth, intensity: peak + bandwidth * intensity, "do not add up"),
        "one after the other": (
            lambda peak, bandwidth, intensity: peak * bandwidth * intensity / (peak + bandwidth * intensity),
            "both go on at once",
        ),
        "int": (lambda peak, bandwidth, intensity: int(min(peak, bandwidth * intensity)), "`int` cuts"),
        "whole number": (lambda peak, bandwidth, intensity: round(min(peak, bandwidth * intensity)), "a whole number"),
        "2 digits": (
            lambda peak, bandwidth, intensity: np.round(min(peak, bandwidth * intensity), 2),
            "don't round to 2 digits",
        ),
        "up": (lambda peak, bandwidth, intensity: math.ceil(min(peak, bandwidth * intensity)), "don't round up"),
        "2 for a multiply-add": (
            lambda peak, bandwidth, intensity: min(peak, 2 * intensity * bandwidth),
            "in FLOP already",
        ),
        "the intensity of both": (
            lambda peak, bandwidth, intensity: intensity * min(peak, bandwidth),
            "the bandwidth alone",
        ),
    },
}

RIGHT = {
    "1.1": [
        lambda parameters, num_bits: math.ceil(parameters * num_bits / 8),
        lambda parameters, num_bits: (parameters * num_bits + 7) // 8,
        lambda parameters, num_bits: int(np.ceil(parameters * num_bits / 8)),
        lambda parameters, num_bits: np.int64(math.ceil(parameters / 8 * num_bits)),
    ],
    "1.2": [macs_counted, lambda h, w, c, k, o: np.int64(h - k + 1) * (w - k + 1) * o * k * k * c],
    "1.3": [3, 3.0, np.int64(3)],
    "1.4": [roof_branches, lambda p, b, i: np.minimum(p, b * i), lambda p, b, i: float(np.float32(min(p, b * i)))],
}
