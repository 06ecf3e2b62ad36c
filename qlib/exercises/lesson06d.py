"""Exercises of lesson 06d, distillation: tasks, hints and solutions. The checks are in `checks06d*`."""

from __future__ import annotations

import numpy as np

from qlib.distillation import softmax
from qlib.exercises import checks06d as checks
from qlib.exercises.checks06d_loss import loss
from qlib.exercises.checks06d_pairs import paired
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions06d import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_softmax(logits, temperature):
    scaled = logits / temperature
    parts = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return parts / parts.sum(axis=1, keepdims=True)


def my_loss(student_logits, teacher_logits, labels, alpha, temperature):
    right = softmax(student_logits)[np.arange(len(labels)), labels]
    p, q = softmax(teacher_logits, temperature), softmax(student_logits, temperature)
    soft = np.sum(p * np.log(p / q), axis=1)
    return np.mean(-alpha * np.log(right) + (1 - alpha) * temperature**2 * soft)


def my_gradient(student_logits, teacher_logits, temperature):
    q, p = softmax(student_logits, temperature), softmax(teacher_logits, temperature)
    return temperature * (q - p) / len(q)


def my_paired(with_teacher, without):
    differences = with_teacher - without
    return differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))


EXERCISES = {
    "6d.1": Exercise(
        task="The softmax of each row at a temperature, also of large logits.",
        check=checks.tempered,
        right="what is subtracted from all logits of a row cancels, so the largest may become 0, and exp stays small.",
        hints=(
            "Divide the logits, not the probabilities, by the temperature.",
            "exp(1000) is beyond all floats. Take each row's largest value away first; use keepdims=True.",
            "`parts = np.exp(scaled - scaled.max(axis=1, keepdims=True))`, then divide by the sum of each row.",
        ),
        solution=my_softmax,
    ),
    "6d.2": Exercise(
        task="The loss of distillation, the mean over the images.",
        check=loss,
        right="labels meet the student at temperature 1, the teacher meets it at T.",
        hints=(
            "Two numbers for each image: −log of the label's probability, and Σ p log(p / q).",
            "p and q at temperature T, the label's probability at 1. The second is multiplied by T².",
            "`np.mean(-alpha * np.log(right) + (1 - alpha) * temperature**2 * soft)`, with "
            "`right = softmax(student_logits)[np.arange(len(labels)), labels]`.",
        ),
        solution=my_loss,
    ),
    "6d.3": Exercise(
        task="The gradient of T² · KL with respect to the student's logits.",
        check=checks.gradient,
        right="a student that gives too little to a class gets a negative slope there, and a step downhill raises it.",
        hints=(
            "The gradient of KL alone is (1/T)(q − p), for each image.",
            "T² times 1/T leaves T. And the loss is a mean: divide by the number of images.",
            "`temperature * (q - p) / len(q)`, with q of the student and p of the teacher, both at T.",
        ),
        solution=my_gradient,
    ),
    "6d.4": Exercise(
        task="The mean of paired differences, and its standard error.",
        check=paired,
        right="what a seed does to both of a pair is gone from the differences.",
        hints=(
            "Subtract first: one difference for each seed.",
            "Standard error: the standard deviation of the differences (ddof=1), divided by √n.",
            "`d = with_teacher - without`, then `d.mean(), d.std(ddof=1) / np.sqrt(len(d))`.",
        ),
        solution=my_paired,
    ),
}
