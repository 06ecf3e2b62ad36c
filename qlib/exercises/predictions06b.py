"""Predictions of lesson 06b, PyTorch. What is true is computed from what the notebook passes."""

from __future__ import annotations

import numpy as np

from qlib.affine import quantize
from qlib.exercises.prediction import Prediction


def _flatten(answers, labels):
    share = float(np.mean(answers == labels))
    return int(np.digitize(-share, (-0.985, -0.8, -0.12))), f"{share:.0%} of the test images."


def _layers(network):
    layers = ("conv1", "conv2", "dense1", "dense2")
    changed = [name for name in layers if type(network.get_submodule(name).weight).__name__ != "Parameter"]
    options = {layers: 0, layers[2:]: 1, layers[:2]: 2, ("dense1",): 3}
    return options[tuple(changed)], f"Changed: {', '.join(changed)}."


def _converted(before, after):
    """From two networks: all tensors of their state dicts."""
    sizes = [sum(t.numel() * t.element_size() for t in one.state_dict().values()) for one in (before, after)]
    ratio = sizes[1] / sizes[0]
    return int(np.digitize(ratio, (0.35, 0.75, 1.02))), f"Its tensors take {ratio:.2f} times the bytes of float32's."


def _bias(constants):
    bias = constants["conv1.bias_quantized"]
    place = ("int8", "int16", "int32", "float32").index(bias.dtype.name)
    return place, f"conv1's bias: {bias.dtype.name}, from {bias.min():,} to {bias.max():,}."


def _differ(codes, tensors, qparams):
    """From codes of each engine and tensor: who differs most from qlib, in all."""
    ours = {name: quantize(x, qparams[name]) for name, x in tensors.items()}
    counts = {}
    for (engine, name), theirs in codes.items():
        counts[engine] = counts.get(engine, 0) + int(np.count_nonzero(theirs != ours[name]))
    order = ("onnx_runtime", "torchao", "fake_quantize", "quantize_per_tensor")
    figures = ", ".join(f"{name} {counts[name]:,}" for name in order)
    most = max(order, key=counts.get)
    return (order.index(most) if counts[most] else 4), f"Codes that differ from qlib's: {figures}."


def _noise(table):
    aware, control = table["one more epoch, PT2E aware"], table["one more epoch, PT2E static"]
    gain = aware.accuracy - control.accuracy
    seeds = np.hypot(aware.spread, control.spread) / np.sqrt(aware.seeds)  # the images are the same for both
    beyond = abs(gain) > 2 * seeds and abs(gain) > 0.001
    place = 0 if beyond and gain > 0 else 2 if beyond else 1
    return place, f"The means over {aware.seeds} seeds differ by {100 * gain:+.2f} points."


PREDICTIONS = {
    "6b.flatten": Prediction(
        question="All kernels are transposed into PyTorch's layouts, all shapes fit. How many images are right now?",
        options=("as many as in Keras, 98.8 %", "a few percent fewer", "most are wrong", "one in ten, pure chance"),
        truth=_flatten,
        most="A network whose shapes fit looks right. One layer gets its inputs in another order, and that is enough.",
    ),
    "6b.layers": Prediction(
        question="quantize_ with int8 weight-only was called on the whole network. Which layers has it changed?",
        options=("all four", "the two dense layers", "the two convolutions", "dense1 alone"),
        truth=_layers,
        most="It is called on the whole network, so one expects the whole. Without a word it takes linear layers.",
    ),
    "6b.converted": Prediction(
        question="How large are the tensors of the network as convert_pt2e returns it, against float32?",
        options=("about a quarter", "about a half", "about the same", "larger"),
        truth=_converted,
        most="Four times smaller is what int8 promises. It holds for what is used, not for what is left lying about.",
    ),
    "6b.bias": Prediction(
        question="Weights and activations of ONNX Runtime's file are int8. In which type are the biases stored?",
        options=("int8", "int16", "int32", "float32"),
        truth=_bias,
        most="A bias is added to a sum of products, so it has to be in that sum's steps, which are very small.",
    ),
    "6b.differ": Prediction(
        question="Same values, same scale, same zero point: whose codes differ from qlib's in the most places?",
        options=(
            "ONNX Runtime's QuantizeLinear",
            "torchao's quantize_affine",
            "PyTorch's fake_quantize",
            "PyTorch's quantize_per_tensor",
            "nobody's: there is only one right code",
        ),
        truth=_differ,
        most="One expects a library to agree with itself. Not its name decides, but where it multiplies and rounds.",
    ),
    "6b.noise": Prediction(
        question="One more epoch for both: quantized afterwards, or aware of quantization. Is aware training better?",
        options=("yes, clearly", "no difference beyond noise", "no, it is clearly worse"),
        truth=_noise,
        most="Most compare it with the network before the training. The control has had the same training.",
    ),
}
