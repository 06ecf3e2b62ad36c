"""Outlier channels: measure them, and three ways to live with them when x @ w is computed in few bits.

x has a row for each token and a column for each channel, w a row for each channel and a column for each output. An
integer product can have a scale for each row of x and each column of w: both stand outside the sum over channels. A
scale for each *channel* of x would stand inside it.

- `smoothing_scales`: move the difference from x into w, exactly (SmoothQuant).
- `outlier_channels`, `mixed_product`: compute the few large channels in float (LLM.int8()).
- `QuantizedProduct`: x @ w with both quantized, to be put into a network's forward pass.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qlib.affine import choose_qparams, fake_quantize, qrange
from qlib.arguments import as_float32, check_one_axis, is_integer, refuse_unmeasurable
from qlib.transformer import plain

Arrays = Mapping[str, np.ndarray]


def channel_max(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """max |x| of each index of `axis`, over all other axes: of each channel, if the channels are on it.

    Raises
    ------
    ValueError
        If x holds NaN or ±inf, or nothing, or has no such axis.

    >>> channel_max([[1, -5, 0], [-2, 3, 0]]).tolist()
    [2.0, 5.0, 0.0]
    """
    x = as_float32("x", x)
    refuse_unmeasurable("x", x)
    check_one_axis(axis, x.ndim)
    return np.abs(np.moveaxis(x, axis, -1)).reshape(-1, x.shape[axis]).max(axis=0)


def fake_absmax(x: np.ndarray, num_bits: int, axis: int | None = None) -> np.ndarray:
    """x quantized symmetrically and back, with the range ±max |x|: of the whole array, or of each index of `axis`.

    >>> fake_absmax([[3, 0.9], [30, 11]], 3, axis=0).tolist()  # three steps up to 3, and up to 30
    [[3.0, 1.0], [30.0, 10.0]]
    """
    x = as_float32("x", x)
    refuse_unmeasurable("x", x)
    top = np.abs(x).max() if axis is None else channel_max(x, axis)
    return fake_quantize(x, _symmetric(top, num_bits, axis))


def _symmetric(top: np.ndarray, num_bits: int, axis: int | None = None):
    return choose_qparams(-top, top, num_bits=num_bits, symmetric=True, narrow_range=True, axis=axis)


# ------------------------------------------------------------------ SmoothQuant


def smoothing_scales(x_max: np.ndarray, w_max: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """s_j = max|X_j|^α / max|W_j|^(1 − α): what channel j of x is divided by, and row j of w multiplied with.

    α = 1 gives all channels of x the same maximum, α = 0 all rows of w. A channel in which either is all zero gets 1:
    there is nothing to even out.

    Parameters
    ----------
    x_max : real (channels,), max |x| of each channel on calibration data
    w_max : real (channels,), max |w| of each row
    alpha : float from 0 to 1, the migration strength

    Returns
    -------
    float32 (channels,), all above 0

    Raises
    ------
    ValueError
        If a maximum is negative or not finite, the shapes differ, or `alpha` is not from 0 to 1.

    References
    ----------
    G. Xiao et al., "SmoothQuant: Accurate and efficient post-training quantization for large language models",
    ICML 2023, equation 4.

    >>> smoothing_scales([16, 1, 0], [1, 1, 3]).tolist()
    [4.0, 1.0, 1.0]
    """
    number = is_integer(alpha) or isinstance(alpha, (float, np.floating))
    if not number or not 0 <= alpha <= 1:
        raise ValueError(f"alpha: expected a number from 0 to 1, got {alpha!r}")
    x_max, w_max = _maxima("x_max", x_max), _maxima("w_max", w_max)
    if x_max.shape != w_max.shape:
        raise ValueError(f"w_max: expected the shape of x_max, {x_max.shape}, got {w_max.shape}")
    alive = (x_max > 0) & (w_max > 0)
    x_max, w_max = (np.where(alive, top, 1).astype(np.float64) for top in (x_max, w_max))
    return (x_max**alpha / w_max ** (1 - alpha)).astype(np.float32)


def smooth(x: np.ndarray, w: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X diag(s)⁻¹ and diag(s) W, whose product is X W (Xiao et al. 2023, equation 3).

    >>> x, w = smooth([[8, 1]], [[1, 2], [1, 1]], [4, 1])
    >>> x.tolist(), w.tolist(), (x @ w).tolist()
    ([[2.0, 1.0]], [[4.0, 8.0], [1.0, 1.0]], [[9.0, 17.0]])
    """
    x, w, scales = as_float32("x", x), as_float32("w", w), as_float32("scales", scales)
    _check_product(x, w)
    if scales.shape != (len(w),) or not (np.isfinite(scales) & (scales > 0)).all():
        raise ValueError(f"scales: expected {len(w)} finite numbers above 0, got {scales!r}")
    return x / scales, w * scales[:, None]


# ------------------------------------------------------------------ LLM.int8()


