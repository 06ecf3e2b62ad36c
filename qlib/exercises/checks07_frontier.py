"""Checks of the exercises 7.1 and 7.2, lesson 07: the frontier, and its steps beyond noise."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import compare
from qlib.frontier import clear_steps, dominated


# 7.1 ------------------------------------------------------------------------------------------------------------------
def frontier(answer, rng) -> None:
    """The check of 7.1."""
    small = [[[1, 9]], [[1, 9], [2, 5]], [[1, 9], [2, 10]], [[1, 9], [2, 9]], [[3, 5], [1, 9], [2, 9]]]
    small += [[[0, 10], [6, 6], [10, 0]], [[2, 2], [1, 4], [2, 2]], [[1, 5, 5], [2, 5, 4], [2, 6, 5]]]
    cases = [(np.array(table, np.float64),) for table in small]
    cases += [(rng.permutation(_curve(rng)),) for _ in range(3)]
    cases += [(rng.integers(0, 6, (8, k)).astype(np.float64),) for k in (2, 2, 2, 3, 3, 3)]
    compare(answer, lambda costs: ~dominated(costs), cases, _frontiers(), otherwise=FRONTIER)


FRONTIER = "a point stays unless another one costs no more in anything and less in something."


def _curve(rng) -> np.ndarray:
    """Nine points about a falling curve, in whole numbers."""
    x = rng.permutation(20)[:9] + 1
    return np.stack([x, 60 // x + rng.integers(0, 6, 9)], axis=1).astype(np.float64)


def _beaten(costs, beats) -> np.ndarray:
    """Of each row: whether no other row beats it. beats: of all rows and one row, a truth value for each of all."""
    others = [np.arange(len(costs)) != i for i in range(len(costs))]
    return np.array([not np.any(beats(costs[o], row)) for o, row in zip(others, costs, strict=True)])


def _hull(costs):
    """Rows that are the cheapest for some price of the first cost against the others, of many prices."""
    stays = np.zeros(len(costs), bool)
    for share in np.linspace(0.001, 0.999, 999):
        total = share * costs[:, 0] + (1 - share) * costs[:, 1:].sum(axis=1)
        stays |= total <= total.min() + 1e-9
    return stays & ~dominated(costs)


def _sweep(costs, *, sort: bool, strict: bool = True, neighbour: bool = False):
    """From the first row, or the least first cost, on: is the second cost less than all (or the one) before?"""
    order = np.lexsort(costs.T[::-1]) if sort else np.arange(len(costs))
    stays, least = np.zeros(len(costs), bool), np.inf
    for i in order:
        stays[i] = costs[i, 1] < least if strict else costs[i, 1] <= least
        least = costs[i, 1] if neighbour else min(least, costs[i, 1])
    return stays


def _first_of_twins(costs):
    seen = [any(np.array_equal(row, other) for other in costs[:i]) for i, row in enumerate(costs)]
    return ~dominated(costs) & ~np.array(seen)


def _frontiers() -> dict:
    """What one gives who thinks of the frontier as something else."""
    twins = "equal points beat neither of each other: neither costs less in anything, so both stay."
    return {
        "these are the points that are beaten; those that are not are wanted.": dominated,
        "a point is beaten, too, by one that is equal in one cost and less in the other: `<=` in all, `<` in one.": (
            lambda c: _beaten(c, lambda o, row: np.all(o < row, axis=1))
        ),
        twins: lambda c: _beaten(c, lambda o, row: np.all(o <= row, axis=1)),
        f"{twins} You keep the first of them only.": _first_of_twins,
        "a point doesn't beat itself: `<=` in all costs holds for it. Ask for `<` in at least one, too.": (
            lambda c: np.zeros(len(c), bool)
        ),
        "one cost that is less does not beat a point; the other one may be more. No cost may be more.": (
            lambda c: _beaten(c, lambda o, row: np.any(o < row, axis=1))
        ),
        "a point stays that is nowhere more than another. It also stays if it is cheaper in one cost than that.": (
            lambda c: _beaten(c, lambda o, row: np.any(o <= row, axis=1))
        ),
        "the direction is turned round: less is better, in each cost.": lambda c: ~dominated(-c),
        "the direction of one cost is turned round: here less is better in each, as wrong answers are.": lambda c: (
            ~dominated(c * np.array([1.0, *[-1.0] * (c.shape[1] - 1)]))
        ),
        "only those that are best in one cost are here. Between them lie compromises that nothing beats, too.": (
            lambda c: np.any(c == c.min(axis=0), axis=1)
        ),
        "the costs are added up, and only the least sum stays. Bytes and wrong answers have no common unit.": (
            lambda c: c.sum(axis=1) == c.sum(axis=1).min()
        ),
        "these are in the order of the sorted points; one truth value for each row of `costs`, in its order.": (
            lambda c: ~dominated(c[np.lexsort(c.T[::-1])])
        ),
        "the costs are multiplied, and only the least product stays. A frontier has one point for each compromise.": (
            lambda c: c.prod(axis=1) == c.prod(axis=1).min()
        ),
        "this is the convex hull: it leaves out points in a dent, which no single point beats.": _hull,
        "only the first two costs are looked at; there may be three.": lambda c: ~dominated(c[:, :2]),
        "each point is compared with those before it in the list; the list is not sorted by size.": lambda c: _sweep(
            c, sort=False
        ),
        "a point is compared with its next smaller neighbour only; any other one may beat it.": lambda c: _sweep(
            c, sort=True, neighbour=True
        ),
        "sorted, then each point with fewer wrong answers than all before: that drops one of two equal points, and "
        "works for two costs only.": lambda c: _sweep(c, sort=True),
        "sorted, then each point with no more wrong answers than all before: that keeps larger files with equally "
        "many wrong answers.": lambda c: _sweep(c, sort=True, strict=False),
    }


# 7.2 ------------------------------------------------------------------------------------------------------------------
def steps(answer, rng) -> None:
    """The check of 7.2."""
    cases = [
        ([0.95], [0.01]),
        ([0.90, 0.96], [0.01, 0.01]),
        ([0.90, 0.91], [0.01, 0.01]),
        ([0.90, 0.93, 0.95], [0.01, 0.013, 0.01]),  # two steps within noise, together beyond it
        ([0.50, 0.53], [0.1, 0.1]),  # beyond 2(e² + f²), which has no root
        ([0.90, 0.935], [0.01, 0.01]),  # beyond two errors of its own and the sum of one each, not of both
        ([0.90, 0.928], [0.01, 0.01]),  # just within two errors, beyond 1.96
        ([0.50, 0.60, 0.65], [0.03, 0.01, 0.01]),  # the error of the first one has no say any more
        ([0.90, 0.91, 0.96], [0.01, 0.01, 0.01]),  # one that is not kept is not the end
        ([0.90, 0.96, 0.90, 0.97], [0.01, 0.01, 0.01, 0.01]),
        ([0.98, 0.90, 0.96], [0.01, 0.01, 0.01]),
    ]
    cases = [tuple(np.array(array) for array in case) for case in cases]
    for n in (6, 8, 8, 10, 10, 12):
        rises = rng.normal(0.02, 0.03, n).cumsum() + 0.5
        cases.append((rises.round(3), rng.uniform(0.004, 0.02, n).round(4)))
    compare(answer, _worth, cases, _walks(), otherwise=STEPS)


STEPS = "keep a file if it is ahead of the last one kept by more than 2 · √(e₁² + e₂²), and the first one always."


def _worth(accuracy, errors, factor: float = 2.0) -> np.ndarray:
    kept = clear_steps(np.arange(len(accuracy)), accuracy, errors, factor)
    return np.isin(np.arange(len(accuracy)), kept)


def _walk(accuracy, errors, ahead, *, last="kept", first=True) -> np.ndarray:
    """Keep what `ahead(difference, its error, that one's error)` says, of the difference from the last kept (or …)."""
    if errors.shape != accuracy.shape:
        raise ValueError
    worth, at, best = [first], 0, 0
    for i in range(1, len(accuracy)):
        place = {"kept": at, "before": i - 1, "first": 0, "best": best}[last]
        worth.append(bool(ahead(accuracy[i] - accuracy[place], errors[i], errors[place])))
        at = i if worth[-1] else at
        best = i if accuracy[i] > accuracy[best] else best
    return np.array(worth)


def _stops(accuracy, errors) -> np.ndarray:
    return np.logical_and.accumulate(_worth(accuracy, errors))


def _beyond(d, e, f):
    return d > 2 * np.hypot(e, f)


def _walks() -> dict:
    """What one gives who walks, or weighs the noise, in another way."""
    noise = "the standard error of a difference of two is √(e₁² + e₂²)"
    return {
        "each file is compared with the one before it; compare it with the last one that was *kept*.": (
            lambda a, e: _walk(a, e, _beyond, last="before")
        ),
        "each file is compared with the first one; compare it with the last one that was kept.": (
            lambda a, e: _walk(a, e, _beyond, last="first")
        ),
        "each file is compared with the best so far; compare it with the last one that was kept.": (
            lambda a, e: _walk(a, e, _beyond, last="best")
        ),
        "noise is not looked at: each file that is better at all is kept.": lambda a, e: _walk(
            a, e, lambda d, *_: d > 0
        ),
        f"the two errors are added; {noise}.": lambda a, e: _walk(a, e, lambda d, e, f: d > 2 * (e + f)),
        f"only the file's own error is used; {noise}.": lambda a, e: _walk(a, e, lambda d, e, f: d > 2 * e),
        f"only the error of the last one kept is used; {noise}.": lambda a, e: _walk(a, e, lambda d, e, f: d > 2 * f),
        "this is one standard error; two are asked for.": lambda a, e: _walk(a, e, lambda d, e, f: d > np.hypot(e, f)),
        "these are three standard errors; two are asked for.": lambda a, e: _walk(
            a, e, lambda d, e, f: d > 3 * np.hypot(e, f)
        ),
        "these are 1.96 standard errors; two are asked for.": lambda a, e: _walk(
            a, e, lambda d, e, f: d > 1.96 * np.hypot(e, f)
        ),
        f"the 2 is under the root, and counts as √2 only; {noise}.": lambda a, e: _walk(
            a, e, lambda d, e, f: d > np.sqrt(2 * (e**2 + f**2))
        ),
        "you stop at the first file that is not kept; later ones may be clearly better.": _stops,
        "the error of the first file is used throughout; that of the last one *kept* belongs here.": (
            lambda a, e: _walk(a, e, lambda d, own, _: d > 2 * np.hypot(own, e[0]))
        ),
        f"the root is missing; {noise}.": lambda a, e: _walk(a, e, lambda d, e, f: d > 2 * (e**2 + f**2)),
        f"the errors are averaged; {noise}.": lambda a, e: _walk(a, e, lambda d, e, f: d > e + f),
        f"this takes the larger error; {noise}.": lambda a, e: _walk(a, e, lambda d, e, f: d > 2 * max(e, f)),
        f"the errors are subtracted, as if noise cancelled; {noise}.": lambda a, e: _walk(
            a, e, lambda d, e, f: d > 2 * abs(e - f)
        ),
        "a file that is clearly *worse* is kept as well: without an absolute value, please.": (
            lambda a, e: _walk(a, e, lambda d, e, f: abs(d) > 2 * np.hypot(e, f))
        ),
        "the first file is missing: it is the smallest, so it is always worth its bytes.": lambda a, e: _walk(
            a, e, _beyond, first=False
        ),
        "you walk from the largest file down; begin with the smallest.": lambda a, e: _worth(a[::-1], e[::-1])[::-1],
        "every file is kept. One that is not ahead of a smaller one, beyond noise, isn't worth its bytes.": (
            lambda a, e: np.ones(len(a), bool)
        ),
        "these are the files that are *not* worth their bytes.": lambda a, e: ~_worth(a, e),
    }
