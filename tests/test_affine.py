"""qlib.affine: tables worked out by hand, then properties that hold for every quantizer."""

from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qlib.affine import QParams, choose_qparams, dequantize, fake_quantize, qrange, quantize

INT8 = (-128, 127)
TINY = 2.0**-126  # the smallest normal float32
FLOAT_MAX = np.finfo(np.float32).max


# ------------------------------------------------------------------ qrange


@pytest.mark.parametrize(
    "num_bits, signed, narrow_range, expected",
    [
        (2, True, False, (-2, 1)),
        (2, True, True, (-1, 1)),
        (3, True, False, (-4, 3)),
        (4, True, False, (-8, 7)),
        (4, True, True, (-7, 7)),
        (8, True, False, (-128, 127)),
        (8, True, True, (-127, 127)),
        (9, True, False, (-256, 255)),
        (16, True, False, (-32768, 32767)),
        (16, True, True, (-32767, 32767)),
        (1, False, False, (0, 1)),
        (2, False, False, (0, 3)),
        (2, False, True, (1, 3)),
        (4, False, False, (0, 15)),
        (8, False, False, (0, 255)),
        (8, False, True, (1, 255)),
        (16, False, False, (0, 65535)),
        (16, False, True, (1, 65535)),
    ],
)
def test_qrange(num_bits, signed, narrow_range, expected):
    assert qrange(num_bits, signed=signed, narrow_range=narrow_range) == expected


def test_qrange_takes_a_numpy_integer_and_returns_python_integers():
    ends = qrange(np.int64(8))
    assert ends == INT8 and [type(end) for end in ends] == [int, int]


# ---------------------------------------------------------- choose_qparams

UNSIGNED, SYMMETRIC, NARROW = {"signed": False}, {"symmetric": True}, {"narrow_range": True}


@pytest.mark.parametrize(
    "rmin, rmax, options, scale, zero_point",
    [
        # affine: scale = (rmax - rmin) / (qmax - qmin), zero_point = rint(qmin - rmin / scale)
        (-1, 3, {}, 4 / 255, -64),  # -128 + 63.75 = -64.25
        (-1, 3, UNSIGNED, 4 / 255, 64),  # 0 + 63.75
        (-1, 1, NARROW, 2 / 254, 0),  # -127 + 127
        (0, 254, UNSIGNED | NARROW, 1, 1),  # 254 steps between the codes 1 … 255
        (0, 65.535, {"num_bits": 16}, 0.001, -32768),
        (0, 65.535, UNSIGNED | {"num_bits": 16}, 0.001, 0),
        (-1, 2, {"num_bits": 2}, 1, -1),  # codes -2 … 1 are -1, 0, 1, 2
        (-1, 3, UNSIGNED | {"num_bits": 1}, 4, 0),  # rint(0.25): the codes are 0 and 4
        (-5, 0, UNSIGNED | {"num_bits": 1}, 5, 1),  # the codes are -5 and 0
        # the zero point rounds half to even
        (-0.5, 254.5, UNSIGNED, 1, 0),
        (-1.5, 253.5, UNSIGNED, 1, 2),
        # a range without 0 is extended to 0
        (2, 6, UNSIGNED, 6 / 255, 0),
        (2, 6, {}, 6 / 255, -128),
        (-6, -2, {}, 6 / 255, 127),
        (2, 6, SYMMETRIC, 6 / 127, 0),
        (-6, -2, SYMMETRIC, 6 / 127, 0),
        # symmetric: scale = max(|rmin|, |rmax|) / qmax, zero_point = 0
        (-1, 3, SYMMETRIC, 3 / 127, 0),
        (-3, 1, SYMMETRIC, 3 / 127, 0),
        (-3, 1, SYMMETRIC | NARROW, 3 / 127, 0),
        (0, 2.55, SYMMETRIC | UNSIGNED, 0.01, 0),
        (-32.767, 1, SYMMETRIC | {"num_bits": 16}, 0.001, 0),
        (-7, 3, SYMMETRIC | {"num_bits": 4}, 1, 0),
        (-2, 1, SYMMETRIC | {"num_bits": 2}, 2, 0),
        (0, 5, SYMMETRIC | UNSIGNED | {"num_bits": 1}, 5, 0),
        # all zero: scale 1, and the code 0 where there is one
        (0, 0, {}, 1, 0),
        (0, 0, UNSIGNED, 1, 0),
        (0, 0, SYMMETRIC, 1, 0),
        (0, 0, UNSIGNED | NARROW, 1, 1),
        # a scale below float32's smallest normal number is raised to it
        (0, 1e-40, {}, TINY, -128),
        (-1e-40, 1e-40, SYMMETRIC, TINY, 0),
        (-1e-300, 1e-300, SYMMETRIC, TINY, 0),
        (0, 255 * TINY, UNSIGNED, TINY, 0),  # exactly there: nothing to raise
        # the width of the range doesn't fit in float32, the scale does: (2^128 + 2^128) / 256 - a little
        (-FLOAT_MAX, FLOAT_MAX, {}, 2 * float(FLOAT_MAX) / 255, 0),  # rint(-0.5) = -0
    ],
)
def test_choose_qparams(rmin, rmax, options, scale, zero_point):
    qparams = choose_qparams(rmin, rmax, **options)
    assert (qparams.scale, qparams.zero_point) == (np.float32(scale), zero_point)
    ends = {name: value for name, value in options.items() if name != "symmetric"}
    assert (qparams.qmin, qparams.qmax) == qrange(**({"num_bits": 8} | ends))
    assert qparams.scale.dtype == np.float32 and isinstance(qparams.zero_point, int) and qparams.axis is None


