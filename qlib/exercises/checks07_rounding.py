"""Checks of the exercises 7.8 to 7.10: one step of GPTQ, bias correction, the scales of equalization."""

from __future__ import annotations

import numpy as np

from qlib.equalize import equalizing_scales, ranges_in, ranges_out
from qlib.exercises.asking import Wrong, ask, compare, same_form, shown_inputs

# ------------------------------------------------------------------- 7.8


@np.errstate(all="ignore")  # a mistake may divide by 0
def step(answer, rng) -> None:
    """The check of 7.8."""
    cases = [([0.4, 0.4], [[1.0, 0.9], [0.9, 1.0]], 0.0), ([0.6, -0.2, 0.3], [[4, 1, 0], [1, 3, 1], [0, 1, 2]], 1.0)]
    cases = [(np.array(w), np.array(h, float), rounded) for w, h, rounded in cases]
    for size, steps in ((4, 4), (6, 1)):  # codes are steps of a quarter, and of 1
        x, w = rng.normal(size=(3 * size, size)), rng.normal(size=size)
        cases.append((w, x.T @ x / size, float(np.rint(w[0] * steps) / steps)))
    compare(
        answer,
        _step,
        cases,
        {
            "the sign: what the first weight lost, the others must give, so the correction is subtracted from w with "
            "the error w[0] − rounded.": lambda w, h, r: w[1:] + _share(h) * (w[0] - r),
            "this takes H itself; the ratio is one of its inverse.": lambda w, h, r: (
                w[1:] - h[1:, 0] / h[0, 0] * (w[0] - r)
            ),
            "this takes H itself, and adds: the ratio is one of its inverse.": lambda w, h, r: (
                w[1:] + h[1:, 0] / h[0, 0] * (w[0] - r)
            ),
            "the division by the first diagonal entry of the inverse is missing.": lambda w, h, r: (
                w[1:] - np.linalg.inv(h)[1:, 0] * (w[0] - r)
            ),
            "the inverse's column is divided by H's own diagonal; both belong to the inverse.": lambda w, h, r: (
                w[1:] - np.linalg.inv(h)[1:, 0] / h[0, 0] * (w[0] - r)
            ),
            "each weight is divided by its own diagonal entry; it is the one of the weight that was rounded.": (
                lambda w, h, r: w[1:] - np.linalg.inv(h)[1:, 0] / np.diag(np.linalg.inv(h))[1:] * (w[0] - r)
            ),
            "`1 / h` inverts each number; `np.linalg.inv(h)` inverts the matrix.": lambda w, h, r: (
                w[1:] - (1 / h)[1:, 0] / (1 / h)[0, 0] * (w[0] - r)
            ),
            "the error is spread evenly; those whose inputs go with the first one should take more of it.": (
                lambda w, h, r: w[1:] + (w[0] - r) / (len(w) - 1)
            ),
            "each weight takes the whole error; then they make up for it too often.": lambda w, h, r: (
                w[1:] + (w[0] - r)
            ),
            "nothing was moved: this is what rounding to the nearest does.": lambda w, h, r: w[1:],
            "this is the change alone; add it to w[1:].": lambda w, h, r: -_share(h) * (w[0] - r),
            "the others make up for the *error* w[0] − rounded, not for the weight itself.": lambda w, h, r: (
                w[1:] - _share(h) * w[0]
            ),
            "the others make up for the *error* w[0] − rounded, not for what it was rounded to.": lambda w, h, r: (
                w[1:] - _share(h) * r
            ),
            "the others stay reals here: each is rounded in its own turn.": lambda w, h, r: np.rint(_step(w, h, r)),
            "the error is w[0] − rounded; `rounded` need not be the nearest integer.": lambda w, h, r: _step(
                w, h, np.rint(w[0])
            ),
            "the column and the division belong together: this divides the error, and shares it evenly.": (
                lambda w, h, r: w[1:] - (w[0] - r) / np.linalg.inv(h)[0, 0]
            ),
            "the second row was taken for the first: index 0 is the weight that was rounded.": lambda w, h, r: (
                w[1:] - np.linalg.inv(h)[1:, 1] / np.linalg.inv(h)[1, 1] * (w[0] - r)
            ),
        },
        otherwise="w[1:] − (column 0 of the inverse, below the first) / (its first entry) · (w[0] − rounded).",
    )


