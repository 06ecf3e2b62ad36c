"""The rules of other engines, by hand; that these engines follow them is held in test_torch_cnn.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qlib import QParams, choose_qparams, parity, quantize

F32 = np.float32
GREY = (np.arange(256, dtype=F32) / F32(255) - F32(0.5)) / F32(0.5)


def test_half_to_even_before_or_after_the_zero_point():
    x = F32([0.5, 1.5, 2.5, -0.5])
    assert parity.divide_round_add(x, 1.0, 3).tolist() == [3, 5, 5, 3]
    assert parity.multiply_round_add(x, 1.0, 3).tolist() == [3, 5, 5, 3]
    assert parity.multiply_add_round(x, 1.0, 3).tolist() == [4, 4, 6, 2]  # 3.5, 4.5, 5.5 and 2.5


def test_an_even_zero_point_makes_no_difference():
    x = F32([0.5, 1.5, 2.5, -0.5])
    assert parity.multiply_add_round(x, 1.0, -4).tolist() == parity.multiply_round_add(x, 1.0, -4).tolist()


def test_all_rules_clip_before_the_cast():
    for rule in parity.ROUNDING.values():
        codes = rule(F32([-1e9, 127.6, 1e9, -200]), 1.0, 0)
        assert codes.tolist() == [-128, 127, 127, -128] and codes.dtype == np.int8


def test_the_inverse_is_rounded():
    scale = F32(0.3)
    x = (np.arange(-100, 100, dtype=F32) + F32(0.5)) * scale  # next to ties
    divided, multiplied = parity.divide_round_add(x, scale, 0), parity.multiply_round_add(x, scale, 0)
    assert np.array_equal(divided, np.rint(x / scale))
    assert np.array_equal(multiplied, np.rint(x * (F32(1) / scale)))
    assert 0 < np.count_nonzero(divided != multiplied) < 100


def test_product_and_sum_are_rounded_once():
    codes = parity.multiply_add_round(GREY, F32(2 / 255), -1)
    twice = np.rint(GREY * (F32(1) / F32(2 / 255)) + F32(-1))
    assert 0 < np.count_nonzero(codes != twice)
    assert np.abs(codes - (np.arange(256) - 128.5)).max() == 0.5


@given(
    st.lists(st.floats(-200, 200, width=32), min_size=1, max_size=20),
    st.floats(0.0078125, 4, width=32),
    st.integers(-128, 127),
)
def test_no_rule_is_further_than_a_step_from_qlib(values, scale, zero_point):
    x = F32(values)
    ours = quantize(x, QParams(scale, zero_point, -128, 127)).astype(int)
    assert np.array_equal(parity.divide_round_add(x, scale, zero_point), ours)
    for rule in parity.ROUNDING.values():
        assert np.abs(rule(x, scale, zero_point) - ours).max() <= 1


def test_explained_by_names_what_gives_all_codes():
    x = F32([0.5, 1.5])
    assert parity.explained_by(x, 1.0, 0, np.int8([0, 2])) == list(parity.ROUNDING)
    assert parity.explained_by(x, 1.0, 1, np.int8([2, 2])) == ["multiply, add, round"]
    assert parity.explained_by(x, 1.0, 1, np.int8([9, 9])) == []
    for codes in (np.int8([1]), F32([0, 2])):
        with pytest.raises(ValueError, match="codes: expected integers of shape"):
            parity.explained_by(x, 1.0, 0, codes)


def test_torch_affine_by_hand():
    scale, zero_point = parity.torch_affine(F32([-1, 0, 1, -255]), F32([254, 0.51, 2.55, 0]))
    assert scale.tolist() == [1.0, F32(0.51) / F32(255), F32(2.55) / F32(255), 1.0] and scale.dtype == np.float32
    assert zero_point.tolist() == [-127, -128, -128, 127]
    assert parity.torch_affine(F32(0), F32(0))[0] == 2.0**-23  # never less


def test_torch_symmetric_by_hand():
    assert parity.torch_symmetric(F32([-255, -1, 0]), F32([3, 51, 0])).tolist() == [2.0, F32(0.4), F32(2.0**-23)]


def test_the_zero_point_of_a_tie():
    """−1 … 1: −128 + 127.5 before the scale is rounded; a little less after."""
    ours, (ort_scale, ort_zero) = choose_qparams(-1.0, 1.0), parity.ort_affine(F32(-1), F32(1))
    torch_scale, torch_zero = parity.torch_affine(F32(-1), F32(1))
    assert ours.scale == ort_scale == torch_scale == F32(2 / 255)
    assert (ours.zero_point, torch_zero, ort_zero) == (-1, -1, 0)


def test_ort_affine_by_hand():
    scale, zero_point = parity.ort_affine(F32([-1, 0, 0, 1]), F32([254, 2.55, 0, 2.55]))
    assert scale.tolist() == [1.0, F32(0.01), 1.0, F32(0.01)] and zero_point.tolist() == [-127, -128, 0, -128]


def test_a_range_upside_down_is_refused():
    for choose in (parity.torch_affine, parity.torch_symmetric, parity.ort_affine):
        with pytest.raises(ValueError, match="rmin: expected at most rmax"):
            choose(F32(1), F32(0))
