"""Storage of sparse tensors: hand-computed parts and bytes, SciPy's CSR, and round trips of anything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from qlib import sparse

TINY = np.array([[0, 5, 0, 0], [0, 0, 0, 0], [7, 0, 0, 9]], np.float32)
SPARSE = st.sampled_from([0.0, 0.0, 0.0, 0.0, -0.0, 1.5, -2.0, 3e-40, 1e30])


def tensors(ndim=None):
    """Arrays of float32, int8 and uint8 in which most values are 0."""
    shapes = st.lists(st.integers(1, 9), min_size=ndim or 1, max_size=ndim or 3).map(tuple)
    whole = st.sampled_from([0, 0, 0, 1, 7, 120])
    kinds = st.sampled_from([(np.float32, SPARSE.map(np.float32)), (np.int8, whole), (np.uint8, whole)])
    return kinds.flatmap(lambda kind: arrays(kind[0], shapes, elements=kind[1], fill=st.nothing()))


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())


# ------------------------------------------------------------------ CSR


def test_csr_by_hand():
    values, columns, starts = sparse.encode_csr(TINY)
    assert values.tolist() == [5, 7, 9] and columns.tolist() == [1, 0, 3] and starts.tolist() == [0, 1, 1, 3]
    assert values.dtype == np.float32 and columns.dtype == starts.dtype == np.int32
    assert sparse.nbytes(values, columns, starts) == 12 + 12 + 16 == sparse.csr_bytes(3, 3)


def test_csr_is_that_of_scipy():
    rng = np.random.default_rng(0)
    w = (rng.normal(size=(40, 30)) * (rng.random((40, 30)) < 0.2)).astype(np.float32)
    theirs = csr_matrix(w)
    for ours, other in zip(sparse.encode_csr(w), (theirs.data, theirs.indices, theirs.indptr), strict=True):
        assert ours.dtype == other.dtype and np.array_equal(ours, other)


@given(tensors(ndim=2))
def test_csr_round_trip_and_bytes(w):
    parts = sparse.encode_csr(w)
    assert same(sparse.decode_csr(*parts, width=w.shape[1]), w)
    if w.dtype == np.float32:
        assert sparse.nbytes(*parts) == sparse.csr_bytes(np.count_nonzero(w), len(w))


def test_csr_pays_above_one_half():
    """4n against 8(1 − s)n + 4(r + 1): for n = 1000, r = 9 the same at 505 zeros."""
    sizes = [sparse.csr_bytes(1000 - zeros, rows=9) for zeros in (504, 505, 506)]
    assert sizes == [4008, 4000, 3992]


# ------------------------------------------------------------------ bitmap


def test_bitmap_by_hand():
    bits, values = sparse.encode_bitmap(TINY)
    assert bits.tolist() == [0b0100_0000, 0b1001_0000] and values.tolist() == [5, 7, 9]
    assert sparse.nbytes(bits, values) == 2 + 12 == sparse.bitmap_bytes(3, 12)


@given(tensors())
def test_bitmap_round_trip_and_bytes(x):
    bits, values = sparse.encode_bitmap(x)
    assert same(sparse.decode_bitmap(bits, values, x.shape), x)
    if x.dtype == np.float32:
        assert sparse.nbytes(bits, values) == sparse.bitmap_bytes(np.count_nonzero(x), x.size)


def test_a_bitmap_pays_from_one_zero_in_32_on():
    assert [sparse.bitmap_bytes(320 - zeros, 320) - 4 * 320 for zeros in (9, 10, 11)] == [4, 0, -4]


# ------------------------------------------------------------------ relative indices


def slowly(flat, index_bits):
    """Gaps and values by counting."""
    gaps, values, zeros = [], [], 0
    for x in flat:
        if x != 0 or zeros == 2**index_bits - 1:
            gaps.append(zeros)
            values.append(x)
            zeros = 0
        else:
            zeros += 1
    while values and values[-1] == 0:  # nothing behind the last value
        gaps.pop(), values.pop()
    return gaps, values


@pytest.mark.parametrize(
    "flat, index_bits, gaps, values",
    [
        ([4, 5], 3, [0, 0], [4, 5]),
        ([0] * 7 + [9], 3, [7], [9]),  # the largest gap needs no filler
        ([0] * 8 + [9], 3, [7, 0], [0, 9]),  # seven zeros, the filler is the eighth
        ([0] * 17 + [9], 3, [7, 7, 1], [0, 0, 9]),
        ([0, 0, 0], 3, [], []),
        ([3, 0, 0, 0, 0], 1, [0], [3]),
        ([], 4, [], []),
    ],
)
def test_relative_indices_by_hand(flat, index_bits, gaps, values):
    found = sparse.encode_relative(np.array(flat, np.float32), index_bits)
    assert [part.tolist() for part in found] == [gaps, values]
    assert found[0].dtype == np.uint8 and found[1].dtype == np.float32


@given(tensors(ndim=1), st.integers(1, 16))
def test_relative_round_trip(flat, index_bits):
    gaps, values = sparse.encode_relative(flat, index_bits)
    assert gaps.dtype == (np.uint8 if index_bits <= 8 else np.uint16) and values.dtype == flat.dtype
    assert gaps.size == values.size and (gaps < 2**index_bits).all()
    assert same(sparse.decode_relative(gaps, values, flat.size), flat)
    assert [gaps.tolist(), values.tolist()] == list(slowly(flat.tolist(), index_bits))


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from([0.001, 0.05, 0.5]), st.integers(1, 9))
def test_relative_round_trip_with_long_gaps(seed, share, index_bits):
    rng = np.random.default_rng(seed)
    flat = (rng.random(3000) < share) * rng.integers(1, 16, 3000).astype(np.uint8)
    gaps, values = sparse.encode_relative(flat, index_bits)
    assert same(sparse.decode_relative(gaps, values, flat.size), flat)
    assert [gaps.tolist(), values.tolist()] == list(slowly(flat.tolist(), index_bits))


def test_relative_bytes_round_up_each_part():
    assert sparse.relative_bytes(3, 5, value_bits=4) == 2 + 2  # 15 bits, 12 bits
    assert sparse.relative_bytes(0, 5) == 0


def test_a_size_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match=r"^size: expected more than 8, the place of the last value, got 8$"):
        sparse.decode_relative(np.array([1, 6], np.uint8), np.array([5, 7]), 8)


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: sparse.encode_csr([1, 2]), "matrix: expected two axes, got shape (2,)"),
        (lambda: sparse.encode_bitmap([np.nan, 1]), "x: expected no NaN, got 1 of 2 values"),
        (lambda: sparse.encode_relative(np.ones((2, 2)), 4), "flat: expected one axis, got shape (2, 2)"),
        (lambda: sparse.encode_relative([1], 0), "index_bits: expected an integer from 1 to 16, got 0"),
        (lambda: sparse.encode_relative([1], 17), "index_bits: expected an integer from 1 to 16, got 17"),
        (
            lambda: sparse.decode_csr(np.ones(1), np.ones(1, int), np.array([0, 1]), 0),
            "width: expected an integer from 1 on, got 0",
        ),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == says
