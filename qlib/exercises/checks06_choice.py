"""The check of exercise 6.4: the smallest file that loses nothing beyond noise."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, ask, shown
from qlib.results import IMAGES

REFERENCE = 9_882  # one standard error is 10.8: the least is 9,860.4


def _error(right: float) -> float:
    """The standard error of a count of 10,000."""
    return float(np.sqrt(right * (IMAGES - right) / IMAGES))


def _smallest(reference, rows, errors=2, of_seeds=np.mean) -> str:
    return _smallest_of(reference, rows, lambda right: of_seeds(right) >= reference - errors * _error(reference))


def _smallest_of(reference, rows, fits) -> str:
    return min((size, name) for name, size, right in rows if fits(right))[1]


def _by(fits):
    """The smallest of those that fit in another way."""
    return lambda ref, rows: _smallest_of(ref, rows, lambda right: fits(ref, np.mean(right), right))


def _among(choose):
    """Another than the smallest of those that fit."""
    return lambda ref, rows: choose([row for row in rows if np.mean(row[2]) >= ref - 2 * _error(ref)])[0]


CHOICE = {
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
    "this is the median over the seeds; compare the mean.": lambda ref, rows: _smallest(ref, rows, 2, np.median),
    "the seeds must not be added up: compare their mean.": lambda ref, rows: _smallest(ref, rows, 2, np.sum),
    "only the first seed is looked at; take the mean.": lambda ref, rows: _smallest(
        ref, rows, 2, lambda right: right[0]
    ),
    "a mean a little below the reference is still noise: allow two standard errors, as a count of 10,000.": (
        lambda ref, rows: _smallest(ref, rows, 0)
    ),
    "two standard errors are allowed, not one.": lambda ref, rows: _smallest(ref, rows, 1),
    "two standard errors are allowed, not three.": lambda ref, rows: _smallest(ref, rows, 3),
    "two standard errors are allowed, not four.": lambda ref, rows: _smallest(ref, rows, 4),
    "the root is missing: n(10000 − n)/10000 is the square of the standard error.": (
        _by(lambda ref, mean, right: mean >= ref - 2 * _error(ref) ** 2)
    ),
    "who is better than the reference by more than noise loses nothing either: no absolute value.": (
        _by(lambda ref, mean, right: abs(mean - ref) <= 2 * _error(ref))
    ),
    "the standard error is that of the reference, n = reference, whatever the method.": (
        _by(lambda ref, mean, right: mean >= ref - 2 * _error(mean))
    ),
    "the rule takes the standard error of the reference as it is, not divided by the root of the seeds.": (
        _by(lambda ref, mean, right: mean >= ref - 2 * _error(ref) / np.sqrt(len(right)))
    ),
    "this is the first that loses nothing; wanted is the smallest of these.": _among(lambda rows: rows[0]),
    "this is the last that loses nothing; wanted is the smallest of these.": _among(lambda rows: rows[-1]),
    "this is the largest that loses nothing; wanted is the smallest.": _among(
        lambda rows: max(rows, key=lambda r: r[1])
    ),
    "`min` of rows compares their names; compare the bytes, which stand second.": _among(min),
}
BY_HAND = [  # bytes and right, the rule's choice neither first nor last
    [(600, [9_880]), (300, [9_864, 9_866, 9_868]), (900, [9_884]), (100, [9_820, 9_890, 9_800]), (50, [9_500])],
    [(500, [9_890]), (200, [9_875, 9_855, 9_869]), (400, [9_900]), (80, [9_872, 9_810, 9_850])],
    [(600, [9_883]), (700, [9_895]), (340, [9_862]), (330, [9_859]), (350, [9_873])],
    [(450, [9_881]), (250, [9_930]), (240, [9_852, 9_850, 9_856]), (230, [9_868, 9_865, 9_700])],
    [(410, [9_885]), (260, [9_861]), (255, [9_841, 9_840, 9_842]), (200, [9_667]), (420, [9_880])],
]
NAMES = ["bcade", "bcade", "edcba", "abcde"]  # so that who compares names makes no other slip's choices


def choice(answer, rng) -> None:
    """The check of 6.4."""
    cases = []
    for names, rows in zip([*NAMES, rng.permutation(list("abcde")).tolist()], BY_HAND, strict=True):
        factor = int(rng.integers(1, 50))
        named = zip(names, rows, strict=False)
        cases.append((REFERENCE, [(name, factor * size, right) for name, (size, right) in named]))
    for reference, rows in cases:
        got, expected = ask(answer, reference, rows), _smallest(reference, rows)
        given = f"right of {IMAGES:,}: {reference}; rows {shown(rows)}"
        found = {name: right for name, _, right in rows}
        if not isinstance(got, str):
            raise Wrong("the name of a method is wanted, as text.", given=given, expected=expected, got=got)
        if got not in found:
            raise Wrong("there is no method of this name.", given=given, expected=expected, got=got)
        if got != expected:
            same = [s for s, slip in CHOICE.items() if all(_same(answer, slip, case) for case in cases)]
            least = reference - 2 * _error(reference)
            mean = np.mean(found[got])
            sentence = "it loses nothing, but it is not the smallest that loses nothing."
            if mean < least:
                sentence = f"its mean is {mean:,.1f}; two standard errors below the reference are {least:,.1f}."
            raise Wrong((same or [sentence])[0], given=given, expected=expected, got=got)


def _same(answer, slip, case) -> bool:
    try:
        return ask(answer, *case) == slip(*case)
    except (Wrong, ValueError):
        return False
