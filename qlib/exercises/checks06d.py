"""Checks of the exercises of lesson 06d, distillation, in the order in which they stand."""

from __future__ import annotations

import numpy as np

from qlib.distillation import distillation_gradient, distillation_loss, softmax
from qlib.exercises.asking import Wrong, ask, compare, same_form, shown_inputs
from qlib.mixed import cross_entropy

LARGE = np.array([[1000.0, 998.0, 0.0], [2.0, 0.0, 1.0]])


def tempered(answer, rng) -> None:
    """The check of 6d.1."""
    small = [np.log([[1.0, 4.0]]), np.log([[1.0, 4.0, 16.0], [1.0, 1.0, 4.0]])]
    cases = [(small[0], 2.0), (small[1], 2.0), (small[1], 1.0), (rng.normal(0, 4, (4, 5)), 3.5)]
    compare(
        answer,
        softmax,
        cases,
        {
            "the temperature is not used.": lambda v, t: softmax(v),
            "the logits are multiplied by the temperature: a high one would make the teacher surer, not less sure.": (
                lambda v, t: softmax(v, 1 / t)
            ),
            "the probabilities are divided by the temperature, and no longer sum to 1. Divide the logits.": (
                lambda v, t: softmax(v) / t
            ),
            "the sum runs over all images; each row must sum to 1.": lambda v, t: np.exp(v / t) / np.exp(v / t).sum(),
            "the sum runs over the images, down the columns; it belongs to the classes of each row.": (
                lambda v, t: np.exp(v / t) / np.exp(v / t).sum(axis=0)
            ),
            "these are not divided by their sum, so they are no probabilities.": lambda v, t: np.exp(v / t),
            "this is not divided by the sum; only the row's largest was taken away.": (
                lambda v, t: np.exp((v - v.max(axis=1, keepdims=True)) / t)
            ),
            "this is the power of 2; softmax takes powers of e.": lambda v, t: softmax(v * np.log(2), t),
            "these are the logarithms of the probabilities.": lambda v, t: np.log(softmax(v, t)),
            "the sum is divided by the temperature as well; only the logits are.": (
                lambda v, t: np.exp(v / t) / (np.exp(v).sum(axis=1, keepdims=True) / t)
            ),
            "the sum is taken at temperature 1; numerator and sum need the same temperature.": (
                lambda v, t: np.exp(v / t) / np.exp(v).sum(axis=1, keepdims=True)
            ),
            "the exponential is divided by the temperature, where it cancels. Divide the logits.": (
                lambda v, t: softmax(v)
            ),
        },
        otherwise="divide the logits by T, take exp, and divide each row by its sum.",
    )
    got = ask(answer, LARGE, 0.5)
    given, expected = shown_inputs(answer, (LARGE, 0.5)), softmax(LARGE, 0.5)
    same_form(got, expected, given)
    if not np.isfinite(np.asarray(got, np.float64)).all():
        raise Wrong(
            "right for small logits; here exp is too large for a float, or all of a row become 0. Take the largest of "
            "each row away first.",
            given=given,
            expected=expected,
            got=got,
        )
    compare(answer, softmax, [(LARGE, 0.5), (-LARGE, 0.5)], otherwise="right for small logits, another result here.")


# ------------------------------------------------------------------ the loss


