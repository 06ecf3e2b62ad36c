"""Error-compensating rounding: round the weights of a layer in turn, and let the others make up for it.

The layer is y = x·w, with a kernel w (inputs, outputs) as Keras has it. The papers write it transposed: what is a
column of their W, all weights of one input, is a row of w here.
"""

from __future__ import annotations

import numpy as np

from qlib.affine import fake_quantize
from qlib.arguments import as_reals, refuse_unmeasurable
from qlib.qparams import QParams


def hessian(x: np.ndarray) -> np.ndarray:
    """H = (2/n) Σ xᵀx over the n rows of x: the second derivatives of the mean squared error of each output.

    The factor 2/n (in the paper 2) changes no code that `gptq` gives.

    Parameters
    ----------
    x : shape (n, inputs), the inputs of the layer on calibration data

    Returns
    -------
    float64 array, shape (inputs, inputs), symmetric

    References
    ----------
    E. Frantar, S. Ashkboos, T. Hoefler, D. Alistarh, "GPTQ", ICLR 2023, section 3.

    >>> hessian([[1.0, 2.0], [3.0, 0.0]]).tolist()
    [[10.0, 2.0], [2.0, 4.0]]
    """
    x = _matrix("x", x)
    product = x.T @ x if x.dtype == np.float32 else x.astype(np.float64).T @ x
    return (2 / len(x) * product).astype(np.float64)


def output_mse(w: np.ndarray, w_hat: np.ndarray, h: np.ndarray) -> float:
    """Mean squared error of the outputs, mean((x·w − x·ŵ)²), from H alone: ½ tr(DᵀHD) / outputs with D = w − ŵ.

    >>> output_mse([[1.0], [0.0]], [[0.0], [0.0]], hessian([[1.0, 2.0], [3.0, 0.0]]))  # (1² + 3²) / 2
    5.0
    """
    w, w_hat, h = _matrix("w", w), _matrix("w_hat", w_hat), check_hessian(h, np.shape(w)[0])
    if w.shape != w_hat.shape:
        raise ValueError(f"w_hat: expected the shape of w, {w.shape}, got {w_hat.shape}")
    d = w.astype(np.float64) - w_hat
    return float(np.sum(d * (h @ d)) / 2 / w.shape[1])


def output_sqnr_db(w: np.ndarray, w_hat: np.ndarray, h: np.ndarray) -> float:
    """10 log₁₀(mean((x·w)²) / mean((x·w − x·ŵ)²)) in decibels, from H alone; `inf` if there is no error.

    >>> output_sqnr_db([[1.0], [0.0]], [[0.9], [0.0]], [[2.0, 0.0], [0.0, 2.0]]).__round__(6)
    20.0
    """
    noise = output_mse(w, w_hat, h)
    signal = output_mse(w, np.zeros_like(w), h)
    return float(10 * np.log10(signal / noise)) if noise else float("inf")


def gptq(w: np.ndarray, h: np.ndarray, qparams: QParams, damping: float = 0.01) -> np.ndarray:
    """Round input by input; after each, all inputs that are still to come make up for its error as well as they can.

    With the upper Cholesky factor U of H⁻¹ (UᵀU = H⁻¹), for input i in turn: ŵ_i = nearest(w_i), and for each j > i
    w_j ← w_j − U_ij (w_i − ŵ_i) / U_ii.

    Parameters
    ----------
    w : shape (inputs, outputs), the kernel
    h : shape (inputs, inputs), from `hessian`
    qparams : the grid: one scale, or one for each output (axis 1)
    damping : the share of the mean of H's diagonal that is added to it; 0.01 in the paper

    Returns
    -------
    float32 array of w's shape, on the grid

    Raises
    ------
    ValueError
        If shapes don't fit, or H (with its damping) has no inverse: an input that is always 0, too few rows.

    References
    ----------
    E. Frantar et al., "GPTQ", ICLR 2023, algorithm 1, without its blocks, which save time and change nothing.

    >>> grid = QParams(1.0, 0, -4, 3)
    >>> gptq([[0.4], [0.4]], [[1.0, 0.9], [0.9, 1.0]], grid).tolist()  # nearest: 0 and 0
    [[0.0], [1.0]]
    """
    w = _matrix("w", w).astype(np.float64)
    h = check_hessian(h, len(w))
    if not isinstance(damping, int | float | np.number) or not 0 <= damping < np.inf:  # NaN, too
        raise ValueError(f"damping: expected a number from 0 on, got {damping!r}")
    try:
        u = np.linalg.cholesky(np.linalg.inv(h + damping * np.mean(np.diag(h)) * np.eye(len(h)))).T
    except np.linalg.LinAlgError:
        raise ValueError("h: expected a matrix that has an inverse, got one that has none; use more damping") from None
    w_hat = np.empty(w.shape, np.float32)
    for i in range(len(w)):
        w_hat[i : i + 1] = fake_quantize(w[i : i + 1], qparams)
        error = (w[i] - w_hat[i]) / u[i, i]
        w[i + 1 :] -= np.outer(u[i, i + 1 :], error)
    return w_hat


def check_hessian(h: object, inputs: int) -> np.ndarray:
    """h in float64; a ValueError if it is not a finite, symmetric matrix (inputs, inputs)."""
    h = _matrix("h", h).astype(np.float64)
    if h.shape != (inputs, inputs):
        raise ValueError(f"h: expected the shape ({inputs}, {inputs}), one row for each input of w, got {h.shape}")
    if not np.allclose(h, h.T, rtol=1e-4, atol=1e-6 * np.abs(h).max()):
        raise ValueError("h: expected a symmetric matrix, got one that differs from its transpose")
    return h


def _matrix(name: str, array: object) -> np.ndarray:
    array = as_reals(name, array)
    if array.ndim != 2:
        raise ValueError(f"{name}: expected a matrix, got shape {array.shape}")
    refuse_unmeasurable(name, array)
    return array