def test_choose_qparams_per_channel():
    # channel 0: 3 steps of 1 from -1; channel 1: extended to [0, 6]; channel 2: all zero
    qparams = choose_qparams([-1.0, 2.0, 0.0], [2.0, 6.0, 0.0], num_bits=2, axis=1)
    np.testing.assert_array_equal(qparams.scale, np.float32([1, 2, 1]))
    np.testing.assert_array_equal(qparams.zero_point, [-1, -2, 0])
    assert qparams.axis == 1 and qparams.scale.dtype == np.float32 and qparams.zero_point.dtype == np.int32


def test_choose_qparams_symmetric_per_channel():
    qparams = choose_qparams([-7.0, -1.0], [3.0, 14.0], num_bits=4, symmetric=True, axis=0)
    np.testing.assert_array_equal(qparams.scale, np.float32([1, 2]))
    np.testing.assert_array_equal(qparams.zero_point, [0, 0])


# ----------------------------------------------- quantize and dequantize


@pytest.mark.parametrize(
    "x, qparams, codes",
    [
        # ties go to the even quotient
        ([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5], QParams(1, 0, *INT8), [-2, -2, 0, 0, 2, 2, 4]),
        # … and the zero point is added after the rounding: 0.5 + 1 would round to 2
        ([-1.5, -0.5, 0.5, 1.5, 2.5], QParams(1, 1, *INT8), [-1, 1, 1, 3, 3]),
        ([0.24, 0.26, -0.74, -0.76], QParams(0.5, 0, *INT8), [0, 1, -1, -2]),
        # saturation at both ends
        ([-4.5, -4.6, 3.4, 3.6, 99, -99], QParams(1, 0, -4, 3), [-4, -4, 3, 3, 3, -4]),
        ([-1, 0, 255, 256, 300], QParams(1, 0, 0, 255), [0, 0, 255, 255, 255]),
        ([np.inf, -np.inf, FLOAT_MAX, -FLOAT_MAX], QParams(1, 5, *INT8), [127, -128, 127, -128]),
        # the quotient itself overflows float32
        ([FLOAT_MAX, -FLOAT_MAX, 0], QParams(TINY, 5, *INT8), [127, -128, 5]),
        ([1e300, -1e300], QParams(1, 0, *INT8), [127, -128]),
        # clipped before the cast: 6.1 / (6 / 127) = 129.1, which a bare cast to int8 turns into 129 - 256 = -127
        ([6.1, -6.1], QParams(6 / 127, 0, *INT8), [127, -128]),
        # 65536 + 1 is 1 in uint16
        ([65536.6], QParams(1, 0, 0, 65535), [65535]),
        # narrow ranges drop the lowest code
        ([-128, -127, 127], QParams(1, 0, -127, 127), [-127, -127, 127]),
        # two bits, one bit
        ([-3, -1, 0, 0.4, 0.6, 9], QParams(1, -1, -2, 1), [-2, -2, -1, -1, 0, 1]),
        ([-1, 2, 3, 9], QParams(5, 0, 0, 1), [0, 0, 1, 1]),
        # integers are numbers too
        (np.array([-300, 7], np.int64), QParams(1, 0, *INT8), [-128, 7]),
    ],
)
def test_quantize(x, qparams, codes):
    np.testing.assert_array_equal(quantize(x, qparams), codes)


