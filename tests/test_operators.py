"""Each operator against LiteRT: random files of one operator, with each kernel, value for value.

Scales are often powers of two, so that many results lie halfway between two codes: there the kernels differ.
"""

import math
from functools import cache

import numpy as np
import pytest
from tflite_files import File, computed, litert, one_operator

from qlib import deploy, fixedpoint
from qlib.fixedpoint import KERNELS
from qlib.integer import IntegerModel
from qlib.operators import OPERATORS
from qlib.tflite import read

NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)


def codes(rng, shape, low=-128, high=127):
    return rng.integers(low, high, shape, dtype=np.int8, endpoint=True)


def zero_point(rng):
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))


def scale(rng):
    """A power of two, one of which 1 or 6 is a whole number and a half, or any other: about 1/10 to 1/10,000."""
    halves = 2 * rng.choice([1, 6]) / (2 * rng.integers(0, 30) + 1)
    return np.float32(rng.choice([2.0 ** rng.integers(-12, 3), halves, np.exp(rng.normal(-4, 1.5))], p=[0.4, 0.1, 0.5]))


def ratio(rng, low, high):
    """A power of two from 2^low to 2^high, mostly with an exponent that is no integer."""
    return 2.0 ** (rng.integers(low, high + 1) if rng.random() < 0.4 else rng.uniform(low, high))


