"""Group-wise quantization: values by hand, properties of any array, and per-channel as the special case."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from qlib import choose_qparams, fake_quantize, groups, max_abs_error

WEIGHTS = arrays(
    np.float32,
    array_shapes(min_dims=1, max_dims=3, max_side=7),
    elements=st.floats(-100, 100, width=32).filter(lambda w: w == 0 or abs(w) > 0.02),
)


def test_groups_by_hand():
    """4 bits: thresholds 7, 14, 3.5 over 7 give the scales 1, 2, 0.5. The last group has one weight."""
    w = np.array([7, 3.2, -1, 14, -6.5, 0.9, 3.5], np.float32)
    codes, qparams = groups.quantize_groups(w, 3)
    assert codes.tolist() == [[7, 3, -1], [7, -3, 0], [7, 0, 0]] and codes.dtype == np.int8
    assert qparams.scale.tolist() == [1, 2, 0.5] and qparams.zero_point.tolist() == [0, 0, 0]
    assert groups.fake_quantize_groups(w, 3).tolist() == [7, 3, -1, 14, -6, 0, 3.5]


def test_a_zero_point_for_each_group_by_hand():
    """0 … 15: scale 1, the lowest code is −8, so 0 has the code −8. −15 … 0: the code 7. −1 … 14: the code −7."""
    w = np.array([[15, -15, 14], [4, -4, -1]], np.float32)
    codes, qparams = groups.quantize_groups(w, 2, symmetric=False)
    assert qparams.zero_point.tolist() == [-8, 7, -7] and qparams.scale.tolist() == [1, 1, 1]
    assert codes.tolist() == [[7, -4], [-8, 3], [7, -8]]
    assert np.array_equal(groups.fake_quantize_groups(w, 2, symmetric=False), w)


def test_groups_lie_along_the_axis():
    w = np.arange(24, dtype=np.float32).reshape(4, 6)
    assert groups.cut(w, 2, axis=0).tolist()[:2] == [[0, 6], [12, 18]]
    assert groups.cut(w, 4, axis=1).tolist()[:2] == [[0, 1, 2, 3], [4, 5, 0, 0]]
    assert np.array_equal(groups.cut(w, 4, axis=-1), groups.cut(w, 4, axis=1))


@given(WEIGHTS, st.integers(1, 9), st.data())
def test_joined_groups_are_the_array(w, size, data):
    axis, before = data.draw(st.integers(-w.ndim, w.ndim - 1)), w.copy()
    cut = groups.cut(w, size, axis)
    assert cut.shape[1] == size and np.array_equal(groups.join(cut, w.shape, axis), w)
    assert cut.shape[0] == w.size // w.shape[axis] * -(-w.shape[axis] // size)
    assert np.array_equal(w, before)


@settings(max_examples=50)
@given(WEIGHTS, st.integers(1, 9), st.integers(2, 8), st.booleans())
def test_no_weight_is_off_by_more_than_half_a_step(w, size, num_bits, symmetric):
    """But for a zero point that is nudged, half a step, and a scale in float16, 2⁻¹¹ of up to 2ᵇ steps."""
    w_hat = groups.fake_quantize_groups(w, size, num_bits=num_bits, symmetric=symmetric)
    _, qparams = groups.quantize_groups(w, size, num_bits=num_bits, symmetric=symmetric)
    steps = np.broadcast_to(qparams.scale[:, None], (qparams.scale.size, size))
    steps = groups.join(steps, w.shape)
    assert w_hat.shape == w.shape and w_hat.dtype == np.float32
    assert (np.abs(w - w_hat) <= ((0.51 if symmetric else 1.01) + 2 ** (num_bits - 11)) * steps).all()
    assert np.array_equal(qparams.scale, qparams.scale.astype(np.float16))


def test_whole_columns_are_per_channel():
    """Scales that float16 holds exactly: column maxima of 7/8 and 7/4."""
    w = np.random.default_rng(0).uniform(-0.8, 0.8, (50, 2)).astype(np.float32)
    w[3] = 0.875, -1.75
    thresholds = np.array([0.875, 1.75])
    qparams = choose_qparams(-thresholds, thresholds, num_bits=4, symmetric=True, axis=1)
    for size in (50, 64):
        assert np.array_equal(groups.fake_quantize_groups(w, size), fake_quantize(w, qparams))


def test_a_group_of_zeros_stays_zero_and_others_do_not_notice():
    w = np.array([0, 0, 7, 1], np.float32)
    assert groups.fake_quantize_groups(w, 2).tolist() == [0, 0, 7, 1]
    assert groups.fake_quantize_groups(w, 2, symmetric=False)[:2].tolist() == [0, 0]


def test_an_outlier_harms_its_own_group_only():
    w = np.tile(np.array([1, 2, -3, 7], np.float32), 8)
    w[5] = 700
    error = np.abs(w - groups.fake_quantize_groups(w, 4))
    assert error[4:8].max() == 7 and not error[:4].any() and not error[8:].any()
    assert max_abs_error(w, groups.fake_quantize_groups(w, 32)) == 7


def test_bits_by_hand():
    """128 per group: 16/128. A zero point: 4 more. 5 weights in groups of 2: three scales for five."""
    assert groups.bits_per_weight((1024, 10), 128) == 4.125
    assert groups.bits_per_weight((1024, 10), 128, group_bits=20) == 4.15625
    assert groups.bits_per_weight((5, 10), 2) == pytest.approx(4 + 3 * 16 / 5)
    assert groups.bits_per_weight((10, 5), 2, axis=1, num_bits=3) == pytest.approx(3 + 3 * 16 / 5)
    assert groups.bits_per_weight((1600, 128), 1600) == 4.01


@given(WEIGHTS, st.integers(1, 9))
def test_bits_are_those_of_the_stored_arrays(w, size):
    codes, qparams = groups.quantize_groups(w, size)
    stored = 4 * w.size + 16 * qparams.scale.size
    assert groups.bits_per_weight(w.shape, size) * w.size == pytest.approx(stored)
    assert len(codes) == qparams.scale.size


def test_scales_in_float16():
    assert groups.float16_scales(np.float32([1, 0.1, 1e-20])).tolist() == [1, float(np.float16(0.1)), 2.0**-24]


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: groups.cut([1.0], 0), "size: expected an integer from 1 on, got 0"),
        (lambda: groups.cut([1.0], 2.0), "size: expected an integer from 1 on, got 2.0"),
        (lambda: groups.cut([1.0], 2, axis=1), "axis: expected one of the 1 axes of the array, got 1"),
        (lambda: groups.cut([1.0], 2, axis=None), "axis: expected an integer, got None"),
        (lambda: groups.bits_per_weight((4, 4), 2, axis=None), "axis: expected an integer, got None"),
        (lambda: groups.cut([1.0, np.nan], 2), "w: expected no NaN, got 1 of 2 values"),
        (lambda: groups.cut([1.0, np.inf], 2), "w: expected finite values, got 1 infinite of 2"),
        (lambda: groups.cut([], 2), "w: expected at least one value, got none"),
        (
            lambda: groups.quantize_groups([1e9], 2),
            "scale: expected at most 65504, the largest float16, got 1.42857e+08",
        ),
        (
            lambda: groups.quantize_groups([1.0], 2, num_bits=1),
            "num_bits: expected an integer from 2 to 16 (signed), got 1",
        ),
        (lambda: groups.bits_per_weight((4, 4), -1), "size: expected an integer from 1 on, got -1"),
        (lambda: groups.bits_per_weight((0, 4), 2), "shape: expected at least one weight along axis 0, got (0, 4)"),
        (lambda: groups.bits_per_weight((4, 4), 2, axis=2), "axis: expected one of the 2 axes of the array, got 2"),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == says