def test_dequantize():
    # 0.5 * (q + 4)
    np.testing.assert_array_equal(dequantize([-4, -3, 0, 3], QParams(0.5, -4, -4, 3)), [0, 0.5, 2, 3.5])


def test_dequantize_takes_the_full_width_of_unsigned_codes():
    # In uint8 the difference 0 - 255 would wrap to 1.
    codes = np.array([0, 255], np.uint8)
    np.testing.assert_array_equal(dequantize(codes, QParams(2, 255, 0, 255)), [-510, 0])


def test_fake_quantize():
    x = [-9.0, -0.3, 0.0, 0.24, 0.26, 99.0]
    np.testing.assert_array_equal(fake_quantize(x, QParams(0.5, 0, -4, 3)), [-2, -0.5, 0, 0, 0.5, 1.5])


def test_per_channel_scales_follow_their_axis():
    x = np.array([[1.0, 1.0, 9.0], [-1.0, 5.0, 9.0]])
    rows = QParams([1.0, 0.5], [0, 1], -8, 7, axis=0)
    columns = QParams([1.0, 0.5, 2.0], [0, 1, 2], -8, 7, axis=1)
    np.testing.assert_array_equal(quantize(x, rows), [[1, 1, 7], [-1, 7, 7]])
    np.testing.assert_array_equal(quantize(x, columns), [[1, 3, 6], [-1, 7, 6]])  # 4.5 -> 4, + 2
    np.testing.assert_array_equal(fake_quantize(x, columns), [[1, 1, 8], [-1, 3, 8]])
    np.testing.assert_array_equal(dequantize([[1], [3]], rows), [[1], [1]])
    last = QParams([1.0, 0.5, 2.0], [0, 1, 2], -8, 7, axis=-1)
    np.testing.assert_array_equal(quantize(x, last), quantize(x, columns))


def test_quantize_divides_and_does_not_multiply_by_the_inverse():
    scale = np.float32(0.0123)
    ties = ((np.arange(127) + 0.5) * float(scale)).astype(np.float32)
    x = np.sort(np.r_[ties, np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(9))])
    divided, multiplied = np.rint(x / scale), np.rint(x * (np.float32(1) / scale))
    flipped = divided != multiplied
    assert flipped.any()
    codes = quantize(x, QParams(scale, 0, *INT8))
    np.testing.assert_array_equal(codes, divided)
    # Exact fractions as the referee: somewhere the division is right and the multiplication wrong.
    exact = np.array([round(Fraction(float(v)) / Fraction(float(scale))) for v in x])
    assert ((codes == exact) & flipped).any()


@pytest.mark.parametrize(
    "qmin, qmax, dtype",
    [
        (-128, 127, np.int8),
        (-8, 7, np.int8),
        (0, 255, np.uint8),
        (0, 128, np.uint8),
        (1, 255, np.uint8),
        (-1, 128, np.int16),
        (-32768, 32767, np.int16),
        (0, 15, np.uint8),
        (0, 256, np.uint16),
        (-4, 256, np.int16),
        (0, 65535, np.uint16),
        (-1, 65535, np.int32),
    ],
)
def test_codes_have_the_smallest_dtype(qmin, qmax, dtype):
    qparams = QParams(1, 0 if qmin <= 0 else qmin, qmin, qmax)
    codes = quantize([-1e9, 1e9], qparams)
    assert codes.dtype == dtype and codes.tolist() == [qmin, qmax]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint64])
