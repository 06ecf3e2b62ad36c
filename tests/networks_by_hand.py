"""Two small quantized networks made by hand, which together hold every operator that qlib computes."""

from __future__ import annotations

from functools import cache

import numpy as np
from tflite_files import File

Random = np.random.Generator
TABLES = dict(
    CONV_2D="Conv2DOptions", DEPTHWISE_CONV_2D="DepthwiseConv2DOptions", FULLY_CONNECTED="FullyConnectedOptions"
)  # fmt: skip


@cache
def networks() -> list[bytes]:
    """Both."""
    return [images_to_shares(), images_to_scores()]


def weighted(file: File, name: str, x: int, shape, out, rng: Random, *, axis=0, bias=True, **fields) -> int:
    """Append an operator with random weights, one scale per channel; returns the index of its output."""
    channels, taps = shape[axis], np.prod(shape) / shape[axis]
    out_scale = np.float32(0.05)
    steps = (out_scale / (60 * taps**0.5) * np.exp(rng.normal(0, 0.2, channels))).astype(np.float32)
    scale = steps / scale_of(file, x)
    weights = file.tensor(shape, scale=scale, axis=axis, data=rng.integers(-127, 128, shape))
    offsets = file.tensor((channels,), "int32", scale=steps, data=rng.integers(-2000, 2000, channels)) if bias else -1
    y = file.tensor(out, scale=out_scale, zero_point=int(rng.integers(-60, 0)))
    file.operator(name, [x, weights, offsets], [y], TABLES[name], 3, **fields)
    return y


def images_to_shares() -> bytes:
    """Reals in, reals out; every operator but MEAN."""
    file, rng = File(), np.random.default_rng(0)
    stride = dict(strideH=1, strideW=1)
    pool = dict(strideH=2, strideW=2, filterHeight=2, filterWidth=2)
    x = file.tensor((1, 9, 8, 2), "float32")
    q = file.tensor((1, 9, 8, 2), scale=0.02, zero_point=3)
    file.operator("QUANTIZE", [x], [q], "QuantizeOptions")
    amounts = file.tensor((4, 2), "int32", data=[[0, 0], [1, 0], [0, 1], [0, 0]])
    padded = file.tensor((1, 10, 9, 2), scale=0.02, zero_point=3)
    file.operator("PAD", [q, amounts], [padded], "PadOptions")
    a = weighted(file, "CONV_2D", padded, (4, 3, 3, 2), (1, 8, 7, 4), rng, padding=1, **stride)
    pooled = file.tensor((1, 4, 3, 4), scale=scale_of(file, a), zero_point=zero_of(file, a))
    file.operator("MAX_POOL_2D", [a], [pooled], "Pool2DOptions", 2, padding=1, **pool)
    fields = dict(padding=0, depthMultiplier=2, fusedActivationFunction=3, **stride)
    shape = (1, 4, 3, 8)
    b = weighted(file, "DEPTHWISE_CONV_2D", pooled, (1, 3, 3, 8), shape, rng, axis=3, **fields)
    c = weighted(file, "CONV_2D", b, (8, 1, 1, 8), shape, rng, padding=0, **stride)
    added = file.tensor(shape, scale=scale_of(file, b) * 1.3, zero_point=-9)
    file.operator("ADD", [b, c], [added], "AddOptions", 2, fusedActivationFunction=1)
    mean = file.tensor((1, 2, 2, 8), scale=scale_of(file, added), zero_point=-9)
    file.operator("AVERAGE_POOL_2D", [added], [mean], "Pool2DOptions", 2, padding=0, **pool)
    flat = flattened(file, mean, 32)
    y = weighted(file, "FULLY_CONNECTED", flat, (10, 32), (1, 10), rng)
    shares = file.tensor((1, 10), scale=1 / 256, zero_point=-128)
    file.operator("SOFTMAX", [y], [shares], "SoftmaxOptions", 2, beta=1.0)
    out = file.tensor((1, 10), "float32")
    file.operator("DEQUANTIZE", [shares], [out], "DequantizeOptions", 2)
    return file.bytes([x], [out])


def flattened(file: File, x: int, size: int) -> int:
    """Append what Keras's Flatten becomes: the shape is taken apart and put together anew."""
    parts = [file.tensor((4,), "int32"), file.tensor((), "int32"), file.tensor((2,), "int32")]
    zero, one = file.tensor((1,), "int32", data=[0]), file.tensor((1,), "int32", data=[1])
    stored = file.tensor((), "int32", data=size)
    file.operator("SHAPE", [x], [parts[0]], "ShapeOptions", outType=2)
    file.operator("STRIDED_SLICE", [parts[0], zero, one, one], [parts[1]], "StridedSliceOptions", shrinkAxisMask=1)
    file.operator("PACK", [parts[1], stored], [parts[2]], "PackOptions", valuesCount=2)
    flat = file.tensor((1, size), scale=scale_of(file, x), zero_point=zero_of(file, x))
    file.operator("RESHAPE", [x, parts[2]], [flat])
    return flat


def images_to_scores() -> bytes:
    """Codes in, codes out: a convolution with strides, MEAN, FULLY_CONNECTED, RESHAPE, QUANTIZE."""
    file, rng = File(), np.random.default_rng(1)
    x = file.tensor((1, 7, 7, 3), scale=1 / 255, zero_point=-128)
    fields = dict(padding=0, strideH=2, strideW=2, fusedActivationFunction=1)
    a = weighted(file, "CONV_2D", x, (6, 3, 3, 3), (1, 4, 4, 6), rng, **fields)
    axes = file.tensor((2,), "int32", data=[1, 2])
    mean = file.tensor((1, 6), scale=scale_of(file, a) * 0.7, zero_point=-30)
    file.operator("MEAN", [a, axes], [mean], "ReducerOptions", 2)
    y = weighted(file, "FULLY_CONNECTED", mean, (4, 6), (1, 4), rng, bias=False)
    shape = file.tensor((3,), "int32", data=[1, 2, 2])
    square = file.tensor((1, 2, 2), scale=scale_of(file, y), zero_point=zero_of(file, y))
    file.operator("RESHAPE", [y, shape], [square], "ReshapeOptions", newShape=np.array([1, 2, 2], np.int32))
    out = file.tensor((1, 2, 2), scale=scale_of(file, y) * 2, zero_point=5)
    file.operator("QUANTIZE", [square], [out], "QuantizeOptions", 2)
    return file.bytes([x], [out])


def scale_of(file: File, index: int) -> np.float32:
    return file.graph.tensors[index].quantization.scale[0]


def zero_of(file: File, index: int) -> int:
    return int(file.graph.tensors[index].quantization.zeroPoint[0])