def _share(h):
    inverse = np.linalg.inv(h)
    return inverse[1:, 0] / inverse[0, 0]


def _step(w, h, rounded):
    if len(w) != len(h):
        raise ValueError("w: expected as many weights as rows of h")
    return w[1:] - _share(h) * (w[0] - rounded)


# ------------------------------------------------------------------- 7.9


def bias(answer, rng) -> None:
    """The check of 7.9."""
    x = np.array([[1.0, 5.0], [2.0, 1.0], [9.0, 3.0]])
    cases = [(np.array([0.25]), np.array([[0.4], [0.3]]), np.array([[0.0], [1.0]]), x)]
    for inputs, outputs, least in ((3, 2, 0), (6, 4, 0), (4, 2, -9)):  # at last inputs that no ReLU has cut
        w, x = rng.normal(size=(inputs, outputs)), np.maximum(rng.normal(0.5, 1, size=(9, inputs)), least)
        cases.append((rng.normal(size=outputs), w, np.rint(w), x))

    def error(w, w_hat):
        return w_hat - w

    compare(
        answer,
        _bias,
        cases,
        {
            "the sign: what the outputs gained on average is *subtracted* from the bias.": lambda b, w, v, x: (
                b + x.mean(axis=0) @ error(w, v)
            ),
            "this is the sum over the samples; the bias is added to each of them, so take the mean.": (
                lambda b, w, v, x: b - x.sum(axis=0) @ error(w, v)
            ),
            "the inputs are left out: an error of a weight counts as often as its input is large.": (
                lambda b, w, v, x: b - error(w, v).sum(axis=0)
            ),
            "the inputs are left out, and the errors averaged: an output is a sum of weights times inputs.": (
                lambda b, w, v, x: b - error(w, v).mean(axis=0)
            ),
            "this is the shift alone; the bias minus it is wanted.": lambda b, w, v, x: x.mean(axis=0) @ error(w, v),
            "this is the correction alone; add it to the bias.": lambda b, w, v, x: -x.mean(axis=0) @ error(w, v),
            "the whole mean of the new output is taken away; only what *changed* should be, w_hat − w.": (
                lambda b, w, v, x: b - x.mean(axis=0) @ v
            ),
            "one sample is not the mean: E[x] is the mean over all rows of x.": lambda b, w, v, x: (
                b - x[0] @ error(w, v)
            ),
            "nothing was corrected: this is the bias that came in.": lambda b, w, v, x: b,
            "one mean for all inputs: each input has its own.": lambda b, w, v, x: (
                b - x.mean() * error(w, v).sum(axis=0)
            ),
            "one shift for all outputs: each output has its own.": lambda b, w, v, x: (
                b - np.mean(x.mean(axis=0) @ error(w, v))
            ),
            "the size of the shift is taken away whatever its sign; leave the sign.": lambda b, w, v, x: (
                b - np.abs(x.mean(axis=0) @ error(w, v))
            ),
            "the shift is a sum over the inputs, not a mean: don't divide by their number.": lambda b, w, v, x: (
                b - x.mean(axis=0) @ error(w, v) / len(w)
            ),
            "E[x] is the mean of x itself, not of |x|: inputs may be negative.": lambda b, w, v, x: (
                b - np.abs(x).mean(axis=0) @ error(w, v)
            ),
            "the zeros count, too: E[x] is the mean over all rows, not over those where x is positive.": (
                lambda b, w, v, x: b - x.sum(axis=0) / np.maximum((x > 0).sum(axis=0), 1) @ error(w, v)
            ),
            "the shift of the output is subtracted from the bias; it doesn't multiply it.": lambda b, w, v, x: (
                b * (1 - x.mean(axis=0) @ error(w, v))
            ),
            "the median is not the mean: only the mean of a sum is the sum of the means.": lambda b, w, v, x: (
                b - np.median(x, axis=0) @ error(w, v)
            ),
        },
        otherwise="bias − E[x] @ (w_hat − w), with the mean over the samples.",
    )


