"""Checks of the exercises of lesson 06b, PyTorch, in the order in which they stand."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, compare, number
from qlib.parity import EPS, multiply_add_round, multiply_round_add, torch_symmetric

F32 = np.float32


def dense(answer, rng) -> None:
    """The check of 6b.1."""
    cases = []
    for height, width, channels, outputs in ((1, 2, 2, 4), (2, 2, 1, 3), (2, 3, 2, 5), (3, 2, 4, 3)):
        kernel = np.arange(height * width * channels * outputs, dtype=F32).reshape(-1, outputs)
        cases.append((kernel, height, width))
    cases.append((rng.normal(size=(5 * 5 * 3, 4)).astype(F32), 5, 5))

    def reordered(kernel, height, width, *, axes=(2, 0, 1, 3)):
        return kernel.reshape(height, width, -1, kernel.shape[1]).transpose(axes).reshape(kernel.shape)

    def inverse(kernel, height, width):
        channels = len(kernel) // (height * width)
        first = kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
        return first.reshape(kernel.shape).T

    compare(
        answer,
        lambda kernel, height, width: reordered(kernel, height, width).T,
        cases,
        {
            "this is only transposed: the inputs still come in Keras's order, height, width, channel.": (
                lambda kernel, height, width: kernel.T
            ),
            "the inputs are in the new order; but PyTorch keeps a row for each output, so transpose at the end.": (
                reordered
            ),
            "`reshape` to the new shape leaves the numbers in their old order; turn the axes with `transpose`.": (
                lambda kernel, height, width: kernel.reshape(kernel.shape[::-1])
            ),
            "this is the way back, from PyTorch's order to Keras's: split the inputs as height, width, channel.": (
                inverse
            ),
            "channel, width, height: in PyTorch the width comes last.": (
                lambda kernel, height, width: reordered(kernel, height, width, axes=(2, 1, 0, 3)).T
            ),
            "nothing has changed: neither the order of the inputs, nor rows and columns.": (
                lambda kernel, height, width: kernel
            ),
            "the outputs are in another order: keep the last axis the last until you transpose.": (
                lambda kernel, height, width: reordered(kernel, height, width)[:, ::-1].T
            ),
        },
        otherwise="split the inputs into height, width and channel, bring the channel to the front, join them again.",
    )


def torchao(answer, rng) -> None:
    """The check of 6b.2."""
    cases = [(F32(row),) for row in ([127.5, 1.0], [-255.0, 100.0, 3.0], [51.0, -10.0], [0.3, -25.5, 0.5, 0.7])]
    cases += [(near_ties(rng),), (F32([0.0, 0.0]),), (F32([1e-7, -1e-6]),)]
    cases += [(rng.normal(size=20).astype(F32),) for _ in range(3)]

    def by(steps, *, threshold=lambda x: np.abs(x).max(), rounding=np.rint, low=-128, high=127, eps=EPS, divide=False):
        def codes(x):
            scale = np.maximum(F32(threshold(x)) / F32(steps), F32(eps))
            with np.errstate(all="ignore"):
                real = x / scale if divide else x * (F32(1) / scale)
                return scale, np.clip(rounding(real), low, high).astype(np.int32).astype(np.int8)

        return codes

    big = 10**6
    compare(
        answer,
        lambda x: (torch_symmetric(x.min(), x.max()), multiply_round_add(x, torch_symmetric(x.min(), x.max()), 0)),
        cases,
        {
            "127 is qlib's and ONNX Runtime's divisor; torchao takes half of the 255 steps, 127.5.": by(127),
            "128 is no half of 255; torchao divides by 127.5.": by(128),
            "this is the affine step, the range divided by 255; symmetric is T divided by 127.5.": (
                by(255, threshold=lambda x: max(x.max(), 0) - min(x.min(), 0))
            ),
            "T is divided by 255; between 0 and T lie only 127.5 of these steps.": by(255),
            "T is the largest absolute value: here a negative one is larger than the largest.": (
                by(127.5, threshold=lambda x: max(x.max(), 0))
            ),
            "the code of a positive T is 128 before it is clipped; in int8 that wraps to −128.": (
                by(127.5, low=-big, high=big)
            ),
            "−128 is a code, too: torchao clips to −128 … 127.": by(127.5, low=-127),
            "the codes are cut off, not rounded.": by(127.5, rounding=np.trunc),
            "a half goes to the even code here, not up: `np.rint`.": (
                by(127.5, rounding=lambda r: np.floor(r + F32(0.5)))
            ),
            "you divide by the scale; torchao multiplies by its inverse, and next to a tie that may differ.": (
                by(127.5, divide=True)
            ),
            "the scale has a least value, 2⁻²³.": by(127.5, eps=1e-38),
            "the scale has a least value, 2⁻²³; where all are 0 yours is 0, or NaN.": by(127.5, eps=0),
            "the least scale is 2⁻²³, `np.finfo(np.float32).eps`.": by(127.5, eps=2**-12),
        },
        otherwise="Δ = max(T / 127.5, 2⁻²³); codes = rint(x · (1/Δ)), clipped to −128 … 127; all in float32.",
    )


def near_ties(rng) -> np.ndarray:
    """A row with its threshold, and values next to a tie where division and multiplication give two codes."""
    while True:
        threshold = F32(rng.uniform(0.3, 0.9))
        scale = threshold / F32(127.5)
        x = (np.arange(-100, 100, dtype=F32) + F32(0.5)) * scale
        differ = np.rint(x / scale) != np.rint(x * (F32(1) / scale))
        if differ.any():
            return np.append(x[differ][:3], threshold).astype(F32)


def codes(answer, rng) -> None:
    """The check of 6b.3."""
    if not isinstance(answer, (tuple, list, np.ndarray)) or np.ndim(answer) != 1 or len(answer) != 2:
        raise Wrong("two codes are wanted, in a tuple: fake_quantize…, quantize_per_tensor.", got=answer)
    wrong = {
        (6, 5): "the right two, in the other order: fake_quantize… rounds first.",
        (5, 5): "quantize_per_tensor adds 3 first, and rounds 5.5, to the even code.",
        (6, 6): "fake_quantize… rounds 2.5 before it adds 3, and 2.5 goes to the even 2.",
        (2, 3): "the zero point is missing: a code is what was rounded, plus 3.",
        (2, 2): "the zero point is missing, and the two do not round the same number.",
        (3, 3): "the zero point is missing, and the two do not round the same number.",
        (5.5, 5.5): "a code is an integer: when is 5.5 rounded, and what, in each of the two?",
        (5, 5.5): "quantize_per_tensor rounds, too: its last step.",
        (-1, 0): "x / Δ + z, not minus z: the code of the real 0 is 3.",
        (-1, -1): "x / Δ + z, not minus z: the code of the real 0 is 3.",
    }
    got = tuple(number(one) for one in answer)
    if got in wrong:
        raise Wrong(wrong[got], got=answer)
    if got[0] != 5:
        raise Wrong("fake_quantize… rounds 2.5 (half to even), then adds 3.", got=answer)
    if got[1] != 6:
        raise Wrong("quantize_per_tensor adds: 2.5 + 3 = 5.5. Then it rounds, half to even.", got=answer)


def fused(answer, rng) -> None:
    """The check of 6b.4."""
    grey = (np.arange(256, dtype=F32) / F32(255) - F32(0.5)) / F32(0.5)
    step = F32(2) / F32(255)
    hand = [([2.5], 1.0, 3), ([0.5, 1.5, 2.5], 1.0, 1), ([0.4, -0.7, 3.3], 0.5, -2), ([300.0, -300.0], 1.0, 5)]
    cases = [(F32(x), F32(scale), zero_point) for x, scale, zero_point in hand]
    cases += [(F32([-150.0, 130.0]), F32(1), 30), (grey, step, -1)]
    cases += [(rng.normal(size=200).astype(F32), F32(0.02), int(rng.integers(-9, 9))) for _ in range(2)]

    def cast(real):
        return np.clip(real, -128, 127).astype(np.int8)

    def unclipped(x, scale, zero_point):
        return np.rint(F32(np.float64(x) * np.float64(F32(1) / scale) + zero_point)).astype(np.int32).astype(np.int8)

    compare(
        answer,
        multiply_add_round,
        cases,
        {
            "this rounds, then adds, as fake_quantize… does; add first.": multiply_round_add,
            "the product is rounded to float32 before the sum: on x86 both are one operation, rounded once.": (
                lambda x, scale, zero_point: cast(np.rint(x * (F32(1) / scale) + F32(zero_point)))
            ),
            "clip to −128 … 127 before the cast: beyond it the code wraps.": unclipped,
            "the zero point comes after the clipping, so codes leave −128 … 127, or never reach its end.": (
                lambda x, scale, zero_point: (
                    (np.clip(np.rint(F32(x / scale)), -128, 127) + zero_point).astype(np.int32).astype(np.int8)
                )
            ),
            "x · Δ: a code counts steps, so divide by Δ, or multiply by 1/Δ.": (
                lambda x, scale, zero_point: cast(np.rint(x * scale + zero_point))
            ),
            "the zero point is subtracted; the code of the real 0 is z.": (
                lambda x, scale, zero_point: cast(np.rint(x * (F32(1) / scale) - zero_point))
            ),
            "the zero point is left out.": lambda x, scale, zero_point: cast(np.rint(x * (F32(1) / scale))),
            "the code is cut off, not rounded.": (
                lambda x, scale, zero_point: cast(np.trunc(x * (F32(1) / scale) + zero_point))
            ),
            "a half goes to the even code, not up: `np.rint`.": (
                lambda x, scale, zero_point: cast(np.floor(x * (F32(1) / scale) + zero_point + F32(0.5)))
            ),
            "the sum stays in float64, where what is a tie for the engine is none: make it a float32, then round.": (
                lambda x, scale, zero_point: cast(np.rint(np.float64(x) * np.float64(F32(1) / scale) + zero_point))
            ),
        },
        otherwise="float64 product of x and the float32 inverse, plus z, to float32, rint, clip, int8.",
    )
