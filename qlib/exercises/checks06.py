"""Checks of exercises 6.1 to 6.3, in the order in which they stand; that of 6.4 is in `checks06_choice`."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, ask, compare, number, shown_inputs

# ------------------------------------------------------------------ 6.1

STORED = {
    "a filler is a zero itself: with the gap before it, it takes 2^b zeros, not 2^b − 1.": (
        lambda zeros, b: int(np.sum(1 + zeros // max(2**b - 1, 1)))
    ),
    "a filler takes 2^b zeros, itself included, and a weight with no zero before it is stored, too.": (
        lambda zeros, b: int(np.sum(-(-zeros // max(2**b - 1, 1))))
    ),
    "the fillers are left out: these are the weights alone.": lambda zeros, b: len(zeros),
    "these are the fillers; the weights are stored, too.": lambda zeros, b: int(np.sum(zeros // 2**b)),
    "this counts all weights, the zeros, too; most of these are not stored.": lambda zeros, b: int(np.sum(1 + zeros)),
    "count one for each weight, not one for all of them.": lambda zeros, b: int(np.sum(zeros // 2**b) + 1),
    "b bits make 2^b different gaps; b itself is not the largest.": lambda zeros, b: int(np.sum(1 + zeros // b)),
    "b bits make 2^b different gaps, not 2·b.": lambda zeros, b: int(np.sum(1 + zeros // (2 * b))),
    "b bits make 2^b different gaps: a gap has no sign, so no bit goes to it.": (
        lambda zeros, b: int(np.sum(1 + zeros // 2 ** (b - 1)))
    ),
    "in Python `2^b` is no power, but a comparison of bits: write `2**b`.": (
        lambda zeros, b: int(np.sum(1 + (zeros // (2 ^ b) if b != 2 else 0 * zeros)))
    ),
    "`%` gives what is left of a gap behind its fillers; `//` says how many they are.": (
        lambda zeros, b: int(np.sum(1 + zeros % 2**b))
    ),
    "a filler is only needed where the gap does not fit: round down, not up.": (
        lambda zeros, b: int(np.sum(1 + -(-zeros // 2**b)))
    ),
    "a filler takes 2^b zeros, and so many must be there: round down, not to the nearest.": (
        lambda zeros, b: int(np.sum(1 + np.rint(zeros / 2**b)))
    ),
    "one filler is not enough for a very long gap.": lambda zeros, b: int(np.sum(1 + (zeros >= 2**b))),
    "each gap needs its own fillers; the zeros must not be added up first.": (
        lambda zeros, b: int(len(zeros) + zeros.sum() // 2**b)
    ),
    "each gap needs its own fillers, not only the longest.": lambda zeros, b: int(len(zeros) + zeros.max() // 2**b),
    "only the first gap is counted: does `return` stand inside the loop?": lambda zeros, b: int(1 + zeros[0] // 2**b),
    "a gap of 2^b needs a filler: the largest that b bits hold is 2^b − 1.": (
        lambda zeros, b: int(np.sum(1 + np.maximum(zeros - 1, 0) // 2**b))
    ),
    "a gap and its value are one stored number, not two.": lambda zeros, b: int(2 * np.sum(1 + zeros // 2**b)),
    "these are the bits of the gaps; wanted is how many numbers are stored.": (
        lambda zeros, b: int(b * np.sum(1 + zeros // 2**b))
    ),
}


def stored(answer, rng) -> None:
    """The check of 6.1. With 3 bits, so that b, 2·b and 2^b are three numbers."""
    small = [[1], [0], [3], [7], [8], [4, 9], [0, 0, 0], [15], [16], [7, 8, 25]]
    cases = [(np.array(zeros), 3) for zeros in small]
    cases += [(rng.integers(0, 200, n), b) for n, b in ((5, 1), (9, 2), (20, 4), (40, 5), (40, 8))]
    otherwise = "one for each weight, and before it one filler for each 2^b zeros of its gap."
    compare(answer, lambda zeros, b: int(np.sum(1 + zeros // 2**b)), cases, STORED, otherwise=otherwise)


# ------------------------------------------------------------------ 6.2


def _added(gradient, codes, k):
    return np.bincount(codes.ravel(), weights=gradient.ravel(), minlength=k)


def _each(combine):
    """The gradients of each centroid, combined in a wrong way."""
    return lambda g, codes, k: np.array([combine(g[codes == j]) if np.any(codes == j) else 0.0 for j in range(k)])


def _assigned(gradient, codes, k):
    found = np.zeros(k)
    found[codes.ravel()] += gradient.ravel()
    return found


GRADIENT = {
    "this is the mean; moving c moves all of its weights, so their gradients add up.": _each(np.mean),
    "`found[codes] += gradient` keeps the last one where a code comes twice: np.bincount adds.": _assigned,
    "these are how many weights each centroid has; their gradients are wanted.": (
        lambda g, codes, k: np.bincount(codes.ravel(), minlength=k).astype(float)
    ),
    "gradients have a sign, and may cancel: no absolute value.": lambda g, codes, k: _added(np.abs(g), codes, k),
    "the sum may be negative, too: no absolute value.": lambda g, codes, k: np.abs(_added(g, codes, k)),
    "this is a step against the gradient; the gradient itself is wanted.": lambda g, codes, k: -_added(g, codes, k),
    "this is the largest of its gradients; all of them count.": _each(np.max),
    "this is one gradient of each centroid; all of them count.": _each(lambda part: part.ravel()[0]),
    "the sum of squares is something else: just add.": lambda g, codes, k: _added(g * g, codes, k),
    "this is divided by the number of all weights.": lambda g, codes, k: _added(g, codes, k) / g.size,
    "the codes begin at 0: centroid j has the weights of code j, not of j + 1.": (
        lambda g, codes, k: np.append(_added(g, codes, k)[1:], 0.0)
    ),
    "a code says which centroid it is; it is no factor.": lambda g, codes, k: _added(g * codes, codes, k),
    "gradients are no whole numbers: collect them in an array of floats.": (
        lambda g, codes, k: np.trunc(_added(g, codes, k))
    ),
}


def centroid_gradient(answer, rng) -> None:
    """The check of 6.2."""
    cases = [
        (np.array([2.0]), np.array([0]), 1),
        (np.array([5.0, 2.0, 3.0, 1.0]), np.array([0, 1, 0, 0]), 2),
        (np.array([1.0, -2.0, 4.0]), np.array([2, 0, 2]), 4),
        (rng.normal(size=30), rng.integers(0, 5, 30), 6),
        (rng.normal(size=(6, 5)), rng.integers(0, 4, (6, 5)), 4),
    ]

    def in_form(gradient, codes, k):
        """The answer, if it has k numbers."""
        got = ask(answer, gradient, codes, k)
        shape, sentence = np.shape(got), ""
        if shape == (codes.max() + 1,) != (k,):
            sentence = "a centroid without weights gets 0, too: `np.bincount` has `minlength` for it."
        elif shape == (k + 1,):
            sentence = "the codes are 0 to k − 1: k numbers are wanted, not k + 1."
        elif shape == codes.shape != (k,):
            sentence = "one number for each centroid is wanted, not one for each weight."
        elif shape == () and isinstance(got, (int, float, np.number)):
            sentence = "one number for each centroid is wanted, not one for all."
        if sentence:
            given = shown_inputs(answer, (gradient, codes, k))
            raise Wrong(sentence, given=given, expected=_added(gradient, codes, k), got=got)

    for case in cases[1:]:
        in_form(*case)
    otherwise = "for each j add the gradients of the weights whose code is j."
    compare(answer, _added, cases, GRADIENT, otherwise=otherwise)


# ------------------------------------------------------------------ 6.3

BITS = {
    40: "so many bits take codes of a fixed width, 2 bits each. After 3 and 2 the two rarest groups are 5 and 5, not "
    "5 and 10.",
    9: "these are the lengths of the four codes, added up; each counts as often as its symbol comes.",
    37: "this is the unary code 0, 10, 110, 1110. The last two may have 3 bits each: 110 and 111.",
    53: "the lengths are the wrong way round: the most frequent symbol gets the shortest code.",
    15: "one sum is missing. Join 3 and 2 first, then 5 and 5, then 10 and 10.",
    25: "one sum is missing. Join 3 and 2 first, then 5 and 5, then 10 and 10.",
    30: "one sum is missing. Join 3 and 2 first, then 5 and 5, then 10 and 10.",
    20: "this is the last group alone: how many symbols there are. Each time two groups are joined, all symbols in "
    "them get one bit more.",
    60: "3 bits for each are more than a fixed width takes: four symbols need 2. Here the frequent one gets 1.",
    160: "these are bytes of 8 bits: a code has 1, 2 or 3 bits, and no byte is filled up between them.",
    5: "these are bytes; wanted are the bits.",
    4.375: "these are bytes; wanted are the bits.",
    2.25: "this is the mean length of the four codes. A frequent one counts more often, and all twenty are wanted.",
}


def bits(answer, rng) -> None:
    """The check of 6.3."""
    got = number(answer)
    if np.isclose(got, 34.85, atol=0.1):
        raise Wrong("this is the entropy: a bound. Huffman gives each symbol a whole number of bits.", got=answer)
    if np.isclose(got, 1.7427, atol=0.004):
        raise Wrong("this is the entropy of one symbol. Wanted are Huffman's bits, for all twenty.", got=answer)
    if np.isclose(got, 1.75, atol=0.003):
        raise Wrong("this is bits per symbol; wanted are all twenty together.", got=answer)
    if got in BITS:
        raise Wrong(BITS[got], got=answer)
    if got < 35:
        raise Wrong("below the entropy of these symbols, 34.9 bits: no code can do that.", got=answer)
    if got != 35:
        raise Wrong(
            "join the two rarest groups, again and again; each time, their symbols get one bit more.", got=answer
        )