def test_reals_are_float32_whatever_comes_in(dtype):
    x = np.array([0, 1, 3], dtype)
    for qparams in (QParams(np.float64(0.5), 0, *INT8), QParams([0.5, 0.5, 0.5], [0, 0, 0], *INT8, axis=0)):
        x_hat = fake_quantize(x, qparams)
        assert x_hat.dtype == np.float32 and x_hat.tolist() == [0, 1, 3]
        assert dequantize(quantize(x, qparams), qparams).dtype == np.float32


def test_a_float64_is_rounded_to_float32_before_it_is_divided():
    # 0.5 + 2^-30 lies above the tie in float64 and on it in float32, where it goes to the even 0.
    assert quantize(0.5 + 2.0**-30, QParams(1, 0, *INT8)) == 0


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2, 2)])
def test_empty_input_gives_empty_output(shape):
    qparams = QParams(1, 0, *INT8)
    codes = quantize(np.empty(shape), qparams)
    assert codes.shape == shape and codes.dtype == np.int8
    assert dequantize(codes, qparams).shape == shape
    assert fake_quantize(np.empty(shape, np.float32), qparams).dtype == np.float32


def test_a_scalar_gives_a_scalar():
    qparams = QParams(0.5, 1, *INT8)
    assert np.shape(quantize(3.0, qparams)) == () and quantize(3.0, qparams) == 7
    assert np.shape(dequantize(7, qparams)) == () and dequantize(7, qparams) == 3.0
    assert fake_quantize(np.float32(3.2), qparams) == 3.0


# ------------------------------------------------------------------ QParams


def test_qparams_are_frozen():
    qparams = QParams([1.0, 2.0], [0, 1], *INT8, axis=0)
    with pytest.raises(FrozenInstanceError):
        qparams.qmin = 0
    for array in (qparams.scale, qparams.zero_point):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_qparams_are_equal_when_every_part_is():
    qparams = QParams([1.0, 2.0], [0, 1], *INT8, axis=0)
    assert qparams == QParams(np.array([1.0, 2.0]), np.array([0, 1], np.int8), *INT8, axis=0)
    for other in (
        QParams([1.0, 3.0], [0, 1], *INT8, axis=0),
        QParams([1.0, 2.0], [0, 2], *INT8, axis=0),
        QParams([1.0, 2.0], [0, 1], -127, 127, axis=0),
        QParams([1.0, 2.0], [0, 1], -128, 126, axis=0),
        QParams([1.0, 2.0], [0, 1], *INT8, axis=1),
        QParams(1.0, 0, *INT8),
        "QParams",
    ):
        assert qparams != other


def test_qparams_have_no_hash_because_they_may_hold_arrays():
    with pytest.raises(TypeError, match="unhashable"):
        hash(QParams(1.0, 0, *INT8))


def test_a_later_change_of_the_callers_arrays_does_not_reach_qparams():
    scale, zero_point = np.float32([1, 2]), np.int32([0, 1])
    qparams = QParams(scale, zero_point, *INT8, axis=0)
    scale[0], zero_point[0] = 99, 99
    assert qparams == QParams([1.0, 2.0], [0, 1], *INT8, axis=0)
    scale[1] = 7  # the caller's own array stays writeable
    assert scale[1] == 7


def test_a_slice_of_a_larger_array_is_not_written_to():
    whole = np.linspace(-9, 9, 24, dtype=np.float32).reshape(4, 6)
    before = whole.copy()
    fake_quantize(whole[::2, 1:4], QParams([1.0, 0.5, 2.0], [0, 1, 2], -4, 3, axis=1))
    np.testing.assert_array_equal(whole, before)


# ------------------------------------------------------- properties for all x

prop = settings(deadline=None, max_examples=300, derandomize=True)
floats32 = st.floats(width=32, allow_nan=False)
moderate = st.floats(-(2.0**60), 2.0**60, width=32)
arrays = hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=6), elements=floats32)


