"""Checks of the exercises 6d.1 and 6d.3, distillation: softmax and gradient."""

from __future__ import annotations

import numpy as np

from qlib.distillation import distillation_gradient, high_temperature_gradient, log_softmax, softmax
from qlib.exercises.asking import Wrong, ask, compare, same_form, shown_inputs

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
            "the temperature is squared; T² belongs to the loss. Here the logits are divided by T.": (
                lambda v, t: softmax(v, t * t)
            ),
            "the sign is wrong: the largest logit gets the smallest probability.": lambda v, t: softmax(-v, t),
            "softmax is taken twice, the second time of probabilities. Divide the logits.": (
                lambda v, t: softmax(softmax(v), t)
            ),
            "these are roots of the probabilities at 1, and they do not sum to 1. Divide each row by its sum.": (
                lambda v, t: softmax(v) ** (1 / t)
            ),
            "exp is missing: these are the logits divided by their sum.": lambda v, t: v / v.sum(axis=1, keepdims=True),
            "this is 1 for the largest logit and 0 for the others; softmax gives a share to each.": (
                lambda v, t: np.eye(v.shape[1])[v.argmax(axis=1)]
            ),
            "these are rounded; keep all digits.": lambda v, t: softmax(v, t).round(3),
        },
        otherwise="divide the logits by T, take exp, and divide each row by its sum.",
    )
    for case in ((LARGE, 0.5), (-LARGE, 0.5)):
        got, given, expected = ask(answer, *case), shown_inputs(answer, case), softmax(*case)
        same_form(got, expected, given)
        if not np.isfinite(np.asarray(got, np.float64)).all():
            raise Wrong(
                "right for small logits; here exp is too large for a float, or all of a row become 0. Take the "
                "largest of each row away first.",
                given=given,
                expected=expected,
                got=got,
            )
        compare(
            answer,
            softmax,
            [case],
            otherwise="right for small logits, not for large ones. Take the largest of each row away first; then "
            "nothing needs to be cut off or replaced.",
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
                lambda z, v, t: high_temperature_gradient(z, v, t) * t**2 / len(z)
            ),
            "these are the logits divided by N, (z − v) / N, as at a high temperature; here it is not high.": (
                lambda z, v, t: (z - v) / z.size
            ),
            "the logits are subtracted; the difference of the probabilities is wanted.": lambda z, v, t: (
                (z - v) / len(z)
            ),
            "p and q have no temperature, and the factor T is missing.": (
                lambda z, v, t: (softmax(z) - softmax(v)) / len(z)
            ),
            "logarithms are subtracted; the difference of the probabilities is wanted.": (
                lambda z, v, t: t * (log_softmax(z, t) - log_softmax(v, t)) / len(z)
            ),
            "this is the derivative with respect to q. The logits z stand inside of the softmax, whose own "
            "derivative is missing.": lambda z, v, t: -(t**2) * softmax(v, t) / softmax(z, t) / len(z),
            "only the term i = k is here. A logit changes all q, by the sum below the fraction line.": (
                lambda z, v, t: -t * softmax(v, t) * (1 - softmax(z, t)) / len(z)
            ),
            "the signs are lost: a gradient says in which direction, too.": lambda z, v, t: np.abs(right(z, v, t)),
            "it is divided by the number of classes; the mean runs over the images.": (
                lambda z, v, t: right(z, v, t) * len(z) / z.shape[1]
            ),
        },
        otherwise="T² · (1/T) · (q − p) / n, with q and p at temperature T.",
    )
