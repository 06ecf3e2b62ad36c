"""A network's weights in the fewest bytes: few values, few zeros' places, Huffman's codes; written, and read back.

The file holds weights only. The list of layers, and so the shape of each tensor, is in the program that reads it, as in
lesson 04, section 6.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qlib.arguments import as_array, as_float32, check_count
from qlib.huffman import code_lengths, decode, encode
from qlib.sparse import decode_relative, encode_relative

MAGIC = b"QP1"
FLOATS, FEW_BITS, SHARED = range(3)  # kinds of tensors
LENGTH_BITS = 5  # of one code's length: up to 31 bits


@dataclass(frozen=True)
class Floats:
    """A tensor in float16."""

    x: np.ndarray

    def restored(self) -> np.ndarray:
        """float32, as it will be read back."""
        return self.x.astype(np.float16).astype(np.float32)


@dataclass(frozen=True)
class FewBits:
    """Codes −qmax … qmax of a uniform quantizer, one step for the tensor: x̂ = Δ·q. Δ is stored in float16."""

    codes: np.ndarray
    scale: float
    num_bits: int

    def __post_init__(self) -> None:
        check_count("num_bits", self.num_bits, 8)
        _check_codes(self.codes, -self.qmax, self.qmax)
        object.__setattr__(self, "scale", np.float32(np.float16(self.scale)))

    @property
    def qmax(self) -> int:
        return 2 ** (self.num_bits - 1) - 1

    def restored(self) -> np.ndarray:
        """float32, as it will be read back."""
        return self.scale * self.codes.astype(np.float32)


@dataclass(frozen=True)
class Shared:
    """Code 0 is a weight that is gone; code i stands for centroids[i − 1], which are stored in float16.

    index_bits : of the gaps between the weights that are left (`qlib.sparse.encode_relative`).
    """

    codes: np.ndarray
    centroids: np.ndarray
    index_bits: int

    def __post_init__(self) -> None:
        centroids = as_float32("centroids", self.centroids)
        check_count("index_bits", self.index_bits, 8)
        if centroids.ndim != 1 or not 1 <= centroids.size <= 255:
            raise ValueError(f"centroids: expected 1 to 255 values, got shape {centroids.shape}")
        _check_codes(self.codes, 0, centroids.size)
        object.__setattr__(self, "centroids", centroids.astype(np.float16).astype(np.float32))

    def restored(self) -> np.ndarray:
        """float32, as it will be read back."""
        return np.concatenate([[np.float32(0)], self.centroids])[self.codes]


Tensor = Floats | FewBits | Shared


def dumps(tensors: Sequence[Tensor]) -> bytes:
    """The file: three bytes to know it by, then each tensor."""
    return MAGIC + b"".join(map(_dump, tensors))


def loads(data: bytes, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """The tensors of a file, whose shapes the network knows.

    Raises
    ------
    ValueError
        If the file is none of ours, is damaged so that it cannot be read, or is longer or shorter than these shapes.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise ValueError(f"data: expected a file that begins with {MAGIC!r}, got {data[: len(MAGIC)]!r}")
    reader, tensors = _Reader(data, len(MAGIC)), []
    for shape in shapes:
        kind = reader.byte()
        if kind not in _LOAD:
            raise ValueError(f"data: expected a tensor of kind 0, 1 or 2, got {kind}")
        tensors.append(_LOAD[kind](reader, tuple(shape)))
    if reader.place != len(data):
        raise ValueError(f"data: expected {reader.place} bytes for these shapes, got {len(data)}")
    return tensors


def _dump(tensor: Tensor) -> bytes:
    if isinstance(tensor, Floats):
        return bytes([FLOATS]) + tensor.x.astype("<f2").tobytes()
    if isinstance(tensor, FewBits):
        symbols = (tensor.codes + tensor.qmax).ravel()
        head = bytes([FEW_BITS, tensor.num_bits]) + np.float16(tensor.scale).tobytes()
        huffman, plain = dump_symbols(symbols, 2 * tensor.qmax + 1), pack_bits(symbols, tensor.num_bits)
        short = len(huffman) < len(plain)  # the lengths of the codes take bytes, too
        return head + bytes([short]) + (huffman if short else plain)
    gaps, codes = encode_relative(tensor.codes.ravel(), tensor.index_bits)
    head = bytes([SHARED, tensor.centroids.size, tensor.index_bits]) + struct.pack("<I", len(codes))
    parts = [dump_symbols(codes, tensor.centroids.size + 1), dump_symbols(gaps, 2**tensor.index_bits)]
    return head + tensor.centroids.astype("<f2").tobytes() + b"".join(parts)


