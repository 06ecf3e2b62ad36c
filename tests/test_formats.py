"""qlib.formats against the formulas of the standards, NumPy, ml_dtypes, and values worked out by hand."""

import math
import struct

import ml_dtypes
import numpy as np
import pytest

from qlib import formats
from qlib.formats import (
    FORMATS,
    bits_of,
    cast,
    fields,
    largest,
    neighbours,
    smallest,
    smallest_normal,
    value_of,
    values,
)

SMALL = [name for name, form in FORMATS.items() if form.num_bits <= 16]
FLOATS = [name for name, form in FORMATS.items() if form.is_float]
INTEGERS = [name for name, form in FORMATS.items() if not form.is_float]


def by_the_formula(pattern, name):
    """A pattern's value, exact: the tables of IEEE 754-2019 and arXiv:2209.05433, by integers and one power of two."""
    exponent_bits, mantissa_bits = {
        "float8 E4M3": (4, 3),
        "float8 E5M2": (5, 2),
        "bfloat16": (8, 7),
        "float16": (5, 10),
        "float32": (8, 23),
    }[name]
    bits = f"{pattern:0{1 + exponent_bits + mantissa_bits}b}"
    sign, e, m = (int(part, 2) for part in (bits[0], bits[1 : 1 + exponent_bits], bits[1 + exponent_bits :]))
    bias, top = 2 ** (exponent_bits - 1) - 1, 2**exponent_bits - 1
    if name == "float8 E4M3" and e == top and m == 7:
        return math.nan
    if name != "float8 E4M3" and e == top:
        return math.nan if m else (-1) ** sign * math.inf
    lead, power = (1, e - bias) if e else (0, 1 - bias)
    return math.ldexp((-1) ** sign * (lead * 2**mantissa_bits + m), power - mantissa_bits)


@pytest.mark.parametrize("name", [name for name in FLOATS if name in SMALL])
def test_every_float_pattern_is_what_the_formula_says(name):
    patterns = np.arange(2 ** FORMATS[name].num_bits)
    found, expected = value_of(patterns, name), [by_the_formula(pattern, name) for pattern in patterns.tolist()]
    assert np.array_equal(found, expected, equal_nan=True)
    signs = patterns >> (FORMATS[name].num_bits - 1)
    assert np.array_equal(np.signbit(found)[~np.isnan(found)], signs[~np.isnan(found)])  # of zeros, too


def test_some_float32_patterns_are_what_the_formula_says():
    rng = np.random.default_rng(0)
    some = [0, 1, 0x007FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x80000000, 0xFF800000]
    for pattern in [*some, *rng.integers(0, 2**32, 2000).tolist()]:
        found = float(value_of(pattern, "float32"))
        unpacked = struct.unpack("<f", struct.pack("<I", pattern))[0]
        assert np.array_equal([found] * 2, [by_the_formula(pattern, "float32"), unpacked], equal_nan=True)


@pytest.mark.parametrize("name", INTEGERS)
def test_every_integer_pattern_is_twos_complement(name):
    num_bits = FORMATS[name].num_bits
    found = value_of(np.arange(2**num_bits), name)
    assert found.tolist() == [*range(2 ** (num_bits - 1)), *range(-(2 ** (num_bits - 1)), 0)]


@pytest.mark.parametrize("name", SMALL)
def test_every_pattern_comes_back(name):
    patterns = np.arange(2 ** FORMATS[name].num_bits)
    every = value_of(patterns, name)
    kept = ~np.isnan(every)
    assert np.array_equal(bits_of(every[kept], name), patterns[kept])


@pytest.mark.parametrize("name", FLOATS)
def test_floats_are_cast_to_the_nearest_half_to_even(name):
    rng = np.random.default_rng(1)
    for pattern in rng.integers(0, 2 ** (FORMATS[name].num_bits - 1) - 1, 200).tolist():
        low, high = value_of(pattern, name), value_of(pattern + 1, name)
        if np.isfinite(high):
            ties, quarter = (low + high) / 2, low + (high - low) / 4
            assert bits_of([quarter, ties, -ties], name).tolist() == [
                pattern,
                pattern + pattern % 2,
                pattern + pattern % 2 + 2 ** (FORMATS[name].num_bits - 1),
            ]


def test_the_ends_by_hand():
    """arXiv:2209.05433, table 1; IEEE 754-2019, table 3.5."""
    rows = {name: (largest(name), smallest_normal(name), smallest(name)) for name in FORMATS}
    assert rows == {
        "int4": (7, 1, 1),
        "int8": (127, 1, 1),
        "int16": (32767, 1, 1),
        "float8 E4M3": (448, 2**-6, 2**-9),
        "float8 E5M2": (57344, 2**-14, 2**-16),
        "bfloat16": ((2 - 2**-7) * 2.0**127, 2**-126, 2**-133),
        "float16": (65504, 2**-14, 2**-24),
        "float32": ((2 - 2**-23) * 2.0**127, 2**-126, 2**-149),
    }
    for name in FLOATS:
        info = ml_dtypes.finfo(FORMATS[name].dtype)
        assert rows[name] == (float(info.max), float(info.smallest_normal), float(info.smallest_subnormal))


