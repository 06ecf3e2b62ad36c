"""What is true of the predictions of lesson 04: computed from what the notebook passes, on few images."""

from __future__ import annotations

import numpy as np

from qlib import fixedpoint
from qlib.affine import choose_qparams, fake_quantize, quantize
from qlib.calibrate import CALIBRATORS
from qlib.mixed import conv_relu_pool, standard_error

LAYERS = ("conv1", "conv2", "dense1", "dense2")


def right(weights, images, labels) -> float:
    """The share of the images that a network of the chapter's shape, with these weights, names rightly."""
    x = conv_relu_pool(conv_relu_pool(images, *weights[:2]), *weights[2:4]).reshape(len(images), -1)
    logits = np.maximum(x @ weights[4] + weights[5], 0) @ weights[6] + weights[7]
    return float(np.mean(logits.argmax(axis=1) == labels))


def _qparams(w, num_bits=8, calibrator="minmax", per_channel=False):
    options = dict(num_bits=num_bits, symmetric=True, axis=w.ndim - 1 if per_channel else None)
    return choose_qparams(*CALIBRATORS[calibrator](w, **options), **options)


def grey(x_train):
    """The truth of the prediction 4.grey."""
    white = float(np.mean(x_train == 0))
    return int(np.digitize(white, (0.35, 0.65))), f"{white:.0%} of all grey values are exactly 0."


def parameters():
    """The truth of the prediction 4.parameters."""
    counts = (3 * 3 * 1 * 32 + 32, 3 * 3 * 32 * 64 + 64, 5 * 5 * 64 * 128 + 128, 128 * 10 + 10)
    most = int(np.argmax(counts))
    return most, f"{LAYERS[most]} has {counts[most]:,} of {sum(counts):,}, {counts[most] / sum(counts):.0%}."


def noise(share, n):
    """The truth of the prediction 4.noise."""
    error = standard_error(share, n)
    return int(np.digitize(-error, (-0.003, -0.0003))), f"The standard error is {error:.1%}, or {error * n:.0f} images."


def rounded(weights, images, labels):
    """The truth of the prediction 4.integers."""
    share = right([np.rint(w) for w in weights], images, labels)
    left = sum(np.count_nonzero(np.rint(w)) for w in weights)
    figures = f"Of {sum(w.size for w in weights):,} parameters {left} are not 0; of {len(images):,} images {share:.0%}"
    return int(np.digitize(-share, (-0.9, -0.3))), figures + " are named rightly."


def rescaled(weights, images, labels):
    """The truth of the prediction 4.rescaled."""
    codes = [quantize(w, _qparams(w)).astype(np.float32) if w.ndim > 1 else w for w in weights]
    before, after = right(weights, images, labels), right(codes, images, labels)
    figures = f"Of {len(images):,} test images {before:.1%} were right before, and {after:.1%} are now."
    return int(np.digitize(before - after, (0.005, 0.1))), figures


def saved(weights):
    """The truth of the prediction 4.saved."""
    restored = [fake_quantize(w, choose_qparams(w.min(), w.max(), num_bits=4)) for w in weights]
    before, after = (sum(w.nbytes for w in arrays) for arrays in (weights, restored))
    figures = f"{after:,} bytes of {restored[0].dtype}, after {before:,} bytes before."
    return int(np.digitize(after / before, (0.2, 0.9))), figures


def breaks(weights, images, labels):
    """The truth of the prediction 4.breaks."""
    shares = []
    for per_channel in (False, True):
        for calibrator in ("minmax", "mse"):
            some = [fake_quantize(w, _qparams(w, 3, calibrator, per_channel)) if w.ndim > 1 else w for w in weights]
            shares.append(right(some, images, labels))
    listed = ", ".join(f"{share:.1%}" for share in shares)
    return int(np.argmin(shares)), f"At 3 bits, in this order, on {len(images):,} test images: {listed}."


