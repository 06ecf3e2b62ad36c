"""Checks of the exercises of lesson 06b on single codes, and the ties that tell rules of rounding from each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from qlib.exercises.asking import Wrong, compare, number
from qlib.parity import multiply_add_round, multiply_round_add

F32 = np.float32


def near_ties(rng, rules: Sequence[Callable]) -> tuple[np.ndarray, np.float32]:
    """Values next to ties, for which no two of the rules give the same codes, then T; and their scale, T / 127.5."""
    while True:
        threshold = F32(rng.uniform(0.3, 0.9))
        scale = threshold / F32(127.5)
        x = np.append((np.arange(-90, 90, dtype=F32) + F32(0.5)) * scale, threshold)
        differ = [np.flatnonzero(a != b) for a, b in combinations([rule(x, scale) for rule in rules], 2)]
        if all(map(len, differ)):
            return np.append(x[sorted({places[0] for places in differ})], threshold), scale


def codes(answer, rng) -> None:
    """The check of 6b.3."""
    answer = answer.tolist() if hasattr(answer, "tolist") else answer  # also a tensor
    if not isinstance(answer, (tuple, list)) or np.ndim(answer) != 1 or len(answer) != 2:
        raise Wrong("two codes are wanted, in a tuple: fake_quantize…, quantize_per_tensor.", got=answer)
    wrong = {
        (6, 5): "the right two, in the other order: fake_quantize… rounds first.",
        (5, 5): "quantize_per_tensor adds 3 first, and rounds 5.5, to the even code.",
        (6, 6): "fake_quantize… rounds 2.5 before it adds 3, and 2.5 goes to the even 2.",
        (2, 3): "the zero point is missing: a code is what was rounded, plus 3.",
        (2, 2): "the zero point is missing, and the two do not round the same number.",
        (3, 3): "the zero point is missing, and the two do not round the same number.",
        (2, 6): "the zero point is missing in the first: what was rounded, plus 3.",
        (5.5, 6): "a code is an integer: fake_quantize… rounds 2.5 before it adds 3.",
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
    cases += [(F32([-150.0, 130.0]), F32(1), 30)]
    cases += [(rng.normal(size=200).astype(F32), F32(0.02), int(rng.integers(-9, 9))) for _ in range(2)]

    def cast(real):
        return np.clip(real, -128, 127).astype(np.int8)

    def twice(x, scale, zero_point):
        return cast(np.rint(x * (F32(1) / scale) + F32(zero_point)))

    def divided(x, scale, zero_point):
        return cast(np.rint(x / scale + F32(zero_point)))

    def late(x, scale, zero_point):
        return cast(np.rint(F32(np.float64(x) / np.float64(scale) + zero_point)))

    different = (multiply_add_round, twice, divided, late)
    x, scale = near_ties(rng, [lambda x, scale, one=one: one(x, scale, 3) for one in different])
    cases += [(x, scale, 3), (grey, step, -1)]

    def unclipped(x, scale, zero_point):
        return np.rint(F32(np.float64(x) * np.float64(F32(1) / scale) + zero_point)).astype(np.int32).astype(np.int8)

    compare(
        answer,
        multiply_add_round,
        cases,
        {
            "this rounds, then adds, as fake_quantize… does; add first.": multiply_round_add,
            "the product is rounded to float32 before the sum: on x86 both are one operation, rounded once.": twice,
            "you divide by Δ; the engine multiplies by 1/Δ, and next to a tie that may be another code.": divided,
            "1/Δ has to be a float32 before it is multiplied: `np.float32(1) / scale`.": late,
            "−128 is a code, too: clip to −128 … 127.": (
                lambda x, scale, zero_point: np.maximum(multiply_add_round(x, scale, zero_point), -127)
            ),
            "the zero point is added to x, which counts no steps yet: multiply by 1/Δ first.": (
                lambda x, scale, zero_point: cast(np.rint((x + F32(zero_point)) * (F32(1) / scale)))
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
