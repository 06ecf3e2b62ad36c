"""The rounding rules: by hand, and against Python's exact fractions. Against LiteRT: tests/test_operators.py."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_files import computed, one_operator

from qlib.fixedpoint import (
    ADD,
    DEQUANTIZE,
    KERNELS,
    REQUANTIZE,
    Multiplier,
    float_rounding,
    high_multiply,
    one_rounding,
    quantize_multiplier,
    shift_ties_away,
    shift_ties_up,
    steps_half_away,
    steps_half_even,
    two_roundings_away,
    two_roundings_up,
)

HALF = Fraction(1, 2)
TWO_ROUNDINGS = [two_roundings_away, two_roundings_up]
INTEGER_RULES = [*TWO_ROUNDINGS, one_rounding]
accumulators = st.integers(-(2**22), 2**22)
factors = st.floats(2.0**-20, 255)
codes = st.integers(-255, 255)  # minus their zero point
steps = st.floats(2.0**-12, 2.0**4, width=32)


def up(x: Fraction) -> int:
    """Rounded, ties towards +∞."""
    return math.floor(x + HALF)


def away(x: Fraction) -> int:
    """Rounded, ties away from zero."""
    return up(x) if x >= 0 else -up(-x)


def value(m: Multiplier) -> Fraction:
    """What multiplier and shift stand for."""
    return Fraction(int(m.multiplier)) * Fraction(2) ** (int(m.shift) - 31)


def rounded(rule, acc, m: Multiplier) -> int:
    return int(rule(np.array([acc]), m)[0])


# ------------------------------------------------------- multiplier and shift


@pytest.mark.parametrize(
    "real, multiplier, shift",
    [
        (0.5, 2**30, 0),
        (0.75, 3 * 2**29, 0),
        (0.75 / 4, 3 * 2**29, -2),
        (1, 2**30, 1),
        (3, 3 * 2**29, 2),
        (255, 255 * 2**23, 8),
        (1 - 2.0**-31, 2**31 - 1, 0),
        (1 - 2.0**-33, 2**30, 1),  # the fraction was rounded up to 1
        (2.0**-32, 2**30, -31),
        ((1 - 2.0**-33) * 2.0**-32, 2**30, -31),  # rounded up to 2^−32
        (0.99 * 2.0**-32, 0, 0),
        (1e-300, 0, 0),
        (2.0**29, 2**30, 30),
    ],
)
def test_a_factor_as_multiplier_and_shift(real, multiplier, shift):
    assert quantize_multiplier(real) == (multiplier, shift)


def test_factors_per_channel_keep_their_shape():
    multiplier, shift = quantize_multiplier(np.array([[0.5, 3], [2.0**-40, 0.1]]))
    assert multiplier.dtype == shift.dtype == np.int64
    assert multiplier.tolist() == [[2**30, 3 * 2**29], [0, up(Fraction(0.8) * 2**31)]]
    assert shift.tolist() == [[0, 2], [0, -3]]


@pytest.mark.parametrize("real", [0, -0.5, math.nan, math.inf, -math.inf, 2.0**30, [0.5, 0]])
def test_a_factor_that_cannot_be_is_refused(real):
    with pytest.raises(ValueError, match=r"real: expected factors between 0 and 2\^30, got"):
        quantize_multiplier(real)


@given(st.floats(2.0**-31, 2.0**29))
def test_multiplier_and_shift_are_within_half_a_unit_of_the_factor(real):
    multiplier, shift = (int(v) for v in quantize_multiplier(real))
    unit = Fraction(2) ** (shift - 31)
    assert 2**30 <= multiplier < 2**31 and abs(multiplier * unit - Fraction(real)) <= unit / 2


def test_scales_are_multiplied_in_float64_and_for_xnnpack_in_float32():
    # 0.1 in float32 is 13421773 · 2^−27. Its square over 0.25, exactly and rounded to float32's 24 bits:
    m = Multiplier.from_scales(0.1, [0.1, 0.2], 0.25)
    exact = Fraction(13421773, 2**27) ** 2 * 4
    assert (int(m.multiplier[0]), int(m.shift[0])) == (up(exact * 2**35), -4)
    assert m.single.dtype == np.float32 and Fraction(float(m.single[0])) == Fraction(up(exact * 2**28), 2**28)
    assert m.multiplier[1] == m.multiplier[0] and m.shift[1] == -3


# ------------------------------------------------------------ halves, by hand


@pytest.mark.parametrize(
    "acc, multiplier, expected",
    [
        (3, 2**30, 2),  # 1.5
        (-3, 2**30, -1),  # −1.5, up
        (1, 2**30, 1),
        (-1, 2**30, 0),
        (5, 3 * 2**29, 4),  # 3.75
        (-5, 3 * 2**29, -4),
        (-6, 3 * 2**29, -4),  # −4.5, up
    ],
)
def test_high_multiply(acc, multiplier, expected):
    assert high_multiply(np.int64(acc), np.int64(multiplier)) == expected


@pytest.mark.parametrize(
    "v, n, ties_away, ties_up",
    [
        (6, 2, 2, 2),  # 1.5
        (-6, 2, -2, -1),
        (-2, 2, -1, 0),
        (2, 2, 1, 1),
        (5, 2, 1, 1),
        (-5, 2, -1, -1),
        (-7, 2, -2, -2),
        (-7, 0, -7, -7),
        (-1, 31, 0, 0),
        (-(2**30), 31, -1, 0),
    ],
)
def test_a_shift_by_n(v, n, ties_away, ties_up):
    assert shift_ties_away(np.int64(v), np.int64(n)) == ties_away
    assert shift_ties_up(np.int64(v), np.int64(n)) == ties_up


@pytest.mark.parametrize(
    "acc, factor, once, twice_away, twice_up, as_float",
    [
        (5, 0.25, 1, 2, 2, 1),  # 1.25: first 2.5, which is 3, then 1.5, which is 2
        (-5, 0.25, -1, -1, -1, -1),  # −1.25: first −2.5, which is −2, then −1
        (-6, 0.25, -2, -2, -1, -2),  # −1.5: first −3
        (6, 0.25, 2, 2, 2, 2),
        (10, 0.25, 3, 3, 3, 2),  # 2.5
        (-10, 0.25, -3, -3, -2, -2),
        (-1, 0.5, -1, 0, 0, 0),  # −0.5: no second rounding
        (1, 0.5, 1, 1, 1, 0),
        (3, 0.5, 2, 2, 2, 2),
        (7, 3, 21, 21, 21, 21),  # a left shift
        (-7, 200, -1400, -1400, -1400, -1400),
        (2**24 + 1, 1, 2**24 + 1, 2**24 + 1, 2**24 + 1, 2**24),  # float32 has 24 bits
    ],
)
def test_one_factor_by_each_rule(acc, factor, once, twice_away, twice_up, as_float):
    m = Multiplier.of(factor)
    rules = one_rounding, two_roundings_away, two_roundings_up, float_rounding
    assert [rounded(rule, acc, m) for rule in rules] == [once, twice_away, twice_up, as_float]


@pytest.mark.parametrize("rule", [*INTEGER_RULES, float_rounding])
def test_each_channel_has_its_own_factor(rule):
    acc = np.array([[10, 10, 10], [-20, 40, 21]])
    m = Multiplier.of(np.array([0.1, 0.3, 2]))
    before = acc.copy()
    assert rule(acc, m).tolist() == [[1, 3, 20], [-2, 12, 42]]
    np.testing.assert_array_equal(acc, before)  # not written to


def test_a_lost_factor_gives_zero():
    m = Multiplier.of(2.0**-33)
    assert all(rounded(rule, acc, m) == 0 for rule in INTEGER_RULES for acc in (2**31 - 1, -(2**31), -1))


def test_float_rounding_leaves_its_input():
    acc = np.float32([[2.5, 3.5]])
    assert float_rounding(acc, Multiplier.of(1)).tolist() == [[2, 4]] and acc.tolist() == [[2.5, 3.5]]


# ------------------------------------------------------------- exact fractions


@given(st.integers(-(2**31), 2**31 - 1), st.integers(2**30, 2**31 - 1))
def test_high_multiply_is_the_exact_product_rounded_up(acc, multiplier):
    assert high_multiply(np.int64(acc), np.int64(multiplier)) == up(Fraction(acc * multiplier, 2**31))


@given(st.integers(-(2**40), 2**40), st.integers(0, 31))
def test_a_shift_is_the_exact_quotient_rounded(v, n):
    assert shift_ties_away(np.int64(v), np.int64(n)) == away(Fraction(v, 2**n))
    assert shift_ties_up(np.int64(v), np.int64(n)) == up(Fraction(v, 2**n))


@given(accumulators, factors)
def test_one_rounding_is_the_exact_product_rounded(acc, factor):
    m = Multiplier.of(factor)
    assert rounded(one_rounding, acc, m) == away(acc * value(m))


@given(accumulators, st.integers(-20, 7))
def test_one_rounding_of_halves(acc, exponent):  # where a random factor hardly ever comes
    m = Multiplier.of(2.0**exponent)
    assert rounded(one_rounding, acc, m) == away(acc * Fraction(2) ** exponent)


@given(accumulators, factors)
def test_two_roundings_are_those_of_exact_fractions(acc, factor):
    m = Multiplier.of(factor)
    left, right = max(int(m.shift), 0), max(-int(m.shift), 0)
    first = up(Fraction(acc * 2**left * int(m.multiplier), 2**31))
    assert rounded(two_roundings_away, acc, m) == away(Fraction(first, 2**right))
    assert rounded(two_roundings_up, acc, m) == up(Fraction(first, 2**right))


@given(accumulators, factors)
def test_two_roundings_are_within_their_bound(acc, factor):
    # The first rounding errs by half a unit at most, which the shift makes half of 2^−n.
    m = Multiplier.of(factor)
    bound = HALF + HALF / 2 ** max(-int(m.shift), 0)
    assert all(abs(rounded(rule, acc, m) - acc * value(m)) <= bound for rule in TWO_ROUNDINGS)


@given(st.integers(-(2**22), 2**22), factors)
def test_float_rounding_is_within_three_float32_errors(acc, factor):
    m = Multiplier.of(factor)  # acc is exact; the factor and the product are rounded to 24 bits
    exact = acc * Fraction(factor)
    assert abs(rounded(float_rounding, acc, m) - exact) <= HALF + 2 * abs(exact) / 2**24


@given(accumulators, accumulators, factors)
def test_a_larger_sum_never_gets_a_smaller_code(acc, other, factor):
    # On this rests that a maximum pool may come before rescaling.
    m = Multiplier.of(factor)
    for rule in (*INTEGER_RULES, float_rounding):
        low, high = rule(np.array([min(acc, other), max(acc, other)]), m)
        assert low <= high


@given(accumulators, factors)
def test_mirrored_sums(acc, factor):
    m = Multiplier.of(factor)
    for rule in (one_rounding, float_rounding):  # each rounds once, ties away from zero or to even
        assert rounded(rule, -acc, m) == -rounded(rule, acc, m)
    for rule in TWO_ROUNDINGS:  # each rounds ties up at least once
        assert 0 <= rounded(rule, -acc, m) + rounded(rule, acc, m) <= 1


def test_two_roundings_are_not_mirrored():
    for rule, factor in ((two_roundings_away, 0.5), (two_roundings_up, 0.5), (two_roundings_up, 0.25)):
        acc = int(0.5 / factor)
        assert (rounded(rule, acc, Multiplier.of(factor)), rounded(rule, -acc, Multiplier.of(factor))) == (1, 0)


# ------------------------------------------------------- operators without weights


@pytest.mark.parametrize(
    "x, scale, half_away, half_even",
    [
        (2.5, 1, 3, 2),
        (-2.5, 1, -3, -2),
        (3.5, 1, 4, 4),
        (0.5, 1, 1, 0),
        (0.75, 0.5, 2, 2),  # 1.5
        (-1.25, 0.5, -3, -2),
        (np.nextafter(np.float32(0.5), np.float32(0)), 1, 0, 0),
        (-np.nextafter(np.float32(0.5), np.float32(0)), 1, 0, 0),
        (np.inf, 1, np.inf, np.inf),
        (-np.inf, 1, -np.inf, -np.inf),
    ],
)
def test_steps_of_a_real(x, scale, half_away, half_even):
    x, scale = np.float32([x]), np.float32(scale)
    assert steps_half_away(x, scale).tolist() == [half_away]
    assert steps_half_even(x, scale).tolist() == [half_even]


@given(st.floats(-1000, 1000, width=32), steps)
def test_steps_half_away_is_the_float32_quotient_rounded(x, scale):
    quotient = Fraction(float(np.float32(x) / np.float32(scale)))
    assert steps_half_away(np.float32([x]), np.float32(scale))[0] == away(quotient)


def test_reals_of_codes():
    q = np.arange(-128, 128).astype(np.int8)
    for scale, zero_point in ((np.float32(0.1), -3), (np.float32(1 / 256), -128), (np.float32(0.7), 127)):
        x, same, shifted = (
            DEQUANTIZE[kernel](q, scale, zero_point) for kernel in ("reference", "xnnpack", "no_delegate")
        )
        exact = [Fraction(float(scale)) * (int(code) - zero_point) for code in q]
        assert x.dtype == shifted.dtype == np.float32 and (x == same).all()
        assert all(np.float32(float(e)) == v for e, v in zip(exact, x, strict=True))  # one product, rounded once
        # Two products and a difference: three roundings, each of half a unit in the last of 24 bits.
        largest = 256 * Fraction(float(scale))
        assert all(abs(Fraction(float(v)) - e) <= 3 * largest / 2**24 for e, v in zip(exact, shifted, strict=True))
        assert ((x != shifted).any()) == (scale != 1 / 256)  # where all of them are exact


@given(codes, steps, steps)
def test_rescaled_codes_are_within_their_bound(v, s_in, s_out):
    s_in, s_out = np.float32(s_in), np.float32(s_out)
    exact = v * Fraction(float(s_in)) / Fraction(float(s_out))
    m = Multiplier.of(float(s_in) / float(s_out))
    bounds = dict.fromkeys(KERNELS, HALF + HALF / 2 ** max(-int(m.shift), 0) + abs(exact) / 2**30)
    if 2**-8 <= s_in / s_out <= 2**7:  # a factor in steps of 1/256
        bounds["xnnpack"] = HALF + abs(v) * Fraction(1, 512) + abs(exact) / 2**23
    for kernel in KERNELS:
        assert abs(int(REQUANTIZE[kernel](np.array([v]), s_in, s_out)[0]) - exact) <= bounds[kernel]


def test_xnnpack_rescales_with_steps_of_1_256():
    v, one = np.array([100, 250, -250]), np.float32(1)
    assert REQUANTIZE["no_delegate"](v, np.float32(0.703), one).tolist() == [70, 176, -176]  # 175.75
    # 0.7 is 179.2 steps and 0.701 is 179.5, both taken as 179: 250 · 179 / 256 = 174.8. 0.702 is 179.7, taken as 180.
    for scale, code in ((0.7, 175), (0.701, 175), (0.702, 176)):
        assert REQUANTIZE["xnnpack"](v, np.float32(scale), one).tolist() == [70, code, -code]


@given(codes, codes, st.floats(-5, 5), st.floats(-5, 5), steps)
def test_a_sum_is_within_its_bound(a, b, log_a, log_b, s_out):
    s_a, s_b, s_out = (np.float32(s) for s in (s_out * 2**log_a, s_out * 2**log_b, s_out))
    exact = (a * Fraction(float(s_a)) + b * Fraction(float(s_b))) / Fraction(float(s_out))
    largest = Fraction(float(max(s_a, s_b))) / Fraction(float(s_out))
    # Two terms in units of 2 · largest / 2^20, each rounded twice; then their sum, twice, the second time by n ≥ 14.
    bounds = dict.fromkeys(KERNELS, HALF + 3 * 2 * largest / 2**20 + Fraction(1, 2**14))
    # Two factors in units of 2^−shift, of which the larger has 21 bits.
    bounds["xnnpack"] = HALF + (abs(a) + abs(b)) * HALF * 2 * largest / 2**20 + abs(exact) / 2**22
    for kernel in KERNELS:
        assert abs(int(ADD[kernel](np.array([a]), np.array([b]), s_a, s_b, s_out)[0]) - exact) <= bounds[kernel]


def test_sums_of_halves():
    half, one = np.float32(0.5), np.float32(1)
    sums = {kernel: ADD[kernel](np.array([1, 3, -1, -3]), np.zeros(4, int), half, half, one) for kernel in KERNELS}
    assert sums["reference"].tolist() == sums["no_delegate"].tolist() == [1, 2, -1, -2]
    assert sums["xnnpack"].tolist() == [1, 2, 0, -1]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(-3, 3), st.booleans(), st.integers(-128, 127), st.integers(0))
def test_a_mean_is_within_its_bound(height, width, log_ratio, keep, zero_point, seed):
    x = np.random.default_rng(seed).integers(-128, 128, (1, height, width, 17), dtype=np.int8)
    s_in, s_out = np.float32(0.1), np.float32(0.1 * 2**log_ratio)
    out = dict(shape=(1, 1, 1, 17) if keep else (1, 17), scale=s_out, zero_point=-7)
    inputs = [
        dict(shape=x.shape, scale=s_in, zero_point=zero_point),
        dict(shape=(2,), dtype="int32", data=[1, 2]),
    ]
    tflite = one_operator("MEAN", inputs, out, "ReducerOptions", 2, keepDims=keep)
    ratio = Fraction(float(s_in)) / Fraction(float(s_out))
    totals = (x.astype(int) - zero_point).sum(axis=(0, 1, 2)).tolist()
    exact = [min(max(total * ratio / (height * width) - 7, -128), 127) for total in totals]
    # The count divides the multiplier, which may leave it below 2^30: the shift counts, not the factor.
    shift = int(quantize_multiplier(float(ratio))[1]) - math.floor(math.log2(height * width))
    bounds = dict.fromkeys(KERNELS, HALF + HALF / 2 ** max(-shift, 0))
    bounds["xnnpack"] = HALF
    if keep:  # the optimized kernel rounds the sum and the zero point's share, each by itself
        bounds["no_delegate"] += HALF
    for kernel in KERNELS:
        codes = computed(tflite, x, kernel=kernel).ravel().tolist()
        assert all(abs(code - e) <= bounds[kernel] + Fraction(1, 1000) for code, e in zip(codes, exact, strict=True))