def loss(answer, rng) -> None:
    """The check of 6d.2."""
    z, v = np.log([[1.0, 4.0]]), np.log([[9.0, 1.0]])
    cases = [(z, v, np.array([0]), alpha, t) for alpha, t in ((1.0, 2.0), (0.0, 1.0), (0.0, 2.0), (0.25, 2.0))]
    for n in (2, 5):
        many = rng.normal(0, 3, (2, n, 4))
        cases.append((*many, rng.integers(0, 4, n), 0.3, 3.0))

    def of(hard_t=1.0, student_t=None, teacher_t=None, power=2, swap=False, both=False):
        def value(z, v, y, a, t):
            p, q = softmax(v, teacher_t or t), softmax(z, student_t or t)
            p, q = (q, p) if swap else (p, q)
            soft = np.sum(p * np.log(p / q), axis=1).mean()
            hard = cross_entropy(z / (t if hard_t is None else hard_t), y)
            return a * hard * (t**2 if both else 1) + (1 - a) * t**power * soft

        return value

    def soft_entropy(z, v, y, a, t):
        p = softmax(v, t)
        return a * cross_entropy(z, y) - (1 - a) * t**2 * np.sum(p * np.log(softmax(z, t)), axis=1).mean()

    compare(
        answer,
        lambda z, v, y, a, t: distillation_loss(z, v, y, alpha=a, temperature=t),
        cases,
        {
            "T² is missing: the teacher would hardly count at a high temperature.": of(power=0),
            "the second term is multiplied by T, not by T².": of(power=1),
            "KL runs the wrong way: the teacher's p stands in front of the logarithm, KL(p ‖ q) = Σ p log(p / q).": (
                of(swap=True)
            ),
            "the labels meet the student at temperature T; they belong to its own probabilities, at 1.": of(
                hard_t=None
            ),
            "only the teacher has the temperature T; the student needs the same one in the second term.": (
                of(student_t=1.0)
            ),
            "only the student has the temperature T; the teacher needs the same one.": of(teacher_t=1.0),
            "alpha is the weight of the labels, 1 − alpha that of the teacher; here they are swapped.": (
                lambda z, v, y, a, t: of()(z, v, y, 1 - a, t)
            ),
            "this is the sum over the images; the mean is wanted.": lambda z, v, y, a, t: len(y) * of()(z, v, y, a, t),
            "this is cross-entropy with soft targets. Its gradient is the same, but KL also takes away the teacher's "
            "own entropy: it is 0 for a perfect student.": soft_entropy,
            "T² belongs to the teacher's term alone.": of(both=True),
            "this is in bits; with log in place of log2 it is in nats.": (
                lambda z, v, y, a, t: of()(z, v, y, a, t) / np.log(2)
            ),
            "the sign is wrong: a loss is 0 for a perfect student, and larger for any other.": (
                lambda z, v, y, a, t: -of()(z, v, y, a, t)
            ),
            "the two terms are added without their weights alpha and 1 − alpha.": (
                lambda z, v, y, a, t: of()(z, v, y, 1, t) + of()(z, v, y, 0, t)
            ),
            "Σ p log(p / q) is a sum over the classes; a mean makes it too small.": (
                lambda z, v, y, a, t: (
                    of()(z, v, y, a, 1) * 0 + a * cross_entropy(z, y) + of()(z, v, y, 0, t) * (1 - a) / z.shape[1]
                )
            ),
            "the labels are compared with the teacher; they belong to the student.": (
                lambda z, v, y, a, t: a * cross_entropy(v, y) + (1 - a) * of()(z, v, y, 0, t)
            ),
        },
        otherwise="alpha · (−log of the label's probability at 1) + (1 − alpha) · T² · Σ p log(p / q), the mean.",
    )


