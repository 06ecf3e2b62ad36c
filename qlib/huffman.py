"""Huffman codes: frequent symbols get short codes, so that a row of symbols takes the fewest bits.

Symbols are integers from 0 on. A *canonical* code is given by its lengths alone: a file stores them, and no tree.
"""

from __future__ import annotations

import heapq

import numpy as np

from qlib.arguments import as_array

LONGEST = 32  # bits of one code, at most


def entropy(counts: np.ndarray) -> float:
    """H = −Σ p log₂ p, in bits per symbol, of symbols that came `counts` times.

    No code does with fewer that writes each symbol by itself.

    References
    ----------
    C. E. Shannon, "A mathematical theory of communication", Bell System Technical Journal 27 (1948).

    Examples
    --------
    >>> entropy([2, 1, 1])
    1.5
    """
    counts = _counts(counts)
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum()) + 0.0  # no -0.0


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """The length in bits of each symbol's code: 0 for one that never comes.

    The two rarest groups of symbols are joined into one, again and again; each time their codes grow by one bit.

    Parameters
    ----------
    counts : integers, shape (symbols,)
        How often each symbol comes. At least one comes.

    Returns
    -------
    uint8 array, shape (symbols,)
        A symbol that comes alone gets 1 bit.

    References
    ----------
    D. A. Huffman, "A method for the construction of minimum-redundancy codes", Proceedings of the IRE 40 (1952).

    Examples
    --------
    >>> code_lengths([5, 1, 2, 0])
    array([1, 2, 2, 0], dtype=uint8)
    """
    counts = _counts(counts)
    lengths = np.zeros(counts.size, np.uint8)
    heap = [(int(count), symbol, [symbol]) for symbol, count in enumerate(counts) if count]
    if len(heap) == 1:
        lengths[heap[0][2]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, _, some), (b, tie, others) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[some + others] += 1
        heapq.heappush(heap, (a + b, tie, some + others))
    return lengths


def codes(lengths: np.ndarray) -> np.ndarray:
    """The canonical codes of these lengths, as integers: shorter ones first, of equal length by symbol.

    Each code is the one before plus 1, with zeros appended where it is longer.

    Raises
    ------
    ValueError
        If no prefix code has these lengths (Σ 2^−length > 1: Kraft's inequality), or one is above 32.

    Examples
    --------
    >>> [f"{code:b}" for code in codes([1, 2, 2])]
    ['0', '10', '11']
    """
    lengths = _lengths(lengths)
    found, code, before = np.zeros(lengths.size, np.uint32), 0, 0
    for symbol in _order(lengths):
        code <<= int(lengths[symbol]) - before
        found[symbol], before = code, int(lengths[symbol])
        code += 1
    return found


def encode(symbols: np.ndarray, lengths: np.ndarray) -> bytes:
    """The codes of the symbols one after the other, highest bit first; the last byte is filled up with zeros.

    Raises
    ------
    ValueError
        If a symbol has no code.
    """
    lengths, symbols = _lengths(lengths), as_array("symbols", symbols).ravel()
    if symbols.size == 0:
        return b""
    if symbols.dtype.kind not in "iu" or symbols.min() < 0 or symbols.max() >= lengths.size:
        raise ValueError(f"symbols: expected integers from 0 to {lengths.size - 1}, got {symbols}")
    if without := np.setdiff1d(symbols, np.flatnonzero(lengths)).tolist():
        raise ValueError(f"symbols: expected such that have a code, got {without}")
    places = np.arange(LONGEST - 1, -1, -1)
    bits = codes(lengths)[:, None] >> places & 1  # of each symbol's code, the highest first
    used = places < lengths[:, None]
    return np.packbits(bits[symbols][used[symbols]].astype(np.uint8)).tobytes()


def decode(data: bytes, lengths: np.ndarray, count: int) -> np.ndarray:
    """The first `count` symbols of what `encode` wrote: int64 array, shape (count,).

    Raises
    ------
    ValueError
        If the bits end too early, or begin no code.
    """
    lengths = _lengths(lengths)
    symbol_of = {(int(lengths[s]), int(code)): s for s, code in enumerate(codes(lengths)) if lengths[s]}
    found, code, length = np.empty(count, np.int64), 0, 0
    bits, place = np.unpackbits(np.frombuffer(data, np.uint8)).tolist(), 0
    for i in range(count):
        code = length = 0
        while (length, code) not in symbol_of:
            if place == len(bits) or length == LONGEST:
                raise ValueError(f"data: expected {count} symbols, got {i} and bits that are no code")
            code, length, place = code << 1 | bits[place], length + 1, place + 1
        found[i] = symbol_of[length, code]
    return found


def _order(lengths: np.ndarray) -> list[int]:
    """Symbols that have a code, by length and then by number."""
    return sorted(np.flatnonzero(lengths).tolist(), key=lambda symbol: (lengths[symbol], symbol))


def _counts(counts: np.ndarray) -> np.ndarray:
    counts = as_array("counts", counts)
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or (counts < 0).any() or not counts.any():
        raise ValueError(f"counts: expected how often each symbol comes, at least one of them, got {counts}")
    return counts


def _lengths(lengths: np.ndarray) -> np.ndarray:
    lengths = as_array("lengths", lengths)
    fitting = lengths.ndim == 1 and lengths.dtype.kind in "iu" and (lengths >= 0).all() and (lengths <= LONGEST).all()
    if not fitting or (0.5 ** lengths[lengths > 0].astype(float)).sum() > 1:
        raise ValueError(f"lengths: expected those of a prefix code, each at most {LONGEST} bits, got {lengths}")
    return lengths.astype(np.int64)