def test_anatomy():
    assert {name: (form.letters, form.bias) for name, form in FORMATS.items() if form.num_bits <= 16} == {
        "int4": ("SIII", 0),
        "int8": ("SIIIIIII", 0),
        "int16": ("SIIIIIIIIIIIIIII", 0),
        "float8 E4M3": ("SEEEEMMM", 7),
        "float8 E5M2": ("SEEEEEMM", 15),
        "bfloat16": ("SEEEEEEEEMMMMMMM", 127),
        "float16": ("SEEEEEMMMMMMMMMM", 15),
    }
    assert FORMATS["float32"].letters == "S" + 8 * "E" + 23 * "M"
    assert all(form.num_bits <= 8 * form.dtype.itemsize and form.name == name for name, form in FORMATS.items())


def test_fields_by_hand():
    assert fields(0b1_0000_011, "float8 E4M3") == (1, 0, 3)
    assert fields(0b0_10101_11, "float8 E5M2") == (0, 21, 3)
    assert fields(0b1_011, "int4") == (1, 0, 3)
    assert fields(np.uint32(0xC0490FDB), "float32") == (1, 128, 0x490FDB)


def test_beyond_the_ends():
    assert cast([1e9, -1e9], "int4").tolist() == [7, -8]
    assert cast([np.inf, -np.inf, 127.5, -128.5], "int8").tolist() == [127, -128, 127, -128]
    assert np.isnan(cast([465.0, -1e9, np.inf], "float8 E4M3").astype(float)).all()
    assert cast([464.0], "float8 E4M3").astype(float).tolist() == [448]  # a tie between 448 and 480, which is NaN's
    assert cast([61440.0, -1e9], "float8 E5M2").astype(float).tolist() == [np.inf, -np.inf]
    assert np.isinf(cast(1e300, "float32"))


def test_integers_are_rounded_half_to_even():
    assert cast([0.5, 1.5, 2.5, -0.5, -1.5], "int16").tolist() == [0, 2, 2, 0, -2]


@pytest.mark.parametrize("name", SMALL)
def test_values_are_all_of_them_once(name):
    every = values(name)
    form = FORMATS[name]
    assert every.dtype == np.float64 and np.all(np.diff(every) > 0)
    assert every[-1] == largest(name) and every[every > 0][0] == smallest(name)
    kept = {"float8 E4M3": 2}.get(name, 2 ** (form.mantissa_bits + 1) if form.is_float else 0)
    assert every.size == 2**form.num_bits - kept - form.is_float  # two zeros count once


@pytest.mark.parametrize("name", SMALL)
def test_neighbours_are_those_of_the_sorted_list(name):
    every = values(name)
    for value, below, above in zip(every, [-np.inf, *every[:-1]], [*every[1:], np.inf], strict=True):
        assert neighbours(int(bits_of(value, name)), name) == (below, above)


def test_neighbours_of_what_is_no_number():
    assert neighbours(int(bits_of(np.inf, "float16")), "float16") == (65504, np.inf)
    assert neighbours(int(bits_of(-np.inf, "float16")), "float16") == (-np.inf, -65504)
    assert np.isnan(neighbours(0x7F, "float8 E4M3")).all()
    assert neighbours(0x80, "float8 E4M3") == (-(2**-9), 2**-9)  # minus zero


def test_shapes_are_kept_and_nothing_is_written_to():
    x = np.array([[1.1, -300.0]], np.float32)
    before = x.copy()
    for name in FORMATS:
        assert cast(x, name).dtype == FORMATS[name].dtype and cast(x, name).shape == (1, 2)
        assert bits_of(x, name).shape == (1, 2) and bits_of(1.0, name).shape == ()
        assert value_of(bits_of(x, name), name).shape == (1, 2)
    assert np.array_equal(x, before)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: cast([1.0], "float8"), "format: expected one of .*'float8 E4M3'.*got 'float8'"),
        (lambda: bits_of([np.nan], "float16"), "x: expected no NaN, got 1 of 1 values"),
        (lambda: cast(["a"], "int8"), "x: expected real numbers"),
        (lambda: value_of(256, "int8"), "pattern: expected integers of 8 bits, got 256"),
        (lambda: value_of(-1, "int8"), "pattern: expected integers of 8 bits, got -1"),
        (lambda: value_of(1.0, "int8"), "pattern: expected integers of 8 bits"),
        (lambda: values("float32"), "format: expected one of at most 16 bits, got 'float32'"),
        (lambda: formats.largest(8), "format: expected one of"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(ValueError, match=said):
        call()