def _bias(b, w, w_hat, x):
    if b.shape != w.shape[1:]:
        raise ValueError("bias: expected one for each output")
    return b - np.mean(x, axis=0) @ (w_hat - w)


# ------------------------------------------------------------------- 7.10


@np.errstate(all="ignore")  # a mistake may divide by 0
def scales(answer, rng) -> None:
    """The check of 7.10: first without dead units, then with."""
    alive = [(np.array([[8.0, -1.0], [2.0, 0.5]]), np.array([[2.0, 1.0], [-4.0, 3.0]]))]
    alive += [(rng.normal(size=(5, units)) * 4, rng.normal(size=(units, 3))) for units in (3, 6)]
    compare(answer, _scales, alive, MISTAKES, otherwise=SCALES)
    for dead in (0, 1, 2):
        first, second = rng.normal(size=(4, 3)) * 4, rng.normal(size=(3, 5))
        if dead != 1:
            first[:, 1] = 0
        if dead != 0:
            second[1] = 0
        got, expected = ask(answer, first, second), _scales(first, second)
        given = shown_inputs(answer, (first, second))
        same_form(got, expected, given)
        if not np.isfinite(np.asarray(got, float)).all():
            sentence = "a dead unit has a range of 0, and this divides by it: there s = 1 is wanted."
            raise Wrong(sentence, given=given, expected=expected, got=got)
        if np.asarray(got)[1] != 1:
            sentence = "a dead unit has nothing to make equal: its s stays 1, and the others are as before."
            raise Wrong(sentence, given=given, expected=expected, got=got)
        compare(answer, _scales, [(first, second)], MISTAKES, otherwise=SCALES)


def _scales(first, second):
    return equalizing_scales(ranges_out(first), ranges_in(second, len(second)))


def _ranges(first, second, of=np.max):
    return of(np.abs(first), axis=0), of(np.abs(second), axis=1)


def _by(formula, of=np.max):
    return lambda first, second: formula(*_ranges(first, second, of))


SCALES = "s = √(r1 · r2) / r2, with r1 the largest |w| of each column of first, r2 of each row of second."
MISTAKES = {
    "upside down: first is divided by s, so s is large where *its* range is large.": _by(lambda a, b: np.sqrt(b / a)),
    "without the root first gets the whole range of second: then only the two have changed places.": _by(
        lambda a, b: a / b
    ),
    "the division by r2 is missing: √(r1 r2) is the range that both shall have, not the factor.": _by(
        lambda a, b: np.sqrt(a * b)
    ),
    "this divides by r1: then second gets the factor that first should have.": _by(lambda a, b: np.sqrt(a * b) / a),
    "second is left out: this makes the ranges of first equal to 1, whatever second then has.": _by(lambda a, b: a),
    "first is left out: this makes the ranges of second equal to 1.": _by(lambda a, b: 1 / b),
    "this is the mean of |w|; a range is its largest.": _by(lambda a, b: np.sqrt(a / b), np.mean),
    "this is the standard deviation; a range is the largest |w|.": lambda first, second: np.sqrt(
        first.std(axis=0) / second.std(axis=1)
    ),
    "without the magnitude: a range is the largest |w|, also where the weight is negative.": lambda first, second: (
        np.sqrt(first.max(axis=0) / second.max(axis=1))
    ),
    "one range for the whole tensor: each unit has its own.": lambda first, second: np.full(
        len(second), np.sqrt(np.abs(first).max() / np.abs(second).max())
    ),
    "nothing is scaled: all s are 1.": lambda first, second: np.ones(len(second)),
    "the range is from the smallest to the largest here; with symmetric codes it is the largest |w|.": (
        lambda first, second: np.sqrt(np.ptp(first, axis=0) / np.ptp(second, axis=1))
    ),
}
