"""Checks of the exercises of lesson 06a, the TensorFlow toolkit, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qlib.exercises.asking import Wrong, compare, number
from qlib.exercises.checks06a_codes import tf_codes

__all__ = ["batches", "bytes_", "sparsity", "tf_codes"]


def _cubic(done: float, final: float) -> float:
    return final - final * (1 - done) ** 3


def _last_look(step, final, begin, end, frequency) -> float:
    """The sparsity after the last look."""
    return _at((min(step, end) - begin) // frequency * frequency, final, begin, end) if step >= begin else 0.0


def _at(since: int, final, begin, end, curve: Callable = _cubic) -> float:
    """The sparsity so many steps after `begin`."""
    return curve(min(max(since / (end - begin), 0.0), 1.0), final)


def _curve(curve: Callable) -> Callable:
    """The last look, put into another equation. (A wrong answer takes step, final, begin, end and frequency.)"""
    return lambda s, f, b, e, k: _at((min(s, e) - b) // k * k, f, b, e, curve) if s >= b else 0.0


def _look(since: Callable) -> Callable:
    """The right equation, at another step: `since` gives the steps after `begin`."""
    return lambda s, f, b, e, k: _at(since(s, b, e, k), f, b, e) if s >= b else 0.0


SPARSITY = {
    "this is what the schedule says at this step; between two looks the zeros stay as they are.": (
        _look(lambda s, b, e, k: s - b)
    ),
    "this is a straight line; the equation has a cube, so that most is pruned early.": _curve(lambda done, f: f * done),
    "this is slow at first: the cube belongs to what is still to do, 1 − (t − t₀)/(t₁ − t₀).": (
        _curve(lambda done, f: f * done**3)
    ),
    "this is (1 − …)³ itself, the share of the way that is left; it is taken off the final sparsity.": (
        _curve(lambda done, f: f * (1 - done) ** 3)
    ),
    "the bracket has a factor, s_i − s_f, which is −final here; in yours it has none.": (
        _curve(lambda done, f: f - (1 - done) ** 3)
    ),
    "s_i − s_f is negative: the bracket is taken off the final sparsity, not added.": (
        _curve(lambda done, f: f + f * (1 - done) ** 3)
    ),
    "the power is 3 in this equation, not 2.": _curve(lambda done, f: f - f * (1 - done) ** 2),
    "`//` cuts the share of the way down to 0 until the very end; inside the equation divide with `/`.": (
        _curve(lambda done, f: f * (done >= 1))
    ),
    "this is in percent; a share from 0 to 1 is wanted.": lambda *case: 100 * _last_look(*case),
    "this is rounded; give it with all its digits.": lambda *case: round(_last_look(*case), 2),
    "these are the weights that are left; the sparsity is the share of zeros.": lambda *case: 1 - _last_look(*case),
    "this is a share of the final sparsity; the equation ends at `final`, not at 1.": (
        lambda s, f, b, e, k: _last_look(s, 1.0, b, e, k)
    ),
    "this is the next look; the network still has the zeros of the last one.": (
        _look(lambda s, b, e, k: -(-(min(s, e) - b) // k) * k)
    ),
    "this is the nearest look; one that is still to come has pruned nothing yet.": (
        lambda s, f, b, e, k: 0.0 if s < b else _cubic(round((min(s, e) - b) / k) * k / (e - b), f)
    ),
    "a look at this very step counts: it has pruned already.": _look(lambda s, b, e, k: (min(s, e) - b - 1) // k * k),
    "between two looks nothing new is pruned, but the zeros stay: it is that of the last look, not 0.": (
        lambda s, f, b, e, k: _at(s - b, f, b, e) if b <= s <= e and (s - b) % k == 0 else 0.0
    ),
    "`//` gives the number of looks; times `frequency` it is steps.": _look(lambda s, b, e, k: (min(s, e) - b) // k),
    "the looks are counted from step 0; the first one is at `begin`.": (
        _look(lambda s, b, e, k: min(s, e) // k * k - b)
    ),
    "the time is counted from step 0; the schedule begins at `begin`, and takes end − begin steps.": (
        lambda s, f, b, e, k: 0.0 if s < b else _cubic(min((b + (min(s, e) - b) // k * k) / e, 1.0), f)
    ),
    "you divide by `end`; from `begin` on the schedule takes end − begin steps.": (
        lambda s, f, b, e, k: 0.0 if s < b else _cubic((min(s, e) - b) // k * k / e, f)
    ),
    "there is no look after `end`: if none falls on it, the final sparsity is not reached.": (
        lambda s, f, b, e, k: f if s >= e else _last_look(s, f, b, e, k)
    ),
    "you go on looking after `end`; the last look is at or before it.": _look(lambda s, b, e, k: (s - b) // k * k),
    "after `end` the sparsity stays; your equation goes on.": (
        lambda s, f, b, e, k: 0.0 if s < b else _cubic((s - b) // k * k / (e - b), f)
    ),
    "after `end` the zeros stay; they don't come back to life.": (
        lambda s, f, b, e, k: _last_look(s, f, b, e, k) if s <= e else 0.0
    ),
    "before `begin` nothing is pruned: the sparsity is 0.": (
        lambda s, f, b, e, k: _cubic((min(s, e) - b) // k * k / (e - b), f)
    ),
    "before `begin` nothing is pruned: it is 0, not `final`.": (
        lambda s, f, b, e, k: _last_look(s, f, b, e, k) if s >= b else f
    ),
}


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
    otherwise = "find the step of the last look, at or before `step` and `end`, and put it into the equation."
    compare(answer, _last_look, cases, SPARSITY, otherwise=otherwise)


BYTES = {
    102_400: "these are the numbers of the centroids; without the centroids themselves nobody can read them.",
    204_864: "this is one byte for each number; 0 to 15 need fewer bits.",
    204_800: "this is one byte for each weight, as in int8; 0 to 15 need fewer bits, and centroids are missing.",
    819_264: "this is four bytes for each number; 0 to 15 need fewer bits.",
    819_200: "this is the kernel as float32, without any sharing.",
    409_664: "this is 16 bits for each number; 16 different numbers need log₂ 16 bits.",
    128_064: "this is five bits for each number; the largest is 15, and 16 different ones need log₂ 16 bits.",
    76_864: "this is three bits for each number, and these tell 8 apart, not 16.",
    51_264: "this is four weights in a byte, 2 bits each, and these tell 4 apart, not 16.",
    102_416: "this is one byte for each centroid; a float32 has four.",
    102_432: "this is two bytes for each centroid; a float32 has four.",
    102_528: "this is eight bytes for each centroid; a float32 has four.",
    102_912: "sixteen float32 are 512 bits, which is 64 bytes.",
    102_460: "these are 15 centroids; 0 to 15 are 16 numbers.",
    110_592: "this is 16 centroids for each of 128 units; the layer shares one table of 16.",
    102_976: "this counts the biases as well; only the kernel is asked for.",
    112_581: "this is the whole network, without the centroids; dense1's kernel has 204,800 weights.",
    819_712: "these are bits; bytes were asked for.",
    89_546: "this is what gzip makes of the whole file; the question is about fixed bits for each weight of dense1.",
    64: "these are the centroids; each weight also needs the number of its own.",
}


def bytes_(answer, rng) -> None:
    """The check of 6a.2."""
    got = number(answer)
    if got in BYTES:
        raise Wrong(BYTES[got], got=answer)
    if round(got, 1) in (100.1, 102.5):
        raise Wrong("this is in KB; the number of bytes is asked for.", got=answer)
    if got != 102_464:
        raise Wrong("bits for each number × weights / 8, and 16 centroids of four bytes.", got=answer)


LINE = "this takes the same amount off with each batch; but a thousandth of what is left gets smaller."
TENTH = "this is 0.999ⁿ below 0.1; but from 6 to 0.06 it is a factor of 100."
SIX = "this is 0.999ⁿ below 0.06; but the average starts at −6, so a factor of 100 is needed."
TWO_BASES = "this takes the logarithm to base 10 once and the natural one once."
BATCHES = {
    4602: "nearly: −6 · 0.999⁴⁶⁰² is still a little below −0.06.",
    4604: "one batch earlier it is above −0.06 for the first time.",
    4605: "0.999 is not quite e^−0.001: with the factor itself it is two batches earlier.",
    4606: "0.999 is not quite e^−0.001: with the factor itself it is a few batches earlier.",
    **dict.fromkeys((990, 991, 5940, 5941, 6000), LINE),
    1000: "after 1000 batches 0.999¹⁰⁰⁰ is still 0.37: an average does not forget all in 1 / 0.001 batches.",
    100: "this is 6 / 0.06; each batch takes away a thousandth of what is left, not 0.06.",
    **dict.fromkeys((2301, 2302), TENTH),
    **dict.fromkeys((2811, 2812, 2813), SIX),
    **dict.fromkeys((459, 458), "this is 0.99ⁿ; the factor of a batch is 0.999."),
    **dict.fromkeys((1998, 1999, 2000, 10_598, 10_599, 10_600), TWO_BASES),
    **dict.fromkeys((9.8, 9.82, 10), "these are passes over the training set; batches were asked for."),
    4603 * 128: "these are images; batches were asked for.",
}


def batches(answer, rng) -> None:
    """The check of 6a.3."""
    got = number(answer)
    if got in BATCHES:
        raise Wrong(BATCHES[got], got=answer)
    if got < 0:
        raise Wrong("a number of batches is not negative: both logarithms are.", got=answer)
    if got != np.rint(got):
        raise Wrong("a whole number is wanted: after a part of a batch nothing happens.", got=answer)
    if got != 4603:
        many = "too many: it was above −0.06 before." if got > 4603 else "too few: it is still below −0.06."
        raise Wrong(f"{many} After n batches the lower end is −6 · 0.999ⁿ.", got=answer)
