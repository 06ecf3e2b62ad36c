"""The check of exercise 6d.2, distillation: the loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qlib.distillation import distillation_loss, log_softmax, softmax
from qlib.exercises.asking import compare
from qlib.mixed import cross_entropy


def loss(answer, rng) -> None:
    """The check of 6d.2."""
    z, v = np.log([[1.0, 4.0]]), np.log([[9.0, 1.0]])
    cases = [(z, v, np.array([0]), alpha, t) for alpha, t in ((1.0, 2.0), (0.0, 1.0), (0.0, 2.0), (0.25, 2.0))]
    for n in (2, 5):
        many = rng.normal(0, 2, (2, n, 4))
        cases.append((*many, rng.integers(0, 4, n), 0.3, 3.0))
    compare(
        answer,
        lambda z, v, y, a, t: distillation_loss(z, v, y, alpha=a, temperature=t),
        cases,
        MISCONCEPTIONS,
        otherwise="alpha · (−log of the label's probability at 1) + (1 − alpha) · T² · Σ p log(p / q), the mean.",
        rtol=1e-3,  # a small number added inside of a logarithm, against log(0), is no mistake
    )


def _of(hard_t=1.0, student_t=None, teacher_t=None, power=2, swap=False, both=False) -> Callable:
    """The loss with other temperatures, another power of T, KL the other way, or T² on both terms."""

    def value(z, v, y, a, t):
        p, q = softmax(v, teacher_t or t), softmax(z, student_t or t)
        p, q = (q, p) if swap else (p, q)
        soft = np.sum(p * np.log(p / q), axis=1).mean()
        hard = cross_entropy(z / (t if hard_t is None else hard_t), y)
        return a * hard * (t**2 if both else 1) + (1 - a) * t**power * soft

    return value


def _mixed(hard: Callable, soft: Callable) -> Callable:
    """The loss with another first term, or with another one in place of KL."""
    return lambda z, v, y, a, t: a * hard(z, v, y, t) + (1 - a) * t**2 * soft(z, v, y, t)


def _ce(z, v, y, t):
    return cross_entropy(z, y)


def _kl(z, v, y, t):
    return _of()(z, v, y, 0, t) / t**2


def _said(rows, y):
    return rows[np.arange(len(y)), y]


def _soft_entropy(z, v, y, a, t):
    p = softmax(v, t)
    return a * cross_entropy(z, y) - (1 - a) * t**2 * np.sum(p * log_softmax(z, t), axis=1).mean()


MISCONCEPTIONS = {
    "T² is missing: the teacher would hardly count at a high temperature.": _of(power=0),
    "the second term is multiplied by T, not by T².": _of(power=1),
    "the second term is divided by T²; it is multiplied.": _of(power=-2),
    "KL runs the wrong way: the teacher's p stands in front of the logarithm, KL(p ‖ q) = Σ p log(p / q).": (
        _of(swap=True)
    ),
    "the labels meet the student at temperature T; they belong to its own probabilities, at 1.": _of(hard_t=None),
    "the labels' term has T and T², too; both belong to the teacher's term alone.": _of(hard_t=None, both=True),
    "only the teacher has the temperature T; the student needs the same one in the second term.": (_of(student_t=1.0)),
    "only the student has the temperature T; the teacher needs the same one.": _of(teacher_t=1.0),
    "p and q of the second term are at temperature 1; both need T.": _of(teacher_t=1.0, student_t=1.0),
    "alpha is the weight of the labels, 1 − alpha that of the teacher; here they are swapped.": (
        lambda z, v, y, a, t: _of()(z, v, y, 1 - a, t)
    ),
    "student and teacher have changed places.": lambda z, v, y, a, t: _of()(v, z, y, a, t),
    "this is the sum over the images; the mean is wanted.": lambda z, v, y, a, t: len(y) * _of()(z, v, y, a, t),
    "the labels' term is a mean, the teacher's a sum over the images; the mean is wanted of both.": (
        _mixed(_ce, lambda z, v, y, t: len(y) * _kl(z, v, y, t))
    ),
    "the teacher's term is a mean, the labels' a sum over the images; the mean is wanted of both.": (
        _mixed(lambda z, v, y, t: len(y) * _ce(z, v, y, t), _kl)
    ),
    "this is cross-entropy with soft targets. Its gradient is the same, but KL also takes away the teacher's "
    "own entropy: it is 0 for a perfect student.": _soft_entropy,
    "T² belongs to the teacher's term alone.": _of(both=True),
    "this is in bits; with log in place of log2 it is in nats.": (
        lambda z, v, y, a, t: _of()(z, v, y, a, t) / np.log(2)
    ),
    "the sign is wrong: a loss is 0 for a perfect student, and larger for any other.": (
        lambda z, v, y, a, t: -_of()(z, v, y, a, t)
    ),
    "the two terms are added without their weights alpha and 1 − alpha.": (
        lambda z, v, y, a, t: _of()(z, v, y, 1, t) + _of()(z, v, y, 0, t)
    ),
    "the teacher's term has lost its weight 1 − alpha.": (
        lambda z, v, y, a, t: a * cross_entropy(z, y) + _of()(z, v, y, 0, t)
    ),
    "the labels' term has lost its weight alpha.": (
        lambda z, v, y, a, t: cross_entropy(z, y) + (1 - a) * _of()(z, v, y, 0, t)
    ),
    "Σ p log(p / q) is a sum over the classes; a mean makes it too small.": (
        _mixed(_ce, lambda z, v, y, t: _kl(z, v, y, t) / z.shape[1])
    ),
    "the logarithm of p / q is wanted, log(p) − log(q); here one logarithm is divided by the other.": (
        _mixed(_ce, lambda z, v, y, t: np.sum(softmax(v, t) * log_softmax(v, t) / log_softmax(z, t), axis=1).mean())
    ),
    "these are squared differences of p and q; KL is Σ p log(p / q).": (
        _mixed(_ce, lambda z, v, y, t: np.sum((softmax(v, t) - softmax(z, t)) ** 2, axis=1).mean())
    ),
    "the labels are compared with the teacher; they belong to the student.": (
        _mixed(lambda z, v, y, t: cross_entropy(v, y), _kl)
    ),
    "the first term takes the teacher's first choice for the label; the labels are given.": (
        _mixed(lambda z, v, y, t: cross_entropy(z, v.argmax(axis=1)), _kl)
    ),
    "the first term takes the student's largest probability; the label's is wanted, right or wrong.": (
        _mixed(lambda z, v, y, t: cross_entropy(z, z.argmax(axis=1)), _kl)
    ),
    "the first term has no logarithm: it is −log of the label's probability.": (
        _mixed(lambda z, v, y, t: -_said(softmax(z), y).mean(), _kl)
    ),
    "the first term is 1 − the label's probability; its −log is wanted.": (
        _mixed(lambda z, v, y, t: 1 - _said(softmax(z), y).mean(), _kl)
    ),
    "the first term takes the label's logit; −log of its probability is wanted.": (
        _mixed(lambda z, v, y, t: -_said(z, y).mean(), _kl)
    ),
    "the first term takes all classes; only the label's probability counts.": (
        _mixed(lambda z, v, y, t: -log_softmax(z).mean(), _kl)
    ),
    "`[:, labels]` takes every label for every image. `[np.arange(n), labels]` takes one each.": (
        _mixed(lambda z, v, y, t: -log_softmax(z)[:, y].mean(), _kl)
    ),
}
