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
INT32 = 2  # its number in the schema
Array = np.ndarray
Run = Callable[..., Array]
Rescale = Callable[[Array, str], Array]


# ------------------------------------------------------------- weighted sums


def conv_2d(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Run:
    """acc = Σ (x − zero_point)·w + bias over each window, then rescaled. w: (channels, height, width, x's channels)."""
    expect(len(w.shape) == 4, "weights of four axes", w.shape)
    expect(bias, "a bias, of zeros where there is none", "an absent one")
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
    expect(len(w.shape) == 4, "weights of four axes", w.shape)
    expect(bias, "a bias, of zeros where there is none", "an absent one")
    window, multiplicity = Window(operator, w.shape[1:3], x, out), operator.options["depthMultiplier"]
    expect(w.shape[0] == 1 and w.shape[3] == out.shape[3] == x.shape[3] * multiplicity, "a filter per channel", w.shape)
    expect(operator.options["dilationHFactor"] == operator.options["dilationWFactor"] == 1, "no dilation", "one")
    zero_point, rescale = code(x)[1], rescaling(operator, x, w, bias, out)
    taps, offset = w.data[0].astype(np.float64), biases(bias, w.shape[3])

    def run(codes: Array, *, kernel: str, pool: Window | None = None) -> Array:
        reals = np.repeat(window.pad(codes.astype(np.float64) - zero_point, 0), multiplicity, axis=3)
        acc = sum(reals[place] * taps[tap] for tap, place in window.places()) + offset
        return rescale(pool.largest(acc) if pool else acc, kernel)

    return run


def fully_connected(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Run:
    """acc = Σ (x − zero_point)·w + bias, then rescaled. w: (outputs, inputs)."""
    fitting = w.shape == (w.shape[0], math.prod(x.shape[1:])) and out.shape == (x.shape[0], w.shape[0])
    expect(fitting, f"weights from {x.shape} to {out.shape}", w.shape)
    expect(operator.options["weightsFormat"] == 0, "weights in the default format", operator.options["weightsFormat"])
    expect(not operator.options["keepNumDims"] or len(x.shape) == 2, "rows as input where axes are kept", x.shape)
    zero_point, rescale = code(x)[1], rescaling(operator, x, w, bias, out)
    sums = exact_sums(w.data.T, biases(bias, len(w.data)), -128 - zero_point, 127 - zero_point)

    def run(codes: Array, *, kernel: str) -> Array:
        reals = codes.reshape(len(codes), math.prod(codes.shape[1:])).astype(np.float32) - np.float32(zero_point)
        return rescale(sums(reals), kernel)

    return run


def rescaling(
    operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor
) -> Callable[[Array, str], Array]:
    """From accumulators to codes of `out`: times s_in·s_w / s_out, plus its zero point, clipped by its activation."""
    axis, (scale, zero_point) = 3 if operator.name == "DEPTHWISE_CONV_2D" else 0, code(out)
    kind = f"{w.dtype} with {w.scale.size} scales"
    expect(w.data is not None and w.dtype == np.int8 and w.scale.size, "constant int8 weights with scales", kind)
    expect(w.scale.size == 1 or w.axis == axis, f"scales along axis {axis}", w.axis)
    expect(not w.zero_point.any(), "weights with zero point 0", w.zero_point)
    expect(2**-60 <= w.scale.min() <= w.scale.max() <= 2**60, "scales from 2^−60 to 2^60", w.scale)  # as `code`
    steps = code(x)[0] * w.scale
    expect(steps.max() < 256 * scale, "factors s_in·s_w / s_out below 256", steps.max() / scale)
    m = fp.Multiplier.from_scales(code(x)[0], w.scale, scale)
    reach = 255 * np.abs(w.data.astype(np.int64)).sum(axis=tuple({*range(w.data.ndim)} - {axis}))
    if bias is not None:
        expect(bias.scale.shape == steps.shape, f"{steps.size} scales of the bias", bias.scale.size)
        off = np.flatnonzero(~np.isclose(bias.scale, steps, rtol=1e-3, atol=0))[:1]
        expect(not off.size, f"a bias in steps s_in·s_w = {steps[off]} in channel {off}", bias.scale[off])
        expect(not bias.zero_point.any(), "a bias with zero point 0", bias.zero_point)
        reach = reach + np.abs(biases(bias, reach.size).astype(np.int64))
    expect((reach << m.shift.clip(0)).max() < 2**31, "sums that int32 holds, as they are and rescaled", reach.max())
    expect(operator.options.get("quantizedBiasType", 0) in (0, 2), "an int32 bias", "another type")
    # One scale for all: the optimized kernel's factor comes from a float32 product of the scales.
    single = operator.name == "FULLY_CONNECTED" and w.scale.size == 1
    rounder = fp.Multiplier.from_scales(code(x)[0], w.scale, scale, product=np.float32) if single else m
    ends = limits(operator, out)

    def rescale(acc: Array, kernel: str) -> Array:
        rule, (low, high) = fp.ROUNDING[kernel][operator.name], ends[kernel]
        if rule is fp.two_roundings_away and low == zero_point:
            rule = fp.two_roundings_up  # less work; they differ below 0 only, which a ReLU clips
        factor = rounder if kernel == "no_delegate" else m
        rounded = rule(acc if kernel == "xnnpack" else acc.astype(np.int64), factor)
        rounded += zero_point
        return np.clip(rounded, low, high, out=rounded).astype(np.int8)

    return rescale


# --------------------------------------------------------------------- pools


def max_pool_2d(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """The largest code of each window."""
    window, ends = pool_window(operator, x, out), limits(operator, out)
    if np.greater(window.stride, window.size).any():  # XNNPACK leaves these to the other kernel
        ends["xnnpack"] = ends["no_delegate"]
    return lambda codes, *, kernel: np.clip(window.largest(codes), *ends[kernel])


def average_pool_2d(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """The mean code of each window without its padding, ties away from zero."""
    window, (low, high) = pool_window(operator, x, out), limits(operator, out)["no_delegate"]  # XNNPACK leaves it
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
    expect(axes.dtype == np.int32, "int32 axes", axes.dtype)
    a, b, keep = code(x), code(out), bool(operator.options["keepDims"])
    fitting = 255 * math.prod(x.shape[1:3]) < 2**31 and a[0] < 2**21 * b[0]
    expect(fitting, "sums that int32 holds", f"{x.shape} in steps of {a[0]}")

    def run(codes: Array, *, kernel: str) -> Array:
        return np.clip(fp.MEAN[kernel](codes, (1, 2), keep, a, b), -128, 127).astype(np.int8)

    return run


# ------------------------------------------------------------- value by value


def add(operator: Operator, a: Tensor, b: Tensor, out: Tensor) -> Run:
    """a + b, each in its own steps, in those of the output."""
    expect(
        a.shape == b.shape == out.shape and a.data is b.data is None,
        "two computed inputs of one shape",
        (a.shape, b.shape),
    )
    (s_a, z_a), (s_b, z_b), (s_out, z_out), ends = code(a), code(b), code(out), limits(operator, out)
    if not fp.xnnpack_adds(s_a, s_b, s_out):  # and these
        ends["xnnpack"] = ends["no_delegate"]
    # LiteRT's optimized kernel adds the zero point in int16.
    expect(255 * (s_a + s_b) < (2**15 - 128) * s_out, f"sums that int16 holds in steps of {s_out}", f"{s_a} and {s_b}")

    def run(x: Array, y: Array, *, kernel: str) -> Array:
        rounded = fp.ADD[kernel](x.astype(np.int64) - z_a, y.astype(np.int64) - z_b, s_a, s_b, s_out)
        return np.clip(rounded + z_out, *ends[kernel]).astype(np.int8)

    return run


def softmax(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """Shares of 1 in steps of 1/256, from −128 on."""
    (scale, _), beta = code(x), operator.options["beta"]
    steps = f"steps of {out.scale[:1]} from {out.zero_point[:1]}"
    expect(code(out) == (np.float32(1 / 256), -128), "an output in steps of 1/256 from -128", steps)
    expect(out.shape == x.shape, f"shape {x.shape}", out.shape)
    expect(2**-26 < beta * float(scale) < 16, "beta · scale between 2^−26 and 16", beta * float(scale))
    return lambda codes, *, kernel: SOFTMAX[kernel](codes, scale, beta)


def quantize(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """Codes of reals, or codes in other steps."""
    expect(x.shape == out.shape, f"shape {x.shape}", out.shape)
    (scale, zero_point), real = code(out), x.dtype == np.float32
    s_in, z_in = (1, 0) if real else code(x)
    expect(real or s_in < 2**22 * scale, f"an input in steps below 2^22 · {scale}", s_in)

    def run(values: Array, *, kernel: str) -> Array:
        if real:
            rounded = fp.QUANTIZE[kernel](values, scale)
        else:
            rounded = fp.REQUANTIZE[kernel](values.astype(np.int64) - z_in, s_in, scale)
        return np.clip(rounded + zero_point, -128, 127).astype(np.int8)

    return run


def dequantize(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """scale · (q − zero_point), float32."""
    fitting = x.shape == out.shape and out.dtype == np.float32
    expect(fitting, f"float32 of shape {x.shape}", f"{out.dtype} of shape {out.shape}")
    scale, zero_point = code(x)
    return lambda codes, *, kernel: fp.DEQUANTIZE[kernel](codes, scale, zero_point)


# --------------------------------------------------------------------- shapes


def pad(operator: Operator, x: Tensor, amounts: Tensor, out: Tensor) -> Run:
    """Around each axis so many codes of the real 0."""
    kind = f"{amounts.dtype} of shape {amounts.shape}"
    expect(amounts.dtype == np.int32 and amounts.shape == (len(x.shape), 2), "int32 amounts for each axis", kind)
    widths = [(int(before), int(after)) for before, after in amounts.data]
    expect(widths[0] == (0, 0), "no images added", widths[0])
    padded = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
    expect(np.min(widths) >= 0 and padded == out.shape, f"amounts from {x.shape} to {out.shape}", widths)
    same_codes(x, out)
    return lambda codes, *, kernel: np.pad(codes, widths, constant_values=x.zero_point[0])


def reshape(operator: Operator, x: Tensor, *rest: Tensor) -> Run:
    """The same codes in another shape, which is computed, stored beside the operator, or stored in its options."""
    *shapes, out = rest
    expect(len(shapes) <= 1, "at most one shape", len(shapes))
    fitting = out.shape[:1] == x.shape[:1] and math.prod(out.shape) == math.prod(x.shape)
    expect(fitting, f"the images and values of {x.shape}", out.shape)
    stored = shapes[0].data if shapes else operator.options.get("newShape")
    same_codes(x, out)
    expect(not shapes or shapes[0].dtype == np.int32, "a shape of int32", shapes[0].dtype if shapes else None)
    expect((shapes and stored is None) or stands_for(stored, out.shape), f"the shape {out.shape}", stored)

    # A stored shape is that of the file's own batch, mostly one image; a computed one is that of the codes at hand.
    def run(codes: Array, shape: Array | None = None, *, kernel: str) -> Array:
        rows = (len(codes), *out.shape[1:])
        expect(shape is None or stands_for(shape, rows), f"a computed shape {rows} in operator {operator.index}", shape)
        return codes.reshape(rows)

    return run


def shape_of(operator: Operator, x: Tensor, out: Tensor) -> Run:
    """The shape, as int32."""
    expect(operator.options["outType"] == INT32, f"type INT32 ({INT32})", operator.options["outType"])
    return lambda codes, *, kernel: np.array(codes.shape, np.int32)


def strided_slice(operator: Operator, x: Tensor, begin: Tensor, end: Tensor, strides: Tensor, out: Tensor) -> Run:
    """One entry of a shape, as a Flatten takes the number of images."""
    plain = [name for name, value in operator.options.items() if value] == ["shrinkAxisMask"]
    plain = plain and operator.options["shrinkAxisMask"] == 1
    expect(plain, "the options of one entry, shrinkAxisMask 1 and else none", operator.options)
    expect(out.shape == () and x.dtype == np.int32, "one entry of an int32 shape", f"{x.dtype} to {out.shape}")
    ends = [t.data.tolist() for t in (begin, end, strides) if t.dtype == np.int32]
    expect(ends == [[ends[0][0]], [ends[0][0] + 1], [1]], "one entry of a shape as [i], [i + 1], [1]", ends)
    entry = int(begin.data[0])
    expect(0 <= entry < x.shape[0], f"an entry from 0 to {x.shape[0] - 1}", entry)
    return lambda shape, *, kernel: shape[entry]


def pack(operator: Operator, *tensors: Tensor) -> Run:
    """Numbers side by side, as a shape; some are stored, some computed."""
    numbers = tensors[:-1]
    expect(all(t.shape == () and t.dtype == np.int32 for t in numbers), "int32 numbers", numbers[0].shape)
    plain = operator.options["axis"] == 0 and operator.options["valuesCount"] == len(numbers)
    expect(plain, f"{len(numbers)} numbers along axis 0", operator.options)

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
    # No product of two of them and no quotient by a third leaves float32.
    expect(2**-60 <= tensor.scale[0] <= 2**60, "a scale from 2^−60 to 2^60", tensor.scale[0])
    return tensor.scale[0], int(tensor.zero_point[0])


def same_codes(x: Tensor, out: Tensor) -> None:
    (s_in, z_in), (s_out, z_out) = code(x), code(out)
    expect((s_in, z_in) == (s_out, z_out), f"the input's scale {s_in} and zero point {z_in}", f"{s_out} and {z_out}")


def stands_for(stored: Array | None, shape: tuple[int, ...]) -> bool:
    """Whether a stored shape is this one; one of its lengths may be left open, −1."""
    same = np.shape(stored) == (len(shape),) and np.isin(stored, -1).sum() <= 1
    return same and all(n in (-1, m) for n, m in zip(stored, shape, strict=True))


def biases(bias: Tensor | None, channels: int) -> Array:
    """The bias, int32; a bias of zeros is left out of the file."""
    if bias is None:
        return np.zeros(channels, np.int32)
    stored = bias.data is not None and bias.dtype == np.int32 and bias.shape == (channels,)
    expect(stored, f"a constant int32 bias of {channels} channels", f"{bias.dtype} of shape {bias.shape}")
    return bias.data


def limits(operator: Operator, out: Tensor) -> dict[str, tuple[int, int]]:
    """By kernel the lowest and highest code that the fused activation lets through.

    Its ends become codes by rounding ties away from zero; XNNPACK rounds after the zero point is added, half to even.
    """
    scale, zero_point = code(out)
    number = operator.options["fusedActivationFunction"]
    expect(number in range(len(ACTIVATIONS)), f"one of the activations {', '.join(ACTIVATIONS)}", f"number {number}")
    activation = ACTIVATIONS[number]
    reals = {"NONE": (-np.inf, np.inf), "RELU": (0, np.inf), "RELU_N1_TO_1": (-1, 1), "RELU6": (0, 6)}[activation]
    away = fp.steps_half_away(np.array(reals), scale) + zero_point
    even = np.rint(np.array(reals, np.float32) / scale + np.float32(zero_point))
    expect(np.abs(away[np.isfinite(away)]).max(initial=0) < 2**31, "an activation's ends within int32", away)
    ends = {"reference": away, "no_delegate": away, "xnnpack": even}
    return {kernel: tuple(int(c) for c in np.clip(codes, -128, 127)) for kernel, codes in ends.items()}


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