def dump_symbols(symbols: np.ndarray, alphabet: int) -> bytes:
    """The lengths of the codes, 5 bits each, and the symbols in Huffman's code; both fill up their last byte."""
    if symbols.size == 0:
        return b""
    lengths = code_lengths(np.bincount(symbols, minlength=alphabet))
    return pack_bits(lengths, LENGTH_BITS) + encode(symbols, lengths)


def pack_bits(numbers: np.ndarray, num_bits: int) -> bytes:
    """Integers from 0 on, `num_bits` bits each, the highest first, without a gap.

    >>> pack_bits(np.array([1, 2, 3]), 3).hex()  # 001 010 011
    '2980'
    """
    bits = numbers.ravel()[:, None].astype(np.int64) >> np.arange(num_bits - 1, -1, -1) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def unpack_bits(data: bytes, num_bits: int, count: int) -> np.ndarray:
    """The first `count` integers of what `pack_bits` wrote, int64."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=num_bits * count).reshape(count, num_bits)
    return bits.astype(np.int64) @ (1 << np.arange(num_bits - 1, -1, -1))


class _Reader:
    """Bytes, read one part after the other."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place

    def take(self, size: int) -> bytes:
        if self.place + size > len(self.data):
            raise ValueError(f"data: expected {self.place + size} bytes or more, got {len(self.data)}")
        self.place += size
        return self.data[self.place - size : self.place]

    def byte(self) -> int:
        return self.take(1)[0]

    def float16s(self, count: int) -> np.ndarray:
        return np.frombuffer(self.take(2 * count), "<f2").astype(np.float32)

    def numbers(self, num_bits: int, count: int) -> np.ndarray:
        return unpack_bits(self.take(-(-num_bits * count // 8)), num_bits, count)

    def symbols(self, alphabet: int, count: int) -> np.ndarray:
        """What `dump_symbols` wrote; how many bytes that were is known only after they are decoded."""
        if count == 0:
            return np.zeros(0, np.int64)
        lengths = self.numbers(LENGTH_BITS, alphabet)
        found = decode(self.data[self.place :], lengths, count)
        self.take(-(-int(lengths[found].sum()) // 8))
        return found


def _load_floats(reader: _Reader, shape: tuple[int, ...]) -> Floats:
    return Floats(reader.float16s(int(np.prod(shape))).reshape(shape))


def _load_few_bits(reader: _Reader, shape: tuple[int, ...]) -> FewBits:
    num_bits, scale, short = reader.byte(), reader.float16s(1)[0], reader.byte()
    check_count("num_bits", num_bits, 8)
    size, qmax = int(np.prod(shape)), 2 ** (num_bits - 1) - 1
    symbols = reader.symbols(2 * qmax + 1, size) if short else reader.numbers(num_bits, size)
    return FewBits((symbols - qmax).reshape(shape), scale, num_bits)


def _load_shared(reader: _Reader, shape: tuple[int, ...]) -> Shared:
    k, index_bits, stored = reader.byte(), reader.byte(), struct.unpack("<I", reader.take(4))[0]
    check_count("index_bits", index_bits, 8)
    size = int(np.prod(shape))
    if stored > size:
        raise ValueError(f"data: expected at most {size} stored codes, got {stored}")
    centroids = reader.float16s(k)
    codes = reader.symbols(k + 1, stored)
    gaps = reader.symbols(2**index_bits, stored)
    return Shared(decode_relative(gaps, codes, size).reshape(shape), centroids, index_bits)


_LOAD = {FLOATS: _load_floats, FEW_BITS: _load_few_bits, SHARED: _load_shared}


def _check_codes(codes: np.ndarray, low: int, high: int) -> None:
    codes = as_array("codes", codes)
    if codes.dtype.kind not in "iu" or (codes.size and not low <= codes.min() <= codes.max() <= high):
        raise ValueError(f"codes: expected integers from {low} to {high}, got {codes.dtype} {codes.ravel()[:8]}")