def outlier_channels(x: np.ndarray, threshold: float = 6.0) -> np.ndarray:
    """True for the channels in which some |x| reaches `threshold` (6 in the paper).

    References
    ----------
    T. Dettmers, M. Lewis, Y. Belkada, L. Zettlemoyer, "LLM.int8(): 8-bit matrix multiplication for transformers at
    scale", NeurIPS 2022, section 3.2.

    >>> outlier_channels([[1, -7, 2], [0, 3, 6]]).tolist()
    [False, True, True]
    """
    number = is_integer(threshold) or isinstance(threshold, (float, np.floating))
    if not number or not threshold > 0:
        raise ValueError(f"threshold: expected a number above 0, got {threshold!r}")
    return channel_max(x) >= threshold


def mixed_product(x: np.ndarray, w: np.ndarray, outliers: np.ndarray, num_bits: int = 8) -> np.ndarray:
    """x @ w, with the channels `outliers` in float, the others in few bits (Dettmers et al. 2022, section 3.2).

    A scale for each row of x and each column of w, of the channels that are quantized.
    """
    x, w, outliers = as_float32("x", x), as_float32("w", w), np.asarray(outliers)
    _check_product(x, w)
    if outliers.dtype != bool or outliers.shape != (len(w),):
        raise ValueError(f"outliers: expected {len(w)} truth values, got {outliers!r}")
    exact, rest = x[:, outliers] @ w[outliers], ~outliers
    if not rest.any():
        return exact
    return exact + fake_absmax(x[:, rest], num_bits, axis=0) @ fake_absmax(w[rest], num_bits, axis=1)


# ------------------------------------------------------------------ in a network


class QuantizedProduct:
    """x @ w with both quantized: for `Transformer.forward(…, multiply)`.

    Weights have a scale for each output. Activations have one for the whole tensor, from calibration (static), or one
    for each token, taken from the tensor at hand (dynamic). The weights of a name are quantized at its first call, and
    kept: take a new object for other weights.

    Parameters
    ----------
    x_max : dict of arrays (channels,)
        max |x| of each channel, for each layer's name, from calibration. A layer that is not in it stays float.
    weight_bits, x_bits : int from 2 to 16
    per_token : bool
        A scale for each token instead of one for the tensor.
    alpha : float or None
        With a number, each layer is smoothed first.

    Raises
    ------
    ValueError
        If bits are none, or, at the first call of a name, its maxima don't fit its weights.
    """

    def __init__(
        self,
        x_max: Arrays,
        *,
        weight_bits: int = 8,
        x_bits: int = 8,
        per_token: bool = False,
        alpha: float | None = None,
    ) -> None:
        for bits in (weight_bits, x_bits):
            qrange(bits)  # refuses what are no bits, before a network runs
        self.x_max, self.weight_bits, self.x_bits = dict(x_max), weight_bits, x_bits
        self.per_token, self.alpha = per_token, alpha
        self._layers: dict[str, tuple] = {}

    def __call__(self, name: str, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        if name not in self.x_max:
            return plain(name, x, w)
        if name not in self._layers:
            self._layers[name] = self._prepared(self.x_max[name], w)
        scales, qparams, w_hat = self._layers[name]
        x = x / scales
        x_hat = fake_absmax(x, self.x_bits, axis=0) if self.per_token else fake_quantize(x, qparams)
        return x_hat @ w_hat

    def _prepared(self, x_max: np.ndarray, w: np.ndarray) -> tuple:
        """The scales of smoothing, the parameters of x, and the weights: smoothed, quantized, and back."""
        x_max, scales = _maxima("x_max", x_max), np.ones(len(w), np.float32)
        if x_max.shape != scales.shape:
            raise ValueError(f"x_max: expected one maximum for each of {len(w)} channels, got shape {x_max.shape}")
        if self.alpha is not None:
            scales = smoothing_scales(x_max, channel_max(w, axis=0), self.alpha)
        qparams = _symmetric((x_max / scales).max(), self.x_bits)
        return scales, qparams, fake_absmax(w * scales[:, None], self.weight_bits, axis=1)


def layer_error(
    x: np.ndarray,
    w: np.ndarray,
    x_max: np.ndarray,
    alpha: float | None = None,
    *,
    x_bits: int = 8,
    weight_bits: int = 8,
    per_token: bool = False,
) -> float:
    """‖x w − x̂ ŵ‖ / ‖x w‖, the relative error of one quantized product; options as for `QuantizedProduct`."""
    product = QuantizedProduct(
        {"layer": x_max}, alpha=alpha, x_bits=x_bits, weight_bits=weight_bits, per_token=per_token
    )
    exact = as_float32("x", x) @ as_float32("w", w)
    return float(np.linalg.norm(product("layer", x, w) - exact) / np.linalg.norm(exact))


# ------------------------------------------------------------------ arguments


def _maxima(name: str, top: object) -> np.ndarray:
    top = as_float32(name, top)
    if top.ndim != 1 or not np.isfinite(top).all() or (top < 0).any():
        raise ValueError(f"{name}: expected a finite maximum, not negative, for each channel, got {top!r}")
    return top


def _check_product(x: np.ndarray, w: np.ndarray) -> None:
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[0]:
        raise ValueError(f"w: expected a row for each channel of x, got shapes {x.shape}, {w.shape}")
