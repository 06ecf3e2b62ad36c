"""How far `x_hat` is from `x`: one number for a whole tensor, in units of x squared, of x, or in decibels.

The functions compare two arrays. `ErrorProfile` knows one tensor, and says the error of any quantizer of it.
"""

from __future__ import annotations

import numpy as np

from qlib.affine import choose_qparams, fake_quantize
from qlib.arguments import as_float32, as_reals, check_axis, refuse_unmeasurable
from qlib.best import best_affine, best_symmetric
from qlib.exact import SortedSums
from qlib.qparams import QParams, broadcast_qparams


def mse(x: np.ndarray, x_hat: np.ndarray) -> float:
    """Mean squared error, `mean((x − x_hat)²)`, in units of x squared; taken and summed in float64.

    Raises
    ------
    ValueError
        If shapes differ, a value is NaN, or x is empty or holds ±inf.

    Examples
    --------
    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return float(np.mean(np.square(_difference(x, x_hat))))


def max_abs_error(x: np.ndarray, x_hat: np.ndarray) -> float:
    """Largest absolute error, `max(|x − x_hat|)`, in units of x. Raises like `mse`.

    Examples
    --------
    >>> max_abs_error([1.0, 2.0], [1.5, 1.0])
    1.0
    """
    return float(np.max(np.abs(_difference(x, x_hat))))


def sqnr_db(x: np.ndarray, x_hat: np.ndarray) -> float:
    """Signal-to-quantization-noise ratio in decibels: `10 log10(mean(x²) / mse(x, x_hat))`.

    No error at all is `inf` dB. Raises like `mse`.

    References
    ----------
    Bennett, "Spectra of quantized signals", Bell System Technical Journal 27 (1948).

    Examples
    --------
    >>> sqnr_db([10.0, -10.0], [9.0, -9.0])
    20.0
    """
    noise = mse(x, x_hat)
    return _decibels(float(np.mean(np.square(np.asarray(x, np.float64)))), noise)


def split_mse(x: np.ndarray, qparams: QParams) -> tuple[float, float]:
    """The mean squared error of `fake_quantize(x, qparams)` as `(rounding, clipping)`: their sum is the total.

    Values between the lowest and the highest x̂ are rounded; what lies outside is clipped, and its whole error
    counts as clipping error. Both are means over all of x, in units of x squared.

    Raises
    ------
    ValueError
        As `quantize` does, and if x is empty or holds ±inf.

    Examples
    --------
    >>> split_mse([0.25, 5.0], QParams(1.0, 0, -4, 3))
    (0.03125, 2.0)
    """
    x = as_float32("x", x)  # as quantize sees it
    squared = np.square(_difference(x, fake_quantize(x, qparams)))
    *_, lowest, highest = broadcast_qparams(qparams, x)
    clipped = (x < lowest) | (x > highest)
    clipping = float(np.sum(squared, where=clipped)) / x.size
    return float(np.sum(squared, where=~clipped)) / x.size, clipping


class ErrorProfile:
    """The exact error of any uniform quantizer of x: sort once, then look up.

    A quantizer with step s gives x the code q, counted from the zero point. Multiply out, and sum over all values:

        SSE = Σ(x − s·q)² = Σx² − 2s·Σqx + s²·Σq²

    No value need be visited for the two sums with q. With k_lo = qmin − zero_point and k_hi = qmax − zero_point,
    codes change at the thresholds t_k = (k − ½)·s, for k = k_lo + 1 … k_hi. A value has the highest code, k_hi, less
    one for each threshold above it; its q² is k_hi² less k² − (k − 1)² = 2k − 1 for each. Summed over all values:

        Σqx = k_hi·Σx − Σ_k P(t_k)               P(t) = sum of all x < t
        Σq² = k_hi²·n − Σ_k (2k − 1)·N(t_k)      N(t) = number of x < t

    In sorted x, N(t) is a binary search and P(t) a prefix sum, taken once. The cost is in the number of thresholds,
    not of values. Clipping is no special case: beyond the last threshold the code stays what it is.

    At 12 bits six to eight digits of the three terms cancel, too many for float64 sums. So x is written as
    integers, of 40 bits for the largest |x| (38 for ten million values), and every sum is a sum of integers: exact.
    Where thresholds are many and values few, visiting the values is faster, and that is what happens.

    Parameters
    ----------
    x : array of floats or integers, any shape
        Used as float32, and copied.

    Raises
    ------
    ValueError
        If x is empty, not numeric, or holds NaN or ±inf (with their count). The methods: if the axis of `qparams`
        doesn't fit x.

    Examples
    --------
    >>> profile = ErrorProfile([0.25, 5.0])
    >>> profile.sse(QParams(1.0, 0, -4, 3)), profile.split(QParams(1.0, 0, -4, 3))
    (4.0625, (0.0625, 4.0))
    """

    def __init__(self, x: np.ndarray) -> None:
        x = as_float32("x", x)
        refuse_unmeasurable("x", x)
        self._x = x.copy()  # for the channels
        whole = SortedSums(x)
        self._sums: dict[int | None, list[SortedSums]] = {None: [whole]}
        self.size, self.lowest, self.highest = x.size, float(whole.values[0]), float(whole.values[-1])

    def sse(self, qparams: QParams) -> float:
        """Sum of squared errors `Σ(x − x_hat)²`, in units of x squared; `qparams` may be per-channel.

        x_hat counts as `scale * (q - zero_point)` in exact arithmetic. `fake_quantize` rounds it to float32, so that
        `mse(x, fake_quantize(x, qparams))` differs in about the seventh digit. Where x_hat passes float32's end, and is
        infinite, so is the error.
        """
        return sum(sums.sse([step], low, high)[0] for sums, step, low, high in self._parts(qparams))

    def mse(self, qparams: QParams) -> float:
        """Mean squared error, in units of x squared."""
        return self.sse(qparams) / self.size

    def sqnr_db(self, qparams: QParams) -> float:
        """Signal-to-quantization-noise ratio in decibels, as the function `sqnr_db`."""
        return _decibels(self._sums[None][0].signal, self.sse(qparams))

    def split(self, qparams: QParams) -> tuple[float, float]:
        """The sum of squared errors as `(rounding, clipping)`, in units of x squared; see `split_mse`."""
        rounding = clipping = 0.0
        for sums, step, low, high in self._parts(qparams):
            with np.errstate(over="ignore"):  # an x_hat beyond float32
                lowest, highest = np.float32([low, high]) * np.float32(step)
            first = int(np.searchsorted(sums.values, lowest, "left"))
            last = int(np.searchsorted(sums.values, highest, "right"))
            rounding += sums.sse([step], low, high, first, last)[0]
            clipping += sums.sse([step], low, high, 0, first)[0] + sums.sse([step], low, high, last, sums.size)[0]
        return rounding, clipping

    def max_abs_error(self, qparams: QParams) -> float:
        """Largest absolute error, in units of x. It is found at a neighbour of a threshold, or at an end of x."""
        return max(sums.max_abs_error(step, low, high) for sums, step, low, high in self._parts(qparams))

    def outside(self, lowest: float, highest: float) -> int:
        """How many values of x lie below `lowest` or above `highest`."""
        below, not_above = self._sums[None][0].below(np.array([lowest, np.nextafter(highest, np.inf)]))
        return int(below + self.size - not_above)

    def sse_by_step(self, steps: np.ndarray, qmin: int, qmax: int) -> np.ndarray:
        """`sse` for zero point 0 and each of many steps, in one lookup: float64, of the shape of `steps`, (m,)."""
        steps = as_float32("steps", steps)
        if steps.ndim != 1 or not (np.isfinite(steps) & (steps > 0)).all():
            raise ValueError(f"steps: expected one axis of finite values > 0 in float32, got {steps}")
        QParams(1.0, min(max(0, qmin), qmax), qmin, qmax)  # refuses what are no codes
        if not qmin <= 0 <= qmax:
            name, side, code = ("qmin", "<=", qmin) if qmin > 0 else ("qmax", ">=", qmax)
            raise ValueError(f"{name}: expected {side} 0, because the zero point is 0, got {code}")
        return np.array(self._sums[None][0].sse(steps.tolist(), qmin, qmax))

    def best_threshold(self, num_bits: int, *, signed: bool = True, narrow_range: bool = False) -> float:
        """The threshold T of the symmetric `best_qparams`: its scale is T / qmax, as float32.

        T may lie beyond the largest |x|: integers from −100 to 100 are exact in 8 bits for T = 127, where Δ = 1.

        Raises
        ------
        ValueError
            As `choose_qparams` does; unsigned codes hold no negative x.
        """
        qparams = self.best_qparams(num_bits, symmetric=True, signed=signed, narrow_range=narrow_range)
        return float(qparams.scale) * qparams.qmax if self.lowest or self.highest else 0.0

    def best_qparams(
        self,
        num_bits: int,
        *,
        symmetric: bool = False,
        signed: bool = True,
        narrow_range: bool = False,
        axis: int | None = None,
    ) -> QParams:
        """The parameters with the least error that a search finds. Options and refusals are those of `choose_qparams`.

        Symmetric, it is the least there is where distinct values are few; else it is searched on ever finer grids. The
        zero point is searched among those that score best: the thresholds t_k of all zero points are the same numbers,
        so that one lookup scores them all.
        """
        options = dict(num_bits=num_bits, symmetric=symmetric, signed=signed, narrow_range=narrow_range)
        best = []
        for sums in self._along(axis):
            best.append(choose_qparams(*sums.minmax(), **options))
            if sums.signal:
                best[-1] = (best_symmetric if symmetric else best_affine)(sums, best[-1])
        if axis is None:
            return best[0]
        scale, zero_point = [qparams.scale for qparams in best], [qparams.zero_point for qparams in best]
        return QParams(scale, zero_point, best[0].qmin, best[0].qmax, axis)

    def minmax(self, axis: int | None = None) -> tuple[float, float] | tuple[np.ndarray, np.ndarray]:
        """The range of x, or of each channel, extended so that it holds 0; see the calibrator of this name."""
        ends = np.array([sums.minmax() for sums in self._along(axis)])
        return (ends[:, 0], ends[:, 1]) if axis is not None else (float(ends[0, 0]), float(ends[0, 1]))

    def _parts(self, qparams: QParams) -> list[tuple[SortedSums, float, int, int]]:
        """For each channel, or for the whole tensor: its sums, its step, its lowest and highest code from zero on."""
        broadcast_qparams(qparams, self._x)  # refuses what doesn't fit
        if qparams.axis is None:
            return [(self._sums[None][0], float(qparams.scale), *qparams.codes)]
        scale, zero_point = qparams.scale.tolist(), qparams.zero_point.tolist()
        codes = [(qparams.qmin - z, qparams.qmax - z) for z in zero_point]
        return [(sums, s, *c) for sums, s, c in zip(self._along(qparams.axis), scale, codes, strict=True)]

    def _along(self, axis: int | None) -> list[SortedSums]:
        """The sums of the channels, made once; for None those of the whole tensor."""
        check_axis(axis, self._x.ndim)
        if axis not in self._sums:
            self._sums[axis] = [SortedSums(channel) for channel in np.moveaxis(self._x, axis, 0)]
        return self._sums[axis]


def _difference(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """x − x_hat in float64, checked."""
    x, x_hat = as_reals("x", x), as_reals("x_hat", x_hat)
    refuse_unmeasurable("x", x)
    if x.shape != x_hat.shape:
        raise ValueError(f"x_hat: expected the shape of x, {x.shape}, got {x_hat.shape}")
    return np.subtract(x, x_hat, dtype=np.float64)


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal else float("-inf")
