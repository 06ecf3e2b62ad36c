"""The operators with weights: sums of products of codes, rescaled as LiteRT's kernels round.

Each gets the tensors of the file (None for a bias that is absent), checks them, and returns a function of the codes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from qlib import fixedpoint as fp
from qlib.codes import code, limits
from qlib.tflite import Operator, Tensor, expect
from qlib.windows import Window, beyond_zero, exact_sums

Array = np.ndarray
Run = Callable[..., Array]
Rescale = Callable[[Array, str], Array]


def conv_2d(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Run:
    """acc = Σ (x − zero_point)·w + bias over each window, then rescaled. w: (channels, height, width, x's channels)."""
    expect(len(w.shape) == 4, "weights of four axes", w.shape)
    expect(bias, "a bias, of zeros where there is none", "an absent one")
    window = Window(operator, w.shape[1:3], x, out)
    expect((w.shape[3], w.shape[0]) == (x.shape[3], out.shape[3]), f"weights from {x.shape} to {out.shape}", w.shape)
    expect(operator.options["dilationHFactor"] == operator.options["dilationWFactor"] == 1, "no dilation", "one")
    zero_point, rescale = code(x)[1], rescaling(operator, x, w, bias, out)
    sums = exact_sums(w.data.reshape(len(w.data), -1).T, biases(bias, len(w.data)), -128 - zero_point, 127 - zero_point)

    def run(codes: Array, *, kernel: str, pool: Window | None = None) -> Array:
        reals = window.pad(codes.astype(np.float32) - np.float32(zero_point), 0)
        # Rescaling is monotone: the largest accumulator of a pool becomes its largest code.
        return rescale(sums(window.patches(reals, pool), pool), kernel)

    return run


def depthwise_conv_2d(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Run:
    """As CONV_2D, with each output channel reading one input channel. w: (1, height, width, channels)."""
    expect(len(w.shape) == 4, "weights of four axes", w.shape)
    expect(bias, "a bias, of zeros where there is none", "an absent one")
    window, multiplicity = Window(operator, w.shape[1:3], x, out), operator.options["depthMultiplier"]
    expect(w.shape[0] == 1 and w.shape[3] == out.shape[3] == x.shape[3] * multiplicity, "a filter per channel", w.shape)
    expect(operator.options["dilationHFactor"] == operator.options["dilationWFactor"] == 1, "no dilation", "one")
    zero_point, rescale = code(x)[1], rescaling(operator, x, w, bias, out)
    taps, offset = w.data[0].astype(np.float64), biases(bias, w.shape[3])

    def run(codes: Array, *, kernel: str, pool: Window | None = None) -> Array:
        reals = np.repeat(window.pad(codes.astype(np.float64) - zero_point, 0), multiplicity, axis=3)
        acc = sum(reals[place] * taps[tap] for tap, place in window.places()) + offset
        return rescale(pool.largest(acc) if pool else acc, kernel)

    return run


def fully_connected(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Run:
    """acc = Σ (x − zero_point)·w + bias, then rescaled. w: (outputs, inputs)."""
    fitting = w.shape == (w.shape[0], math.prod(x.shape[1:])) and out.shape == (x.shape[0], w.shape[0])
    expect(fitting, f"weights from {x.shape} to {out.shape}", w.shape)
    expect(operator.options["weightsFormat"] == 0, "weights in the default format", operator.options["weightsFormat"])
    expect(not operator.options["keepNumDims"] or len(x.shape) == 2, "rows as input where axes are kept", x.shape)
    zero_point, rescale = code(x)[1], rescaling(operator, x, w, bias, out)
    sums = exact_sums(w.data.T, biases(bias, len(w.data)), -128 - zero_point, 127 - zero_point)

    def run(codes: Array, *, kernel: str) -> Array:
        reals = codes.reshape(len(codes), math.prod(codes.shape[1:])).astype(np.float32) - np.float32(zero_point)
        return rescale(sums(reals), kernel)

    return run


def rescaling(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> Rescale:
    """From accumulators to codes of `out`: times s_in·s_w / s_out, plus its zero point, clipped by its activation."""
    check_weights(operator, x, w, bias, out)
    ends, (scale, zero_point) = limits(operator, out), code(out)
    factors = dict.fromkeys(fp.KERNELS, fp.Multiplier.from_scales(code(x)[0], w.scale, scale))
    if operator.name == "FULLY_CONNECTED" and w.scale.size == 1:
        # The optimized kernel multiplies the scales in float32.
        factors["no_delegate"] = fp.Multiplier.from_scales(code(x)[0], w.scale, scale, product=np.float32)

    def rescale(acc: Array, kernel: str) -> Array:
        rule, (low, high) = fp.ROUNDING[kernel][operator.name], ends[kernel]
        if rule is fp.two_roundings_away and low == zero_point:
            rule = fp.two_roundings_up  # less work; they differ below 0 only, which a ReLU clips
        rounded = rule(acc if kernel == "xnnpack" else acc.astype(np.int64), factors[kernel])
        rounded += zero_point
        return np.clip(rounded, low, high, out=rounded).astype(np.int8)

    return rescale


def check_weights(operator: Operator, x: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """Refuse weights and biases that don't fit the input's steps, or whose sums int32 can't hold."""
    axis = 3 if operator.name == "DEPTHWISE_CONV_2D" else 0
    kind = f"{w.dtype} with {w.scale.size} scales"
    expect(w.data is not None and w.dtype == np.int8 and w.scale.size, "constant int8 weights with scales", kind)
    expect(w.scale.size == 1 or w.axis == axis, f"scales along axis {axis}", w.axis)
    expect(not w.zero_point.any(), "weights with zero point 0", w.zero_point)
    expect(2**-60 <= w.scale.min() <= w.scale.max() <= 2**60, "scales from 2^−60 to 2^60", w.scale)  # as `code`
    steps, scale = code(x)[0] * w.scale, code(out)[0]
    expect(steps.max() < 256 * scale, "factors s_in·s_w / s_out below 256", steps.max() / scale)
    reach = 255 * np.abs(w.data.astype(np.int64)).sum(axis=tuple({*range(w.data.ndim)} - {axis}))
    if bias is not None:
        expect(bias.scale.shape == steps.shape, f"{steps.size} scales of the bias", bias.scale.size)
        off = np.flatnonzero(~np.isclose(bias.scale, steps, rtol=1e-3, atol=0))[:1]
        expect(not off.size, f"a bias in steps s_in·s_w = {steps[off]} in channel {off}", bias.scale[off])
        expect(not bias.zero_point.any(), "a bias with zero point 0", bias.zero_point)
        reach = reach + beyond_zero(biases(bias, reach.size))
    shift = fp.Multiplier.from_scales(code(x)[0], w.scale, scale).shift
    expect((reach << shift.clip(0)).max() < 2**31, "sums that int32 holds, as they are and rescaled", reach.max())
    expect(operator.options.get("quantizedBiasType", 0) in (0, 2), "an int32 bias", "another type")


def biases(bias: Tensor | None, channels: int) -> Array:
    """The bias, int32; a bias of zeros is left out of the file."""
    if bias is None:
        return np.zeros(channels, np.int32)
    stored = bias.data is not None and bias.dtype == np.int32 and bias.shape == (channels,)
    expect(stored, f"a constant int32 bias of {channels} channels", f"{bias.dtype} of shape {bias.shape}")
    return bias.data
