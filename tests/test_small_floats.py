"""Floats of 4, 6 and 8 bits by their formula, beside ml_dtypes, bit for bit."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qlib import small_floats
from qlib.formats import bits_of, value_of

THEIRS = {
    "E2M1": ml_dtypes.float4_e2m1fn,
    "E2M3": ml_dtypes.float6_e2m3fn,
    "E3M2": ml_dtypes.float6_e3m2fn,
    "E4M3": ml_dtypes.float8_e4m3fn,
    "E5M2": ml_dtypes.float8_e5m2,
}
HALVES = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
HALVES = HALVES[~np.isnan(HALVES)]  # every float16 but NaN
NAMES = pytest.mark.parametrize("name", THEIRS)


def test_all_values_of_e2m1_by_hand():
    values = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert small_floats.decode(np.arange(8), "E2M1").tolist() == values
    assert small_floats.decode(np.arange(9, 16), "E2M1").tolist() == [-v for v in values[1:]]
    assert small_floats.encode([*values, -0.5, -6], "E2M1").tolist() == [*range(8), 9, 15]


def test_the_ends_are_those_of_the_papers():
    """Micikevicius et al. 2022, table 1; OCP MX 1.0, tables of FP6 and FP4."""
    ends = {name: (form.largest, form.emax, form.bias) for name, form in small_floats.SMALL_FLOATS.items()}
    assert ends["E4M3"] == (448, 8, 7) and ends["E5M2"] == (57344, 15, 15)
    assert ends["E3M2"] == (28, 4, 3) and ends["E2M3"] == (7.5, 2, 1) and ends["E2M1"] == (6, 2, 1)
    assert [small_floats.SMALL_FLOATS[name].num_bits for name in THEIRS] == [4, 6, 6, 8, 8]


@NAMES
def test_every_pattern(name):
    form = small_floats.SMALL_FLOATS[name]
    patterns = np.arange(2**form.num_bits, dtype=np.uint8)
    theirs = patterns.view(THEIRS[name]).astype(np.float32)
    ours = small_floats.decode(patterns, name)
    np.testing.assert_array_equal(ours, theirs)
    assert np.array_equal(np.signbit(ours)[~np.isnan(ours)], np.signbit(theirs)[~np.isnan(theirs)])  # −0, too
    finite = np.isfinite(ours)
    assert small_floats.encode(ours[finite], name).tolist() == patterns[finite].tolist()


@NAMES
def test_every_float16_is_rounded_as_ml_dtypes_does(name):
    """Within the range; beyond it they overflow, and we saturate."""
    largest = small_floats.SMALL_FLOATS[name].largest
    inside = HALVES[np.abs(HALVES) <= largest]
    theirs = inside.astype(THEIRS[name])
    np.testing.assert_array_equal(small_floats.round_to(inside, name), theirs.astype(np.float32))
    ours = small_floats.encode(inside, name)
    assert np.array_equal(ours, theirs.view(np.uint8))
    beyond = HALVES[np.abs(HALVES) > largest]
    assert np.array_equal(small_floats.round_to(beyond, name), np.sign(beyond) * np.float32(largest))


@pytest.mark.parametrize("name", ["E4M3", "E5M2"])
def test_lesson_02_agrees(name):
    patterns = np.arange(256)
    np.testing.assert_array_equal(small_floats.decode(patterns, name), value_of(patterns, f"float8 {name}"))
    x = np.random.default_rng(0).normal(size=500).astype(np.float32)
    assert np.array_equal(small_floats.encode(x, name), bits_of(x, f"float8 {name}"))


@given(st.floats(width=32, allow_nan=False), st.sampled_from(list(THEIRS)))
def test_no_number_is_nearer(x, name):
    values = small_floats.decode(np.arange(2 ** small_floats.SMALL_FLOATS[name].num_bits), name).astype(np.float64)
    values = values[np.isfinite(values)]
    rounded = float(small_floats.round_to(x, name))
    assert rounded in values
    assert np.isinf(x) or abs(rounded - np.float64(np.float32(x))) == np.abs(values - np.float64(np.float32(x))).min()


def test_a_scale_brings_the_largest_to_the_largest():
    """E2M1: 12 → 6, so the scale is 2; and one scale for each column."""
    x = np.array([[12, 0.3], [2.5, -0.6], [-5, 0.15]], np.float32)
    assert small_floats.fake_quantize_float(x, "E2M1")[:, 0].tolist() == [12, 2, -4]
    each = small_floats.fake_quantize_float(x, "E2M1", axis=1)
    np.testing.assert_allclose(each[:, 1], [0.3, -0.6, 0.15], rtol=1e-6)  # scale 0.1
    assert small_floats.fake_quantize_float(np.zeros(3), "E4M3").tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "call, says",
    [
        (
            lambda: small_floats.round_to([1.0], "E3M4"),
            "name: expected one of ['E2M1', 'E2M3', 'E3M2', 'E4M3', 'E5M2'], got 'E3M4'",
        ),
        (lambda: small_floats.round_to([np.nan], "E4M3"), "x: expected no NaN, got 1 of 1 values"),
        (lambda: small_floats.decode([16], "E2M1"), "patterns: expected integers of 4 bits, got [16]"),
        (lambda: small_floats.decode([1.0], "E4M3"), "patterns: expected integers of 8 bits, got [1.]"),
        (
            lambda: small_floats.fake_quantize_float([1.0, -np.inf], "E4M3"),
            "x: expected finite values, got 1 infinite of 2",
        ),
        (
            lambda: small_floats.fake_quantize_float([1.0], "E4M3", axis=1),
            "axis: expected one of the 1 axes of the array, got 1",
        ),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == says


def test_one_number_is_an_array_without_axes():
    assert small_floats.fake_quantize_float(3.0, "E2M1") == 3 and small_floats.fake_quantize_float(0.0, "E2M1") == 0
