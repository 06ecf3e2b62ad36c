"""qlib.error: values worked out by hand, and what theory says about them."""

import math

import numpy as np
import pytest

from qlib.affine import QParams, choose_qparams, fake_quantize
from qlib.error import max_abs_error, mse, split_mse, sqnr_db


@pytest.mark.parametrize(
    "x, x_hat, expected",
    [
        ([1, 2], [1, 4], 2),  # (0 + 4) / 2
        ([0, 0, 0, 0], [1, -1, 2, 0], 1.5),  # (1 + 1 + 4 + 0) / 4
        ([[1, 2], [3, 4]], [[1, 2], [3, 6]], 1),
        (3, 1, 4),
        ([0.5], [0.5], 0),
    ],
)
def test_mse(x, x_hat, expected):
    assert mse(x, x_hat) == expected


@pytest.mark.parametrize(
    "x, x_hat, expected",
    [([1, 2], [1.5, 1], 1), ([1, -5], [1, -2], 3), ([[0], [2]], [[0.25], [2]], 0.25), (3, 1, 2), ([7], [7], 0)],
)
def test_max_abs_error(x, x_hat, expected):
    assert max_abs_error(x, x_hat) == expected


@pytest.mark.parametrize(
    "x, x_hat, expected",
    [
        ([10, -10], [9, -9], 20),  # 10 log10(100 / 1)
        ([1, 1], [1, 0], 10 * math.log10(2)),  # 1 / (1/2)
        ([3, 4], [0, 0], 0),  # nothing but noise
        ([1], [11], -20),
        ([2, 5], [2, 5], math.inf),
        ([0, 0], [0, 0], math.inf),
        ([0, 0], [1, 0], -math.inf),
    ],
)
def test_sqnr_db(x, x_hat, expected):
    assert sqnr_db(x, x_hat) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("error", [mse, max_abs_error, sqnr_db])
def test_an_error_is_one_python_float(error):
    assert type(error(np.float32([[1, 2]]), np.float32([[1, 3]]))) is float


def test_integers_do_not_wrap():
    # In uint8 the difference 1 - 3 would be 254.
    assert mse(np.uint8([1]), np.uint8([3])) == 4 and max_abs_error(np.uint8([1]), np.uint8([3])) == 2


def test_mse_is_summed_in_float64():
    # In float32 1 + 2^-26 is 1, and 1e30 squared is infinite.
    assert mse([1, 2.0**-13], [0, 0]) == (1 + 2.0**-26) / 2
    assert mse([1e30], [0]) == pytest.approx(1e60, rel=1e-6)


def test_mse_keeps_the_precision_of_float64():
    # In float32 1 + 1e-9 is 1, and the error would be 0.
    assert mse([1.0], [1 + 1e-9]) == pytest.approx(1e-18, rel=1e-6, abs=0)


@pytest.mark.parametrize(
    "x, qparams, rounding, clipping",
    [
        # 0.25 -> 0 and 5 -> 3: 0.0625 / 2 and 4 / 2
        ([0.25, 5], QParams(1, 0, -4, 3), 0.03125, 2),
        # codes -4 … 3 at zero_point -4 stand for 0 … 3.5: 0.125 -> 0, 3.375 -> 3.5, -1 -> 0, 5 -> 3.5
        ([0.125, 3.375, -1, 5], QParams(0.5, -4, -4, 3), (0.125**2 + 0.125**2) / 4, (1 + 2.25) / 4),
        # the ends themselves are inside, and exact
        ([-4, 3], QParams(1, 0, -4, 3), 0, 0),
        # just outside is clipped, although it would round to the end anyway: 3.25 -> 3
        ([3.25, 0], QParams(1, 0, -4, 3), 0, 0.03125),
        # one scale per column: 0.25 -> 0 rounds, 9 -> 6 is clipped
        ([[0.25, 9]], QParams([1, 2], [0, 0], -4, 3, axis=1), 0.03125, 4.5),
    ],
)
def test_split_mse(x, qparams, rounding, clipping):
    assert split_mse(x, qparams) == (rounding, clipping)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("shrink", [1, 0.3])
def test_the_two_parts_sum_to_the_whole(axis, shrink):
    x = np.random.default_rng(0).standard_t(3, (40, 40)).astype(np.float32)
    others = None if axis is None else tuple({0, 1} - {axis % 2})
    qparams = choose_qparams(shrink * x.min(others), shrink * x.max(others), num_bits=5, axis=axis)
    rounding, clipping = split_mse(x, qparams)
    assert rounding + clipping == pytest.approx(mse(x, fake_quantize(x, qparams)), rel=1e-12)
    assert rounding > 0 and clipping >= 0
    if shrink < 1:
        assert clipping > rounding


def test_shrinking_the_range_trades_rounding_for_clipping_error():
    x = np.random.default_rng(0).normal(size=20_000)
    thresholds = [4.5, 3, 2, 1]
    parts = [split_mse(x, choose_qparams(-t, t, num_bits=4, symmetric=True)) for t in thresholds]
    rounding, clipping = zip(*parts, strict=True)
    assert (np.diff(rounding) < 0).all() and (np.diff(clipping) > 0).all()


@pytest.mark.parametrize("num_bits", [4, 6, 8, 10])
def test_the_error_on_a_uniform_sample_is_the_step_squared_over_12(num_bits):
    # The squared error of a uniform rounding error has mean Δ²/12 and standard deviation Δ² √(1/80 - 1/144) = 0.894 of
    # it. The mean of n = 200,000 has 0.894 / √n = 0.2 %; five times that is 1 %.
    x = np.random.default_rng(0).uniform(-1, 1, 200_000)
    qparams = choose_qparams(-1, 1, num_bits=num_bits)
    assert mse(x, fake_quantize(x, qparams)) == pytest.approx(float(qparams.scale) ** 2 / 12, rel=0.01)
    assert max_abs_error(x, fake_quantize(x, qparams)) == pytest.approx(float(qparams.scale) / 2, rel=0.01)


def test_each_bit_brings_6_db():
    # SQNR = 10 log10((1/3) / (Δ²/12)) with Δ = 2 / (2^b - 1), which is 20 log10(2^b - 1): a bit brings a factor of 2,
    # or 20 log10(2) = 6.02 dB, and 0.07 dB more at 6 bits because of the - 1. Sampling adds 0.2 % √2, or 0.013 dB.
    x = np.random.default_rng(0).uniform(-1, 1, 200_000)
    levels = [fake_quantize(x, choose_qparams(-1, 1, num_bits=num_bits)) for num_bits in range(6, 13)]
    sqnr = [sqnr_db(x, x_hat) for x_hat in levels]
    assert sqnr[0] == pytest.approx(20 * math.log10(63), abs=0.05)
    np.testing.assert_allclose(np.diff(sqnr), 20 * math.log10(2), atol=0.07 + 5 * 0.013)


def test_inputs_are_not_written_to():
    x, x_hat = np.float32([0.25, 5, -9]), np.float32([0, 3, -4])
    x_before, x_hat_before = x.copy(), x_hat.copy()
    for error in (mse, max_abs_error, sqnr_db):
        error(x, x_hat)
    split_mse(x, QParams(1, 0, -4, 3))
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(x_hat, x_hat_before)
