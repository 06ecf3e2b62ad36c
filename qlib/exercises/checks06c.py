"""Checks of the exercises 6c.1 to 6c.3, pruning: masks, bytes, schedule."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import compare
from qlib.pruning import gradual_sparsity, magnitude_mask
from qlib.sparse import bitmap_bytes, csr_bytes


def mask(answer, rng) -> None:
    """The check of 6c.1."""
    small = [
        ([0.1, -3.0, -0.2, 2.0], 0.5),
        ([-1.0, 0.5, 2.0, -4.0], 0.25),
        ([1.0, 1.0, -1.0, 1.0], 0.5),
        ([0.0, 0.0, 0.0, 5.0, 6.0, -7.0], 0.5),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.3),
        ([1.0, 2.0, 3.0], 0.0),
        ([1.0, 2.0, 3.0], 1.0),
        ([[3.0, -1.0, 2.0], [-0.5, 0.25, 8.0]], 0.5),
    ]
    cases = [(np.array(w, np.float32), s) for w, s in small]
    cases += [(rng.normal(size=shape).astype(np.float32), 0.8) for shape in ((3, 3, 2, 4), (20, 5))]
    compare(
        answer,
        magnitude_mask,
        cases,
        {
            "you rank w itself, so that negative weights go first; the magnitude |w| decides.": (
                lambda w, s: _ranked(w, s, w)
            ),
            "this is True where a weight goes; the mask is True where it stays.": lambda w, s: ~magnitude_mask(w, s),
            "this prunes the largest weights; the smallest |w| should go.": lambda w, s: _ranked(w, s, -np.abs(w)),
            "`sparsity` is the share that goes, not the share that stays.": lambda w, s: magnitude_mask(w, 1 - s),
            "a threshold takes or leaves all equal weights together, and the count is not exact: rank them.": _quantile,
            "a threshold kept all equal weights; the count is not exact: rank them.": _quantile_kept,
            "this compares |w| with the sparsity itself; the sparsity is a share of the weights, not a magnitude.": (
                lambda w, s: np.abs(w) > s
            ),
            "this compares |w| with a share of the largest; the sparsity is a share of the weights.": (
                lambda w, s: np.abs(w) > s * np.abs(w).max()
            ),
            "of equal weights the first go: a plain sort may take any of them; sort with kind='stable'.": _last_first,
            "the count is cut off, not rounded: `round(sparsity * w.size)`.": lambda w, s: _counted(w, int(s * w.size)),
            "one weight too many goes: `order[:k]` are already k of them.": (
                lambda w, s: _counted(w, round(s * w.size) + 1)
            ),
            "each column is ranked on its own; one ranking for the whole tensor is wanted.": _by_column,
        },
        otherwise="exactly round(sparsity * w.size) weights go, those with the smallest |w|.",
    )


def _counted(w, gone, by=None):
    stays = np.ones(w.size, bool)
    stays[np.argsort(np.abs(w) if by is None else by, axis=None, kind="stable")[:gone]] = False
    return stays.reshape(w.shape)


def _ranked(w, s, by):
    return _counted(w, round(s * w.size), by)


def _quantile(w, s):
    return np.abs(w) > np.quantile(np.abs(w), s)


def _quantile_kept(w, s):
    return np.abs(w) >= np.quantile(np.abs(w), s)


def _last_first(w, s):
    flat = w.ravel()[::-1]
    return magnitude_mask(flat, s)[::-1].reshape(w.shape)


def _by_column(w, s):
    return np.apply_along_axis(magnitude_mask, 0, w, s)


# ------------------------------------------------------------------ bytes


def sizes(answer, rng) -> None:
    """The check of 6c.2."""
    small = [[[0, 5, 0, 0], [0, 0, 0, 0], [7, 0, 0, 9]], [[1, 2], [3, 4]], [[0, 0, 0]], [[1], [0], [0], [0], [2]]]
    cases = [(np.array(w, np.float32),) for w in small]
    for shape in ((7, 9), (16, 40)):
        w = rng.normal(size=shape).astype(np.float32)
        cases.append((w * (rng.random(shape) < 0.3),))

    def right(w):
        left = int(np.count_nonzero(w))
        return 4 * w.size, csr_bytes(left, len(w)), bitmap_bytes(left, w.size)

    def changed(place, function):
        """`right`, but one of the three by another rule."""

        def wrong(w):
            found = list(right(w))
            found[place] = function(w, int(np.count_nonzero(w)))
            return tuple(found)

        return wrong

    compare(
        answer,
        right,
        cases,
        {
            "dense: zeros take 4 bytes, too; a dense tensor stores all its numbers.": changed(0, lambda w, k: 4 * k),
            "dense: this counts the numbers; each has 4 bytes.": changed(0, lambda w, k: w.size),
            "CSR: where each row begins is missing: rows + 1 integers.": changed(1, lambda w, k: 8 * k),
            "CSR: there is one start more than rows, for the end of the last.": changed(
                1, lambda w, k: 8 * k + 4 * len(w)
            ),
            "CSR: the values are missing, or the columns; each value has both.": changed(
                1, lambda w, k: 4 * k + 4 * len(w) + 4
            ),
            "this is COO, row and column for each value; CSR stores where each row begins instead.": changed(
                1, lambda w, k: 12 * k
            ),
            "CSR: the starts are counted for the columns; there is one for each row, and one more.": changed(
                1, lambda w, k: 8 * k + 4 * (w.shape[1] + 1)
            ),
            "CSR: an index has 32 bits, which are 4 bytes.": changed(1, lambda w, k: 4 * k + 32 * (k + len(w) + 1)),
            "bitmap: the values are missing; the bits only say where they stand.": changed(
                2, lambda w, k: -(-w.size // 8)
            ),
            "bitmap: one bit for each weight, eight in a byte; you count a whole byte for each.": changed(
                2, lambda w, k: 4 * k + w.size
            ),
            "bitmap: the bits of the last byte are lost; round up.": changed(2, lambda w, k: 4 * k + w.size // 8),
            "bitmap: each row would begin a new byte; the bits of all rows follow each other.": changed(
                2, lambda w, k: 4 * k + len(w) * -(-w.shape[1] // 8)
            ),
            "bitmap: zeros need a bit, too, or nobody knows that they are there.": changed(
                2, lambda w, k: 4 * k + -(-k // 8)
            ),
        },
        otherwise="4 bytes for each stored value and index, a bit for each weight of the bitmap.",
    )


# ------------------------------------------------------------------ schedule


def schedule(answer, rng) -> None:
    """The check of 6c.3."""
    cases = [(0, 0, 4, 0.0, 0.8), (2, 0, 4, 0.0, 0.8), (4, 0, 4, 0.0, 0.8), (3, 2, 4, 0.0, 0.8), (2, 0, 4, 0.5, 0.9)]
    cases += [(9, 0, 4, 0.0, 0.8), (9, 2, 4, 0.25, 0.75), (0, 2, 4, 0.0, 0.8), (1, 5, 10, 0.1, 0.9)]
    for step in (120, 260):
        cases.append((step, 100, int(rng.integers(170, 400)), 0.1, 0.95))

    def cubic(done, initial, final):
        return final + (initial - final) * (1 - done) ** 3

    def done(step, start, steps):
        return min(max((step - start) / steps, 0), 1)

    def formula(step, start, steps, initial, final):
        return float(gradual_sparsity(step, steps=steps, final=final, start=start, initial=initial))

    compare(
        answer,
        formula,
        cases,
        {
            "initial and final have changed places.": lambda t, t0, n, a, b: cubic(done(t, t0, n), b, a),
            "this rises along a line; the exponent 3 is missing.": (
                lambda t, t0, n, a, b: b + (a - b) * (1 - done(t, t0, n))
            ),
            "the exponent is 3, not 2.": lambda t, t0, n, a, b: b + (a - b) * (1 - done(t, t0, n)) ** 2,
            "this is slow at first and fast at the end: the cube is of what is left, 1 − done, not of what is done.": (
                lambda t, t0, n, a, b: a + (b - a) * done(t, t0, n) ** 3
            ),
            "`start` is left out: at that step the sparsity is still `initial`.": (
                lambda t, t0, n, a, b: cubic(done(t, 0, n), a, b)
            ),
            "the rise takes `steps` steps from `start` on: it ends at start + steps.": (
                lambda t, t0, n, a, b: cubic(min(max((t - t0) / (n - t0), 0), 1), a, b)
            ),
            "`initial` is left out: the rise begins there, not at 0.": (
                lambda t, t0, n, a, b: cubic(done(t, t0, n), 0, b)
            ),
            "after the last step it stays at `final`; the cube goes on.": (
                lambda t, t0, n, a, b: cubic(max((t - t0) / n, 0), a, b)
            ),
            "before `start` it is `initial`; the cube would give less.": (
                lambda t, t0, n, a, b: cubic(min((t - t0) / n, 1), a, b)
            ),
            "before `start` it is `initial`, and after the last step `final`; the cube goes on.": (
                lambda t, t0, n, a, b: cubic((t - t0) / n, a, b)
            ),
            "this is what is left of the rise; add it to `final`.": (
                lambda t, t0, n, a, b: (a - b) * (1 - done(t, t0, n)) ** 3
            ),
            "before `start` it is `initial`, not 0.": (
                lambda t, t0, n, a, b: 0.0 if t < t0 else cubic(done(t, t0, n), a, b)
            ),
        },
        otherwise="final + (initial − final)(1 − done)³, with done from 0 to 1.",
    )
