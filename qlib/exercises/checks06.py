"""Checks of the exercises of lesson 06, tools, in the order in which they stand."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, ask, compare, number, shown
from qlib.results import IMAGES


def stored(answer, rng) -> None:
    """The check of 6.1."""
    small = [[0], [1], [3], [4], [2, 5], [0, 0, 0], [7], [8], [3, 4, 12]]
    cases = [(np.array(zeros), 2) for zeros in small]
    cases += [(rng.integers(0, 200, n), b) for n, b in ((5, 1), (20, 3), (40, 5), (40, 8))]
    compare(
        answer,
        lambda zeros, b: int(np.sum(1 + zeros // 2**b)),
        cases,
        {
            "a filler is a zero itself: with the gap before it, it takes 2^b zeros, not 2^b − 1.": (
                lambda zeros, b: int(np.sum(1 + zeros // max(2**b - 1, 1)))
            ),
            "the fillers are left out: these are the weights alone.": lambda zeros, b: len(zeros),
            "these are the fillers; the weights are stored, too.": lambda zeros, b: int(np.sum(zeros // 2**b)),
            "b bits make 2^b different gaps; b itself is not the largest.": (
                lambda zeros, b: int(np.sum(1 + zeros // b))
            ),
            "a filler is only needed where the gap does not fit: round down, not up.": (
                lambda zeros, b: int(np.sum(1 + -(-zeros // 2**b)))
            ),
            "one filler is not enough for a very long gap.": lambda zeros, b: int(np.sum(1 + (zeros >= 2**b))),
            "each gap needs its own fillers; the zeros must not be added up first.": (
                lambda zeros, b: int(len(zeros) + zeros.sum() // 2**b)
            ),
            "a gap of 2^b needs a filler: the largest that b bits hold is 2^b − 1.": (
                lambda zeros, b: int(np.sum(1 + np.maximum(zeros - 1, 0) // 2**b))
            ),
            "these are the bits of the gaps; wanted is how many numbers are stored.": (
                lambda zeros, b: int(b * np.sum(1 + zeros // 2**b))
            ),
        },
        otherwise="one for each weight, and before it one filler for each 2^b zeros of its gap.",
    )


def centroid_gradient(answer, rng) -> None:
    """The check of 6.2."""
    cases = [
        (np.array([2.0]), np.array([0]), 1),
        (np.array([1.0, 2.0, 4.0]), np.array([0, 1, 0]), 2),
        (np.array([1.0, -2.0, 4.0]), np.array([2, 0, 2]), 4),
        (rng.normal(size=30), rng.integers(0, 5, 30), 6),
        (rng.normal(size=(6, 5)), rng.integers(0, 4, (6, 5)), 4),
    ]
    right = np.bincount

    def several(gradient, codes, k, combine):
        return np.array([combine(gradient[codes == j]) if np.any(codes == j) else 0.0 for j in range(k)])

    def assigned(gradient, codes, k):
        found = np.zeros(k)
        found[codes.ravel()] += gradient.ravel()
        return found

    compare(
        answer,
        lambda g, codes, k: right(codes.ravel(), weights=g.ravel(), minlength=k),
        cases,
        {
            "this is the mean; moving c moves all of its weights, so their gradients add up.": (
                lambda g, codes, k: several(g, codes, k, np.mean)
            ),
            "`found[codes] += gradient` keeps the last one where a code comes twice: np.bincount adds.": assigned,
            "these are how many weights each centroid has; their gradients are wanted.": (
                lambda g, codes, k: np.bincount(codes.ravel(), minlength=k).astype(float)
            ),
            "gradients have a sign, and may cancel: no absolute value.": (
                lambda g, codes, k: several(np.abs(g), codes, k, np.sum)
            ),
            "this is a step against the gradient; the gradient itself is wanted.": (
                lambda g, codes, k: -right(codes.ravel(), weights=g.ravel(), minlength=k)
            ),
            "this is the largest of its gradients; all of them count.": lambda g, codes, k: several(
                g, codes, k, np.max
            ),
            "this is one gradient of each centroid; all of them count.": (
                lambda g, codes, k: several(g, codes, k, lambda part: part.ravel()[0])
            ),
            "the sum of squares is something else: just add.": (lambda g, codes, k: several(g * g, codes, k, np.sum)),
            "this is divided by the number of all weights.": (
                lambda g, codes, k: right(codes.ravel(), weights=g.ravel(), minlength=k) / g.size
            ),
        },
        otherwise="for each j add the gradients of the weights whose code is j.",
    )


def bits(answer, rng) -> None:
    """The check of 6.3."""
    wrong = {
        40: "this is 2 bits for each: a fixed width. Rare symbols may take 3 bits if the frequent one takes 1.",
        9: "these are the lengths of the four codes, added up; each counts as often as its symbol comes.",
        37: "this is the unary code 0, 10, 110, 1110. The last two may have 3 bits each: 110 and 111.",
        53: "the lengths are the wrong way round: the most frequent symbol gets the shortest code.",
        15: "one sum is missing. Join 3 and 2 first, then 5 and 5, then 10 and 10.",
        20: "this is the last group alone: how many symbols there are. Each time two groups are joined, all symbols in "
        "them get one bit more.",
        160: "these are bytes of 8 bits.",
    }
    got = number(answer)
    if np.isclose(got, 34.85, atol=0.1):
        raise Wrong("this is the entropy: a bound. Huffman gives each symbol a whole number of bits.", got=answer)
    if np.isclose(got, 1.75):
        raise Wrong("this is bits per symbol; wanted are all twenty together.", got=answer)
    if got in wrong:
        raise Wrong(wrong[got], got=answer)
    if got < 35:
        raise Wrong("below the entropy of these symbols, 34.8 bits: no code can do that.", got=answer)
    if got != 35:
        raise Wrong(
            "join the two rarest groups, again and again; each time, their symbols get one bit more.", got=answer
        )


def choice(answer, rng) -> None:
    """The check of 6.4."""
    reference = 9_882  # one standard error is 10.8: the least is 9,860.4
    by_hand = [
        [(900, [9_884]), (300, [9_870, 9_872, 9_868]), (100, [9_820, 9_890, 9_800]), (50, [9_500])],
        [(500, [9_890]), (400, [9_900]), (200, [9_875, 9_855, 9_869]), (80, [9_872, 9_810, 9_850])],
        [(700, [9_895]), (600, [9_883]), (350, [9_873]), (340, [9_862])],
    ]
    factor, names = int(rng.integers(1, 50)), rng.permutation(list("abcd")).tolist()
    cases = [
        (reference, [(name, factor * size, right) for name, (size, right) in zip(names, rows, strict=True)])
        for rows in by_hand
    ]
    slips = {
        "this is the smallest of all; it is right on fewer images than noise can explain.": (
            lambda ref, rows: min(rows, key=lambda row: row[1])[0]
        ),
        "this is the one with the most right; wanted is the smallest among those that lose nothing beyond noise.": (
            lambda ref, rows: max(rows, key=lambda row: np.mean(row[2]))[0]
        ),
        "one good seed is luck: compare the mean over the seeds.": lambda ref, rows: _smallest(ref, rows, 2, np.max),
        "the worst seed is too strict: compare the mean over the seeds.": (
            lambda ref, rows: _smallest(ref, rows, 2, np.min)
        ),
        "a mean a little below the reference is still noise: allow two standard errors.": (
            lambda ref, rows: _smallest(ref, rows, 0, np.mean)
        ),
        "two standard errors are allowed, not one.": lambda ref, rows: _smallest(ref, rows, 1, np.mean),
        "only the first seed is looked at; take the mean.": (
            lambda ref, rows: _smallest(ref, rows, 2, lambda right: right[0])
        ),
        "this is the first that loses nothing; wanted is the smallest of these.": (
            lambda ref, rows: next(row[0] for row in rows if np.mean(row[2]) >= ref - 2 * _error(ref))
        ),
    }
    for reference, rows in cases:
        got, expected = ask(answer, reference, rows), _smallest(reference, rows, 2, np.mean)
        given = f"right of {IMAGES:,}: {reference}; rows {shown(rows)}"
        if not isinstance(got, str):
            raise Wrong("the name of a method is wanted, as text.", given=given, expected=expected, got=got)
        if got not in [name for name, _, _ in rows]:
            raise Wrong("there is no method of this name.", given=given, expected=expected, got=got)
        if got != expected:
            named = [sentence for sentence, slip in slips.items() if slip(reference, rows) == got]
            every = [s for s in named if all(_same(answer, slips[s], case) for case in cases)]
            sentence = (every or named or ["the smallest whose mean is at most two standard errors below."])[0]
            raise Wrong(sentence, given=given, expected=expected, got=got)


def _error(right: int) -> float:
    """The standard error of a count of 10,000."""
    return float(np.sqrt(right * (IMAGES - right) / IMAGES))


def _smallest(reference, rows, errors, of_seeds) -> str:
    least = reference - errors * _error(reference)
    fitting = [(size, name) for name, size, right in rows if of_seeds(right) >= least]
    return min(fitting)[1] if fitting else ""


def _same(answer, slip, case) -> bool:
    try:
        return ask(answer, *case) == slip(*case)
    except Wrong:
        return False
