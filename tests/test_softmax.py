"""Both int8 softmaxes against exact shares, and against LiteRT, value for value."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tflite_files import litert, one_operator

from qlib.fixedpoint import KERNELS
from qlib.softmax import SOFTMAX, exp_q031, reciprocal_q031, softmax_fixed, softmax_table

BOTH = [softmax_fixed, softmax_table]
rows = arrays(np.int8, array_shapes(min_dims=2, max_dims=2, max_side=12))
scales = st.floats(2.0**-20, 4, width=32)


def exact(codes, scale, beta=1.0):
    """256 times the shares of 1."""
    x = beta * float(scale) * (codes.astype(np.float64) - codes.max(axis=-1, keepdims=True))
    return 256 * np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def file(shape, scale, beta=1.0, zero_point=0):
    out = dict(shape=shape, scale=1 / 256, zero_point=-128)
    inputs = [dict(shape=shape, scale=scale, zero_point=zero_point)]
    return one_operator("SOFTMAX", inputs, out, "SoftmaxOptions", 2, beta=float(beta))


# ---------------------------------------------------------------------- by hand


@pytest.mark.parametrize("softmax", BOTH)
@pytest.mark.parametrize(
    "codes, scale, shares",
    [
        ([5], 0.1, [256]),  # which is no code: 255 is the last
        ([-128, -128], 0.1, [128, 128]),
        ([127, 127, 127], 3, [85, 85, 85]),  # 85.33
        ([0] * 7, 0.01, [37] * 7),  # 36.57
        ([0] * 300, 0.01, [1] * 300),  # 0.853
        ([127, -128], 1, [256, 0]),  # e^−255
        ([127, -128, 127], 15, [128, 0, 128]),
        ([1, 0], math.log(3), [192, 64]),  # e^x is 3 and 1
        ([2, 1, 0], math.log(2), [146, 73, 37]),  # 4, 2 and 1 of 7: 146.29, 73.14, 36.57
        ([0, -100], 1 / 128, [176, 80]),  # 1 / (1 + e^−0.78125) = 0.6859
    ],
)
def test_shares_by_hand(softmax, codes, scale, shares):
    codes = np.array([codes], np.int8)
    expected = np.minimum(np.array([shares]) - 128, 127)
    result = softmax(codes, np.float32(scale))
    assert result.dtype == np.int8
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("softmax", BOTH)
def test_beta_multiplies_the_scale(softmax):
    codes = np.arange(-20, 20, dtype=np.int8).reshape(4, 10)
    np.testing.assert_array_equal(softmax(codes, np.float32(0.25), 0.5), softmax(codes, np.float32(0.125)))
    assert (softmax(codes, np.float32(0.25), 0.5) != softmax(codes, np.float32(0.25))).any()


def test_exponentials_of_fixed_point_numbers():
    # Q5.26 in, Q0.31 out; 1 itself is 2^31 − 1
    a = np.array([0, -1, -(2**24), -(2**26), -3 * 2**26, -20 * 2**26, -31 * 2**26], np.int64)
    expected = 2.0**31 * np.exp(a / 2.0**26)
    assert exp_q031(a)[0] == 2**31 - 1
    np.testing.assert_allclose(exp_q031(a)[1:], expected[1:], rtol=4e-7, atol=1.5)  # of a polynomial of order 4


@given(st.integers(2**19, 2**31 - 1))
def test_reciprocals_of_fixed_point_numbers(total):
    # Q12.19 in: 1 / (1 + f) as Q0.31, where total is 2^k · (1 + f)
    x, k = (int(v[0]) for v in reciprocal_q031(np.array([total])))
    reciprocal = Fraction(2**19, total) * Fraction(2) ** k
    assert Fraction(1, 2) < reciprocal <= 1 and abs(Fraction(x, 2**31) - reciprocal) <= Fraction(1, 2**28)


# ------------------------------------------------------------------- properties


@given(rows, scales)
def test_both_are_within_one_code_of_the_exact_shares_and_of_each_other(codes, scale):
    fixed, table = (softmax(codes, np.float32(scale)).astype(int) + 128 for softmax in BOTH)
    shares = exact(codes, np.float32(scale)).clip(0, 255)
    assert np.abs(fixed - shares).max() < 0.51 and np.abs(table - shares).max() < 0.51
    assert np.abs(fixed - table).max() <= 1


@given(rows, scales)
def test_shares_sum_to_256_but_for_rounding_and_keep_the_order(codes, scale):
    for softmax in BOTH:
        shares = softmax(codes, np.float32(scale)).astype(int) + 128
        whole = shares.max(axis=-1) < 255  # 256 has no code
        assert (np.abs(shares.sum(axis=-1) - 256)[whole] <= 0.51 * codes.shape[1]).all()
        order = np.argsort(codes, axis=-1)
        assert (np.diff(np.take_along_axis(shares, order, -1)) >= 0).all()


@given(rows, scales, st.integers(1, 100))
def test_only_differences_between_codes_count(codes, scale, shift):
    low = np.minimum(codes, 127 - shift)
    for softmax in BOTH:
        np.testing.assert_array_equal(softmax(low, np.float32(scale)), softmax(low + np.int8(shift), np.float32(scale)))


@pytest.mark.parametrize("softmax", BOTH)
def test_rows_are_independent_and_the_input_stays(softmax):
    codes = np.random.default_rng(0).integers(-128, 128, (3, 4, 5, 6), dtype=np.int8)
    before = codes.copy()
    whole = softmax(codes, np.float32(0.05))
    np.testing.assert_array_equal(codes, before)
    assert whole.shape == codes.shape
    np.testing.assert_array_equal(whole[1, 2, 3], softmax(codes[1, 2, 3], np.float32(0.05)))


# ----------------------------------------------------------------------- LiteRT


def test_which_kernel_computes_which():
    assert SOFTMAX == {"reference": softmax_fixed, "no_delegate": softmax_table, "xnnpack": softmax_table}
    assert list(SOFTMAX) == list(KERNELS)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_million_shares_are_those_of_litert(kernel):
    rng = np.random.default_rng(1)
    total = 0
    for _ in range(120):
        scale, classes = np.float32(2 ** rng.uniform(-12, 3.9)), int(rng.choice([1, 2, 3, 10, 10, 10, 37, 100, 500]))
        shape = (10_000 // classes, classes)
        spread = min(rng.uniform(0.5, 12) / scale, 200)  # of about so many powers of e
        codes = np.rint(rng.normal(rng.uniform(-50, 50), spread, shape)).clip(-128, 127).astype(np.int8)
        beta = rng.choice([1, 1, 0.5, rng.uniform(0.1, 1)])
        theirs = litert(file(shape, scale, beta, rng.integers(-128, 128)), codes, kernel=kernel)
        np.testing.assert_array_equal(SOFTMAX[kernel](codes, scale, np.float32(beta)), theirs)
        total += codes.size
    assert total >= 1_000_000


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale, beta", [(2**-26 * 1.01, 1), (1e-6, 1), (15.99, 1), (1e-6, 1e7), (2.0, 7.99)])
def test_the_smallest_and_the_largest_steps_are_those_of_litert(kernel, scale, beta):
    codes = np.random.default_rng(2).integers(-128, 128, (200, 10), dtype=np.int8)
    theirs = litert(file(codes.shape, scale, beta), codes, kernel=kernel)
    np.testing.assert_array_equal(SOFTMAX[kernel](codes, np.float32(scale), np.float32(beta)), theirs)


# About 2 shares of 100,000 differ between the two. Scale and codes:
DIFFERENT = [
    (0.8081656694412231, [19, -4, -11, 24, -8, 29, -3]),
    (0.5517411231994629, [-1, 6, -2, -5, 5]),
    (0.13766275346279144, [3, -36, -20, -1, -3, 16, -3, 31, -12]),
    (0.0773485079407692, [41, 71, 60, 6, 66, 4, 28, -13]),
    (0.20758381485939026, [1, 2, -7, 2, 14]),
    (0.7160512804985046, [-4, -4, -3, 0, -9, 5]),
    (0.3394184112548828, [-4, 8, 6, 1, -2, -4]),
    (0.0362071618437767, [-16, 1, -4, -9, -9, -6, -19, 21]),
]


@pytest.mark.parametrize("scale, codes", DIFFERENT)
def test_where_the_two_differ_litert_sides_with_each(scale, codes):
    codes, scale = np.array([codes], np.int8), np.float32(scale)
    fixed, table = softmax_fixed(codes, scale), softmax_table(codes, scale)
    assert np.count_nonzero(fixed != table) == 1
    np.testing.assert_array_equal(litert(file(codes.shape, scale), codes, kernel="reference"), fixed)
    for kernel in ("no_delegate", "xnnpack"):
        np.testing.assert_array_equal(litert(file(codes.shape, scale), codes, kernel=kernel), table)
    share = exact(codes, scale)[fixed != table]
    assert abs(share % 1 - 0.5).item() < 0.001  # next to a half
