"""Exercises of lesson 06b, PyTorch: tasks, hints and solutions. The checks: `checks06b`, `checks06b_codes`."""

from __future__ import annotations

import numpy as np

from qlib.exercises import checks06b as checks
from qlib.exercises import checks06b_codes as coding
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions06b import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_dense(kernel, height, width):
    inputs, outputs = kernel.shape
    split = kernel.reshape(height, width, inputs // (height * width), outputs)
    return split.transpose(2, 0, 1, 3).reshape(inputs, outputs).T


def my_torchao(row):
    eps = np.finfo(np.float32).eps
    scale = np.maximum(np.abs(row).max() / np.float32(127.5), eps)
    codes = np.rint(row * (np.float32(1) / scale))
    return scale, np.clip(codes, -128, 127).astype(np.int8)


def my_codes():
    return 2 + 3, 6  # rint(2.5) + 3, rint(2.5 + 3)


def my_fused(x, scale, zero_point):
    inverse = np.float64(np.float32(1) / scale)
    exact = x.astype(np.float64) * inverse + zero_point
    return np.clip(np.rint(exact.astype(np.float32)), -128, 127).astype(np.int8)


EXERCISES = {
    "6b.1": Exercise(
        task="A dense kernel of Keras for PyTorch: transposed, and its inputs in the order channel, height, width.",
        check=checks.dense,
        right="this is needed wherever a network is flattened, and nothing warns if it is forgotten.",
        hints=(
            "The rows of the kernel are the inputs, in the order height, width, channel. Make that three axes.",
            "`kernel.reshape(height, width, channels, outputs)`; then `transpose` brings the channel to the front.",
            "After `transpose(2, 0, 1, 3)` join the first three axes again, and transpose the two that are left.",
        ),
        solution=my_dense,
    ),
    "6b.2": Exercise(
        task="Scale and codes of one row of weights, as torchao computes them.",
        check=checks.torchao,
        right="these are torchao's scale and codes to the bit; the code 127 serves two steps, −128 serves one.",
        hints=(
            "Start with T, the largest absolute value, and divide it by 127.5, not by 127.",
            "torchao multiplies by the inverse: `row * (np.float32(1) / scale)`. Then rint, clip, int8.",
            "The least scale is `np.finfo(np.float32).eps`: `np.maximum(T / np.float32(127.5), eps)`.",
        ),
        solution=my_torchao,
    ),
    "6b.3": Exercise(
        task="The code of 2.5 with Δ = 1 and z = 3: from fake_quantize…, and from quantize_per_tensor.",
        check=coding.codes,
        right="with an even zero point both would give the same code: then a half goes the same way in both.",
        hints=(
            "One rounds 2.5 and adds 3. The other adds, and rounds 5.5.",
            "Half to even: 2.5 goes to 2. And 5.5?",
        ),
        solution=my_codes,
        kind="value",
    ),
    "6b.4": Exercise(
        task="The codes of torch.quantize_per_tensor on x86: multiply and add at once, then round.",
        check=coding.fused,
        right="the engine's codes to the last one; on the lesson's images tens of thousands are not qlib's.",
        hints=(
            "The order is: times 1/Δ, plus z, round, clip. Where does float32 round in between?",
            "A fused multiply-add rounds once: compute product and sum in float64, then make it a float32.",
            "The inverse is a float32 before that: `np.float64(np.float32(1) / scale)`.",
        ),
        solution=my_fused,
    ),
}
