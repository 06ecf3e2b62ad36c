"""The check of the exercise 6c.2, pruning: bytes of a matrix in three formats."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import compare
from qlib.sparse import bitmap_bytes, csr_bytes


def sizes(answer, rng) -> None:
    """The check of 6c.2."""
    small = [[[0, 5, 0, 0], [0, 0, 0, 0], [7, 0, 0, 9]], [[1, 2], [3, 4]], [[0, 0, 0]], [[1], [0], [0], [0], [2]]]
    small += [[[0, -5, 0, 0], [0, 0, 2, 0]]]
    cases = [(np.array(w, np.float32),) for w in small]
    for shape in ((7, 9), (16, 40)):
        w = rng.normal(size=shape).astype(np.float32)
        cases.append((w * (rng.random(shape) < 0.3),))
    compare(
        answer,
        _right,
        cases,
        DENSE | CSR | BITMAP | ALL,
        otherwise="4 bytes for each stored value and index, a bit for each weight of the bitmap.",
    )


def _right(w):
    return _counted(w, int(np.count_nonzero(w)))


def _counted(w, left):
    """The three sizes if `left` weights are not zero."""
    return 4 * w.size, csr_bytes(left, len(w)), bitmap_bytes(left, w.size)


def _but(place, function):
    """Right, but one of the three by another rule of w and the number k of weights that are left."""

    def wrong(w):
        found = list(_right(w))
        found[place] = function(w, int(np.count_nonzero(w)))
        return tuple(found)

    return wrong


DENSE = {
    "dense: zeros take 4 bytes, too; a dense tensor stores all its numbers.": _but(0, lambda w, k: 4 * k),
    "dense: this counts the numbers; each has 4 bytes.": _but(0, lambda w, k: w.size),
    "dense: `len(w)` counts the rows; `w.size` counts the weights.": _but(0, lambda w, k: 4 * len(w)),
}
CSR = {
    "CSR: where each row begins is missing: rows + 1 integers.": _but(1, lambda w, k: 8 * k),
    "CSR: there is one start more than rows, for the end of the last.": _but(1, lambda w, k: 8 * k + 4 * len(w)),
    "CSR: brackets: `4 * (rows + 1)`; the last start has 4 bytes, too.": _but(1, lambda w, k: 8 * k + 4 * len(w) + 1),
    "CSR: a row in which all is zero has a start, too.": (
        _but(1, lambda w, k: 8 * k + 4 * int(np.count_nonzero(w.any(axis=1)) + 1))
    ),
    "CSR: the values are missing, or the columns; each value has both.": (_but(1, lambda w, k: 4 * k + 4 * len(w) + 4)),
    "this is COO, row and column for each value; CSR stores where each row begins instead.": (
        _but(1, lambda w, k: 12 * k)
    ),
    "CSR: the starts are counted for the columns; there is one for each row, and one more.": (
        _but(1, lambda w, k: 8 * k + 4 * (w.shape[1] + 1))
    ),
    "CSR: an index has 32 bits, which are 4 bytes.": _but(1, lambda w, k: 4 * k + 32 * (k + len(w) + 1)),
    "CSR: an index of 32 bits has 4 bytes, not 8.": _but(1, lambda w, k: 4 * k + 8 * (k + len(w) + 1)),
    "CSR: only the values that are not zero are stored.": _but(1, lambda w, k: 4 * w.size + 4 * k + 4 * len(w) + 4),
}
BITMAP = {
    "bitmap: the values are missing; the bits only say where they stand.": _but(2, lambda w, k: -(-w.size // 8)),
    "bitmap: one bit for each weight, eight in a byte; you count a whole byte for each.": (
        _but(2, lambda w, k: 4 * k + w.size)
    ),
    "bitmap: the bits of the last byte are lost; round up.": _but(2, lambda w, k: 4 * k + w.size // 8),
    "bitmap: `+ 1` adds a byte even if the last one is full; round up: `-(-w.size // 8)`.": (
        _but(2, lambda w, k: 4 * k + w.size // 8 + 1)
    ),
    "bitmap: round up, always: one bit more needs a whole byte.": _but(2, lambda w, k: 4 * k + round(w.size / 8)),
    "bitmap: each row would begin a new byte; the bits of all rows follow each other.": (
        _but(2, lambda w, k: 4 * k + len(w) * -(-w.shape[1] // 8))
    ),
    "bitmap: zeros need a bit, too, or nobody knows that they are there.": _but(2, lambda w, k: 4 * k + -(-k // 8)),
    "bitmap: only the values that are not zero are stored.": _but(2, lambda w, k: 4 * w.size + -(-w.size // 8)),
}
ALL = {
    "a negative weight is no zero: `w != 0`, not `w > 0`.": lambda w: _counted(w, int(np.count_nonzero(w > 0))),
    "you count the zeros; what is stored are the others.": lambda w: _counted(w, int(np.count_nonzero(w == 0))),
    "the order is dense, CSR, bitmap; here dense and CSR have changed places.": lambda w: _ordered(w, 1, 0, 2),
    "the order is dense, CSR, bitmap; here CSR and bitmap have changed places.": lambda w: _ordered(w, 0, 2, 1),
    "the order is dense, CSR, bitmap; here it is turned round.": lambda w: _ordered(w, 2, 1, 0),
    "these are numbers that are stored; each has 4 bytes.": (
        lambda w: (w.size, 2 * int(np.count_nonzero(w)) + len(w) + 1, int(np.count_nonzero(w)) + w.size)
    ),
    "`len(w)` counts the rows; `w.size` counts the weights.": (
        lambda w: (4 * len(w), _right(w)[1], bitmap_bytes(int(np.count_nonzero(w)), len(w)))
    ),
    "these are bits; eight of them are a byte.": lambda w: tuple(8 * size for size in _right(w)),
    "a float32 has 4 bytes, not 8.": lambda w: tuple(np.add(_right(w), (4 * w.size, *[4 * np.count_nonzero(w)] * 2))),
}


def _ordered(w, *places):
    return tuple(_right(w)[place] for place in places)