def places(rng):
    """Height and width of images, window and strides, and the pool's or convolution's output, by SAME or VALID."""
    image, size, stride, same = rng.integers(1, 12, 2), rng.integers(1, 6, 2), rng.integers(1, 4, 2), rng.random() < 0.5
    if not same:
        image = np.maximum(image, size)
    outputs = -(-image // stride) if same else (image - size) // stride + 1
    options = dict(padding=0 if same else 1, strideH=int(stride[0]), strideW=int(stride[1]))
    return image, size, outputs, options


def weighted(rng, operator, x_shape, w_shape, out_shape, axis, **options):
    """A file of one weighted sum: its outputs spread over all codes, saturate here and there, and often lie on ties."""
    channels, largest = w_shape[axis], int(rng.choice([127, 9, 1]))
    spread = math.sqrt(math.prod(w_shape) / channels) * 75 * largest / 2  # of the sums, about
    factor = rng.uniform(10, 300) / spread * np.exp(rng.normal(0, 0.5, channels if rng.random() < 0.5 else 1))
    if rng.random() < 0.5:
        factor = 2.0 ** np.rint(np.log2(factor))
    s_in, s_out = scale(rng), scale(rng)
    s_w = np.float32(factor * s_out / s_in)
    inputs = [
        dict(shape=x_shape, scale=s_in, zero_point=zero_point(rng)),
        dict(shape=w_shape, scale=s_w, axis=axis, data=codes(rng, w_shape, -largest, largest)),
        dict(shape=(channels,), dtype="int32", scale=s_in * s_w, data=rng.integers(-largest, largest, channels) * 99),
    ]
    if operator == "FULLY_CONNECTED" and rng.random() < 0.3:
        inputs[2] = None
    table = {"CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D", "FULLY_CONNECTED": "FullyConnected"}[operator]
    options["fusedActivationFunction"] = int(rng.integers(4))
    output = dict(shape=out_shape, scale=s_out, zero_point=zero_point(rng))
    return one_operator(operator, inputs, output, f"{table}Options", 4, **options), [codes(rng, x_shape)]


def conv_2d(rng):
    image, size, outputs, options = places(rng)
    n, channels, filters = rng.choice([1, 1, 2, 3]), rng.choice([1, 2, 3, 8, 17]), rng.choice([1, 3, 8, 17])
    shapes = (n, *image, channels), (filters, *size, channels), (n, *outputs, filters)
    return weighted(rng, "CONV_2D", *shapes, 0, dilationHFactor=1, dilationWFactor=1, **options)


def depthwise_conv_2d(rng):
    image, size, outputs, options = places(rng)
    n, channels, multiplier = rng.choice([1, 1, 2, 3]), rng.choice([1, 2, 3, 8, 16, 19]), int(rng.integers(1, 4))
    filters = channels * multiplier
    shapes = (n, *image, channels), (1, *size, filters), (n, *outputs, filters)
    options |= dict(dilationHFactor=1, dilationWFactor=1, depthMultiplier=multiplier)
    return weighted(rng, "DEPTHWISE_CONV_2D", *shapes, 3, **options)


def fully_connected(rng):
    n, inputs, outputs = (int(size) for size in rng.integers(1, [9, 300, 40]))
    kept = bool(rng.integers(2))
    x_shape = (n, inputs) if kept or inputs % 2 else (n, inputs // 2, 2)
    return weighted(rng, "FULLY_CONNECTED", x_shape, (outputs, inputs), (n, outputs), 0, keepNumDims=kept)


def pool(operator):
    def file(rng):
        image, size, outputs, options = places(rng)
        n, channels = rng.choice([1, 2, 3]), rng.choice([1, 3, 8, 17])
        step = dict(scale=scale(rng), zero_point=zero_point(rng))
        options |= dict(filterHeight=int(size[0]), filterWidth=int(size[1]), fusedActivationFunction=rng.integers(4))
        x, out = dict(shape=(n, *image, channels), **step), dict(shape=(n, *outputs, channels), **step)
        return one_operator(operator, [x], out, "Pool2DOptions", 2, **options), [codes(rng, x["shape"])]

    return file


def mean(rng):
    n, height, width, channels = rng.choice([1, 2, 3]), *rng.integers(1, 12, 2), rng.choice([1, 3, 8, 16, 33, 64])
    s_in, keep = scale(rng), bool(rng.integers(2))
    x = dict(shape=(n, height, width, channels), scale=s_in, zero_point=zero_point(rng))
    out = dict(shape=(n, 1, 1, channels) if keep else (n, channels), zero_point=zero_point(rng))
    out["scale"] = np.float32(s_in * ratio(rng, -4, 4))
    axes = dict(shape=(2,), dtype="int32", data=[1, 2] if rng.random() < 0.5 else [2, 1])
    return one_operator("MEAN", [x, axes], out, "ReducerOptions", 2, keepDims=keep), [codes(rng, x["shape"])]


def addition(low, high):
    def file(rng):
        shape, s_out = (rng.choice([1, 2, 3]), *rng.integers(1, 9, 2), rng.choice([1, 3, 16])), scale(rng)
        scales = s_out * ratio(rng, low, high), s_out * ratio(rng, low, high), s_out
        a, b, out = (dict(shape=shape, scale=np.float32(s), zero_point=zero_point(rng)) for s in scales)
        activation = int(rng.integers(4))
        tflite = one_operator("ADD", [a, b], out, "AddOptions", 2, fusedActivationFunction=activation)
        return tflite, [codes(rng, shape), codes(rng, shape)]

    return file


def quantize(rng):
    n, step = rng.integers(1, 300), scale(rng)
    halves = ((rng.integers(-140, 140, n) + 0.5) * step).astype(np.float32)
    below, above = np.nextafter(halves, np.float32(-np.inf)), np.nextafter(halves, np.float32(np.inf))
    others = (rng.normal(0, 80, n) * step).astype(np.float32)
    almost_half = np.full(n, np.nextafter(np.float32(0.5) * step, np.float32(0)))
    x = rng.permuted([halves, below, above, others, almost_half], axis=0)[:1]
    out = dict(shape=x.shape, scale=step, zero_point=zero_point(rng))
    return one_operator("QUANTIZE", [dict(shape=x.shape, dtype="float32")], out, "QuantizeOptions"), [x]


def requantize(low, high):
    def file(rng):
        s_in, shape = scale(rng), (1, rng.integers(1, 300))
        x = dict(shape=shape, scale=s_in, zero_point=zero_point(rng))
        out = dict(shape=shape, scale=np.float32(s_in / ratio(rng, low, high)), zero_point=zero_point(rng))
        return one_operator("QUANTIZE", [x], out, "QuantizeOptions", 2), [codes(rng, shape)]

    return file


def dequantize(rng):
    shape = (1, rng.integers(1, 300))
    x = dict(shape=shape, scale=scale(rng), zero_point=zero_point(rng))
    return one_operator("DEQUANTIZE", [x], dict(shape=shape, dtype="float32"), "DequantizeOptions", 2), [
        codes(rng, shape)
    ]


def pad(rng):
    shape, amounts = (2, *rng.integers(1, 6, 3)), np.concatenate([[[0, 0]], rng.integers(0, 4, (3, 2))])
    step = dict(scale=scale(rng), zero_point=zero_point(rng))
    x, out = dict(shape=shape, **step), dict(shape=shape + amounts.sum(axis=1), **step)
    widths = dict(shape=(4, 2), dtype="int32", data=amounts)
    return one_operator("PAD", [x, widths], out, "PadOptions", 2), [codes(rng, shape)]


def reshape(rng):
    shape = tuple(rng.integers(1, 7, 3))
    wanted = (shape[0], shape[1] * shape[2])
    step, stored = dict(scale=scale(rng), zero_point=zero_point(rng)), (int(rng.choice([-1, wanted[0]])), wanted[1])
    inputs = [dict(shape=shape, **step), dict(shape=(2,), dtype="int32", data=stored)]
    return one_operator("RESHAPE", inputs, dict(shape=wanted, **step), "ReshapeOptions", newShape=stored), [
        codes(rng, shape)
    ]


def softmax(rng):
    shape, spread, centre = (rng.integers(1, 40), rng.integers(1, 60)), rng.uniform(1, 80), rng.uniform(-100, 100)
    x = np.rint(rng.normal(centre, spread, shape)).clip(-128, 127).astype(np.int8)
    step, beta = scale(rng), float(rng.choice([1, 1, 0.5, 2, rng.uniform(0.1, 9)]))
    inputs = [dict(shape=shape, scale=step, zero_point=zero_point(rng))]
    out = dict(shape=shape, scale=1 / 256, zero_point=-128)
    return one_operator("SOFTMAX", inputs, out, "SoftmaxOptions", 2, beta=min(beta, 15 / float(step))), [x]


# name: (a function of the random numbers, files, elements at least)
CASES = {
    "CONV_2D": (conv_2d, 400, 50_000),
    "DEPTHWISE_CONV_2D": (depthwise_conv_2d, 400, 100_000),
    "FULLY_CONNECTED": (fully_connected, 600, 50_000),
    "MAX_POOL_2D": (pool("MAX_POOL_2D"), 300, 50_000),
    "AVERAGE_POOL_2D": (pool("AVERAGE_POOL_2D"), 300, 50_000),
    "MEAN": (mean, 900, 30_000),
    "ADD": (addition(-6, 5), 300, 60_000),
    "ADD beyond XNNPACK's ratios": (addition(-14, -8), 200, 50_000),
    "ADD with large ratios": (addition(3, 5), 200, 50_000),
    "QUANTIZE": (quantize, 300, 40_000),
    "QUANTIZE of codes": (requantize(-3, 3), 300, 40_000),
    "QUANTIZE of codes beyond XNNPACK's ratios": (requantize(-12, 10), 300, 40_000),
    "DEQUANTIZE": (dequantize, 300, 40_000),
    "PAD": (pad, 100, 30_000),
    "RESHAPE": (reshape, 100, 4_000),
    "SOFTMAX": (softmax, 200, 80_000),
}


@cache
def files(name):
    """Files, their inputs, and LiteRT's answers by kernel."""
    make, number, _ = CASES[name]
    pairs = [make(np.random.default_rng(seed)) for seed in range(number)]
    answers = {kernel: [litert(tflite, *inputs, kernel=kernel) for tflite, inputs in pairs] for kernel in KERNELS}
    return pairs, answers


def differing(name, kernel):
    """How many of how many values differ from LiteRT's."""
    pairs, answers = files(name)
    total = wrong = 0
    for (tflite, inputs), theirs in zip(pairs, answers[kernel], strict=True):
        ours = computed(tflite, *inputs, kernel=kernel)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        total, wrong = total + theirs.size, wrong + np.count_nonzero(ours != theirs)
    return wrong, total


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", CASES)
def test_a_file_of_one_operator_gives_the_codes_that_litert_gives(name, kernel):
    wrong, total = differing(name, kernel)
    assert wrong == 0, f"{wrong} of {total} differ"
    assert total >= CASES[name][2]


# ------------------------------------------------- could these files tell the rules apart?

TABLES = {"MEAN": fixedpoint.MEAN, "ADD": fixedpoint.ADD, "QUANTIZE": fixedpoint.QUANTIZE}
TABLES |= {"QUANTIZE of codes": fixedpoint.REQUANTIZE, "DEQUANTIZE": fixedpoint.DEQUANTIZE}
WEIGHTED = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"
ALL_ROUNDINGS = {rule for rules in fixedpoint.ROUNDING.values() for rule in rules.values()}
SWAPS = [
    *[(name, kernel, rule) for name in WEIGHTED for kernel in KERNELS for rule in ALL_ROUNDINGS],
    *[(name, kernel, rule) for name, table in TABLES.items() for kernel in KERNELS for rule in set(table.values())],
]


def rules_of(name, kernel):
    """The table that holds the rule of this operator, and its key there."""
    return (fixedpoint.ROUNDING[kernel], name) if name in WEIGHTED else (TABLES[name], kernel)


def of_integers(rule):
    """XNNPACK's rule gets sums as floats, the others as integers."""
    return lambda acc, m: rule(acc.astype(np.int64), m)


@pytest.mark.parametrize("name", [*WEIGHTED, *TABLES])
def test_with_another_kernels_rule_some_codes_would_differ(name, monkeypatch):
    swapped = 0
    for kernel, rule in [(kernel, rule) for other, kernel, rule in SWAPS if other == name]:
        table, key = rules_of(name, kernel)
        if rule is not table[key]:
            with monkeypatch.context() as patch:
                patch.setitem(table, key, of_integers(rule) if name in WEIGHTED else rule)
                wrong, _ = differing(name, kernel)
            assert wrong > 0, f"{rule.__name__} as {kernel}'s"
            swapped += 1
    assert swapped >= 2


@pytest.mark.parametrize("name", [*WEIGHTED, "ADD", "MEAN", "AVERAGE_POOL_2D"])
def test_the_files_reach_both_ends_and_most_codes_between(name):
    _, answers = files(name)
    counts = sum(np.bincount(theirs.ravel().astype(int) + 128, minlength=256) for theirs in answers["reference"])
    assert (counts > 0).all() and counts[0] > 100 and counts[255] > 100


# ---------------------------------------------------------------------- by hand


def one_by_one_pool(activation, step, zero):
    """All codes through a pool of one pixel, which does nothing but clip them."""
    ends = dict(shape=(1, 16, 16, 1), scale=step, zero_point=zero)
    options = dict(padding=1, strideH=1, strideW=1, filterHeight=1, filterWidth=1, fusedActivationFunction=activation)
    return one_operator("MAX_POOL_2D", [ends], ends, "Pool2DOptions", 2, **options)


ACTIVATION_ENDS = [
    (RELU, 0.1, -5, "reference", -5, 127),
    (RELU6, 0.1, -128, "reference", -128, -68),  # 60 steps
    (RELU_N1_TO_1, 0.25, 3, "no_delegate", -1, 7),
    (RELU6, 0.04, -100, "xnnpack", -100, 50),  # 150 steps
    (RELU6, 0.01, 0, "xnnpack", 0, 127),  # 600 steps
    (RELU6, 4, 1, "reference", 1, 3),  # 1.5 steps, away from zero: 2
    (RELU6, 4, 1, "no_delegate", 1, 3),
    (RELU6, 4, 1, "xnnpack", 1, 2),  # the code 2.5, half to even
    (RELU6, 4, 0, "xnnpack", 0, 2),  # the code 1.5
    (RELU_N1_TO_1, 2, 0, "reference", -1, 1),  # half a step, away from zero
    (RELU_N1_TO_1, 2, 0, "xnnpack", 0, 0),
    (RELU_N1_TO_1, 2, 1, "xnnpack", 0, 2),  # the codes 0.5 and 1.5
    (RELU6, 12.000001, 0, "reference", 0, 0),  # 0.49999997 steps, where adding a half in float32 makes 1
]


@pytest.mark.parametrize("activation, step, zero, kernel, low, high", ACTIVATION_ENDS)
def test_an_activation_ends_at_this_code(activation, step, zero, kernel, low, high):
    tflite = one_by_one_pool(activation, step, zero)
    x = np.arange(-128, 128).astype(np.int8).reshape(1, 16, 16, 1)
    for y in (computed(tflite, x, kernel=kernel), litert(tflite, x, kernel=kernel)):
        assert (y.min(), y.max()) == (low, high)
        np.testing.assert_array_equal(y, x.clip(low, high))


def cancelling(operator, k, rng, channels=24):
    """Sums of k large products that cancel but for a few units, and the exact sums. One unit is one code."""
    half = (k - 8) // 2
    order = np.concatenate([np.arange(half), half + rng.permutation(half), 2 * half + np.arange(8)])
    x = np.concatenate([np.tile(rng.integers(180, 256, half), 2), np.ones(8, int)])[order]
    w = rng.integers(100, 128, (channels, half))
    w = np.hstack([w, -w, rng.integers(-9, 10, (channels, 8))])[:, order]
    bias = rng.integers(-50, 50, channels)
    shapes, table, options = [(1, k), (channels, k), (1, channels)], "FullyConnectedOptions", {}
    if operator == "CONV_2D":
        shapes, table = [(1, 1, 1, k), (channels, 1, 1, k), (1, 1, 1, channels)], "Conv2DOptions"
        options = dict(strideH=1, strideW=1, padding=1, dilationHFactor=1, dilationWFactor=1)
    inputs = [
        dict(shape=shapes[0], scale=0.5, zero_point=-128),
        dict(shape=shapes[1], scale=0.5, data=w),
        dict(shape=(channels,), dtype="int32", scale=0.25, data=bias),
    ]
    tflite = one_operator(operator, inputs, dict(shape=shapes[2], scale=0.25), table, 3, **options)
    return tflite, (x - 128).astype(np.int8).reshape(shapes[0]), x, w, bias


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("operator", ["FULLY_CONNECTED", "CONV_2D"])
def test_sums_far_beyond_2_to_the_24_are_exact(operator, kernel):
    rng = np.random.default_rng(0)
    for k in (520, 1040, 2500, 9000, 30_000):
        tflite, codes, x, w, bias = cancelling(operator, k, rng)
        ours, theirs = (f(tflite, codes, kernel=kernel).ravel() for f in (computed, litert))
        np.testing.assert_array_equal(ours, x @ w.T + bias)
        np.testing.assert_array_equal(ours, theirs)
    in_one_sum = np.float32(x) @ np.float32(w).T + bias
    assert np.abs(x * w).sum(axis=1).max() > 2**29 and (in_one_sum != ours).any()  # it takes a split


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("total", [100, 127, 127.9, 128.2, 128.4, 129, 300])
def test_an_addition_whose_sum_leaves_int16_is_refused_and_any_other_as_litert_has_it(total, kernel):
    # LiteRT's optimized kernel keeps the sum in int16 and adds the zero point to it there, which may wrap around.
    codes, refused = np.array([[-128, 127, 0, 126] * 8], np.int8), []
    for zero in (-128, 127):
        x, out = (dict(shape=(1, 32), scale=s, zero_point=z) for s, z in ((total / 2, -zero - 1), (1, zero)))
        tflite = one_operator("ADD", [x, x], out, "AddOptions", 2)
        try:
            ours = computed(tflite, codes, codes, kernel=kernel)
        except ValueError as error:
            refused.append("int16" in str(error))
        else:
            np.testing.assert_array_equal(ours, litert(tflite, codes, codes, kernel=kernel))
    assert refused == ([] if total < 128 else refused if total < 129 else [True, True])


@pytest.mark.parametrize("kernel", KERNELS)
def test_reals_beyond_int32_saturate_without_a_warning(kernel, recwarn):
    # LiteRT's reference and optimized kernels wrap around there, which C++ leaves undefined; XNNPACK saturates.
    x = np.float32([[np.inf, -np.inf, 3e38, -3e38, 2**33, -(2**33), 0, -0.0]])
    for step, zero in ((0.01, 5), (2**-12, -128), (7, 127)):
        out = dict(shape=x.shape, scale=step, zero_point=zero)
        tflite = one_operator("QUANTIZE", [dict(shape=x.shape, dtype="float32")], out, "QuantizeOptions")
        ours = computed(tflite, x, kernel=kernel)
        assert ours.tolist() == [[127, -128, 127, -128, 127, -128, zero, zero]]
        np.testing.assert_array_equal(ours, litert(tflite, x, kernel="xnnpack"))
    assert not recwarn.list


def test_flattening_through_a_computed_shape_follows_the_batch():
    # SHAPE, STRIDED_SLICE and PACK, as a converter writes a Flatten: [number of images, 6]
    file = File()
    step = dict(scale=0.5, zero_point=3)
    x, shape = file.tensor((1, 2, 3), **step), file.tensor((3,), "int32")
    ends = [file.tensor((1,), "int32", data=[i]) for i in (0, 1, 1)]
    n, row, wanted = file.tensor((), "int32"), file.tensor((), "int32", data=6), file.tensor((2,), "int32")
    y = file.tensor((1, 6), **step)
    file.operator("SHAPE", [x], [shape], "ShapeOptions", outType=2)
    file.operator("STRIDED_SLICE", [shape, *ends], [n], "StridedSliceOptions", shrinkAxisMask=1)
    file.operator("PACK", [n, row], [wanted], "PackOptions", 2, valuesCount=2)
    file.operator("RESHAPE", [x, wanted], [y], "ReshapeOptions")
    model = IntegerModel.from_tflite(file.bytes([x], [y]))
    images = codes(np.random.default_rng(0), (5, 2, 3))
    for kernel in KERNELS:
        np.testing.assert_array_equal(model.predict(images, kernel=kernel), images.reshape(5, 6))
        np.testing.assert_array_equal(deploy.run(file.bytes([x], [y]), images, kernel=kernel), images.reshape(5, 6))


def test_every_operator_of_the_engine_is_tested_here():
    operators = {read(files(name)[0][0][0]).operators[0].name for name in CASES}
    assert operators | {"SHAPE", "STRIDED_SLICE", "PACK"} == set(OPERATORS)
