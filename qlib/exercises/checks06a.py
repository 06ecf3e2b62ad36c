"""Checks of the exercises of lesson 06a, the TensorFlow toolkit, in the order in which they stand."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, compare, number


def _cubic(done: float, final: float) -> float:
    return final - final * (1 - done) ** 3


def _looked(step, final, begin, end, frequency, *, curve=_cubic, upwards=False, origin=None, forever=False) -> float:
    """The sparsity after the last look, with what may be got wrong as options."""
    if step < begin:
        return 0.0
    origin = begin if origin is None else origin
    now = step if forever else min(step, end)
    looks = -(-(now - origin) // frequency) if upwards else (now - origin) // frequency
    at = origin + looks * frequency
    return curve(min(max((at - begin) / (end - begin), 0.0), 1.0), final)


def sparsity(answer, rng) -> None:
    """The check of 6a.1."""
    cases = [(5, 0.8, 0, 10, 1), (4, 0.5, 0, 8, 4), (7, 0.8, 0, 10, 5), (7, 0.8, 2, 12, 5), (3, 0.9, 0, 100, 10)]
    cases += [(50, 0.9, 10, 110, 10), (5, 0.8, 10, 20, 1), (13, 0.5, 3, 23, 4), (90, 0.8, 0, 50, 10)]
    cases += [(11, 0.8, 0, 10, 4), (40, 0.75, 5, 22, 6), (24, 0.9, 0, 23, 10)]
    for _ in range(8):
        begin, frequency = int(rng.integers(0, 40)), int(rng.integers(2, 15))
        end = begin + int(rng.integers(20, 90))
        step = int(rng.integers(0, end + 40))
        cases.append((step, float(rng.integers(30, 95)) / 100, begin, end, frequency))
    compare(
        answer,
        _looked,
        cases,
        {
            "this is what the schedule says at this step; between two looks the zeros stay as they are.": (
                lambda s, f, b, e, k: _looked(s, f, b, e, 1)
            ),
            "this is a straight line; the equation has a cube, so that most is pruned early.": (
                lambda s, f, b, e, k: _looked(s, f, b, e, k, curve=lambda done, final: final * done)
            ),
            "this is slow at first: the cube belongs to what is still to do, 1 − (t − t₀)/(t₁ − t₀).": (
                lambda s, f, b, e, k: _looked(s, f, b, e, k, curve=lambda done, final: final * done**3)
            ),
            "this is (1 − …)³ itself, the share of the way that is left; it is taken off the final sparsity.": (
                lambda s, f, b, e, k: _looked(s, f, b, e, k, curve=lambda done, final: final * (1 - done) ** 3)
            ),
            "this is a share of the final sparsity; the equation ends at `final`, not at 1.": (
                lambda s, f, b, e, k: _looked(s, 1.0, b, e, k)
            ),
            "this is the next look; the network still has the zeros of the last one.": (
                lambda s, f, b, e, k: _looked(s, f, b, e, k, upwards=True)
            ),
            "the looks are counted from step 0; the first one is at `begin`.": (
                lambda s, f, b, e, k: _looked(s, f, b, e, k, origin=0)
            ),
            "the time is counted from step 0; the schedule begins at `begin`, and takes end − begin steps.": (
                lambda s, f, b, e, k: 0.0 if s < b else _cubic(min((b + (min(s, e) - b) // k * k) / e, 1.0), f)
            ),
            "there is no look after `end`: if none falls on it, the final sparsity is not reached.": (
                lambda s, f, b, e, k: f if s >= e else _looked(s, f, b, e, k)
            ),
            "you go on looking after `end`; the last look is at or before it.": (
                lambda s, f, b, e, k: _looked(s, f, b, e, k, forever=True)
            ),
            "after `end` the sparsity stays; your equation goes on.": (
                lambda s, f, b, e, k: 0.0 if s < b else _cubic((s - b) // k * k / (e - b), f)
            ),
            "before `begin` nothing is pruned: the sparsity is 0.": (
                lambda s, f, b, e, k: _cubic((min(s, e) - b) // k * k / (e - b), f)
            ),
        },
        otherwise="find the step of the last look, at or before `step` and `end`, and put it into the equation.",
    )


def bytes_(answer, rng) -> None:
    """The check of 6a.2."""
    wrong = {
        102_400: "these are the numbers of the centroids; without the centroids themselves nobody can read them.",
        204_864: "this is one byte for each number; 0 to 15 need fewer bits.",
        204_800: "this is one byte for each weight, as in int8; 0 to 15 need fewer bits, and centroids are missing.",
        819_264: "this is four bytes for each number; 0 to 15 need fewer bits.",
        819_200: "this is the kernel as float32, without any sharing.",
        409_664: "this is 16 bits for each number; 16 different numbers need log₂ 16 bits.",
        128_064: "this is five bits for each number; the largest is 15, and 16 different ones need log₂ 16 bits.",
        76_864: "this is three bits for each number, and these tell 8 apart, not 16.",
        102_416: "this is one byte for each centroid; a float32 has four.",
        102_432: "this is two bytes for each centroid; a float32 has four.",
        819_712: "these are bits; bytes were asked for.",
        819_264 + 64: "this is four bytes for each number; 0 to 15 need fewer bits.",
        64: "these are the centroids; each weight also needs the number of its own.",
    }
    got = number(answer)
    if got in wrong:
        raise Wrong(wrong[got], got=answer)
    if got != 102_464:
        raise Wrong("bits for each number × weights / 8, and 16 centroids of four bytes.", got=answer)


def batches(answer, rng) -> None:
    """The check of 6a.3."""
    wrong = {
        4602: "nearly: −6 · 0.999⁴⁶⁰² is still a little below −0.06.",
        4604: "one batch earlier it is above −0.06 for the first time.",
        4605: "0.999 is not quite e^−0.001: with the factor itself it is two batches earlier.",
        4606: "0.999 is not quite e^−0.001: with the factor itself it is a few batches earlier.",
        990: "this takes the same amount off with each batch; but a thousandth of what is left gets smaller.",
        1000: "after 1000 batches 0.999¹⁰⁰⁰ is still 0.37: an average does not forget all in 1 / 0.001 batches.",
        100: "this is 6 / 0.06; each batch takes away a thousandth of what is left, not 0.06.",
        2302: "this is 0.999ⁿ below 0.1; but from 6 to 0.06 it is a factor of 100.",
        2301: "this is 0.999ⁿ below 0.1; but from 6 to 0.06 it is a factor of 100.",
        2812: "this is 0.999ⁿ below 0.06; but the average starts at −6, so a factor of 100 is needed.",
        2813: "this is 0.999ⁿ below 0.06; but the average starts at −6, so a factor of 100 is needed.",
        1999: "this takes the logarithm to base 10 once and the natural one once.",
    }
    got = number(answer)
    if got in wrong:
        raise Wrong(wrong[got], got=answer)
    if got < 0:
        raise Wrong("a number of batches is not negative: both logarithms are.", got=answer)
    if got != np.rint(got):
        raise Wrong("a whole number is wanted: after a part of a batch nothing happens.", got=answer)
    if got != 4603:
        many = "too many: it was above −0.06 before." if got > 4603 else "too few: it is still below −0.06."
        raise Wrong(f"{many} After n batches the lower end is −6 · 0.999ⁿ.", got=answer)


def _codes(x, scale, lowest) -> np.ndarray:
    highest = lowest + np.float32(255) * scale
    return np.floor((np.clip(x, lowest, highest) - lowest) / scale + np.float32(0.5)).astype(np.int64)


def tf_codes(answer, rng) -> None:
    """The check of 6a.4. The steps are powers of two, so that nothing else is rounded."""
    half, quarter, one = np.float32(0.5), np.float32(0.25), np.float32(1)
    ties = np.float32([0.25, 0.75, 1.25, -0.25, -0.75, -1.25, 3.0, 0.0])
    cases = [(np.float32([0.0, 1.0, 2.0]), half, np.float32(0)), (np.float32([0.1, 0.4, 1.9]), half, np.float32(0))]
    cases += [(np.float32([-1.0, 0.0, 2.0]), half, np.float32(-2)), (ties, half, np.float32(-3))]
    cases += [(ties, half, np.float32(-3.5)), (np.float32([-9, 9, 300]), one, np.float32(-4))]
    cases += [(np.float32([63.9, 70, -70]), quarter, np.float32(-16)), (np.float32([[0.5, 1.5]]), one, np.float32(-7))]
    for scale in (half, quarter, one):
        lowest = np.float32(-scale * rng.integers(1, 200))
        x = (scale * rng.integers(-900, 900, 60) / 4).astype(np.float32)  # a quarter of them ties
        cases.append((x, scale, lowest))
    compare(
        answer,
        _codes,
        cases,
        {
            "ties go to the even code here (np.round and np.rint do that); TensorFlow rounds them up.": (
                lambda x, s, low: np.rint((np.clip(x, low, low + 255 * s) - low) / s).astype(np.int64)
            ),
            "the rounding is missing: a cast or a floor alone takes the next lower code.": (
                lambda x, s, low: np.floor((np.clip(x, low, low + 255 * s) - low) / s).astype(np.int64)
            ),
            "this always takes the next higher code; half up means the nearer one, and up on a tie.": (
                lambda x, s, low: np.ceil((np.clip(x, low, low + 255 * s) - low) / s).astype(np.int64)
            ),
            "values outside the range have no code: clip first.": (
                lambda x, s, low: np.floor((x - low) / s + np.float32(0.5)).astype(np.int64)
            ),
            "the shift is missing: the code 0 stands for `lowest`, not for the real 0.": (
                lambda x, s, low: np.floor(np.clip(x, low, low + 255 * s) / s + np.float32(0.5)).astype(np.int64)
            ),
            "this range has 256 steps; between 256 codes there are 255.": (
                lambda x, s, low: np.floor((np.clip(x, low, low + 256 * s) - low) / s + np.float32(0.5)).astype(
                    np.int64
                )
            ),
            "negative values are clipped away; the range begins at `lowest`.": (
                lambda x, s, low: np.floor((np.clip(x, 0, low + 255 * s) - low) / s + np.float32(0.5)).astype(np.int64)
            ),
            "the range ends at lowest + 255·scale, not at 255·scale.": (
                lambda x, s, low: np.floor((np.clip(x, low, 255 * s) - low) / s + np.float32(0.5)).astype(np.int64)
            ),
            "this rounds x/Δ before the shift, ties to even, as qlib does.": (
                lambda x, s, low: (np.rint(np.clip(x, low, low + 255 * s) / s) - low / s).astype(np.int64)
            ),
            "this rounds ties away from zero before the shift, so those of negative values go down.": (
                lambda x, s, low: (
                    np.sign(x) * np.floor(np.abs(np.clip(x, low, low + 255 * s)) / s + np.float32(0.5)) - low / s
                ).astype(np.int64)
            ),
        },
        otherwise="clip x to lowest … lowest + 255·scale, subtract lowest, divide by scale, floor(v + 0.5).",
    )
