"""Checks of the exercises 6c.1 and 6c.3, pruning: masks, schedule."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import compare
from qlib.pruning import gradual_sparsity, magnitude_mask


def mask(answer, rng) -> None:
    """The check of 6c.1."""
    small = [
        ([0.1, -3.0, -0.2, 2.0], 0.5),
        ([-1.0, 0.5, 2.0, -4.0], 0.25),
        ([1.0, 1.0, -1.0, 1.0], 0.5),
        ([0.0, 0.0, 0.0, 5.0, 6.0, -7.0], 0.5),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.3),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 0.3),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.5),
        ([0.0, 0.0, 0.0, 5.0], 0.25),
        ([1.0, 2.0, 3.0], 0.0),
        ([1.0, 2.0, 3.0], 1.0),
        ([[3.0, -1.0, 2.0], [-0.5, 0.25, 8.0]], 0.5),
    ]
    cases = [(np.array(w, np.float32), s) for w, s in small]
    cases += [(rng.normal(size=shape).astype(np.float32), 0.8) for shape in ((3, 3, 2, 4), (20, 5))]
    cases += [(rng.integers(-2, 3, size=(30, 20)).astype(np.float32), 0.6)]  # many equal ones: is the sort stable?
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
            "this sort takes any of the equal weights; of equal ones the first go: kind='stable'.": (
                lambda w, s: _places(w, np.argsort(np.abs(w), axis=None)[: round(s * w.size)])
            ),
            "`argpartition` takes any of the equal weights; of equal ones the first go: a stable `argsort`.": (
                lambda w, s: _places(w, np.argpartition(np.abs(w), max(round(s * w.size), 1) - 1, axis=None), s)
            ),
            "this asks what is 0 afterwards; a weight that was 0 before may stay: set the mask itself.": (
                lambda w, s: magnitude_mask(w, s) & (w != 0)
            ),
            "`argsort` says which weight comes at each rank, not which rank a weight has: use it as an index.": (
                lambda w, s: (np.argsort(np.abs(w), axis=None, kind="stable") >= round(s * w.size)).reshape(w.shape)
            ),
            "the count is cut off, not rounded: `round(sparsity * w.size)`.": lambda w, s: _counted(w, int(s * w.size)),
            "the count is rounded up: `round(sparsity * w.size)`.": (
                lambda w, s: _counted(w, int(np.ceil(s * w.size)))
            ),
            "`round` takes a tie to the even number, round(2.5) is 2; adding 0.5 takes one more.": (
                lambda w, s: _counted(w, int(s * w.size + 0.5))
            ),
            "`len(w)` counts the rows; `w.size` counts the weights.": lambda w, s: _counted(w, round(s * len(w))),
            "nothing should stay at sparsity 1: `order[-0:]` is all of them, not none.": (
                lambda w, s: magnitude_mask(w, s) | (round(s * w.size) == w.size)
            ),
            "`percentile` counts in percent, and the sparsity is a share; and a threshold gives no exact count.": (
                lambda w, s: np.abs(w) > np.percentile(np.abs(w), s)
            ),
            "one weight too few goes: `order[:k]` are k of them.": (
                lambda w, s: _counted(w, max(round(s * w.size) - 1, 0))
            ),
            "one weight too many goes: `order[:k]` are already k of them.": (
                lambda w, s: _counted(w, round(s * w.size) + 1)
            ),
            "each column is ranked on its own; one ranking for the whole tensor is wanted.": _by_column,
            "each row is ranked on its own: `axis=None` ranks the whole tensor.": (
                lambda w, s: np.apply_along_axis(magnitude_mask, -1, w, s)
            ),
        },
        otherwise="exactly round(sparsity * w.size) weights go, those with the smallest |w|.",
    )


def _counted(w, gone, by=None):
    stays = np.ones(w.size, bool)
    stays[np.argsort(np.abs(w) if by is None else by, axis=None, kind="stable")[:gone]] = False
    return stays.reshape(w.shape)


def _places(w, places, s=None):
    """False at these places; with s, at so many of them."""
    stays = np.ones(w.size, bool)
    stays[places if s is None else places[: round(s * w.size)]] = False
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


# ------------------------------------------------------------------ schedule


def schedule(answer, rng) -> None:
    """The check of 6c.3."""
    cases = [(0, 0, 4, 0.0, 0.8), (2, 0, 4, 0.0, 0.8), (4, 0, 4, 0.0, 0.8), (3, 2, 4, 0.0, 0.8), (2, 0, 4, 0.5, 0.9)]
    cases += [(9, 0, 4, 0.0, 0.8), (9, 2, 4, 0.25, 0.75), (0, 2, 4, 0.0, 0.8), (1, 5, 10, 0.1, 0.9)]
    cases += [(5, 2, 4, 0.25, 0.75)]
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
            "it stands at `final` from start + steps on, not from `steps` on.": (
                lambda t, t0, n, a, b: b if t >= n else cubic(done(t, t0, n), a, b)
            ),
            "this limits the sparsity to 0 … 1; limit the way that is done, `(step - start) / steps`.": (
                lambda t, t0, n, a, b: min(max(cubic((t - t0) / n, a, b), 0), 1)
            ),
            "`//` cuts off what is left over: divide with `/`.": lambda t, t0, n, a, b: cubic(
                done(t, t0, n) // 1, a, b
            ),
            "this is one step ahead: at `start` nothing of the rise is done yet.": (
                lambda t, t0, n, a, b: cubic(done(t + 1, t0, n), a, b)
            ),
            "brackets: `(step - start) / steps`, or only `start` is divided.": (
                lambda t, t0, n, a, b: cubic(min(max(t - t0 / n, 0), 1), a, b)
            ),
            "`* 3` is three times; the cube is `** 3`.": lambda t, t0, n, a, b: b + (a - b) * (1 - done(t, t0, n)) * 3,
            "the sign: `initial - final` is added to `final`, so that the sparsity begins below it.": (
                lambda t, t0, n, a, b: b + (b - a) * (1 - done(t, t0, n)) ** 3
            ),
            "after the last step it stays at `final`, which is not 1.": (
                lambda t, t0, n, a, b: 1.0 if t > t0 + n else cubic(done(t, t0, n), a, b)
            ),
            "sparsities are shares from 0 to 1, not percent.": lambda t, t0, n, a, b: 100 * cubic(done(t, t0, n), a, b),
            "before `start` it is `initial`, not yet `final`.": (
                lambda t, t0, n, a, b: b if t < t0 else cubic(done(t, t0, n), a, b)
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
