"""How far `x_hat` is from `x`: one number for a whole tensor, in units of x squared, of x, or in decibels."""

from __future__ import annotations

import numpy as np

from qlib.affine import QParams, broadcast_qparams, fake_quantize
from qlib.arguments import as_float32, as_reals, refuse_unmeasurable


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
    if noise == 0:
        return float("inf")
    signal = float(np.mean(np.square(np.asarray(x, np.float64))))
    return float(10 * np.log10(signal / noise)) if signal else float("-inf")


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
    scale, zero_point = broadcast_qparams(qparams, x)
    clipped = (x < scale * (qparams.qmin - zero_point)) | (x > scale * (qparams.qmax - zero_point))
    clipping = float(np.sum(squared, where=clipped)) / x.size
    return float(np.sum(squared, where=~clipped)) / x.size, clipping


def _difference(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """x − x_hat in float64, checked."""
    x, x_hat = as_reals("x", x), as_reals("x_hat", x_hat)
    refuse_unmeasurable("x", x)
    if x.shape != x_hat.shape:
        raise ValueError(f"x_hat: expected the shape of x, {x.shape}, got {x_hat.shape}")
    return np.subtract(x, x_hat, dtype=np.float64)
