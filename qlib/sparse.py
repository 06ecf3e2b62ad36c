"""Bytes of the same tensor, stored in several ways: dense, CSR, bitmap, relative indices.

Each way is a pair, `encode_…` and `decode_…`: what was not read back was not stored. A zero of a dense tensor takes as
many bytes as any other number; the other ways leave it out, and pay for saying where.
"""

from __future__ import annotations

import numpy as np

from qlib.arguments import as_reals, check_count

Parts = tuple[np.ndarray, ...]


def nbytes(*parts: np.ndarray) -> int:
    """Bytes of some arrays together.

    >>> nbytes(np.zeros(3, np.float32), np.zeros(2, np.uint8))
    14
    """
    return sum(part.nbytes for part in parts)


# ------------------------------------------------------------------ CSR


def encode_csr(matrix: np.ndarray) -> Parts:
    """Compressed sparse rows: `values, columns, starts`.

    `values` are what is not zero, row by row, `columns` (int32) where in its row each stands, and row i has the values
    `starts[i]` to `starts[i + 1]` (int32).

    Raises
    ------
    ValueError
        If it has not two axes, or holds NaN.

    >>> [part.tolist() for part in encode_csr([[0, 5, 0], [0, 0, 0], [7, 0, 9]])]
    [[5, 7, 9], [1, 0, 2], [0, 1, 1, 3]]
    """
    matrix = as_reals("matrix", matrix)
    if matrix.ndim != 2:
        raise ValueError(f"matrix: expected two axes, got shape {matrix.shape}")
    rows, columns = np.nonzero(matrix)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(matrix)))])
    return matrix[rows, columns], columns.astype(np.int32), starts.astype(np.int32)


def decode_csr(values: np.ndarray, columns: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """The matrix that `encode_csr` stored; `width` is the length of a row, which CSR does not say."""
    check_count("width", width)
    matrix = np.zeros((len(starts) - 1, width), values.dtype)
    rows = np.repeat(np.arange(len(matrix)), np.diff(starts))
    matrix[rows, columns] = values
    return matrix


def csr_bytes(nonzeros: int, rows: int) -> int:
    """Bytes of CSR with float32 values and 32-bit indices: 8 for each value, 4 for each row and one more.

    >>> csr_bytes(nonzeros=3, rows=3)
    40
    """
    return 8 * nonzeros + 4 * (rows + 1)


# ------------------------------------------------------------------ bitmap


def encode_bitmap(x: np.ndarray) -> Parts:
    """One bit for each number, 1 where it is not zero, eight in a byte; and the numbers that are not: `bits, values`.

    >>> [part.tolist() for part in encode_bitmap([0, 5, 0, 0, 0, 0, 0, 7, 9])]
    [[65, 128], [5, 7, 9]]
    """
    x = as_reals("x", x)
    return np.packbits(x != 0), x[x != 0]


def decode_bitmap(bits: np.ndarray, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor that `encode_bitmap` stored, in the given shape."""
    mask = np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)
    x = np.zeros(shape, values.dtype)
    x[mask] = values
    return x


def bitmap_bytes(nonzeros: int, size: int) -> int:
    """Bytes of a bitmap with float32 values: 4 for each value, a bit for each of all `size` numbers.

    >>> bitmap_bytes(nonzeros=3, size=9)
    14
    """
    return 4 * nonzeros + -(-size // 8)


# ------------------------------------------------------------------ relative indices


def encode_relative(flat: np.ndarray, index_bits: int) -> Parts:
    """Where the numbers stand that are not zero, as gaps of a fixed width: `gaps, values`.

    A gap counts the zeros before a stored value. What is longer than the largest gap, 2**index_bits − 1, is bridged by
    a stored zero, the filler, which has the largest gap before it. Zeros after the last value are not stored.

    Parameters
    ----------
    flat : array with one axis, of any real dtype, which `values` keeps
    index_bits : int, 1 to 16
        `gaps` are uint8 up to 8 bits, else uint16. Packed they take `index_bits` each: `relative_bytes`.

    Raises
    ------
    ValueError
        If `flat` has not one axis, or holds NaN, or `index_bits` is out of range.

    References
    ----------
    S. Han, H. Mao, W. Dally, "Deep compression", ICLR 2016, section 2. (Its figure 2 counts the step from value to
    value instead, one more than the zeros between them.)

    >>> [part.tolist() for part in encode_relative([0, 5, 0, 0, 0, 0, 0, 7, 0], index_bits=2)]
    [[1, 3, 1], [5, 0, 7]]
    """
    flat, largest = as_reals("flat", flat), _largest_gap(index_bits)
    if flat.ndim != 1:
        raise ValueError(f"flat: expected one axis, got shape {flat.shape}")
    places = np.flatnonzero(flat)
    zeros = np.diff(places, prepend=-1) - 1
    fillers, rest = np.divmod(zeros, largest + 1)  # a filler takes the place of a zero itself
    ends = np.cumsum(fillers + 1) - 1  # where each value stands behind its fillers
    stored = int(ends[-1]) + 1 if ends.size else 0
    gaps = np.full(stored, largest, np.uint8 if index_bits <= 8 else np.uint16)
    values = np.zeros(stored, flat.dtype)
    gaps[ends], values[ends] = rest, flat[places]
    return gaps, values


def decode_relative(gaps: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """The `size` numbers that `encode_relative` stored.

    >>> decode_relative([1, 3, 1], np.array([5, 0, 7]), size=9).tolist()
    [0, 5, 0, 0, 0, 0, 0, 7, 0]
    """
    places = np.cumsum(np.asarray(gaps, np.int64) + 1) - 1
    if places.size and places[-1] >= size:
        raise ValueError(f"size: expected more than {places[-1]}, the place of the last value, got {size}")
    flat = np.zeros(size, np.asarray(values).dtype)
    flat[places] = values
    return flat


def relative_bytes(stored: int, index_bits: int, value_bits: int = 32) -> int:
    """Bytes of so many gaps and values, fillers included, each packed without a space between.

    >>> relative_bytes(stored=3, index_bits=4)
    14
    """
    return -(-stored * index_bits // 8) + -(-stored * value_bits // 8)


def _largest_gap(index_bits: int) -> int:
    check_count("index_bits", index_bits, 16)
    return 2**index_bits - 1
