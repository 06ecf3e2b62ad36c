"""The operators of an int8 network: codes in, codes out, rounded as LiteRT's kernels round.

`OPERATORS[name](operator, *inputs, out)` gets the tensors of the file (None for an optional input that is absent),
checks them, and returns a function of those inputs that aren't constants."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from qlib import fixedpoint as fp
from qlib.softmax import SOFTMAX
from qlib.tflite import Operator, Tensor, expect
from qlib.windows import Window, exact_sums

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")  # by their numbers in the schema
Array = np.ndarray
Run = Callable[..., Array]
Rescale = Callable[[Array, str], Array]


# ------------------------------------------------------------- weighted sums


def conv_2d(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Run:
    """acc = Σ (x − zero_point)·w + bias over each window, then rescaled. w: (channels, height, width, x's channels)."""
    window = Window(operator, w.shape[1:3], x, out)
    expect((w.shape[3], w.shape[0]) == (x.shape[3], out.shape[3]), f"weights from {x.shape} to {out.shape}", w.shape)
    expect(operator.options["dilationHFactor"] == operator.options["dilationWFactor"] == 1, "no dilation", "one")
    zero_point, rescale = code(x)[1], rescaling(operator, x, w, bias, out)
    sums = exact_sums(w.data.reshape(len(w.data), -1).T, biases(bias, len(w.data)), -128 - zero_point, 127 - zero_point)

    def run(codes: Array, *, kernel: str, pool: Window | None = None) -> Array:
        reals = window.pad(codes.astype(np.float32) - np.float32(zero_point), 0)
        # Rescaling is monotone: the largest accumulator of a pool becomes its largest code.
        return rescale(sums(window.patches(reals, pool), pool), kernel)

    return run


def depthwise_conv_2d(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Run:
    """As CONV_2D, with each output channel reading one input channel. w: (1, height, width, channels)."""
    window, multiplicity = Window(operator, w.shape[1:3], x, out), operator.options["depthMultiplier"]
    expect(w.shape[0] == 1 and w.shape[3] == out.shape[3] == x.shape[3] * multiplicity, "a filter per channel", w.shape)
    expect(operator.options["dilationHFactor"] == operator.options["dilationWFactor"] == 1, "no dilation", "one")
    zero_point, rescale = code(x)[1], rescaling(operator, x, w, bias, out)
    taps, offset = w.data[0].astype(np.float64), biases(bias, w.shape[3])
    expect(255 * np.abs(taps).sum() + np.abs(offset).max() < 2**31, "sums that int32 holds", "larger ones")

    def run(codes: Array, *, kernel: str, pool: Window | None = None) -> Array:
        reals = np.repeat(window.pad(codes.astype(np.float64) - zero_point, 0), multiplicity, axis=3)
        acc = sum(reals[place] * taps[tap] for tap, place in window.places()) + offset
        return rescale(pool.largest(acc) if pool else acc, kernel)

    return run


def fully_connected(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Run:
    """acc = Σ (x − zero_point)·w + bias, then rescaled. w: (outputs, inputs)."""
    expect(w.data.ndim == 2 and math.prod(out.shape) == out.shape[0] * len(w.data), f"weights to {out.shape}", w.shape)
    zero_point, rescale = code(x)[1], rescaling(operator, x, w, bias, out)
    sums = exact_sums(w.data.T, biases(bias, len(w.data)), -128 - zero_point, 127 - zero_point)

    def run(codes: Array, *, kernel: str) -> Array:
        reals = codes.reshape(len(codes), -1).astype(np.float32) - np.float32(zero_point)
        return rescale(sums(reals), kernel)

    return run


def rescaling(
    operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor
) -> Callable[[Array, str], Array]:
    """From accumulators to codes of `out`: times s_in·s_w / s_out, plus its zero point, clipped by its activation."""
    axis, (scale, zero_point) = 3 if operator.name == "DEPTHWISE_CONV_2D" else 0, code(out)
    expect(w.data is not None and w.dtype == np.int8 and w.scale.size, "constant int8 weights with scales", w.dtype)
    expect(w.scale.size == 1 or w.axis == axis, f"scales along axis {axis}", w.axis)
    expect(not w.zero_point.any(), "weights with zero point 0", w.zero_point)
    m = fp.Multiplier.from_scales(code(x)[0], w.scale, scale)
    expect(m.shift.max() <= 8, "a factor s_in·s_w / s_out up to 256", m.single.max())
    if bias is not None:
        steps = code(x)[0] * w.scale
        expect(np.allclose(bias.scale, steps, rtol=1e-3, atol=0), f"a bias in steps of {steps}", bias.scale)
    low, high = limits(operator, out)

    def rescale(acc: Array, kernel: str) -> Array:
        rounded = fp.ROUNDING[kernel][operator.name](acc if kernel == "xnnpack" else acc.astype(np.int64), m)
        rounded += zero_point
        return np.clip(rounded, low, high, out=rounded).astype(np.int8)

    return rescale


# --------------------------------------------------------------------- pools


def max_pool_2d(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """The largest code of each window."""
    window, (low, high) = pool_window(operator, x, out), limits(operator, out)
    return lambda codes, *, kernel: np.clip(window.largest(codes), low, high)


def average_pool_2d(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """The mean code of each window without its padding, ties away from zero."""
    window, (low, high) = pool_window(operator, x, out), limits(operator, out)
    ones = window.pad(np.ones((1, *x.shape[1:3], 1), np.int32), 0)
    count = sum(ones[place] for _, place in window.places())

    def run(codes: Array, *, kernel: str) -> Array:
        padded = window.pad(codes.astype(np.int32), 0)
        total = sum(padded[place] for _, place in window.places())
        mean = np.sign(total) * ((np.abs(total) + count // 2) // count)
        return np.clip(mean, low, high).astype(np.int8)

    return run


def pool_window(operator: Operator, x: Tensor, out: Tensor) -> Window:
    """The window of a pool, whose output has the codes of its input."""
    same_codes(x, out)
    expect(x.shape[3:] == out.shape[3:], f"{x.shape[3:]} channels", out.shape)
    return Window(operator, (operator.options["filterHeight"], operator.options["filterWidth"]), x, out)


def mean(operator: Operator, x: Tensor, axes: Tensor, out: Tensor) -> Run:
    """The mean over height and width, in the output's steps."""
    expect(len(x.shape) == 4 and sorted(axes.data.ravel()) == [1, 2], "the mean over axes 1 and 2", axes.data)
    (s_in, z_in), (s_out, z_out), keep = code(x), code(out), bool(operator.options["keepDims"])

    def run(codes: Array, *, kernel: str) -> Array:
        rounded = fp.MEAN[kernel](codes, (1, 2), s_in, z_in, s_out, keep)
        return np.clip(rounded + z_out, -128, 127).astype(np.int8)

    return run


# ------------------------------------------------------------- value by value


def add(operator: Operator, a: Tensor, b: Tensor, out: Tensor) -> Run:
    """a + b, each in its own steps, in those of the output."""
    expect(
        a.shape == b.shape == out.shape and a.data is b.data is None,
        "two computed inputs of one shape",
        (a.shape, b.shape),
    )
    (s_a, z_a), (s_b, z_b), (s_out, z_out), (low, high) = code(a), code(b), code(out), limits(operator, out)

    def run(x: Array, y: Array, *, kernel: str) -> Array:
        rounded = fp.ADD[kernel](x.astype(np.int64) - z_a, y.astype(np.int64) - z_b, s_a, s_b, s_out)
        return np.clip(rounded + z_out, low, high).astype(np.int8)

    return run


def softmax(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """Shares of 1 in steps of 1/256, from −128 on."""
    (scale, _), beta = code(x), operator.options["beta"]
    expect(code(out) == (np.float32(1 / 256), -128) and out.shape == x.shape, "codes of 1/256 from −128 on", code(out))
    expect(math.isfinite(beta) and beta > 0, "a beta above 0", beta)
    return lambda codes, *, kernel: SOFTMAX[kernel](codes, scale, beta)


def quantize(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """Codes of reals, or codes in other steps."""
    expect(x.shape == out.shape, f"shape {x.shape}", out.shape)
    (scale, zero_point), real = code(out), x.dtype == np.float32
    s_in, z_in = (1, 0) if real else code(x)

    def run(values: Array, *, kernel: str) -> Array:
        if real:
            rounded = fp.QUANTIZE[kernel](values, scale)
        else:
            rounded = fp.REQUANTIZE[kernel](values.astype(np.int64) - z_in, s_in, scale)
        return np.clip(rounded + zero_point, -128, 127).astype(np.int8)

    return run


def dequantize(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """scale · (q − zero_point), float32."""
    expect(x.shape == out.shape and out.dtype == np.float32, f"float32 of shape {x.shape}", (out.dtype, out.shape))
    scale, zero_point = code(x)
    return lambda codes, *, kernel: fp.DEQUANTIZE[kernel](codes, scale, zero_point)


# --------------------------------------------------------------------- shapes


def pad(operator: Operator, x: Tensor, amounts: Tensor, out: Tensor) -> Run:
    """Around each axis so many codes of the real 0."""
    widths = [(int(before), int(after)) for before, after in amounts.data]
    expect(len(widths) == len(x.shape) and widths[0] == (0, 0), "amounts for each axis but the images'", widths)
    padded = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
    expect(np.min(widths) >= 0 and padded == out.shape, f"amounts from {x.shape} to {out.shape}", widths)
    same_codes(x, out)
    return lambda codes, *, kernel: np.pad(codes, widths, constant_values=x.zero_point[0])


def reshape(operator: Operator, x: Tensor, *rest: Tensor) -> Run:
    """The same codes in another shape, which is computed, stored beside the operator, or stored in its options."""
    out, sizes = rest[-1], math.prod(x.shape)
    expect(math.prod(out.shape) == sizes, f"{sizes} values", out.shape)
    same_codes(x, out)

    # A stored shape is that of the file's own batch, mostly one image; a computed one is that of the codes at hand.
    return lambda codes, shape=(-1, *out.shape[1:]), *, kernel: codes.reshape(shape)


def shape_of(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """The shape, as int32."""
    return lambda codes, *, kernel: np.array(codes.shape, np.int32)


def strided_slice(operator: Operator, x: Tensor, begin: Tensor, end: Tensor, strides: Tensor, out: Tensor) -> Run:
    """One entry of a shape, as a Flatten takes the number of images."""
    expect(out.shape == () and operator.options["shrinkAxisMask"] == 1, "one entry of a shape", out.shape)
    entry = int(begin.data[0])
    expect(0 <= entry < x.shape[0], f"an entry from 0 to {x.shape[0] - 1}", entry)
    return lambda shape, *, kernel: shape[entry]


def pack(operator: Operator, *tensors: Tensor) -> Run:
    """Numbers side by side, as a shape; some are stored, some computed."""
    numbers = tensors[:-1]
    expect(all(t.shape == () for t in numbers) and operator.options["axis"] == 0, "numbers", numbers[0].shape)

    def run(*computed: Array, kernel: str) -> Array:
        later = iter(computed)
        return np.array([next(later) if t.data is None else t.data for t in numbers], np.int32)

    return run


# --------------------------------------------------------------------- parts


def code(tensor: Tensor) -> tuple[np.float32, int]:
    """Scale and zero point of int8 codes, one pair for the whole tensor."""
    kind = f"{tensor.dtype} with {tensor.scale.size} scales"
    expect(
        tensor.dtype == np.int8 and tensor.scale.size == 1, f"int8 codes with one scale in tensor {tensor.index}", kind
    )
    expect(-128 <= tensor.zero_point[0] <= 127, "a zero point from -128 to 127", tensor.zero_point[0])
    return tensor.scale[0], int(tensor.zero_point[0])


def same_codes(x: Tensor, out: Tensor) -> None:
    expect(code(x) == code(out), f"an output with the input's scale and zero point {code(x)}", code(out))


def biases(bias: Tensor | None, channels: int) -> Array:
    """The bias, int32; a bias of zeros is left out of the file."""
    if bias is None:
        return np.zeros(channels, np.int32)
    stored = bias.data is not None and bias.dtype == np.int32 and bias.shape == (channels,)
    expect(stored, f"a constant int32 bias of {channels} channels", (bias.dtype, bias.shape))
    return bias.data


def limits(operator: Operator, out: Tensor) -> tuple[int, int]:
    """The lowest and highest code that the fused activation lets through."""
    scale, zero_point = code(out)
    activation = ACTIVATIONS[operator.options["fusedActivationFunction"]]
    ends = {"NONE": (-np.inf, np.inf), "RELU": (0, np.inf), "RELU_N1_TO_1": (-1, 1), "RELU6": (0, 6)}[activation]
    return tuple(int(c) for c in np.clip(fp.steps_half_away(np.array(ends), scale) + zero_point, -128, 127))


OPERATORS: dict[str, Callable[..., Run]] = {
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": max_pool_2d,
    "AVERAGE_POOL_2D": average_pool_2d,
    "MEAN": mean,
    "ADD": add,
    "SOFTMAX": softmax,
    "QUANTIZE": quantize,
    "DEQUANTIZE": dequantize,
    "PAD": pad,
    "RESHAPE": reshape,
    "SHAPE": shape_of,
    "STRIDED_SLICE": strided_slice,
    "PACK": pack,
}
