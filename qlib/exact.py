"""Sums over the codes of a uniform quantizer, exactly, by looking thresholds up instead of visiting values.

The formulas, and why they hold, stand in the docstring of `qlib.error.ErrorProfile`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

PART = 2**13  # so many squares of 20-bit integers add up to 2^53 at most: sums in float64 are exact
BLOCK = 2**15  # values that are visited at once: they and their float64 codes stay in the processor's cache
LOOKUP = 16  # looking up one threshold takes about as long as visiting so many values,
LOOKUPS = 2**13  # and what all lookups of a quantizer have in common about as long as visiting these


class SortedSums:
    """x in order, as float32 and as integers, with the sums of all beginnings of it.

    The integers are `rint(x * 2**shift)`: 40 bits for the largest |x|, fewer where the sum of all would pass 62 bits.
    A float32 has 24 bits, so that nothing is rounded but values below 2⁻¹⁶ of the largest.

    Parameters
    ----------
    x : float32 array, any shape, not empty, finite
    """

    def __init__(self, x: np.ndarray) -> None:
        self.values = np.sort(x, axis=None)
        self.size = x.size
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

    @property
    def signal(self) -> float:
        """Σx², in units of x squared."""
        return self._real(self.squares[-1])

    def sse(self, steps: Sequence[float], low: int, high: int, first: int = 0, last: int | None = None) -> list[float]:
        """Σ(x − s·q)² over the values first … last − 1, for each step s, with codes from `low` to `high`."""
        last = self.size if last is None else last
        if last - first <= LOOKUP * (high - low) + LOOKUPS:
            return [_sse_by_visiting(self.values[first:last], step, low, high) for step in steps]
        squares, sse = self._squares_of_first(last) - self._squares_of_first(first), []
        for step, q_x, q_q in zip(steps, *self.sums_of_codes(steps, low, high, first, last), strict=True):
            s, unit = math.ldexp(step, self.shift).as_integer_ratio()  # the step in units of the integers
            sse.append(self._real(squares * unit**2 - 2 * s * unit * q_x + s**2 * q_q, unit**2))
        return sse

    def sums_of_codes(
        self, steps: Sequence[float], low: int, high: int, first: int = 0, last: int | None = None
    ) -> tuple[list[int], list[int]]:
        """Σqx, with x as integers, and Σq² over the values first … last − 1, for each step."""
        last = self.size if last is None else last
        k = np.arange(low + 1, high + 1)
        below = self.below((k - 0.5) * np.asarray(steps)[:, None])  # N(t)
        if last - first < self.size:
            below = below.clip(first, last)
        sums = self.sums[below]  # P(t)
        # The sum of such sums can pass 63 bits: upper and lower halves apart.
        upper, lower = np.sum(sums >> 24, axis=1).tolist(), np.sum(sums & (2**24 - 1), axis=1).tolist()
        most = high * int(self.sums[last]) - low * int(self.sums[first])
        q_x = [most - (up << 24) - down for up, down in zip(upper, lower, strict=True)]
        q_q = high**2 * last - low**2 * first - below @ (2 * k - 1)
        return q_x, q_q.tolist()

    def largest_x_hat(self, step: float, low: int, high: int) -> float:
        """max|s·q|."""
        return max(abs(step * min(max(round(float(x) / step), low), high)) for x in self.values[[0, -1]])

    def max_abs_error(self, step: float, low: int, high: int) -> float:
        """max|x − s·q|. The error grows away from s·q: it is largest next to a threshold, or at an end of x."""
        above = self.below((np.arange(low + 1, high + 1) - 0.5) * step)
        near = np.concatenate([above - 1, above, [0, self.size - 1]]).clip(0, self.size - 1)
        x = self.values[near].astype(np.float64)
        return float(np.max(np.abs(x - step * np.rint(x / step).clip(low, high))))

    def below(self, thresholds: np.ndarray) -> np.ndarray:
        """How many values of x lie below each threshold. Both are compared as float32, after rounding *up*."""
        with np.errstate(over="ignore"):  # a threshold beyond float32 is above all values
            needles = thresholds.astype(np.float32)
        needles = np.where(needles < thresholds, np.nextafter(needles, np.float32(np.inf)), needles)
        if needles.ndim < 2 or len(needles) == 1:
            return np.searchsorted(self.values, needles)
        order = np.argsort(needles, axis=None)  # the search is twice as fast where each needle is close to the last
        below = np.empty(needles.size, np.int64)
        below[order] = np.searchsorted(self.values, needles.ravel()[order])
        return below.reshape(needles.shape)

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