def gradient(answer, rng) -> None:
    """The check of 6d.3."""
    cases = [(np.log([[1.0, 4.0]]), np.log([[9.0, 1.0]]), t) for t in (1.0, 2.0)]
    cases += [(*rng.normal(0, 3, (2, n, 4)), 3.0) for n in (2, 5)]

    def right(z, v, t):
        return distillation_gradient(z, v, np.zeros(len(z), int), alpha=0.0, temperature=t)

    compare(
        answer,
        right,
        cases,
        {
            "the sign is wrong: where the student gives too much (q > p), the loss rises with its logit.": (
                lambda z, v, t: -right(z, v, t)
            ),
            "T² is missing: this is the gradient of KL alone.": lambda z, v, t: right(z, v, t) / t**2,
            "the inner derivative 1/T is missing: the logits are divided by T before the softmax.": (
                lambda z, v, t: right(z, v, t) * t
            ),
            "the loss is a mean over the images, so its gradient is divided by their number.": (
                lambda z, v, t: right(z, v, t) * len(z)
            ),
            "the factors T² and 1/T make T; it is missing.": lambda z, v, t: right(z, v, t) / t,
            "both probabilities are needed at temperature T, these are at 1.": (
                lambda z, v, t: t * (softmax(z) - softmax(v)) / len(z)
            ),
            "the student's probabilities are at temperature 1; both need T.": (
                lambda z, v, t: t * (softmax(z) - softmax(v, t)) / len(z)
            ),
            "the teacher's probabilities are at temperature 1; both need T.": (
                lambda z, v, t: t * (softmax(z, t) - softmax(v)) / len(z)
            ),
            "this is the teacher's label alone: the gradient of a hard target.": (
                lambda z, v, t: t * (softmax(z, t) - np.eye(z.shape[1])[v.argmax(axis=1)]) / len(z)
            ),
            "this is what the gradient comes close to at a high temperature, (z − v) / N; here it is not high.": (
                lambda z, v, t: (z - v) / z.shape[1] / len(z)
            ),
            "it is divided by the number of classes; the mean runs over the images.": (
                lambda z, v, t: right(z, v, t) * len(z) / z.shape[1]
            ),
        },
        otherwise="T² · (1/T) · (q − p) / n, with q and p at temperature T.",
    )


def paired(answer, rng) -> None:
    """The check of 6d.4."""
    cases = [(np.array([0.5, 0.8, 0.9]), np.array([0.6, 0.6, 0.9]))]
    cases += [(rng.uniform(0.9, 1, n), rng.uniform(0.9, 1, n)) for n in (4, 7)]

    def of(a, b, ddof=1, root=True):
        d = np.asarray(a) - b
        return float(d.mean()), float(d.std(ddof=ddof) / (np.sqrt(len(d)) if root else 1))

    for case in cases:  # no smaller pieces: of two pairs, n − 1 and √n would mix up
        got, expected = ask(answer, *case), of(*case)
        given = shown_inputs(answer, case)
        same_form(got, expected, given)
        if np.allclose(got, expected, rtol=1e-6, atol=1e-12):
            continue
        a, b = case
        n, mean = len(a), expected[0]
        absolute = np.abs(a - b)
        squares = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
        wrong = {
            "the difference is taken the wrong way: with the teacher minus without, so that help is positive.": (
                -mean,
                expected[1],
            ),
            "this is the error of two separate groups. Seeds are paired: take the differences first.": (mean, squares),
            "this is the standard deviation of the differences; divided by √n it is their standard error.": (
                of(a, b, root=False)
            ),
            "the standard deviation of a sample has n − 1 in its denominator (ddof=1).": of(a, b, ddof=0),
            "the standard deviation is divided by n; it is divided by √n.": (mean, expected[1] / np.sqrt(n)),
            "without their signs, differences never cancel, and noise would look like help.": of(absolute, 0 * b),
            "the second is the variance of the mean; its square root is the standard error.": (mean, expected[1] ** 2),
            "the two standard deviations are subtracted; the spread of the differences is wanted.": (
                mean,
                a.std(ddof=1) - b.std(ddof=1),
            ),
            "the standard error comes second: mean, then error.": expected[::-1],
            "this is the sum of the differences; the mean is wanted.": (n * mean, expected[1]),
            "this is the median of the differences; the mean is wanted.": (float(np.median(a - b)), expected[1]),
        }
        for sentence, values in wrong.items():
            if np.allclose(got, values, rtol=1e-6, atol=1e-12):
                raise Wrong(sentence, given=given, expected=expected, got=got)
        raise Wrong(
            "the mean of the differences, and their standard deviation divided by √n.",
            given=given,
            expected=expected,
            got=got,
        )