@st.composite
def code_options(draw):
    """num_bits, signed, narrow_range for qrange."""
    signed = draw(st.booleans())
    num_bits = draw(st.integers(2 if signed else 1, 16))
    return dict(num_bits=num_bits, signed=signed, narrow_range=num_bits > 1 and draw(st.booleans()))


@st.composite
def any_qparams(draw):
    """Any per-tensor quantizer whose x_hat don't overflow: scale * 65535 < float32's maximum."""
    qmin, qmax = qrange(**draw(code_options()))
    scale = draw(st.floats(2.0**-100, 2.0**100, width=32) | st.sampled_from([1.0, 2.0**-7, 1 / 127, 0.1, TINY]))
    return QParams(scale, draw(st.integers(qmin, qmax)), qmin, qmax)


@st.composite
def qparams_and_x(draw):
    """A quantizer and values at home in it: near its codes, near its ties, around its ends, and anywhere."""
    qparams = draw(any_qparams())
    steps = st.integers(qparams.qmin - 3, qparams.qmax + 3).map(lambda code: code - qparams.zero_point)
    offsets = st.sampled_from([0.0, 0.5, -0.5]) | st.floats(-0.5, 0.5)
    nearby = st.builds(lambda step, offset: np.float32(float(qparams.scale) * (step + offset)), steps, offsets)
    x = draw(st.lists(nearby | floats32, min_size=1, max_size=40))
    return qparams, np.array(x, np.float32)


def ends(qparams):
    """The lowest and highest real value, exact: a float32 times an integer of 17 bits fits in float64."""
    return [float(qparams.scale) * (code - qparams.zero_point) for code in (qparams.qmin, qparams.qmax)]


@prop
@given(qparams=any_qparams())
def test_zero_is_exact(qparams):
    assert quantize(0.0, qparams) == qparams.zero_point
    assert fake_quantize([0.0, -0.0], qparams).tolist() == [0, 0]


@prop
@given(case=qparams_and_x())
def test_inside_the_range_the_error_is_at_most_half_a_step(case):
    # The quotient x / scale and the product scale * (q - zero_point) are each rounded to float32, relative error
    # 2^-24. In units of x that adds |x| 2^-24 and |x_hat| 2^-24 to the half step. Everything else is exact: rint, the
    # zero point (sums below 2^24), and the float64 arithmetic of this test up to 2^-52.
    qparams, x = case
    low, high = ends(qparams)
    inside = x[(x >= low) & (x <= high)].astype(np.float64)
    x_hat = fake_quantize(inside, qparams).astype(np.float64)
    allowed = float(qparams.scale) / 2 + (np.abs(inside) + np.abs(x_hat)) * 2.0**-24
    assert (np.abs(inside - x_hat) <= allowed * (1 + 2.0**-50)).all()


@prop
@given(case=qparams_and_x())
def test_quantize_is_monotone(case):
    qparams, x = case
    codes = quantize(np.sort(x), qparams).astype(np.int64)
    assert (np.diff(codes) >= 0).all()


@prop
@given(case=qparams_and_x())
def test_quantizing_twice_changes_nothing(case):
    qparams, x = case
    once = fake_quantize(x, qparams)
    np.testing.assert_array_equal(fake_quantize(once, qparams), once)


@prop
@given(qparams=any_qparams(), seed=st.integers(0, 2**32 - 1))
def test_every_code_comes_back_from_its_own_x_hat(qparams, seed):
    codes = np.random.default_rng(seed).integers(qparams.qmin, qparams.qmax + 1, 100)
    np.testing.assert_array_equal(quantize(dequantize(codes, qparams), qparams), codes)


