"""MX, the Microscaling formats: blocks of 32 elements of a few bits each, with a common scale, a power of two."""

from __future__ import annotations

import numpy as np

from qlib.groups import bits_per_weight, cut, join
from qlib.small_floats import SMALL_FLOATS, round_to, small_float

BLOCK = 32
SCALE_BITS = 8  # E8M0: an exponent from −127 to 127, and a pattern for NaN
INT8 = "INT8"  # two's complement in steps of 1/64, from −2 to 127/64
ELEMENTS = (*SMALL_FLOATS, INT8)


def shared_exponents(blocks: np.ndarray, element: str) -> np.ndarray:
    """⌊log₂ max |x|⌋ − e_max for each row, within −127 … 127: int32, shape (blocks,). A row of zeros gets −127.

    e_max is the exponent of the element's largest number: 2 for E2M1 (6 = 1.5 · 2²), 0 for INT8. The largest of a block
    is scaled to [2^e_max, 2^(e_max + 1)), which may be beyond the largest element.

    References
    ----------
    Open Compute Project, "OCP Microscaling formats (MX) specification", version 1.0, 2023, section 6.3.
    B. Rouhani et al., "Microscaling data formats for deep learning", arXiv:2310.10537, 2023, algorithm 1.

    >>> shared_exponents(np.float32([[0.4, -7.9], [0, 0.25]]), "E2M1").tolist()
    [0, -4]
    """
    emax = 0 if _known(element) == INT8 else small_float(element).emax
    largest = np.abs(blocks).max(axis=1)
    exponent = np.where(largest > 0, np.frexp(largest)[1] - 1 - emax, -127)
    return np.clip(exponent, -127, 127).astype(np.int32)


def round_elements(x: np.ndarray, element: str) -> np.ndarray:
    """x rounded to the numbers of an element type, half to even, saturated: float32.

    >>> round_elements([0.3, 7.9], "E2M1").tolist(), round_elements([0.3, 7.9], "INT8").tolist()
    ([0.5, 6.0], [0.296875, 1.984375])
    """
    if _known(element) == INT8:
        return np.clip(np.rint(np.asarray(x, np.float32) * 64), -128, 127) / np.float32(64)
    return round_to(x, element)


def quantize_mx(
    w: np.ndarray, element: str = "E2M1", *, size: int = BLOCK, axis: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The elements of each block, as numbers of their type, and its shared exponent: `elements, exponents`.

    Parameters
    ----------
    w : array of floats, any shape
    element : one of ELEMENTS; "E2M1" is MXFP4, "E2M3" and "E3M2" are MXFP6, "E4M3" and "E5M2" MXFP8, "INT8" MXINT8
    size : weights per block; the specification's is 32
    axis : along which the blocks lie

    Returns
    -------
    elements : float32, shape (blocks, size), in the order of `groups.cut`
    exponents : int32, shape (blocks,)

    Raises
    ------
    ValueError
        If the element type is unknown, or as `groups.cut` does.

    >>> elements, exponents = quantize_mx([0.4, -7.9, 0.1, 0.25], size=2)
    >>> elements.tolist(), exponents.tolist()
    ([[0.5, -6.0], [1.5, 4.0]], [0, -4])
    """
    _known(element)
    blocks = cut(w, size, axis)
    exponents = shared_exponents(blocks, element)
    return round_elements(np.ldexp(blocks, -exponents[:, None]), element), exponents


def fake_quantize_mx(w: np.ndarray, element: str = "E2M1", *, size: int = BLOCK, axis: int = 0) -> np.ndarray:
    """What `quantize_mx` leaves of w: element × 2^exponent, float32, of w's shape.

    >>> fake_quantize_mx([0.4, -7.9, 0.1, 0.25], size=2).tolist()
    [0.5, -6.0, 0.09375, 0.25]
    """
    elements, exponents = quantize_mx(w, element, size=size, axis=axis)
    return join(np.ldexp(elements, exponents[:, None]), np.shape(w), axis)


def mx_bits(shape: tuple[int, ...], element: str = "E2M1", *, size: int = BLOCK, axis: int = 0) -> float:
    """Bits per weight: of an element, and the share of each in the 8 bits of the scale.

    >>> mx_bits((1600, 128)), mx_bits((1600, 128), "E4M3")
    (4.25, 8.25)
    """
    num_bits = 8 if _known(element) == INT8 else small_float(element).num_bits
    return bits_per_weight(shape, size, num_bits=num_bits, group_bits=SCALE_BITS, axis=axis)


def _known(element: str) -> str:
    if element not in ELEMENTS:
        raise ValueError(f"element: expected one of {list(ELEMENTS)}, got {element!r}")
    return element
