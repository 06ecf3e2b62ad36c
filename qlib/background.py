"""How large networks are, and what their size costs: bytes, multiply-adds, time to read, and the roofline.

Bytes are those of the weights alone; activations and the program come on top. A GB is 10⁹ bytes.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

from qlib.arguments import check_count
from qlib.budget import DEVICES


@dataclass(frozen=True)
class Network:
    """Parameters, multiply-adds for one image (None: not listed here), and where they are written, in this order."""

    parameters: int
    macs: int | None
    source: str


@dataclass(frozen=True)
class Machine:
    """Memory for weights in bytes, bandwidth in bytes per second, and where the numbers come from."""

    memory: int
    bandwidth: int
    source: str


MILLION, GB = 10**6, 10**9
NETWORKS = {
    "LeNet-5": Network(60_000, None, "LeCun et al., 1998, section II.B"),
    "CNN of lesson 04": Network(225_034, 2_631_040, "counted in this lesson"),
    "MobileNet": Network(4_200_000, 569 * MILLION, "Howard et al., 2017, table 8"),
    "ResNet-50": Network(25_636_712, 3_800 * MILLION, "counted in Keras; He et al., 2016, table 1"),
    "AlexNet": Network(60 * MILLION, None, "Krizhevsky et al., 2012, abstract"),
    "BERT base": Network(110 * MILLION, None, "Devlin et al., 2019, section 3"),
    "VGG-16": Network(138 * MILLION, 15_300 * MILLION, "Simonyan, Zisserman, 2015; He et al., 2016"),
    "GPT-2": Network(1_500 * MILLION, None, "Radford et al., 2019, abstract"),
    "Llama 2 7B": Network(7_000 * MILLION, None, "Touvron et al., 2023, abstract"),
    "Llama 2 70B": Network(70_000 * MILLION, None, "Touvron et al., 2023, abstract"),
    "GPT-3": Network(175_000 * MILLION, None, "Brown et al., 2020, abstract"),
}
_CHIP = DEVICES["nRF52840"]
ROUND = "round numbers, no product"
MACHINES = {
    "microcontroller (nRF52840)": Machine(
        _CHIP.flash, 4 * _CHIP.clock, f"flash: {_CHIP.source}; bandwidth: assumed, 32 bits per clock cycle"
    ),
    "single-board computer": Machine(4 * GB, 10 * GB, ROUND),
    "phone": Machine(8 * GB, 50 * GB, ROUND),
    "laptop": Machine(16 * GB, 100 * GB, ROUND),
    "graphics card": Machine(24 * GB, 1000 * GB, ROUND),
    "data-centre accelerator": Machine(80 * GB, 2000 * GB, ROUND),
}


def weight_bytes(parameters: int, num_bits: int) -> int:
    """Whole bytes for so many weights, packed without gaps: parameters × bits / 8, rounded up.

    Raises
    ------
    ValueError
        If one of them is no integer from 1 on.

    >>> weight_bytes(3, 4)
    2
    """
    check_count("parameters", parameters)
    check_count("num_bits", num_bits)
    return -(-int(parameters) * int(num_bits) // 8)


def dense_macs(n_in: int, n_out: int) -> int:
    """Multiply-adds of a dense layer for one input: each output sees each input once. A ValueError below 1."""
    _check_counts(n_in=n_in, n_out=n_out)
    return n_in * n_out


def conv_macs(out_height: int, out_width: int, c_out: int, kernel_height: int, kernel_width: int, c_in: int) -> int:
    """Multiply-adds of a convolution for one input: outputs × products for each. A ValueError below 1.

    >>> conv_macs(26, 26, 32, 3, 3, 1)
    194688
    """
    _check_counts(out_height=out_height, out_width=out_width, c_out=c_out)
    _check_counts(kernel_height=kernel_height, kernel_width=kernel_width, c_in=c_in)
    return out_height * out_width * c_out * kernel_height * kernel_width * c_in


def read_seconds(nbytes: float, bandwidth: float) -> float:
    """The least time to read so many bytes once, in seconds. The bandwidth is in bytes per second.

    >>> read_seconds(7 * GB, 50 * GB)
    0.14
    """
    _check_positive(nbytes=nbytes, bandwidth=bandwidth)
    return nbytes / bandwidth


def layer_intensity(n_in: int, n_out: int, batch: int, num_bits: int = 32) -> float:
    """FLOP per byte of a dense layer: 2 × multiply-adds / bytes of weights, inputs and outputs, each moved once.

    >>> round(layer_intensity(4096, 4096, 1), 3)
    0.5
    """
    _check_counts(n_in=n_in, n_out=n_out, batch=batch, num_bits=num_bits)
    values = n_in * n_out + batch * (n_in + n_out)
    return 2 * batch * dense_macs(n_in, n_out) / (values * num_bits / 8)


def attainable(peak: float, bandwidth: float, intensity: float) -> float:
    """The roofline: the most FLOP per second at an intensity, min(peak, bandwidth × intensity).

    Parameters
    ----------
    peak : float
        FLOP per second of the arithmetic.
    bandwidth : float
        Bytes per second of the memory.
    intensity : float
        FLOP for each byte that is moved.

    Raises
    ------
    ValueError
        If one of them is not positive and finite.

    References
    ----------
    S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore
    architectures", Communications of the ACM 52 (4), 2009.

    >>> attainable(100.0, 20.0, 0.5)
    10.0
    """
    _check_positive(peak=peak, bandwidth=bandwidth, intensity=intensity)
    return min(peak, bandwidth * intensity)


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        check_count(name, value)


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not isinstance(value, numbers.Real) or not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name}: expected a positive number, got {value!r}")
