"""Pruning: which weights to set to zero, when, and how to take whole filters out of the network.

A mask is an array of truth values in the shape of a kernel: True where the weight stays. Training with masks
is in `qlib.pruned`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qlib.arguments import as_reals, check_axis, check_count, is_integer

Arrays = Sequence[np.ndarray]


# ------------------------------------------------------------------ masks


def magnitude_mask(w: np.ndarray, sparsity: float) -> np.ndarray:
    """True for the weights that stay when the share `sparsity` with the smallest |w| goes.

    Exactly round(sparsity · w.size) weights go; of equal ones the first.

    Raises
    ------
    ValueError
        If `w` holds NaN, or `sparsity` is not from 0 to 1.

    References
    ----------
    S. Han, J. Pool, J. Tran, W. Dally, "Learning both weights and connections for efficient neural networks", 2015.

    >>> magnitude_mask([0.1, -3, -0.2, 2], 0.5).tolist()
    [False, True, False, True]
    """
    w = as_reals("w", w)
    gone = round(check_share("sparsity", sparsity) * w.size)
    mask = np.ones(w.size, bool)
    mask[np.argsort(np.abs(w), axis=None, kind="stable")[:gone]] = False
    return mask.reshape(w.shape)


def global_masks(kernels: Arrays, sparsity: float) -> list[np.ndarray]:
    """A mask for each kernel, from *one* ranking of all weights together: the layers get different sparsities.

    >>> [mask.tolist() for mask in global_masks([[1, 2], [3, 4, 5, 6]], 1 / 3)]
    [[False, False], [True, True, True, True]]
    """
    kernels = [as_reals("kernels", kernel) for kernel in kernels]
    mask = magnitude_mask(np.concatenate([kernel.ravel() for kernel in kernels]), sparsity)
    ends = np.cumsum([kernel.size for kernel in kernels])[:-1]
    return [part.reshape(kernel.shape) for part, kernel in zip(np.split(mask, ends), kernels, strict=True)]


def nm_mask(w: np.ndarray, n: int, m: int, axis: int) -> np.ndarray:
    """True for the n largest |w| of each m neighbours along `axis`; of equal ones the last.

    The hardware that executes 2:4 wants the neighbours among the weights that one output adds up: along the axis of
    the inputs, 0 in a dense layer's kernel (inputs, outputs), 2 in a convolution's (3, 3, inputs, outputs).

    Raises
    ------
    ValueError
        If there is no such axis, its length is no multiple of m, or n is not from 1 to m.

    References
    ----------
    A. Mishra et al., "Accelerating sparse deep neural networks", arXiv:2104.08378 (2021).

    >>> nm_mask([0.1, -3, 2, 0.2, 9, 8, 7, 6], 2, 4, axis=0).tolist()
    [False, True, True, False, True, True, False, False]
    """
    groups, shape = _groups(w, n, m, axis)
    order = np.argsort(np.abs(groups), axis=-1, kind="stable")
    mask = np.ones(groups.shape, bool)
    np.put_along_axis(mask, order[..., : m - n], False, axis=-1)
    return np.moveaxis(mask.reshape(shape), -1, axis)


def encode_nm(w: np.ndarray, n: int, m: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The n values of each group of m along `axis` (after `nm_mask`), and where each stands in it: `values, places`.

    Both have the shape (…, groups, n), with `axis` moved to the end; `places` are uint8 from 0 to m − 1, so that 2 bits
    each are enough for 2:4.

    >>> values, places = encode_nm([0, -3, 2, 0, 9, 0, 0, 0], 2, 4, axis=0)
    >>> values.tolist(), places.tolist()
    ([[-3, 2], [9, 0]], [[1, 2], [0, 3]])
    """
    groups, _ = _groups(w, n, m, axis)
    mask = np.moveaxis(nm_mask(w, n, m, axis), axis, -1).reshape(groups.shape)
    if groups[~mask].any():
        raise ValueError(f"w: expected at most {n} of each {m} that are not 0, got more: apply nm_mask first")
    places = np.nonzero(mask)[-1].reshape(*groups.shape[:-1], n)
    return np.take_along_axis(groups, places, axis=-1), places.astype(np.uint8)


def decode_nm(values: np.ndarray, places: np.ndarray, m: int, axis: int) -> np.ndarray:
    """The kernel that `encode_nm` stored."""
    groups = np.zeros((*values.shape[:-1], m), values.dtype)
    np.put_along_axis(groups, places.astype(np.intp), values, axis=-1)
    return np.moveaxis(groups.reshape(*groups.shape[:-2], -1), -1, axis)


