"""Predictions of lesson 04, MNIST: the questions. Their truths are in `truths04`."""

from __future__ import annotations

from qlib.exercises import truths04 as truths
from qlib.exercises.prediction import Prediction

PREDICTIONS = {
    "4.grey": Prediction(
        question="What share of all grey values in the training images is exactly 0, paper without ink?",
        options=("about 20 %", "about 50 %", "about 80 %"),
        truth=truths.grey,
        most="Most people think of a digit that fills its image; but strokes are thin, and the margins wide. So the "
        "real 0 is by far the commonest input, and should be exact (lesson 03).",
    ),
    "4.parameters": Prediction(
        question="Two convolutions with 32 and 64 filters of 3 × 3, a dense layer with 128 outputs, one with 10. "
        "Which of the four holds most of the parameters?",
        options=truths.LAYERS,
        truth=truths.parameters,
        most="Convolutions come to mind first, because they do most of the computing. Few weights are enough for that.",
    ),
    "4.noise": Prediction(
        question="The network gets 98.8 % of 10,000 test images right. By how much would that typically differ with "
        "another 10,000 images?",
        options=("by about 1 %", "by about 0.1 %", "by about 0.01 %"),
        truth=truths.noise,
        most="Ten thousand images sound like a lot, and tables with two decimals look exact; but the error falls only "
        "with the root of their number.",
    ),
    "4.integers": Prediction(
        question="We round every weight to the nearest integer. The weights lie between −0.65 and 0.62. What accuracy "
        "is left?",
        options=("nearly all", "about half", "about one in ten, as by guessing"),
        truth=truths.rounded,
        most="“Quantize to integers” sounds as if integers were the weights. They only count steps, and a step "
        "of 1 is larger than every weight here.",
    ),
    "4.rescaled": Prediction(
        question="We write symmetric codes back for the kernels only (the weights of convolutions and dense layers), "
        "and leave the biases alone. How does the accuracy compare with the float network's?",
        options=("as good, or better", "worse by some percent", "the network is lost"),
        truth=truths.rescaled,
        most="Weights that are two hundred times too large should ruin a network, one thinks. Read on to see why they "
        "don't, and what they do ruin.",
    ),
    "4.saved": Prediction(
        question="Now we do it properly, and write back dequantized values of 4 bits. How large is the network then?",
        options=("an eighth of its size", "about half", "as large as before"),
        truth=truths.saved,
        most="It is easy to take fewer different values for fewer bytes. What is stored are float32 again.",
    ),
    "4.breaks": Prediction(
        question="Four choices of scales, and fewer and fewer bits. Which of the four breaks first?",
        options=("per-tensor, absmax", "per-tensor, mse", "per-channel, absmax", "per-channel, mse"),
        truth=truths.breaks,
        most="Many suspect “mse”, because it clips. But a coarse step hurts all the weights, and clipping only a few.",
    ),
    "4.eighth": Prediction(
        question="Packed codes of 4 bits, scales and biases in one file. How large is it, compared with an eighth of "
        "the float32 network?",
        options=("a little smaller", "exactly an eighth", "a little larger"),
        truth=truths.eighth,
        most="4 bits are an eighth of 32, but scales and biases are forgotten easily.",
    ),
    "4.agree": Prediction(
        question="TensorFlow has an operator of its own for this. How many of our weights get another code from it?",
        options=("none", "less than one in a hundred", "more than that"),
        truth=truths.agree,
        most="Two programs rarely agree by themselves. Here both were given the threshold, and take the same number of "
        "steps; left to choose its range, the operator gives other codes.",
    ),
    "4.worst": Prediction(
        question="One layer alone at 2 bits: conv1, conv2, dense1 (the largest), dense2 (the last). Which hurts most?",
        options=truths.LAYERS,
        truth=truths.worst,
        most="Many choose the largest layer, or the first, because all the others see its error. Neither size nor "
        "place decides it.",
    ),
    "4.zero": Prediction(
        question="Every layer here but the last ends in a ReLU. Which int8 code will stand for the real 0 behind it?",
        options=("−128", "0", "127"),
        truth=truths.zero,
        most="“0 for 0” holds for symmetric codes. Here no negative value occurs, so half of the codes would "
        "never be used.",
    ),
    "4.accumulator": Prediction(
        question="dense1 adds 1,600 products of a code minus its zero point (0 to 255) and a code of a weight (−127 to "
        "127). Which is the smallest type that holds every such sum?",
        options=("int8", "int16", "int32", "int64"),
        truth=truths.widest,
        most="int16 is tempting, because it holds each single product, up to 32,385. It does not hold two of them.",
    ),
    "4.shift": Prediction(
        question="acc · multiplier is one integer product. It is to be divided by a power of two, and rounded to the "
        "nearest integer. How, with no division and no float?",
        options=("keep the lowest 8 bits", "shift right", "add half of the power of two, then shift right"),
        truth=truths.shifting,
        most="A shift alone is the usual answer; it rounds down, and is one too low in half of all cases.",
    ),
    "4.twice": Prediction(
        question="Rounding once, or to some binary places first and to an integer then: for how many of 80,000 "
        "accumulators does the second way give another integer?",
        options=("for none", "for about one in a thousand", "for about one in ten"),
        truth=truths.twice,
        most="Most people expect that rounding in two steps does not matter. Round 0.47 to 0.5, and then to 1.",
    ),
    "4.kernels": Prediction(
        question="We compare LiteRT with itself: its reference kernels with XNNPACK, on the same file and images. "
        "Up to the logits, where does the largest share of the codes differ?",
        options=("nowhere", "in a convolution", "in dense1", "in dense2, whose outputs are the logits"),
        truth=truths.kernels,
        most="One file, one answer, is what nearly everyone expects. But kernels round differently, and differences go "
        "into the sums of the next layer.",
    ),
    "4.staircase": Prediction(
        question="Training follows the gradient. Move each weight of conv2 by a thousandth of Δ. How many of its "
        "18,432 codes of 2 bits change?",
        options=("fewer than one in a hundred", "about half", "all"),
        truth=truths.staircase,
        most="One expects that a small cause has a small effect on each code. It has none on nearly all of them: that "
        "is what a derivative of 0 means.",
    ),
    "4.rescue": Prediction(
        question="2 bits, per-tensor absmax: the network was lost, with 11 % right. How far does one epoch of "
        "quantization-aware training with the same scales bring it?",
        options=("it stays below 60 %", "above 60 %, but not all the way", "all the way, within 1 % of float32"),
        truth=truths.rescue,
        most="Some expect nothing, because the scale is bad and stays; others everything. Training moves the weights "
        "until they fit the scale, as far as they can.",
    ),
    "4.first": Prediction(
        question="The search takes one bit at a time, where it costs least loss for each byte saved. Which layer is "
        "the first at 2 bits?",
        options=truths.LAYERS,
        truth=truths.first,
        most="After section 8 one may choose the layer that suffers least alone. But what is counted is the loss for "
        "each byte, and dense1 has nearly all the bytes.",
    ),
}