def eighth(kernels, biases):
    """The truth of the prediction 4.eighth."""
    eighth = 4 * (sum(w.size for w in kernels) + sum(b.size for b in biases)) / 8
    codes = sum(-(-w.size * 4 // 8) for w in kernels)
    size = codes + 4 * sum(w.shape[-1] + b.size for w, b in zip(kernels, biases, strict=True))
    figures = f"{size:,} bytes; an eighth of float32 would be {eighth:,.0f}."
    return int(np.sign(size - eighth)) + 1, figures


def agree(kernels):
    """With TensorFlow itself, which the lesson has loaded."""
    import tensorflow as tf

    given = {"signed_input": True, "range_given": True, "round_mode": "HALF_TO_EVEN"}
    other = total = 0
    for w in kernels:
        p = _qparams(w, 4)
        top = float(np.abs(w).max())
        theirs = tf.quantization.quantize_and_dequantize_v2(w, -top, top, num_bits=4, **given).numpy()
        other += int(np.count_nonzero(np.abs(fake_quantize(w, p) - theirs) > p.scale / 2))
        total += w.size
    return int(np.digitize(other / total, (1e-9, 0.01))), f"At 4 bits {other} of {total:,} weights get another code."


def worst(weights, images, labels):
    """The truth of the prediction 4.worst."""
    shares = []
    for i in range(4):
        some = list(weights)
        some[2 * i] = fake_quantize(some[2 * i], _qparams(some[2 * i], 2))
        shares.append(right(some, images, labels))
    listed = ", ".join(f"{name} {share:.0%}" for name, share in zip(LAYERS, shares, strict=True))
    return int(np.argmin(shares)), f"Right, of {len(images):,} test images: {listed}."


def zero(weights, samples):
    """The truth of the prediction 4.zero."""
    outputs = conv_relu_pool(samples, *weights[:2])
    code = choose_qparams(outputs.min(), outputs.max()).zero_point
    return (-128, 0, 127).index(code), f"conv1 gives {outputs.min():.1f} to {outputs.max():.2f}; 0 gets {code}."


def widest():
    """The truth of the prediction 4.accumulator."""
    largest = 1600 * 255 * 127
    kinds = (np.int8, np.int16, np.int32, np.int64)
    fits = [largest <= np.iinfo(kind).max for kind in kinds]
    return fits.index(True), f"At most 1600 · 255 · 127 = {largest:,}; an int32 holds {np.iinfo(np.int32).max:,}."


def shifting(s_x, s_w, s_y):
    """The share of accumulators for which each way gives the nearest integer."""
    m = float(s_x) * float(s_w) / float(s_y)
    fraction, shift = np.frexp(m)
    n, accs = 31 - int(shift), np.arange(-40_000, 40_000)
    products = accs * round(fraction * 2**31)
    nearest = np.floor(accs * m + 0.5)
    low8 = products.astype(np.int8)
    ways = (low8, products >> n, (products + (1 << (n - 1))) >> n)
    shares = [float(np.mean(way == nearest)) for way in ways]
    figures = "the nearest integer in " + ", ".join(f"{share:.0%}" for share in shares)
    return int(np.argmax(shares)), f"The three give {figures} of {len(accs):,} cases."


def twice(s_x, s_w, s_y):
    """The truth of the prediction 4.twice."""
    m, accs = fixedpoint.Multiplier.from_scales(s_x, s_w, s_y), np.arange(-40_000, 40_000)
    other = np.count_nonzero(fixedpoint.one_rounding(accs, m) != fixedpoint.two_roundings_up(accs, m))
    return int(np.digitize(other / len(accs), (1e-9, 0.05))), f"{other} of {len(accs):,} differ."


def kernels(litert):
    """The truth of the prediction 4.kernels."""
    names = {0: "conv1", 2: "conv2", 5: "dense1", 6: "dense2"}  # places in a trace, which leaves out bookkeeping
    shares = [float(np.mean(litert["reference"][i] != litert["xnnpack"][i])) for i in names]
    listed = ", ".join(f"{name} {share:.2%}" for name, share in zip(names.values(), shares, strict=True))
    place = (1, 1, 2, 3)[int(np.argmax(shares))] if max(shares) > 0 else 0
    return place, f"Codes that differ between reference and XNNPACK: {listed}."


def staircase(kernels):
    """The truth of the prediction 4.staircase."""
    w = kernels[1]
    p = _qparams(w, 2, "mse", True)
    moved = np.count_nonzero(quantize(w + p.scale / 1000, p) != quantize(w, p))
    return int(np.digitize(moved / w.size, (0.01, 0.9))), f"{moved} of {w.size:,}."


def rescue(weights, trained, images, labels):
    """The truth of the prediction 4.rescue."""
    some = [fake_quantize(w, _qparams(v, 2)) if w.ndim > 1 else w for w, v in zip(trained, weights, strict=True)]
    before = [fake_quantize(w, _qparams(w, 2)) if w.ndim > 1 else w for w in weights]
    share, lost = right(some, images, labels), right(before, images, labels)
    top = right(weights, images, labels)
    place = 0 if share < 0.6 else 1 if share < top - 0.01 else 2
    said = ("below 60 %", "above 60 %, but by more than 1 % below float32's", "within 1 % of float32's")[place]
    return place, f"Without QAT {lost:.0%} of {len(images):,} test images are right; with it, {said}."


def first(path):
    """The truth of the prediction 4.first."""
    firsts = [widths.index(2) for widths in zip(*path, strict=True)]
    listed = ", ".join(f"{name} {step}" for name, step in zip(LAYERS, firsts, strict=True))
    return int(np.argmin(firsts)), f"Of {len(path) - 1} steps, 2 bits are reached at: {listed}."
