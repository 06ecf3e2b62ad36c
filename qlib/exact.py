"""Sums over the codes of a uniform quantizer, exactly, by looking thresholds up instead of visiting values.

The formulas, and why they hold, stand in the docstring of `qlib.error.ErrorProfile`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

PART = 2**13  # so many squares of 20-bit integers add up to 2^53 at most: sums in float64 are exact
BLOCK = 2**13  # values that are visited at once: a longer float64 product would start threads, and wait for them
LOOKUP = 16  # looking up one threshold takes about as long as visiting so many values,
LOOKUPS = 2**13  # and what all lookups of a quantizer have in common about as long as visiting these
TOGETHER = 2**18  # so many thresholds are looked up at once, to save memory
WIDTH = 16  # so many float32 are one line of the processor's cache
FEW, MANY = 2**12, 2**21  # a search for at most FEW thresholds among more than MANY values goes row by row
OVERFLOW = 2.0**128 - 2.0**103  # from here on a real number becomes an infinity in float32


class SortedSums:
    """x in order, as float32 and as integers, with the sums of all beginnings of it.

    The integers are `rint(x * 2**shift)`: 40 bits for the largest |x|, fewer where the sum of all would pass 62 bits.
    A float32 has 24 bits, so that nothing is rounded but values below 2⁻¹⁶ of the largest. Where that would matter,
    because half of the values of one sign are tiny beside the largest, x is `wide`, and values are visited after all.

    Parameters
    ----------
    x : float32 array, any shape, not empty, finite
    """

    def __init__(self, x: np.ndarray) -> None:
        self.size = x.size
        rows = np.full((-(-x.size // WIDTH**2), WIDTH, WIDTH), np.inf, np.float32)
        self.values = rows.reshape(-1)[: x.size]
        self.values[:] = x.ravel()
        self.values.sort()
        # The same values as rows, and the first values of these, again as rows, and the first values of those.
        self._rows = rows.reshape(-1, WIDTH), rows[:, :, 0].copy(), rows[:, 0, 0].copy()
        largest = max(-float(self.values[0]), float(self.values[-1]))
        self.shift = min(40, 62 - self.size.bit_length()) - math.frexp(largest)[1]
        self.sums = np.zeros(self.size + 1, np.int64)  # [i]: sum of the first i integers
        self.squares = [0]  # [j]: sum of the squares of the first j * PART integers
        for start in range(0, self.size, PART):
            part = self.values[start : start + PART].astype(np.float64)
            integers = np.rint(part * 2.0**self.shift)
            self.sums[start + 1 : start + 1 + PART] = integers
            self.squares.append(self.squares[-1] + _sum_of_squares(integers))
        np.cumsum(self.sums, out=self.sums)
        # The median of the negative or of the positive values has fewer than 26 bits, and errors in the eighth digit.
        below, above = (int(np.searchsorted(self.values, 0, side)) for side in ("left", "right"))
        signs = self.values[:below], self.values[above:]
        medians = [abs(float(sign[sign.size // 2])) for sign in signs if sign.size]
        self.wide = min(medians, default=math.inf) * 2.0**self.shift < 2**26

    @property
    def signal(self) -> float:
        """Σx², in units of x squared."""
        return self._real(self.squares[-1])

    def minmax(self) -> tuple[float, float]:
        """The range of x, extended so that it holds 0."""
        return min(float(self.values[0]), 0.0), max(float(self.values[-1]), 0.0)

    def sse(self, steps: Sequence[float], low: int, high: int, first: int = 0, last: int | None = None) -> list[float]:
        """Σ(x − s·q)² over the values first … last − 1, for each step s, with codes from `low` to `high`."""
        last = self.size if last is None else last
        levels = high - low
        if self.wide or last - first <= LOOKUP * levels + LOOKUPS:
            sse = [_sse_by_visiting(self.values[first:last], step, low, high) for step in steps]
        else:
            squares, sse = self._squares_of_first(last) - self._squares_of_first(first), []
            rows = max(1, TOGETHER // levels)
            for some in (steps[i : i + rows] for i in range(0, len(steps), rows)):
                for step, q_x, q_q in zip(some, *self.sums_of_codes(some, low, high, first, last), strict=True):
                    s, unit = math.ldexp(step, self.shift).as_integer_ratio()  # the step in units of the integers
                    sse.append(self._real(squares * unit**2 - 2 * s * unit * q_x + s**2 * q_q, unit**2))
        if max(steps, default=0) * max(-low, high) >= OVERFLOW:  # an infinite x_hat, if some x comes so far
            overflows = [self.largest_x_hat(step, low, high, first, last) >= OVERFLOW for step in steps]
            sse = [math.inf if over else error for over, error in zip(overflows, sse, strict=True)]
        return sse

    def sums_of_codes(
        self, steps: Sequence[float], low: int, high: int, first: int = 0, last: int | None = None
    ) -> tuple[list[int], list[int]]:
        """Σqx, with x as integers, and Σq² over the values first … last − 1, for each step."""
        last = self.size if last is None else last
        halves, odd = _between(low, high)  # k − ½ and 2k − 1
        below = self.below(halves * np.asarray(steps)[:, None])  # N(t)
        if last - first < self.size:
            below = below.clip(first, last)
        sums = self.sums[below]  # P(t)
        # The sum of such sums can pass 63 bits: upper and lower halves apart.
        upper = np.add.reduce(sums >> 24, axis=1).tolist()
        lower = np.add.reduce(sums & (2**24 - 1), axis=1).tolist()
        most = high * int(self.sums[last]) - low * int(self.sums[first])
        q_x = [most - (up << 24) - down for up, down in zip(upper, lower, strict=True)]
        q_q = high**2 * last - low**2 * first - below @ odd
        return q_x, q_q.tolist()

    def largest_x_hat(self, step: float, low: int, high: int, first: int, last: int) -> float:
        """max|s·q| over the values first … last − 1, which is at one of their ends; 0 for no values."""
        ends = self.values[first:last][[0, -1]].tolist() if last > first else [0.0]
        return max(abs(step * min(max(round(x / step), low), high)) for x in ends)

    def max_abs_error(self, step: float, low: int, high: int) -> float:
        """max|x − s·q|. The error grows away from s·q: it is largest next to a threshold, or at an end of x."""
        above = self.below(_between(low, high)[0] * step)
        near = np.concatenate([above - 1, above, [0, self.size - 1]]).clip(0, self.size - 1)
        x = self.values[near].astype(np.float64)
        x_hat = step * np.rint(x / step).clip(low, high)
        return math.inf if np.abs(x_hat).max() >= OVERFLOW else float(np.abs(x - x_hat).max())

    def below(self, thresholds: np.ndarray) -> np.ndarray:
        """How many values of x lie below each threshold. Both are compared as float32, after rounding *up*."""
        with np.errstate(over="ignore"):  # a threshold beyond float32 is above all values
            needles = thresholds.astype(np.float32)
        np.nextafter(needles, np.float32(np.inf), out=needles, where=needles < thresholds)
        if needles.size <= FEW and self.size > MANY:
            return self._below_in_rows(needles.ravel()).reshape(needles.shape)
        if needles.size == needles.shape[-1]:
            return np.searchsorted(self.values, needles)
        order = np.argsort(needles, axis=None)  # the search is twice as fast where each needle is close to the last
        below = np.empty(needles.size, np.int64)
        below[order] = np.searchsorted(self.values, needles.ravel()[order])
        return below.reshape(needles.shape)

    def _below_in_rows(self, needles: np.ndarray) -> np.ndarray:
        """`searchsorted` for few needles among very many values: it waits for memory once, not once for each needle."""
        lowest, middle, highest = self._rows
        row = np.maximum(np.searchsorted(highest, needles) - 1, 0)
        row = np.maximum(row * WIDTH + np.count_nonzero(middle[row] < needles[:, None], axis=1) - 1, 0)
        return row * WIDTH + np.count_nonzero(lowest[row] < needles[:, None], axis=1)

    def _squares_of_first(self, i: int) -> int:
        """The sum of the squares of the first i integers."""
        if i == self.size:
            return self.squares[-1]
        part = i // PART
        if i == part * PART:
            return self.squares[part]
        rest = np.diff(self.sums[part * PART : i + 1]).astype(np.float64)
        return self.squares[part] + _sum_of_squares(rest)

    def _real(self, numerator: int, denominator: int = 1) -> float:
        """A sum of squares of integers, in units of x squared."""
        return math.ldexp(numerator / denominator, -2 * self.shift)


@lru_cache(maxsize=64)
def _between(low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """k − ½ and 2k − 1 for all k from low + 1 to high."""
    odd = 2 * np.arange(low + 1, high + 1) - 1
    return odd / 2, odd


def _sum_of_squares(integers: np.ndarray) -> int:
    """Exact, of up to PART integers (float64) of up to 40 bits: high and low halves multiply without rounding."""
    high = np.rint(integers * 2.0**-20)
    low = integers - high * 2.0**20
    return (int(high @ high) << 40) + (int(high @ low) << 21) + int(low @ low)


def _sse_by_visiting(x: np.ndarray, step: float, low: int, high: int) -> float:
    """Σ(x − s·q)², a block at a time, in a buffer that stays in the cache. In float64 s·q and the error are exact."""
    buffer = np.empty(min(BLOCK, x.size))
    total = 0.0
    for start in range(0, x.size, BLOCK):
        block = x[start : start + BLOCK]
        q = np.divide(block, step, out=buffer[: block.size], dtype=np.float64)
        np.rint(q, out=q).clip(low, high, out=q)
        x_hat = np.multiply(q, step, out=q)
        error = np.subtract(block, x_hat, out=x_hat)
        total += float(error @ error)
    return total
