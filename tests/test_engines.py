"""qlib against two engines that know nothing of it: ONNX Runtime and TensorFlow, value for value."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from qlib.affine import QParams, choose_qparams, dequantize, fake_quantize, qrange, quantize
from qlib.mnist import import_tensorflow

FLOAT_MAX, TINY = np.finfo(np.float32).max, np.finfo(np.float32).tiny
SPECIAL = np.float32([0, -0.0, np.inf, -np.inf, FLOAT_MAX, -FLOAT_MAX, TINY, -TINY, 1e-45, -1e-45])


def float32(values):
    with np.errstate(over="ignore"):  # what lies beyond float32 becomes ±inf
        return np.asarray(values).astype(np.float32)


def awkward_values(rng, scale, qmin, qmax, n):
    """About n float32 values, none NaN: any bit pattern, heavy tails, ties and their neighbours, both ends, denormals.

    qmin and qmax count steps from the real 0.
    """
    bit_patterns = rng.integers(0, 2**32, n // 4, np.uint32).view(np.float32)
    steps = rng.integers(qmin - 3, qmax + 4, n // 8)
    ties = float32((steps + 0.5) * float(scale))
    ends = float32(rng.choice([qmin - 0.5, qmin, qmax, qmax + 0.5], n // 16) * float(scale))
    near = [np.nextafter(v, float32(side)) for v in (ties, ends) for side in (-np.inf, np.inf)]
    tails = [rng.standard_t(2, n // 8), rng.standard_cauchy(n // 8)]
    tails = [float32(tail * float(scale) * max(-qmin, qmax) / 4) for tail in tails]
    denormals = rng.integers(0, 2**23, n // 16, np.uint32).view(np.float32)
    values = np.concatenate([bit_patterns, ties, ends, *near, *tails, denormals, -denormals, SPECIAL])
    return values[~np.isnan(values)]


def assert_same_bits(left, right):
    assert left.dtype == right.dtype == np.float32
    np.testing.assert_array_equal(left.view(np.uint32), right.view(np.uint32))


# ------------------------------------------------------------- ONNX Runtime

ONNX_CODES = {  # name: (type of the codes, the type that carries them in and out, qmin, qmax)
    "int8": (TensorProto.INT8, TensorProto.INT8, -128, 127),
    "uint8": (TensorProto.UINT8, TensorProto.UINT8, 0, 255),
    "int16": (TensorProto.INT16, TensorProto.INT16, -32768, 32767),
    "uint16": (TensorProto.UINT16, TensorProto.UINT16, 0, 65535),
    "int4": (TensorProto.INT4, TensorProto.INT8, -8, 7),
    "uint4": (TensorProto.UINT4, TensorProto.UINT8, 0, 15),
}


def onnx_run(operator, name, qparams, values):
    """QuantizeLinear or DequantizeLinear of opset 21. Four-bit codes, which NumPy lacks, are cast to and from bytes."""
    code, carrier = ONNX_CODES[name][:2]
    shape = np.shape(qparams.scale)
    constants = [
        helper.make_tensor("scale", TensorProto.FLOAT, shape, np.ravel(qparams.scale)),
        helper.make_tensor("zero_point", code, shape, np.ravel(qparams.zero_point)),
    ]
    axis = {} if qparams.axis is None else {"axis": qparams.axis}
    if operator == "QuantizeLinear":
        types = TensorProto.FLOAT, carrier
        nodes = [
            helper.make_node(operator, ["in", "scale", "zero_point"], ["codes"], **axis),
            helper.make_node("Cast", ["codes"], ["out"], to=carrier),
        ]
    else:
        types = carrier, TensorProto.FLOAT
        nodes = [
            helper.make_node("Cast", ["in"], ["codes"], to=code),
            helper.make_node(operator, ["codes", "scale", "zero_point"], ["out"], **axis),
        ]
    ports = [helper.make_tensor_value_info(port, kind, None) for port, kind in zip(("in", "out"), types, strict=True)]
    graph = helper.make_graph(nodes, "one operator", ports[:1], ports[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"in": values})[0]


def scales(rng):
    """Random ones over 12 decades, powers of two, familiar ones, and float32's ends: denormal, almost maximum."""
    return float32([*10 ** rng.uniform(-6, 6, 4), 2.0**-7, 1, 2.0**20, 0.1, 1 / 127, 1 / 255, TINY, 1e-42, 1e38])


