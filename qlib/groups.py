"""Group-wise quantization: a scale for each group of neighbouring weights, and what the scales cost in bits.

Groups lie along one axis, that of the inputs: the weights of a group are added up in the same output. The last group of
a row may be shorter. Scales are rounded to float16, so that they take the 16 bits that are counted.
"""

from __future__ import annotations

import numpy as np

from qlib.affine import QParams, choose_qparams, dequantize, quantize
from qlib.arguments import as_float32, check_count, check_one_axis, refuse_unmeasurable

SCALE_BITS = 16  # of a float16


def cut(w: np.ndarray, size: int, axis: int = 0) -> np.ndarray:
    """The groups of w as rows: float32, shape (groups, size). A shorter last group is filled up with zeros.

    Zeros change no group's largest |w|, nor a range that holds 0 in any case.

    Raises
    ------
    ValueError
        If w is empty or holds NaN or ±inf, has no such axis, or `size` is no integer from 1 on.

    >>> cut([1, 2, 3, 4, 5], 2).tolist()
    [[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]]
    """
    w = as_float32("w", w)
    refuse_unmeasurable("w", w)
    check_count("size", size)
    check_one_axis(axis, w.ndim)
    rows = np.moveaxis(w, axis, -1)
    rows = np.pad(rows, [(0, 0)] * (w.ndim - 1) + [(0, -rows.shape[-1] % size)])
    return rows.reshape(-1, size)


def join(groups: np.ndarray, shape: tuple[int, ...], axis: int = 0) -> np.ndarray:
    """The array of this shape whose groups these are: undoes `cut`.

    >>> join(np.array([[1, 2], [3, 4], [5, 0]]), (5,)).tolist()
    [1, 2, 3, 4, 5]
    """
    check_one_axis(axis, len(shape))
    others = [n for k, n in enumerate(shape) if k != axis % len(shape)]
    rows = groups.reshape(*others, -1)[..., : shape[axis]]
    return np.moveaxis(rows, -1, axis)


def float16_scales(scale: np.ndarray) -> np.ndarray:
    """Scales rounded to float16, as float32. One that would become 0 is raised to float16's smallest number.

    Raises
    ------
    ValueError
        If one is too large for float16.

    >>> float16_scales(np.float32([0.1, 1e-12])).tolist()
    [0.0999755859375, 5.960464477539063e-08]
    """
    with np.errstate(over="ignore"):
        rounded = np.asarray(scale, np.float32).astype(np.float16)
    if not np.isfinite(rounded).all():
        raise ValueError(f"scale: expected at most 65504, the largest float16, got {np.max(scale):g}")
    return np.maximum(rounded, np.finfo(np.float16).smallest_subnormal).astype(np.float32)


def quantize_groups(
    w: np.ndarray, size: int, *, num_bits: int = 4, symmetric: bool = True, axis: int = 0
) -> tuple[np.ndarray, QParams]:
    """The codes of each group, and a scale (and zero point) for each: `codes, qparams`.

    The range of a group is that of its own weights, as `choose_qparams` takes it.

    Parameters
    ----------
    w : array of floats, any shape
    size : weights per group; the whole length of the axis gives per-channel
    num_bits, symmetric : as in `choose_qparams`. A float16 scale has 11 significant bits: with codes of more than 8
        bits the largest weight may be clipped by more than a step
    axis : along which the groups lie, the axis of the inputs

    Returns
    -------
    codes : int8 or int16, shape (groups, size), in the order of `cut`
    qparams : QParams with axis 0: scales of float16 precision, shape (groups,)

    References
    ----------
    S. Shen et al., "Q-BERT: Hessian based ultra low precision quantization of BERT", AAAI 2020: groups of outputs.
    E. Frantar, S. Ashkboos, T. Hoefler, D. Alistarh, "GPTQ: accurate post-training quantization for generative
    pre-trained transformers", ICLR 2023, section 4: groups of consecutive weights, as here.

    >>> codes, qparams = quantize_groups([7, 3, 0.5, 14, -6, 0.5], 3)
    >>> codes.tolist(), qparams.scale.tolist()
    ([[7, 3, 0], [7, -3, 0]], [1.0, 2.0])
    """
    groups = cut(w, size, axis)
    ends = groups.min(axis=1), groups.max(axis=1)
    wide = choose_qparams(*ends, num_bits=num_bits, symmetric=symmetric, axis=0)
    qparams = QParams(float16_scales(wide.scale), wide.zero_point, wide.qmin, wide.qmax, axis=0)
    return quantize(groups, qparams), qparams


def fake_quantize_groups(
    w: np.ndarray, size: int, *, num_bits: int = 4, symmetric: bool = True, axis: int = 0
) -> np.ndarray:
    """What `quantize_groups` leaves of w: float32, of w's shape.

    >>> fake_quantize_groups([7, 3, 0.5, 14, -6, 0.5], 3).tolist()
    [7.0, 3.0, 0.0, 14.0, -6.0, 0.0]
    """
    codes, qparams = quantize_groups(w, size, num_bits=num_bits, symmetric=symmetric, axis=axis)
    return join(dequantize(codes, qparams), np.shape(w), axis)


def bits_per_weight(
    shape: tuple[int, ...], size: int, *, num_bits: float = 4, group_bits: float = SCALE_BITS, axis: int = 0
) -> float:
    """Bits of a code, and the share of each weight in what its group stores besides.

    `group_bits` is a scale's bits (16 of a float16; 8 of MX), plus `num_bits` if there is a zero point, too. A shorter
    last group pays as much as a whole one.

    >>> bits_per_weight((1600, 128), 64), bits_per_weight((1600, 128), 32, group_bits=8)
    (4.25, 4.25)
    """
    check_one_axis(axis, len(shape))
    check_count("size", size)
    length = shape[axis]
    if length < 1:
        raise ValueError(f"shape: expected at least one weight along axis {axis}, got {shape}")
    return num_bits + group_bits * -(-length // size) / length
