"""The operators of an int8 network: codes in, codes out, rounded as LiteRT's kernels round.

`OPERATORS[name](operator, *inputs, out)` gets the tensors of the file (None for an optional input that is absent),
checks them, and returns a function of those inputs that aren't constants. Those with weights
stand in `weighted.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from qlib import fixedpoint as fp
from qlib.codes import code, limits, same_codes
from qlib.softmax import SOFTMAX
from qlib.tflite import Operator, Tensor, expect
from qlib.weighted import conv_2d, depthwise_conv_2d, fully_connected
from qlib.windows import Window

INT32 = 2  # its number in the schema
Array = np.ndarray
Run = Callable[..., Array]


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


def stands_for(stored: Array | None, shape: tuple[int, ...]) -> bool:
    """Whether a stored shape is this one; one of its lengths may be left open, −1."""
    same = np.shape(stored) == (len(shape),) and np.isin(stored, -1).sum() <= 1
    return same and all(n in (-1, m) for n, m in zip(stored, shape, strict=True))


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