@prop
@given(x=arrays, options=code_options())
def test_there_are_at_most_2_to_the_b_levels(x, options):
    qmin, qmax = qrange(**options)
    qparams = QParams(1 / 7, (qmin + qmax) // 2, qmin, qmax)
    sweep = np.linspace(*ends(qparams), 2 * 2 ** options["num_bits"])
    codes = quantize(np.r_[x.ravel(), sweep], qparams)
    assert qmin <= codes.min() <= codes.max() <= qmax
    assert np.unique(codes).size == qmax - qmin + 1 == 2 ** options["num_bits"] - options["narrow_range"]
    assert np.unique(fake_quantize(x, qparams)).size <= 2 ** options["num_bits"]


@prop
@given(case=qparams_and_x())
def test_what_lies_outside_saturates(case):
    qparams, x = case
    low, high = ends(qparams)
    x = np.r_[x, np.float32([np.inf, -np.inf, FLOAT_MAX, -FLOAT_MAX])]
    codes = quantize(x, qparams)
    assert (codes[x >= high] == qparams.qmax).all() and (codes[x <= low] == qparams.qmin).all()


@prop
@given(case=qparams_and_x())
def test_inputs_are_not_written_to(case):
    qparams, x = case
    x_before, codes = x.copy(), quantize(x, qparams)
    codes_before = codes.copy()
    fake_quantize(x, qparams)
    dequantize(codes, qparams)
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(codes, codes_before)


@st.composite
def ranges(draw):
    """Real ranges, with or without 0, as rmin <= rmax."""
    return tuple(sorted((draw(moderate), draw(moderate))))


@prop
@given(bounds=ranges(), options=code_options())
def test_the_zero_point_is_a_code(bounds, options):
    qparams = choose_qparams(*bounds, **options)
    assert qparams.qmin <= qparams.zero_point <= qparams.qmax


@prop
@given(bounds=ranges(), options=code_options())
def test_symmetric_means_zero_point_zero_and_both_ends_covered(bounds, options):
    if not options["signed"]:
        bounds, options = tuple(sorted(map(abs, bounds))), options | {"narrow_range": False}
    threshold = max(map(abs, bounds))
    qparams = choose_qparams(*bounds, **options, symmetric=True)
    assert qparams.zero_point == 0
    if threshold > TINY * 2**16:  # else the scale was raised, or is 1
        # scale * qmax is the threshold, but for the rounding of the scale to float32
        assert ends(qparams)[1] == pytest.approx(threshold, rel=2.0**-24)


@prop
@given(bounds=ranges(), options=code_options(), inside=st.floats(0, 1))
def test_the_chosen_range_is_covered_to_half_a_step(bounds, options, inside):
    # The zero point is nudged by at most half a step, so that even the ends of the range are at most that far from a
    # code. Rounding: the scale (relative 2^-24, so 2^-24 of the whole width), the quotient and the product. A scale of
    # range / 2^b instead of range / (2^b - 1) would leave the far end almost a whole step away.
    qparams = choose_qparams(*bounds, **options)
    low, high = min(bounds[0], 0.0), max(bounds[1], 0.0)
    x = np.float32([low, low + inside * (high - low), high])
    error = np.abs(x.astype(np.float64) - fake_quantize(x, qparams))
    assert (error <= float(qparams.scale) / 2 + 4 * (high - low) * 2.0**-24).all()


@prop
@given(
    x=hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5), elements=moderate),
    axis=st.integers(-3, 2),
    options=code_options(),
)
def test_per_channel_equals_per_tensor_on_each_channel(x, axis, options):
    axis = axis % x.ndim - (x.ndim if axis < 0 else 0)
    channels = np.moveaxis(x, axis, 0)
    rmin, rmax = (np.array([end(channel) for channel in channels]) for end in (np.min, np.max))
    qparams = choose_qparams(rmin, rmax, **options, axis=axis)
    codes, x_hat = quantize(x, qparams), fake_quantize(x, qparams)
    for k, channel in enumerate(channels):
        alone = choose_qparams(rmin[k], rmax[k], **options)
        assert (qparams.scale[k], qparams.zero_point[k]) == (alone.scale, alone.zero_point)
        np.testing.assert_array_equal(np.moveaxis(codes, axis, 0)[k], quantize(channel, alone))
        np.testing.assert_array_equal(np.moveaxis(x_hat, axis, 0)[k], fake_quantize(channel, alone))
