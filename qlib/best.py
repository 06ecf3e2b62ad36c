"""The quantizer with the least squared error: searched exactly where breakpoints are few, else on grids."""

from __future__ import annotations

import math

import numpy as np

from qlib.exact import SortedSums
from qlib.qparams import QParams

FEW = 2**17  # so many breakpoints are put in order at once, instead of searched with grids


def best_symmetric(x: SortedSums, start: QParams) -> QParams:
    """`start` with the best step for its zero point. The error of `start` must be below Σx²."""
    low, high = start.codes
    distinct = 1 + np.count_nonzero(x.values[1:] != x.values[:-1])
    few = distinct * max(-low, high) <= FEW
    steps = _steps_of_few(x, low, high) if few else _steps_by_grid(x, start)
    steps = np.unique(np.float32(np.append(steps, start.scale))).astype(np.float64)  # of equal ones the finest wins
    return QParams(steps[np.argmin(x.sse(steps, low, high))], start.zero_point, start.qmin, start.qmax)


def best_affine(x: SortedSums, start: QParams) -> QParams:
    """The best step and zero point: zero points scored on a grid of steps, then the one and the other in turn."""
    best = best_symmetric(x, _best_zero_point(x, _grid(x, start), start))
    for _ in range(4):
        better = _best_zero_point(x, [best.scale], best)
        if better == best:
            break
        best = best_symmetric(x, better)
    return best


def _best_zero_point(x: SortedSums, steps: np.ndarray, start: QParams) -> QParams:
    """The best of all zero points at all of these steps. Scored in float64: good enough to choose by."""
    qmin, qmax = start.qmin, start.qmax
    zero_points, span = np.arange(qmin, qmax + 1), qmax - qmin
    low, high = qmin - zero_points, qmax - zero_points
    k = np.arange(1 - span, span + 1)  # the thresholds of all zero points
    choices = []
    for step in steps:
        below = x.below((k - 0.5) * float(step))
        sums = np.append(0.0, np.cumsum(x.sums[below], dtype=np.float64))
        counts = np.append(0.0, np.cumsum((2 * k - 1) * below, dtype=np.float64))
        q_x = high * float(x.sums[-1]) - (sums[high + span] - sums[low + span])
        q_q = high**2 * float(x.size) - (counts[high + span] - counts[low + span])
        s = math.ldexp(step, x.shift)
        error = s**2 * q_q - 2 * s * q_x
        choices.append((np.min(error), step, int(zero_points[np.argmin(error)])))
    _, step, zero_point = min(choices)
    return QParams(step, zero_point, qmin, qmax)


def _steps_of_few(x: SortedSums, low: int, high: int) -> np.ndarray:
    """All breakpoints in order: between two of them the codes are fixed, and the best step is Σqx / Σq².

    There the error is Σx² − (Σqx)² / Σq². At the breakpoint |x| / (k − ½) one q passes from k − 1 to k.
    """
    x, count = np.unique(x.values[x.values != 0].astype(np.float64), return_counts=True)
    k = np.arange(1, max(-low, high) + 1)
    reached = k <= np.where(x > 0, high, -low)[:, None]
    breakpoints = (np.abs(x)[:, None] / (k - 0.5))[reached]
    order = np.argsort(-breakpoints)
    q_x = np.cumsum((count * np.abs(x))[:, None].repeat(k.size, 1)[reached][order])
    q_q = np.cumsum((count[:, None] * (2 * k - 1))[reached][order])
    gain = q_x**2 / q_q
    best = gain >= np.partition(gain, -min(64, gain.size))[-min(64, gain.size)]
    return (q_x / q_q)[best]


def _steps_by_grid(x: SortedSums, start: QParams) -> np.ndarray:
    """A coarse grid, a fine one where that is low, a finer one around the best; then least squares."""
    low, high = start.codes
    steps = _grid(x, start)
    finer = min(8, max(1, 2**18 // x.size))  # the fewer values, the rougher the curve, and the faster the search
    for points, tolerance in ((48 * finer, 1.05), (12, 1.0)):
        errors = x.sse(steps, low, high)
        near = np.flatnonzero(errors <= tolerance * np.min(errors))
        steps = np.geomspace(steps[max(near[0] - 1, 0)], steps[min(near[-1] + 1, steps.size - 1)], points)
    best = steps[[np.argmin(x.sse(steps, low, high))]]
    q_x, q_q = x.sums_of_codes(best, low, high)
    return np.append(best, q_x[0] / q_q[0] * 2.0**-x.shift)


def _grid(x: SortedSums, start: QParams) -> np.ndarray:
    """A grid that holds the best step, up to twice the step of `start`.

    It may begin at √((Σx² − SSE) / n) / k_max with the SSE of any quantizer: for the best one, Σx² − SSE is
    Σx̂² = s²·Σq², at most s²·k_max²·n.
    """
    points = min(256, max(32, 2**13 // (start.qmax - start.qmin)))
    saved = x.signal - x.sse([float(start.scale)], *start.codes)[0]
    smallest = math.sqrt(max(saved, 0) / x.size) / (start.qmax - start.qmin)
    return np.geomspace(max(smallest, float(start.scale) / 2**16), 2 * float(start.scale), points)
