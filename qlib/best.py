"""The quantizer with the least squared error: searched exactly where breakpoints are few, else on grids."""

from __future__ import annotations

import math

import numpy as np

from qlib.exact import SortedSums
from qlib.qparams import SMALLEST_SCALE, QParams

FEW = 2**17  # so many breakpoints are put in order at once, instead of searched with grids


def best_symmetric(x: SortedSums, start: QParams) -> QParams:
    """`start` with the best step for its zero point. The error of `start` must be below Σx².

    On a grid, a valley narrower than its mesh can be missed: that of many values that were quantized before, say.
    """
    low, high = start.codes
    distinct = 1 + np.count_nonzero(x.values[1:] != x.values[:-1])
    few = distinct * max(-low, high) <= FEW
    steps = np.append(_steps_of_few(x, low, high) if few else _steps_by_grid(x, start), start.scale)
    steps = np.unique(np.maximum(np.float32(steps), SMALLEST_SCALE)).astype(np.float64)
    best = steps[np.argmin(x.sse(steps, low, high))]  # of equal ones the finest
    return QParams(best, start.zero_point, start.qmin, start.qmax)


def best_affine(x: SortedSums, start: QParams) -> QParams:
    """The best of: the zero point of `start`, and those that score best on a grid of steps, each with its best step."""
    steps = _grid(x, start, start.qmax - start.qmin)
    errors = _errors_by_zero_point(x, steps, start.qmin, start.qmax)
    order = np.argsort(errors.min(axis=0))
    promising = order if x.size * order.size**2 <= 32 * FEW else order[:8]
    best = [best_symmetric(x, start)]
    for i in promising:
        scale = np.float32(steps[np.argmin(errors[:, i])])
        best.append(best_symmetric(x, QParams(scale, start.qmin + int(i), start.qmin, start.qmax)))
    return min(best, key=lambda qparams: x.sse([float(qparams.scale)], *qparams.codes)[0])


def _errors_by_zero_point(x: SortedSums, steps: np.ndarray, qmin: int, qmax: int) -> np.ndarray:
    """SSE − Σx² for each step and each zero point from qmin to qmax: shape (steps, zero points).

    The thresholds (k − ½)·s of all zero points are the same numbers, so that one lookup scores them all. In float64,
    and in units of the integers: good enough to choose by.
    """
    zero_points, span = np.arange(qmin, qmax + 1), qmax - qmin
    low, high = qmin - zero_points, qmax - zero_points
    k = np.arange(1 - span, span + 1)
    errors = np.empty((len(steps), zero_points.size))
    for row, step in zip(errors, steps, strict=True):
        below = x.below((k - 0.5) * step)
        sums = np.append(0.0, np.cumsum(x.sums[below], dtype=np.float64))
        counts = np.append(0.0, np.cumsum((2 * k - 1) * below, dtype=np.float64))
        q_x = high * float(x.sums[-1]) - (sums[high + span] - sums[low + span])
        q_q = high**2 * float(x.size) - (counts[high + span] - counts[low + span])
        s = math.ldexp(step, x.shift)
        row[:] = s**2 * q_q - 2 * s * q_x
    return errors


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
    return (q_x / q_q)[np.argsort(q_x**2 / q_q)[-64:]]


def _steps_by_grid(x: SortedSums, start: QParams) -> np.ndarray:
    """A coarse grid, a fine one where that is low, a finer one around the best; then least squares."""
    low, high = start.codes
    steps = _grid(x, start, max(-low, high))
    for points, tolerance in ((36 * _finer(x), 1.05), (8, 1.0)):
        errors = x.sse(steps, low, high)
        near = np.flatnonzero(errors <= tolerance * np.min(errors))
        steps = np.geomspace(steps[max(near[0] - 1, 0)], steps[min(near[-1] + 1, steps.size - 1)], points)
    best = steps[[np.argmin(x.sse(steps, low, high))]]
    q_x, q_q = x.sums_of_codes(best, low, high)
    return np.append(best, q_x[0] / q_q[0] * 2.0**-x.shift)


def _grid(x: SortedSums, start: QParams, most: int) -> np.ndarray:
    """A grid of steps, up to 1.5 times the one of `start`, for codes of up to `most` from zero.

    It may begin at √((Σx² − SSE) / n) / k_max with the SSE of any quantizer: for the best one, Σx² − SSE is
    Σx̂² = s²·Σq², at most s²·k_max²·n.
    """
    points = min(256, max(24 * _finer(x), 2**13 // (start.qmax - start.qmin)))
    saved = x.signal - x.sse([float(start.scale)], *start.codes)[0]
    smallest = math.sqrt(max(saved, 0) / x.size) / most
    largest = min(1.5 * float(start.scale), float(np.finfo(np.float32).max))
    return np.geomspace(max(smallest, float(start.scale) / 2**16), largest, points)


def _finer(x: SortedSums) -> int:
    """So many times finer than for a million values: few values make the error rougher, and the search faster."""
    return min(8, max(1, 2**18 // x.size))
