"""NF4, "4-bit NormalFloat": levels that are quantiles of the normal distribution, times the largest |w| of a block.

The quantizer takes any list of levels, so that NF4 can be compared with others.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from qlib.arguments import as_float32, is_integer
from qlib.clusters import assign
from qlib.groups import cut, float16_scales, join

BLOCK = 64  # weights that share a scale, in the paper


def normal_float(num_bits: int = 4) -> np.ndarray:
    """The levels of NFk from −1 to 1, with an exact 0: float32, shape (2^k,), rising.

    With Q, the quantile of N(0, 1): −Q(p) for 2^(k−1) values of p, evenly from 1 − δ to ½, and Q(p) for one value more.
    Both end at Q(½) = 0, which counts once. All are divided by Q(1 − δ).

        δ = ½ (1 / 2^(k+1) + 1 / (2^(k+1) − 2))

    Raises
    ------
    ValueError
        If `num_bits` is no integer from 2 to 8.

    References
    ----------
    T. Dettmers, A. Pagnoni, A. Holtzman, L. Zettlemoyer, "QLoRA: Efficient finetuning of quantized LLMs", NeurIPS 2023,
    section 3 and appendix E.

    >>> normal_float()[[0, 1, 7, 8, 15]].round(4).tolist()
    [-1.0, -0.6962000131607056, 0.0, 0.07959999889135361, 1.0]
    """
    if not is_integer(num_bits) or not 2 <= num_bits <= 8:
        raise ValueError(f"num_bits: expected an integer from 2 to 8, got {num_bits!r}")
    half, codes = 2 ** (num_bits - 1), 2 ** (num_bits + 1)
    delta = (1 / codes + 1 / (codes - 2)) / 2
    quantile = NormalDist().inv_cdf
    positive = [quantile(p) for p in np.linspace(1 - delta, 0.5, half + 1)[:-1]]
    negative = [-quantile(p) for p in np.linspace(1 - delta, 0.5, half)[:-1]]
    levels = np.sort([*negative, 0.0, *positive])
    return (levels / levels.max()).astype(np.float32)


def quantize_levels(
    w: np.ndarray, levels: np.ndarray, size: int = BLOCK, *, axis: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The number of the nearest level for each weight, and a scale for each block: `codes, scales`.

    The scale is the largest |w| of the block, in float16 precision: w / scale lies between −1 and 1 (but for rounding).

    Parameters
    ----------
    w : array of floats, any shape
    levels : rising, from −1 to 1; at most 256
    size : weights per block
    axis : along which the blocks lie

    Returns
    -------
    codes : uint8, shape (blocks, size), in the order of `groups.cut`
    scales : float32, shape (blocks,)

    Raises
    ------
    ValueError
        If the levels are more than 256 or not rising, or as `groups.cut` does.

    >>> codes, scales = quantize_levels([4, -1, 0, 8], [-1, 0, 0.25, 1], size=2)
    >>> codes.tolist(), scales.tolist()
    ([[3, 1], [1, 3]], [4.0, 8.0])
    """
    levels = as_float32("levels", levels)
    if levels.size > 256:
        raise ValueError(f"levels: expected at most 256, got {levels.size}")
    if levels.ndim != 1 or not levels.size or not (np.diff(levels) > 0).all():
        raise ValueError(f"levels: expected one axis, rising, got {levels}")
    blocks = cut(w, size, axis)
    scales = float16_scales(np.abs(blocks).max(axis=1))
    return assign(blocks / scales[:, None], levels).astype(np.uint8), scales


def fake_quantize_levels(w: np.ndarray, levels: np.ndarray, size: int = BLOCK, *, axis: int = 0) -> np.ndarray:
    """What `quantize_levels` leaves of w, scale × level: float32, of w's shape.

    >>> fake_quantize_levels([4, -1, 0, 8], [-1, 0, 0.25, 1], size=2).tolist()
    [4.0, 0.0, 0.0, 8.0]
    """
    codes, scales = quantize_levels(w, levels, size, axis=axis)
    return join(as_float32("levels", levels)[codes] * scales[:, None], np.shape(w), axis)
