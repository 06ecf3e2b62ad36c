"""AdaRound: learn for each weight whether to round it up or down, so that the outputs of its layer stay right.

The choice is relaxed: h between 0 (down) and 1 (up) is moved by gradient descent, and a second term of the loss drives
it to one of its ends.
"""

from __future__ import annotations

import numpy as np

from qlib.arguments import as_float32, check_count, refuse_unmeasurable
from qlib.compensate import check_hessian
from qlib.qparams import QParams, broadcast_qparams

ZETA, GAMMA = 1.1, -0.1  # the sigmoid is stretched to these, then cut to 0 … 1
FIRST_BETA, LAST_BETA = 20.0, 2.0  # of the regularizer: flat at first, steep at last
FREE = 0.2  # the share of the steps that are taken without the regularizer
WEIGHT = 0.3  # λ, of the regularizer


def rectified_sigmoid(v: np.ndarray) -> np.ndarray:
    """h(V) = clip(σ(V)(ζ − γ) + γ, 0, 1): reaches 0 and 1, where the plain sigmoid only comes near them.

    References
    ----------
    M. Nagel et al., "Up or down? Adaptive rounding for post-training quantization", ICML 2020, equation 23.

    >>> rectified_sigmoid(np.array([-9.0, 0.0, 9.0])).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.clip(_sigmoid(v) * (ZETA - GAMMA) + GAMMA, 0, 1)


def undecided(h: np.ndarray, beta: float) -> float:
    """Σ 1 − |2h − 1|^β: 0 where every h is 0 or 1, and one for each h of one half (equation 24, f_reg).

    >>> undecided(np.array([0.0, 1.0, 0.5, 0.75]), beta=2)
    1.75
    """
    return float(np.sum(1 - np.abs(2 * np.asarray(h) - 1) ** beta))


def round_by(w: np.ndarray, up: np.ndarray, qparams: QParams) -> np.ndarray:
    """Each weight rounded up where `up` is 1, down where it is 0: Δ·clip(⌊w/Δ⌋ + up) (equation 22); or in between.

    >>> round_by([0.4, 0.4, 9.0], np.array([0, 1, 1]), QParams(1.0, 0, -4, 3)).tolist()
    [0.0, 1.0, 3.0]
    """
    w, scale, low, high = _grid(w, qparams)
    return (scale * np.clip(np.floor(w / scale) + up, low, high)).astype(np.float32)


def stochastic(w: np.ndarray, qparams: QParams, rng: np.random.Generator) -> np.ndarray:
    """Up with a probability of the fraction w/Δ − ⌊w/Δ⌋: on average, the weight itself (where nothing is clipped).

    References
    ----------
    S. Gupta et al., "Deep learning with limited numerical precision", ICML 2015, section 3.1.
    """
    w, scale, *_ = _grid(w, qparams)
    return round_by(w, rng.uniform(size=w.shape) < w / scale - np.floor(w / scale), qparams)


def adaround(w: np.ndarray, h: np.ndarray, qparams: QParams, *, steps: int = 1000, rate: float = 0.01) -> np.ndarray:
    """Move V by gradient descent (Adam) to the least output error plus λ·f_reg; then up where h(V) ≥ ½.

    The output error is ½ tr(DᵀHD), in units of mean(Δ²)·mean(diag H), so that λ and the rate suit any layer. It begins
    at h(V) = w/Δ − ⌊w/Δ⌋, with no error. Where the clip decides, no rounding is learned.

    Parameters
    ----------
    w : shape (inputs, outputs), the kernel
    h : shape (inputs, inputs), from `compensate.hessian`
    qparams : the grid: symmetric, one scale or one for each output (axis 1)

    Returns
    -------
    float32 array of w's shape, on the grid

    References
    ----------
    M. Nagel et al., "Up or down?", ICML 2020, equations 21 to 24, without equation 25's activation function; with
    fewer steps and another unit of the error.
    """
    check_count("steps", steps)
    w, scale, low, high = _grid(w, qparams)
    if w.ndim != 2:
        raise ValueError(f"w: expected a matrix, got shape {w.shape}")
    h = check_hessian(h, len(w))
    h = (h / max(np.mean(np.diag(h)), np.finfo(float).tiny)).astype(np.float32)
    down, weight = np.floor(w / scale), scale / np.mean(np.square(scale))
    v = _inverse(w / scale - down)
    mean, square = np.zeros_like(v), np.zeros_like(v)
    for step in range(1, steps + 1):
        up = rectified_sigmoid(v)
        codes = np.clip(down + up, low, high)
        slope = (h @ (scale * codes - w)) * weight * (codes == down + up)
        slope += WEIGHT * _regularizer_slope(up, step / steps)
        slope *= _sigmoid_slope(v) * ((up > 0) & (up < 1))
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        v -= rate * mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return round_by(w, rectified_sigmoid(v) >= 0.5, qparams)


def _sigmoid(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


def _sigmoid_slope(v: np.ndarray) -> np.ndarray:
    s = _sigmoid(v)
    return s * (1 - s) * (ZETA - GAMMA)


def _inverse(h: np.ndarray) -> np.ndarray:
    """The V whose rectified sigmoid is h."""
    return -np.log((ZETA - GAMMA) / (h - GAMMA) - 1)


def _regularizer_slope(h: np.ndarray, done: float) -> np.ndarray | float:
    """d f_reg / dh, when this share of the steps is done; β falls along a line."""
    if done <= FREE:
        return 0.0
    beta = FIRST_BETA + (LAST_BETA - FIRST_BETA) * (done - FREE) / (1 - FREE)
    far = 2 * h - 1
    return -2 * beta * np.abs(far) ** (beta - 1) * np.sign(far)


def _grid(w: np.ndarray, qparams: QParams) -> tuple[np.ndarray, np.ndarray, int, int]:
    """w and the scale of each of its values in float32, and the lowest and highest code."""
    w = as_float32("w", w)
    refuse_unmeasurable("w", w)
    scale = np.broadcast_to(broadcast_qparams(qparams, w)[0], w.shape)
    if np.any(qparams.zero_point):
        raise ValueError(f"qparams: expected a symmetric grid, zero_point 0, got {qparams.zero_point}")
    return w, scale, qparams.qmin, qparams.qmax