def nm_bytes(size: int, n: int, m: int, value_bits: int = 32) -> int:
    """Bytes of `size` weights with n of m: n values of each group, and the place of each in ⌈log₂ m⌉ bits.

    >>> nm_bytes(1600, 2, 4)
    3400
    """
    stored = size // m * n
    return -(-stored * value_bits // 8) + -(-stored * (m - 1).bit_length() // 8)


# ------------------------------------------------------------------ schedule


def gradual_sparsity(
    step: int, *, steps: int, final: float, start: int = 0, initial: float = 0.0, power: float = 3
) -> float:
    """s_f + (s_i − s_f)(1 − (t − t₀)/(t₁ − t₀))³: fast at first, slow at the end. Before t₀ it is s_i, after t₁ s_f.

    Parameters
    ----------
    step : t, the number of the training step
    steps : t₁ − t₀, over how many steps it rises (nΔt in the paper)
    final, initial : s_f and s_i, shares from 0 to 1
    start : t₀
    power : the exponent, 3 in the paper

    References
    ----------
    M. Zhu, S. Gupta, "To prune, or not to prune", arXiv:1710.01878 (2017), equation 1.

    >>> [round(gradual_sparsity(t, steps=4, final=0.8), 4) for t in (0, 1, 2, 4, 9)]
    [0.0, 0.4625, 0.7, 0.8, 0.8]
    """
    check_count("steps", steps)
    initial, final = check_share("initial", initial), check_share("final", final)
    done = min(max((step - start) / steps, 0.0), 1.0)
    return final + (initial - final) * (1 - done) ** power


# ------------------------------------------------------------------ whole filters


def filter_norms(kernel: np.ndarray) -> np.ndarray:
    """The sum of |w| of each filter (of each output, the last axis): how much it can matter, roughly.

    References
    ----------
    H. Li et al., "Pruning filters for efficient convnets", ICLR 2017.

    >>> filter_norms([[1, -2], [3, 0.5]]).tolist()
    [4.0, 2.5]
    """
    kernel = as_reals("kernel", kernel)
    return np.abs(kernel).sum(axis=tuple(range(kernel.ndim - 1)))


def largest_filters(kernel: np.ndarray, share: float) -> np.ndarray:
    """The indices, in order, of the `share` of filters with the largest norms (at least one).

    >>> largest_filters([[1, -2, 0, 5], [3, 0.5, 1, 5]], 0.5).tolist()
    [0, 3]
    """
    norms = filter_norms(kernel)
    kept = max(1, round(check_share("share", share) * norms.size))
    return np.sort(np.argsort(-norms, kind="stable")[:kept])


def remove_filters(weights: Arrays, kept: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The weights of a smaller network, in which only the filters `kept` are left.

    A filter that goes takes its bias with it, and the inputs that it fed in the next layer.

    Parameters
    ----------
    weights : kernel and bias of each layer in turn, as `get_weights()` of the chapter's network returns them
        Each layer but the last loses filters. Behind the last pooling the inputs of the dense layer are the filters of
        all pixels, pixel by pixel: input i comes from filter i % filters.
    kept : for each layer but the last, the indices of the filters that stay

    Raises
    ------
    ValueError
        If there are not as many `kept` as layers but one.

    References
    ----------
    H. Li et al., "Pruning filters for efficient convnets", ICLR 2017, figure 1.
    """
    kernels, biases = list(weights[::2]), list(weights[1::2])
    if len(kept) != len(kernels) - 1:
        raise ValueError(f"kept: expected {len(kernels) - 1} lists of indices, got {len(kept)}")
    for i, stay in enumerate(kept):
        filters = kernels[i].shape[-1]
        kernels[i], biases[i] = kernels[i][..., stay], biases[i][stay]
        inputs = kernels[i + 1].shape[-2]  # as many as filters, or a multiple: one for each pixel
        feeds = [pixel * filters + f for pixel in range(inputs // filters) for f in stay]
        kernels[i + 1] = np.take(kernels[i + 1], feeds, axis=-2)
    return [array for pair in zip(kernels, biases, strict=True) for array in pair]


# ------------------------------------------------------------------ arguments


def check_share(name: str, share: object) -> float:
    """A share as a float; a ValueError if it is not from 0 to 1."""
    number = is_integer(share) or isinstance(share, (float, np.floating))
    if not number or not 0 <= share <= 1:
        raise ValueError(f"{name}: expected a share from 0 to 1, got {share!r}")
    return float(share)


def _groups(w: np.ndarray, n: int, m: int, axis: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """w with `axis` last and cut into groups of m, and its shape before the cut."""
    w = as_reals("w", w)
    check_count("m", m)
    check_count("n", n, m)
    check_axis(axis, w.ndim)
    moved = np.moveaxis(w, axis, -1)
    if moved.shape[-1] % m:
        raise ValueError(f"w: expected a multiple of {m} along axis {axis}, got {moved.shape[-1]}")
    return moved.reshape(*moved.shape[:-1], -1, m), moved.shape
