"""Predictions of lesson 01, background."""

from __future__ import annotations

import math

from qlib import background, budget
from qlib.exercises.prediction import Prediction, nearest


def _size() -> tuple[int, str]:
    size = background.weight_bytes(background.NETWORKS["GPT-3"].parameters, 32)
    laptops = size / background.MACHINES["laptop"].memory
    return nearest(laptops, (3, 11, 44, 350)), f"{size / 1e9:.0f} GB ÷ 16 GB = {laptops:.1f}."


def _macs(model) -> tuple[int, str]:
    parameters, layers = model.count_params(), [layer for layer in model.layers if layer.weights]
    macs = sum(math.prod(layer.output.shape[1:]) * math.prod(layer.kernel.shape[:-1]) for layer in layers)
    ratio = macs / parameters
    return nearest(ratio, (1, 12, 1000)), f"{macs:,} multiply-adds, {parameters:,} parameters: {ratio:.1f} times."


def _energy() -> tuple[int, str]:
    read, multiply = budget.MEMORIES["DRAM"][0], budget.MULTIPLY["int8"]
    return nearest(read / multiply, (6, 60, 600, 6000)), f"{read} pJ ÷ {multiply} pJ = {read / multiply:,.0f}."


def _tokens() -> tuple[int, str]:
    size = background.weight_bytes(background.NETWORKS["Llama 2 7B"].parameters, 16)
    tokens = 1 / background.read_seconds(size, background.MACHINES["phone"].bandwidth)
    return nearest(tokens, (350, 7, 4)), f"50 GB ÷ {size / 1e9:.0f} GB = {tokens:.1f} passes a second."


def _intensity(w) -> tuple[int, str]:
    intensity = background.layer_intensity(*w.shape, 1)
    return (
        nearest(intensity, (4096, 0.5, 16)),
        f"Each weight has 4 bytes and takes part in 2 FLOP: {intensity:.2f} FLOP per byte.",
    )


def _expand() -> tuple[int, str]:
    codes, floats = 1, 4  # bytes of one weight
    moved = codes + floats + floats  # read the code, write the float, read it again
    place = 0 if moved < 0.5 * floats else 1 if moved <= 1.25 * floats else 2
    return place, f"For each weight {codes} byte is read, then {floats} written and read: {moved} bytes, not {floats}."


def _taste(before, after) -> tuple[int, str]:
    differ = int((before != after).sum())
    place = 2 if differ < 10 else nearest(differ, (1000, 100))
    bound = 10 ** len(str(differ))  # the count itself may be another on another processor
    return place, f"Fewer than {bound} of {len(before):,} answers changed."


PREDICTIONS = {
    "1.size": Prediction(
        question="GPT-3 has 175 billion parameters. How many laptops with 16 GB do its weights fill, in float32?",
        options=("about 3", "about 11", "about 44", "about 350"),
        truth=_size,
        most="11 is 175 ÷ 16: the common slip is to take a parameter for a byte. In float32 it has four.",
    ),
    "1.macs": Prediction(
        question="Our CNN has 225,034 parameters: two convolutions of 3 × 3 with 32 and 64 filters on images of "
        "28 × 28, then two dense layers. How many multiply-adds does it take for one image?",
        options=("about as many", "about 12 times as many", "about 1,000 times as many"),
        truth=_macs,
        most="It is easy to think that each weight is used once. That holds in a dense layer; a convolution uses each "
        "of its weights at every place of its output.",
    ),
    "1.energy": Prediction(
        question="Reading 64 bits from DRAM takes as much energy as how many int8 multiplications?",
        options=("about 6", "about 60", "about 600", "more than 6,000"),
        truth=_energy,
        most="The usual guess is far too low: we count operations when we think of cost, and moving data looks free.",
    ),
    "1.tokens": Prediction(
        question="A language model of 7 billion weights, 16 bits each, runs on a phone whose memory gives 50 GB per "
        "second. It has to read all its weights for each token. How many tokens per second are possible at most?",
        options=("about 350", "about 7", "about 4"),
        truth=_tokens,
        most="7 is 50 ÷ 7: each weight has two bytes here. And whoever looks for the speed of the arithmetic: it does "
        "not come into this bound at all.",
    ),
    "1.intensity": Prediction(
        question="A dense layer with 4,096 inputs, 8,192 outputs and float32 weights gets one input vector. How many "
        "FLOP does it do for each byte that it moves?",
        options=("about 4,096", "about 0.5", "about 16"),
        truth=_intensity,
        most="A large layer looks like a lot of arithmetic. But with one input it uses each weight only once, so its "
        "size cancels out.",
    ),
    "1.expand": Prediction(
        question="We store the weights as int8 codes, four times smaller, and turn them into float32 just before "
        "the multiplication. Compared with float32 weights, how long does that take?",
        options=("about a quarter of the time", "about as long", "longer"),
        truth=_expand,
        most="“Smaller, so faster” forgets the conversion: the float32 weights are still written and read.",
    ),
    "1.taste": Prediction(
        question="Every weight (but for the biases) is replaced by a code of 8 bits, instead of 32. For how many of "
        "the 10,000 test images does the network change its answer?",
        options=("about 1,000", "about 100", "fewer than 10"),
        truth=_taste,
        most="Three quarters of the bytes are gone, so one expects to see it. But to round a weight to one of 256 "
        "levels changes it very little: lesson 03 says how little.",
    ),
}
