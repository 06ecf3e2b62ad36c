"""The file of a packed network: its bytes by hand, back again, and what is damaged is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qlib.packed import FewBits, Floats, Shared, dumps, loads, pack_bits, unpack_bits

SEEDS = st.integers(0, 2**32 - 1)


def some_tensors(seed):
    """One of each kind, and their shapes."""
    rng = np.random.default_rng(seed)
    k, num_bits = int(rng.integers(1, 40)), int(rng.integers(2, 9))
    shape = tuple(rng.integers(1, 9, 3))
    qmax = 2 ** (num_bits - 1) - 1
    sparse = rng.integers(1, k + 1, shape) * (rng.random(shape) < rng.random())
    tensors = [
        Floats(rng.normal(size=shape).astype(np.float32)),
        FewBits(rng.integers(-qmax, qmax + 1, shape), rng.random() + 0.01, num_bits),
        Shared(sparse, np.sort(rng.normal(size=k)), int(rng.integers(1, 9))),
    ]
    return tensors, [shape] * 3


@settings(deadline=None)  # a busy machine may take its time
@given(SEEDS)
def test_back_again(seed):
    tensors, shapes = some_tensors(seed)
    for before, after in zip(tensors, loads(dumps(tensors), shapes), strict=True):
        assert type(before) is type(after)
        restored = after.restored()
        assert restored.dtype == np.float32 and np.array_equal(before.restored(), restored)
        if not isinstance(before, Floats):
            assert np.array_equal(before.codes, after.codes)


def test_the_bytes_by_hand():
    # kind 1, 2 bits, Δ = 1 in float16 (3c00), plain, since Huffman's lengths alone would take two bytes:
    # −1 0 1 are 00 01 10
    few = dumps([FewBits(np.array([-1, 0, 1]), 1.0, 2)])
    assert few == b"QP1" + bytes([1, 2, 0x00, 0x3C, 0, 0b00011000])
    assert dumps([Floats(np.array([1.0, -2.0]))]) == b"QP1" + bytes([0, 0x00, 0x3C, 0x00, 0xC0])
    # kind 2, one centroid, gaps of 2 bits, 2 stored codes; 0.5 (3800); lengths 0 1 (00000 00001) and codes 0 0;
    # gaps 1 0: lengths 1 1 0 0 and codes 1 0
    shared = dumps([Shared(np.array([0, 1, 1, 0]), np.array([0.5]), 2)])
    body = [2, 1, 2, 2, 0, 0, 0, 0x00, 0x38, 0b00000000, 0b01000000, 0b00000000]
    assert shared == b"QP1" + bytes([*body, 0b00001000, 0b01000000, 0, 0b10000000])


def test_many_equal_codes_are_short():
    codes = np.zeros((100, 100), int)
    codes[0, :10] = 1
    assert len(dumps([FewBits(codes, 0.1, 4)])) < 10_000 / 8 + 30  # one bit each; plain they would be 5,000 bytes
    assert len(dumps([Shared(codes, np.array([0.1]), 3)])) < 30  # zeros after the last value are not stored


@settings(deadline=None)  # a busy machine may take its time
@given(st.lists(st.integers(0, 31), min_size=1), st.integers(5, 9))
def test_bits_back_again(numbers, num_bits):
    packed = pack_bits(np.array(numbers), num_bits)
    assert len(packed) == -(-len(numbers) * num_bits // 8)
    assert unpack_bits(packed, num_bits, len(numbers)).tolist() == numbers


def test_what_is_restored_is_what_float16_holds():
    assert Floats(np.array([0.1])).restored()[0] == np.float32(np.float16(0.1))
    assert FewBits(np.array([3]), 0.1, 3).restored()[0] == np.float32(np.float16(0.1)) * 3
    assert Shared(np.array([0, 2]), np.array([7.0, 0.1]), 4).restored().tolist() == [0, np.float32(np.float16(0.1))]


@settings(deadline=None)  # a busy machine may take its time
@given(SEEDS, st.data())
def test_damage_is_refused_or_read_as_another_network(seed, data):
    """Never another exception, never another shape."""
    tensors, shapes = some_tensors(seed)
    file = bytearray(dumps(tensors))
    place = data.draw(st.integers(0, len(file) - 1))
    file[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = loads(bytes(file), shapes)
    except ValueError as error:
        assert "expected" in str(error)
    else:
        assert [tensor.restored().shape for tensor in found] == shapes


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 9, 20])
def test_a_file_cut_short_is_refused(cut):
    tensors, shapes = some_tensors(3)
    file = dumps(tensors)
    with pytest.raises(ValueError, match="data: expected"):
        loads(file[:-cut], shapes)
    with pytest.raises(ValueError, match="bytes for these shapes"):
        loads(file + b"\0" * cut, shapes)


def test_other_files_and_wrong_parts_are_refused():
    with pytest.raises(ValueError, match="begins with b'QP1', got b'TFL'"):
        loads(b"TFL3", [])
    with pytest.raises(ValueError, match="kind 0, 1 or 2, got 9"):
        loads(b"QP1\x09", [(1,)])
    with pytest.raises(ValueError, match="at most 1 stored codes, got 4294967295"):
        loads(b"QP1\x02\x01\x02\xff\xff\xff\xff", [(1,)])
    with pytest.raises(ValueError, match="codes: expected integers from -1 to 1"):
        FewBits(np.array([2]), 1.0, 2)
    with pytest.raises(ValueError, match="codes: expected integers from 0 to 1"):
        Shared(np.array([-1]), np.array([1.0]), 4)
    with pytest.raises(ValueError, match="centroids: expected 1 to 255 values"):
        Shared(np.array([0]), np.zeros(256), 4)
    with pytest.raises(ValueError, match="num_bits: expected an integer from 1 to 8, got 9"):
        FewBits(np.array([0]), 1.0, 9)
