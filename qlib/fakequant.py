"""Fake quantization as TensorFlow computes it, in NumPy: the rules that differ from `qlib.fake_quantize`."""

from __future__ import annotations

import numpy as np

from qlib.arguments import as_float32


def fake_quant(x: np.ndarray, rmin, rmax, *, narrow_range: bool = False) -> np.ndarray:
    """TensorFlow's fake quantization to 8 bits, which TFMOT uses, bit for bit, in NumPy.

    All in float32: Δ = (rmax − rmin) / (qmax − qmin), the zero point nudged to an integer z, then
    floor((clip(x) − lowest) / Δ − z + ½) · Δ. For a range per channel (arrays, one value for each index of the last
    axis) it multiplies by the inverse (qmax − qmin) / (rmax − rmin) instead.

    References
    ----------
    TensorFlow, `tensorflow/core/kernels/fake_quant_ops_functor.h`.
    """
    x, rmin, rmax = (as_float32(name, v) for name, v in (("x", x), ("rmin", rmin), ("rmax", rmax)))
    qmin, qmax, half = np.float32(1 if narrow_range else 0), np.float32(255), np.float32(0.5)
    span = rmax - rmin
    scale, inverse = span / (qmax - qmin), (qmax - qmin) / span
    zero = np.floor(np.clip(qmin - rmin / scale, qmin, qmax) + half)
    lowest, highest = (qmin - zero) * scale, (qmax - zero) * scale
    zero = np.floor(-lowest * inverse + half)
    shifted = np.maximum(np.minimum(x, highest), lowest) - lowest
    steps = shifted * inverse if rmin.ndim else shifted / scale
    return np.floor(steps - zero + half) * scale
