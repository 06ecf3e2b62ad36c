"""Checks of the first two exercises of lesson 06b, PyTorch; the other two: `qlib.exercises.checks06b_codes`."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, ask, compare
from qlib.exercises.checks06b_codes import near_ties
from qlib.parity import EPS, multiply_round_add, torch_symmetric

F32 = np.float32


def dense(answer, rng) -> None:
    """The check of 6b.1."""
    cases = []
    for height, width, channels, outputs in ((1, 2, 2, 4), (2, 2, 1, 3), (2, 3, 2, 5), (3, 2, 4, 3)):
        kernel = np.arange(height * width * channels * outputs, dtype=F32).reshape(-1, outputs)
        cases.append((kernel, height, width))
    cases.append((rng.normal(size=(5 * 5 * 3, 4)).astype(F32), 5, 5))
    got = ask(answer, *cases[0])
    if isinstance(got, np.ndarray) and got.ndim == 4:
        raise Wrong("two axes are wanted, outputs and inputs: join channel, height and width again.", got=got)

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
            "height, channel, width: in PyTorch the channel comes before both.": (
                lambda kernel, height, width: reordered(kernel, height, width, axes=(0, 2, 1, 3)).T
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
    cases += [(F32([0.0, 0.0]),), (F32([1e-7, -1e-6]),)]
    cases += [(rng.normal(size=20).astype(F32),) for _ in range(3)]
    got = ask(answer, *cases[0])
    if isinstance(got, (tuple, list)) and [np.size(part) for part in got] == [2, 1]:
        raise Wrong("the scale comes first, then the codes.", got=got)

    def largest(x):
        return np.abs(x).max()

    def inverse(x, scale):
        return x * (F32(1) / scale)

    def by(steps, *, threshold=largest, rounding=np.rint, low=-128, high=127, eps=EPS, least=np.maximum, real=inverse):
        def codes(x):
            scale = least(F32(threshold(x)) / F32(steps), F32(eps))
            with np.errstate(all="ignore"):
                return scale, np.clip(rounding(real(x, scale)), low, high).astype(np.int32).astype(np.int8)

        return codes

    def late(x, scale):
        return x * F32(1 / np.maximum(np.float64(largest(x)) / 127.5, EPS))

    def in_float64(x, scale):
        return x / np.maximum(np.float64(largest(x)) / 127.5, EPS)

    different = [by(127.5, real=real) for real in (inverse, np.divide, late, in_float64)]
    cases.insert(4, near_ties(rng, [lambda x, _, one=one: one(x)[1] for one in different])[:1])
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
                by(127.5, real=np.divide)
            ),
            "this is float64; torchao's numbers are all float32, and next to a tie that may be another code.": (
                by(127.5, real=in_float64)
            ),
            "the scale has to be a float32 before you invert it: next to a tie that may be another code.": (
                by(127.5, real=late)
            ),
            "w · 127.5 / T rounds elsewhere, and forgets the least Δ: a code is w · (1/Δ), by your own Δ.": (
                by(127.5, real=lambda x, _: x * F32(127.5) / largest(x))
            ),
            "w · Δ: a code counts steps, so multiply by 1/Δ.": by(127.5, real=np.multiply),
            "the first value is 1/Δ; what is stored is Δ.": lambda x: (1 / by(127.5)(x)[0], by(127.5)(x)[1]),
            "T is the largest absolute value, also where that is no negative number.": (
                by(127.5, threshold=lambda x: abs(x.min()))
            ),
            "T is the largest absolute value, not half of the range.": (
                by(127.5, threshold=lambda x: (x.max() - x.min()) / F32(2))
            ),
            "the scale has a least value, 2⁻²³.": by(127.5, eps=1e-38),
            "the scale has a least value, 2⁻²³; where all are 0 yours is 0, or NaN.": by(127.5, eps=0),
            "the least scale is 2⁻²³, `np.finfo(np.float32).eps`.": by(127.5, eps=2**-12),
            "2⁻²³ is the least that the scale may be, no summand.": by(127.5, least=np.add),
            "2⁻²³ is the least that the scale may be: the larger of the two, `np.maximum`.": by(
                127.5, least=np.minimum
            ),
            "2⁻²³ is the least scale, not the least T: divide first.": by(
                127.5, eps=0, threshold=lambda x: max(largest(x), EPS)
            ),
            "where all are 0 the scale is 2⁻²³, too; 1 is qlib's rule.": (
                by(127.5, least=lambda scale, eps: max(scale, eps) if scale else F32(1))
            ),
        },
        otherwise="Δ = max(T / 127.5, 2⁻²³); codes = rint(x · (1/Δ)), clipped to −128 … 127; all in float32.",
    )
