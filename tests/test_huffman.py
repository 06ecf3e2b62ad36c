"""Huffman codes: by hand, as short as possible, and back again."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qlib.huffman import code_lengths, codes, decode, encode, entropy

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any)


def test_by_hand():
    # 45 13 12 16 9 5: the example of Cormen, Leiserson, Rivest and Stein, "Introduction to Algorithms": 224 bits.
    counts = np.array([45, 13, 12, 16, 9, 5])
    lengths = code_lengths(counts)
    assert lengths.tolist() == [1, 3, 3, 3, 4, 4] and lengths.dtype == np.uint8
    assert lengths @ counts == 224
    assert [f"{code:0{n}b}" for code, n in zip(codes(lengths), lengths, strict=True)] == [
        "0",
        "100",
        "101",
        "110",
        "1110",
        "1111",
    ]


def test_entropy_by_hand():
    assert entropy([1, 1, 1, 1]) == 2 and entropy([8]) == 0 and entropy([0, 3, 0]) == 0
    assert entropy([3, 1]) == pytest.approx(0.75 * np.log2(4 / 3) + 0.25 * 2)


def test_bits_on_disk_by_hand():
    # 0 → 0, 1 → 10, 2 → 11: 0 10 11 0 0 gives 0101 1000 and a byte filled up with zeros
    assert encode([0, 1, 2, 0, 0], [1, 2, 2]) == bytes([0b01011000])
    assert decode(bytes([0b01011000]), [1, 2, 2], 5).tolist() == [0, 1, 2, 0, 0]


@settings(deadline=None)  # a busy machine may take its time
@given(COUNTS)
def test_within_a_bit_of_the_entropy_and_complete(counts):
    lengths, counts = code_lengths(counts).astype(int), np.array(counts)
    mean = lengths @ counts / counts.sum()
    assert entropy(counts) - 1e-9 <= mean <= entropy(counts) + 1
    assert ((lengths == 0) == (counts == 0)).all()
    if np.count_nonzero(counts) > 1:
        assert (0.5 ** lengths[lengths > 0]).sum() == 1  # no code is left unused


@settings(deadline=None)  # a busy machine may take its time
@given(st.lists(st.integers(1, 30), min_size=2, max_size=6))
def test_no_other_prefix_code_is_shorter(counts):
    """Every set of lengths that Kraft's inequality allows, tried out."""
    best = min(
        np.dot(lengths, counts)
        for lengths in itertools.product(range(1, len(counts)), repeat=len(counts))
        if sum(0.5**n for n in lengths) <= 1
    )
    assert code_lengths(counts).astype(int) @ np.array(counts) == best


@settings(deadline=None)  # a busy machine may take its time
@given(COUNTS)
def test_no_code_begins_another(counts):
    lengths = code_lengths(counts)
    written = [f"{code:0{n}b}" for code, n in zip(codes(lengths), lengths, strict=True) if n]
    assert not any(a != b and b.startswith(a) for a in written for b in written)
    assert len(set(written)) == len(written)


@settings(deadline=None)  # a busy machine may take its time
@given(st.lists(st.integers(0, 20), max_size=300))
def test_back_again(symbols):
    lengths = code_lengths(np.bincount(symbols, minlength=21)) if symbols else np.array([1])
    packed = encode(np.array(symbols, int), lengths)
    assert decode(packed, lengths, len(symbols)).tolist() == symbols
    assert len(packed) == -(-sum(int(lengths[s]) for s in symbols) // 8)


def test_a_skewed_code_is_long():
    fibonacci = [1, 1]
    while len(fibonacci) < 30:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    lengths = code_lengths(fibonacci)
    assert lengths.max() == 29
    assert decode(encode(np.arange(30), lengths), lengths, 30).tolist() == list(range(30))


@pytest.mark.parametrize("counts", [[], [0, 0], [-1, 2], [0.5, 1.0], [[1, 2]]], ids=str)
def test_counts_that_are_none_are_refused(counts):
    for function in (code_lengths, entropy):
        with pytest.raises(ValueError, match="counts: expected how often"):
            function(counts)


@pytest.mark.parametrize("lengths", [[1, 1, 1], [33], [-1, 2], [1.5], [[1]]], ids=str)
def test_lengths_of_no_prefix_code_are_refused(lengths):
    with pytest.raises(ValueError, match="lengths: expected those of a prefix code"):
        codes(lengths)


def test_damage_is_refused():
    with pytest.raises(ValueError, match=r"symbols: expected such that have a code, got \[1\]"):
        encode([0, 1], [1, 0, 1])
    with pytest.raises(ValueError, match="symbols: expected integers from 0 to 2"):
        encode([0, 3], [1, 2, 2])
    with pytest.raises(ValueError, match="data: expected 9 symbols, got 8"):
        decode(b"\0", [1, 1], 9)
    with pytest.raises(ValueError, match="bits that are no code"):
        decode(b"\xff" * 9, [1], 1)  # only 0 is a code