def zero_points(qmin, qmax):
    return sorted({qmin, qmin + 1, min(max(0, qmin), qmax), (qmin + qmax) // 2, qmax})


@pytest.mark.parametrize("name", ONNX_CODES)
def test_onnx_runtime_per_tensor(name):
    rng = np.random.default_rng(0)
    qmin, qmax = ONNX_CODES[name][2:]
    total = 0
    for scale in scales(rng):
        for zero_point in zero_points(qmin, qmax):
            qparams = QParams(scale, zero_point, qmin, qmax)
            x = awkward_values(rng, scale, qmin - zero_point, qmax - zero_point, 80_000)
            codes = onnx_run("QuantizeLinear", name, qparams, x)
            np.testing.assert_array_equal(quantize(x, qparams), codes)
            assert_same_bits(dequantize(codes, qparams), onnx_run("DequantizeLinear", name, qparams, codes))
            assert codes.min() == qmin and codes.max() == qmax  # both ends were reached
            total += x.size
    assert total >= 4_000_000


def per_channel_case(name, axis):
    """Qparams for each of the scales and 20,000 values at home in each channel."""
    rng = np.random.default_rng(1)
    qmin, qmax = ONNX_CODES[name][2:]
    scale = scales(rng)
    zero_point = rng.integers(qmin, qmax + 1, scale.size)
    pairs = zip(scale, zero_point, strict=True)
    channels = [rng.permutation(awkward_values(rng, s, qmin - z, qmax - z, 24_000))[:20_000] for s, z in pairs]
    x = np.ascontiguousarray(np.moveaxis(np.reshape(channels, (-1, 100, 200)), 0, axis))
    return x, QParams(scale, zero_point, qmin, qmax, axis=axis)


FOUR_BITS_ON_THE_LAST_AXIS = [("int4", -1), ("uint4", -1)]
OTHERS = [(name, axis) for name in ONNX_CODES for axis in (0, 1, -1) if (name, axis) not in FOUR_BITS_ON_THE_LAST_AXIS]


@pytest.mark.parametrize("name, axis", OTHERS)
def test_onnx_runtime_per_channel(name, axis):
    x, qparams = per_channel_case(name, axis)
    codes = onnx_run("QuantizeLinear", name, qparams, x)
    np.testing.assert_array_equal(quantize(x, qparams), codes)
    assert_same_bits(dequantize(codes, qparams), onnx_run("DequantizeLinear", name, qparams, codes))
    assert x.size >= 250_000


@pytest.mark.parametrize("name, axis", FOUR_BITS_ON_THE_LAST_AXIS)
def test_onnx_runtime_wraps_four_bit_codes_on_the_last_axis_beyond_int32_and_qlib_saturates(name, axis):
    # One kernel of ONNX Runtime 1.31 casts the rounded quotient to int32 before it clips, so that from 2^31 steps on
    # large values land at the wrong end. Below, all is equal; beyond, the same cast in NumPy predicts its codes.
    x, qparams = per_channel_case(name, axis)
    codes, theirs = quantize(x, qparams), onnx_run("QuantizeLinear", name, qparams, x)
    with np.errstate(over="ignore", invalid="ignore"):
        quotient = np.rint(x / qparams.scale)
        wrapped = np.clip(quotient.astype(np.int32) + qparams.zero_point, qparams.qmin, qparams.qmax)
    fits = np.abs(quotient) < 2.0**31
    assert np.count_nonzero(fits) >= 150_000
    np.testing.assert_array_equal(codes[fits], theirs[fits])
    np.testing.assert_array_equal(wrapped, theirs)
    assert (codes[~fits] == np.where(x[~fits] > 0, qparams.qmax, qparams.qmin)).all()
    assert (codes != theirs).any()
    bits = onnx_run("DequantizeLinear", name, qparams, codes.astype(theirs.dtype))
    assert_same_bits(dequantize(codes, qparams), bits)


@pytest.mark.parametrize("name", ONNX_CODES)
def test_onnx_runtime_dequantizes_every_code_alike(name):
    qmin, qmax = ONNX_CODES[name][2:]
    codes = np.arange(qmin, qmax + 1).astype(quantize(0, QParams(1, qmin, qmin, qmax)).dtype)
    codes = codes.astype(helper.tensor_dtype_to_np_dtype(ONNX_CODES[name][1]))
    for scale in scales(np.random.default_rng(2)):
        for zero_point in zero_points(qmin, qmax):
            qparams = QParams(scale, zero_point, qmin, qmax)
            assert_same_bits(dequantize(codes, qparams), onnx_run("DequantizeLinear", name, qparams, codes))


# --------------------------------------------------------------- TensorFlow

SCHEMES = [
    *[(num_bits, True, narrow) for num_bits in (2, 3, 4, 7, 8, 12, 16) for narrow in (False, True)],
    *[(num_bits, False, False) for num_bits in (1, 2, 3, 4, 7, 8, 12, 16)],
]


def tensorflow_run(x, threshold, num_bits, signed, narrow_range, axis=None):
    """quantize_and_dequantize_v2 with the range [-threshold, threshold], or [0, threshold] for unsigned codes.

    It computes rint(x * (qmax / threshold)) * (threshold / qmax): it multiplies by the inverse scale, qlib divides.
    """
    tf = import_tensorflow()
    low = -threshold if signed else np.zeros_like(threshold)
    options = dict(num_bits=num_bits, signed_input=signed, range_given=True, narrow_range=narrow_range)
    if axis is None:
        operator, options["round_mode"] = tf.quantization.quantize_and_dequantize_v2, "HALF_TO_EVEN"
    else:  # v2 has an axis, but refuses a vector as its range ("input_min must be a scalar"); its sibling V3 takes one
        operator, options["axis"] = tf.raw_ops.QuantizeAndDequantizeV3, axis
    return np.asarray(operator(input=tf.constant(x), input_min=low, input_max=threshold, **options))


def symmetric_qparams(threshold, num_bits, signed, narrow_range, axis=None):
    low = -threshold if signed else np.zeros_like(threshold)
    options = dict(num_bits=num_bits, symmetric=True, signed=signed, narrow_range=narrow_range, axis=axis)
    return choose_qparams(low, threshold, **options)


def test_tensorflow_per_tensor_where_the_scale_is_a_power_of_two():
    # Then 1 / scale is a power of two as well, and multiplying by it is as exact as dividing.
    rng = np.random.default_rng(3)
    total = 0
    for scheme in SCHEMES:
        qmin, qmax = qrange(scheme[0], signed=scheme[1], narrow_range=scheme[2])
        for step in (2.0**-20, 2.0**-7, 1.0, 2.0**9, 2.0**100):
            threshold = np.float32(qmax * step)
            x = awkward_values(rng, step, qmin, qmax, 40_000)
            qparams = symmetric_qparams(threshold, *scheme)
            assert qparams.scale == step
            np.testing.assert_array_equal(fake_quantize(x, qparams), tensorflow_run(x, threshold, *scheme))
            total += x.size
    assert total >= 4_000_000


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_tensorflow_per_channel_where_the_scale_is_a_power_of_two(axis):
    rng = np.random.default_rng(4)
    steps = np.float32(2.0 ** np.arange(-12, 13, 3))
    total = 0
    for scheme in SCHEMES:
        qmin, qmax = qrange(scheme[0], signed=scheme[1], narrow_range=scheme[2])
        channels = [rng.permutation(awkward_values(rng, step, qmin, qmax, 6_000))[:5_000] for step in steps]
        x = np.ascontiguousarray(np.moveaxis(np.reshape(channels, (-1, 50, 100)), 0, axis))
        threshold = qmax * steps
        qparams = symmetric_qparams(threshold, *scheme, axis=axis)
        np.testing.assert_array_equal(fake_quantize(x, qparams), tensorflow_run(x, threshold, *scheme, axis=axis))
        total += x.size
    assert total >= 900_000


def test_tensorflow_differs_by_one_step_next_to_ties_and_nowhere_else():
    # Rounded to float32, relative error u = 2^-24 each: qlib's scale and quotient, TensorFlow's inverse scale and
    # product. The two quotients are at most 4u apart, and where they round differently a tie lies between them. So x is
    # within (4 + 1)u |x| of that tie, (k + 1/2) * scale, which is at most five float32 ulps of x.
    rng = np.random.default_rng(5)
    total = differing = 0
    for scheme in SCHEMES:
        qmin, qmax = qrange(scheme[0], signed=scheme[1], narrow_range=scheme[2])
        for step in (0.0123, 1 / 127, 0.1, 3.0, *10 ** rng.uniform(-6, 6, 4)):
            threshold = np.float32(qmax * step)
            qparams = symmetric_qparams(threshold, *scheme)
            scale = float(qparams.scale)
            x = awkward_values(rng, scale, qmin, qmax, 24_000)
            ours, theirs = fake_quantize(x, qparams), tensorflow_run(x, threshold, *scheme)
            differ = ours != theirs
            x, steps, their_steps = (np.float64(v[differ]) for v in (x, ours / scale, theirs / scale))
            steps, their_steps = np.rint(steps), np.rint(their_steps)
            np.testing.assert_array_equal(np.abs(steps - their_steps), 1)
            tie = (steps + their_steps) / 2 * scale
            assert (np.abs(x - tie) <= 5 * np.spacing(np.abs(np.float32(x)))).all()
            total, differing = total + differ.size, differing + x.size
    assert total >= 4_000_000
    assert differing >= 10_000  # the two do differ: dividing is not multiplying by the inverse


def test_tensorflow_flushes_denormals_to_zero_and_qlib_keeps_them():
    # Three quarters of the smallest normal float32, at a scale of that number: rint(0.75) = 1.
    x = np.float32([0.75 * TINY, -0.75 * TINY, TINY, -TINY])
    threshold = np.float32(127 * TINY)
    assert fake_quantize(x, symmetric_qparams(threshold, 8, True, False)).tolist() == [TINY, -TINY, TINY, -TINY]
    assert tensorflow_run(x, threshold, 8, True, False).tolist() == [0, 0, TINY, -TINY]


def test_tensorflow_saturates_infinity_and_the_largest_float_as_qlib_does():
    x = np.float32([np.inf, -np.inf, FLOAT_MAX, -FLOAT_MAX])
    threshold = np.float32(127)
    for x_hat in (
        fake_quantize(x, symmetric_qparams(threshold, 8, True, False)),
        tensorflow_run(x, threshold, 8, True, False),
    ):
        assert x_hat.tolist() == [127, -128, 127, -128]


def test_tensorflow_ignores_narrow_range_for_unsigned_codes_and_qlib_drops_the_code_0():
    x, threshold = np.float32([0, 1, 254, 255]), np.float32(255)
    assert tensorflow_run(x, threshold, 8, False, True).tolist() == [0, 1, 254, 255]
    # qlib: codes 1 … 255 are 254 steps, of which the lowest stands for 0
    qparams = choose_qparams(0, 254, signed=False, narrow_range=True)
    assert fake_quantize(x, qparams).tolist() == [0, 1, 254, 254]
