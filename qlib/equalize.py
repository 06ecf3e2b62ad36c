"""Cross-layer equalization and bias correction: what can be done for a quantized network without training it.

Equalization makes the ranges of the channels alike before they are quantized, and changes nothing of what the float
network computes. Bias correction takes the mean error of each output out afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qlib.arguments import as_float32, check_count, is_integer, refuse_unmeasurable

Arrays = Sequence[np.ndarray]


def bias_shift(w: np.ndarray, w_hat: np.ndarray, mean_x: np.ndarray) -> np.ndarray:
    """E[x·ŵ − x·w] = E[x]·(ŵ − w): how far the mean of each output moves. Subtract it from the bias.

    Parameters
    ----------
    w, w_hat : shape (inputs, outputs)
    mean_x : shape (inputs,), the mean of the inputs on calibration data

    Returns
    -------
    float32 array, shape (outputs,)

    References
    ----------
    M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-free quantization through weight equalization and bias
    correction", ICCV 2019, section 4.2.

    >>> bias_shift([[0.5], [0.25]], [[0.0], [0.0]], [1.0, 2.0]).tolist()
    [-1.0]
    """
    w, w_hat, mean_x = (as_float32(n, a) for n, a in (("w", w), ("w_hat", w_hat), ("mean_x", mean_x)))
    if w.ndim != 2 or w.shape != w_hat.shape:
        raise ValueError(f"w_hat: expected a matrix of the shape of w, {w.shape}, got {w_hat.shape}")
    if mean_x.shape != (len(w),):
        raise ValueError(f"mean_x: expected one mean for each of {len(w)} inputs, got shape {mean_x.shape}")
    return mean_x @ (w_hat - w)


def ranges_out(kernel: np.ndarray) -> np.ndarray:
    """max |w| of each output of a kernel (…, outputs): its filters.

    >>> ranges_out([[1, -2], [-3, 0.5]]).tolist()
    [3.0, 2.0]
    """
    kernel = _kernel(kernel)
    return np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))


def ranges_in(kernel: np.ndarray, channels: int) -> np.ndarray:
    """max |w| of what reads each of so many channels: those of a kernel (…, inputs, outputs).

    A dense layer behind a flattened image has its inputs pixel by pixel: input i reads channel i % channels.

    >>> ranges_in([[1, -2], [-3, 0.5], [4, 0], [0, 1]], 2).tolist()
    [4.0, 3.0]
    """
    return np.abs(_by_channel(_kernel(kernel), channels)).max(axis=(0, 1, 3))


def equalizing_scales(r1: np.ndarray, r2: np.ndarray) -> np.ndarray:
    """s = √(r1 · r2) / r2 for each channel: with it r1/s = r2·s = √(r1·r2). A channel with a range of 0 keeps s = 1.

    References
    ----------
    M. Nagel et al., "Data-free quantization …", ICCV 2019, section 4.1: s_i = (1/r_i⁽²⁾) √(r_i⁽¹⁾ r_i⁽²⁾).

    >>> equalizing_scales([8.0, 1.0, 0.0], [2.0, 4.0, 5.0]).tolist()
    [2.0, 0.5, 1.0]
    """
    r1, r2 = np.asarray(r1, np.float64), np.asarray(r2, np.float64)
    if r1.shape != r2.shape:
        raise ValueError(f"r2: expected the shape of r1, {r1.shape}, got {r2.shape}")
    if not (np.isfinite(r1) & np.isfinite(r2) & (r1 >= 0) & (r2 >= 0)).all():
        raise ValueError(f"r1, r2: expected finite ranges from 0 on, got {r1} and {r2}")
    alive = (r1 > 0) & (r2 > 0)
    return np.where(alive, np.sqrt(r1 / np.where(alive, r2, 1)), 1.0)


def rescale(weights: Arrays, layer: int, scales: np.ndarray) -> list[np.ndarray]:
    """The weights with the outputs of a layer divided by `scales`, and the next layer's kernel multiplied by them.

    ReLU lets a positive factor through, and so does max pooling: the network computes what it did before, up to the
    rounding of float32.

    Parameters
    ----------
    weights : kernel and bias of each layer in turn
    layer : the number of the first of the two layers, from 0
    scales : shape (outputs of the layer,), positive
    """
    weights, scales = [as_float32(f"weights[{i}]", w) for i, w in enumerate(weights)], as_float32("scales", scales)
    if not is_integer(layer) or not 0 <= layer < len(weights) // 2 - 1:
        raise ValueError(f"layer: expected from 0 to {len(weights) // 2 - 2}, with a layer behind it, got {layer!r}")
    i, outputs = 2 * layer, weights[2 * layer].shape[-1]
    if scales.shape != (outputs,) or not (np.isfinite(scales) & (scales > 0)).all():
        raise ValueError(f"scales: expected {outputs} positive numbers, got shape {scales.shape}: {scales}")
    following = _by_channel(weights[i + 2], outputs) * scales[:, None]
    changed = [weights[i] / scales, weights[i + 1] / scales, following.reshape(weights[i + 2].shape)]
    return [*weights[:i], *changed, *weights[i + 3 :]]


def equalize(weights: Arrays, rounds: int = 20) -> list[np.ndarray]:
    """All pairs of neighbouring layers in turn, `rounds` times: a layer in the middle belongs to two pairs.

    The layers must follow each other with nothing but ReLU, max pooling and flattening between them.
    """
    check_count("rounds", rounds)
    weights = list(weights)
    for _ in range(rounds):
        for layer in range(len(weights) // 2 - 1):
            r1 = ranges_out(weights[2 * layer])
            weights = rescale(weights, layer, equalizing_scales(r1, ranges_in(weights[2 * layer + 2], r1.size)))
    return weights


def _by_channel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A kernel as (places, pixels, channels, outputs)."""
    check_count("channels", channels)
    inputs, outputs = kernel.shape[-2:]
    if inputs % channels:
        raise ValueError(f"channels: expected a divisor of the {inputs} inputs, got {channels}")
    return kernel.reshape(-1, inputs // channels, channels, outputs)


def _kernel(kernel: np.ndarray) -> np.ndarray:
    kernel = as_float32("kernel", kernel)
    refuse_unmeasurable("kernel", kernel)
    if kernel.ndim < 2:
        raise ValueError(f"kernel: expected at least two axes, the last for the outputs, got shape {kernel.shape}")
    return kernel
