"""Predictions of lesson 06d, distillation. What is true is computed in the notebook, or shipped."""

from __future__ import annotations

import numpy as np

from qlib.distillation import entropy_bits, kl_divergence, softmax
from qlib.exercises.prediction import Prediction, nearest


def _sure(logits):
    p = softmax(logits)
    share = float(np.mean(p.max(axis=1) > 0.99))
    place = int(np.digitize(share, (0.5, 0.8)))
    return place, f"On {share:.0%} of them. The mean entropy is {entropy_bits(p).mean():.2f} bits of at most 3.32."


def _order(logits):
    kept = [np.array_equal(np.argsort(softmax(logits, t)), np.argsort(logits)) for t in (0.5, 4.0, 20.0)]
    return int(all(kept)), f"At 0.5, 4 and 20, the order of all ten classes is kept: {'yes' if all(kept) else 'no'}."


def _direction(p, q):
    forward, backward = kl_divergence(p, q), kl_divergence(q, p)
    place = 2 if np.isclose(forward, backward, rtol=0.1) else int(backward > forward)
    return place, f"KL(p ‖ q) is {forward:.2f} nats, KL(q ‖ p) {backward:.2f}."


def _shrink(gradients):
    ratio = gradients[20] / gradients[40]
    return nearest(ratio, (1, 2, 4, 16)), f"It is {ratio:.1f} times smaller at 40 than at 20."


def _wrong(answers, labels):
    errors = int(np.count_nonzero(answers != labels))
    return nearest(errors / len(labels), (0.01, 0.02, 0.1, 0.4)), f"About {errors / len(labels):.1%} of them."


def _said(mean, error):
    return f"The mean paired difference is {mean:+.2%}, with a standard error of {error:.2%}."


def _many(mean, error):
    place = 2 if abs(mean) <= 2 * error else int(mean < 0)
    return place, _said(mean, error)


def _few(mean, error):
    return int(np.digitize(mean, (0.005, 0.015))), _said(mean, error)


def _threes(shares):
    share = float(np.mean(shares))
    return int(np.digitize(share, (0.02, 0.2, 0.5))), f"{share:.0%} of the 1,010, the mean over the seeds."


def _file(parameters, sizes):
    ratio, fewer = sizes[0] / sizes[1], parameters[0] / parameters[1]
    return int(
        np.digitize(ratio, (0.9 * fewer, 1.1 * fewer))
    ), f"{fewer:.0f} times fewer parameters, {ratio:.0f} times fewer bytes."


PREDICTIONS = {
    "6d.sure": Prediction(
        question="On what share of the test images does the teacher give its first choice more than 99 %?",
        options=("about a third", "about two thirds", "more than nine in ten"),
        truth=_sure,
        most="A network that errs on one image in a hundred might well be doubtful on many. But training goes on "
        "rewarding larger logits when the answer is right already. So it becomes sure of nearly everything.",
    ),
    "6d.order": Prediction(
        question="Can a temperature change which class comes first, second, or third?",
        options=("yes, a high one makes all alike", "no, none can"),
        truth=_order,
        most="Probabilities come closer together, so that it looks as if they might cross. But dividing all logits by "
        "the same positive number keeps their order.",
    ),
    "6d.direction": Prediction(
        question="The teacher gives the second class 10 %, the student one in a million. Which divergence is larger?",
        options=("KL(p ‖ q): the teacher in front", "KL(q ‖ p): the student in front", "about the same"),
        truth=_direction,
        most="It looks like a distance, and a distance is the same both ways. But each difference is weighted by the "
        "probability in front.",
    ),
    "6d.shrink": Prediction(
        question="The temperature rises from 20 to 40. How many times smaller does the gradient of KL become, "
        "(1/T)(q − p), about?",
        options=("it stays", "2 times", "4 times", "16 times"),
        truth=_shrink,
        most="Most count the 1/T in front alone. But q and p come closer to each other, too.",
    ),
    "6d.wrong": Prediction(
        question="The teacher is wrong on 1.2 % of the test images. And the student that learned from all labels "
        "alone, with a 58th of the parameters?",
        options=("1 %", "2 %", "10 %", "40 %"),
        truth=_wrong,
        most="One expects that accuracy falls as the network shrinks. It does, but by about one percent only.",
    ),
    "6d.many": Prediction(
        question="All 60,000 labels are there. Does the teacher at T = 4 make the student more accurate than labels "
        "alone?",
        options=("yes, clearly", "no, it clearly harms", "it can't be told from noise"),
        truth=_many,
        most="The paper reports that it helps, and so it did for the networks of the paper. Here student, teacher and "
        "length of training are others.",
    ),
    "6d.few": Prediction(
        question="Only 1,000 images, with labels. How much accuracy does the teacher at T = 4 add to the labels alone?",
        options=("less than 0.5 %", "0.5 to 1.5 %", "more than 1.5 %"),
        truth=_few,
        most="After the last result one expects little. But a soft target says more than a label, and where labels are "
        "few, that counts.",
    ),
    "6d.threes": Prediction(
        question="A student never sees an image of a 3. It sees the other digits, their labels, and what the teacher "
        "at T = 4 says of them. How many of the test set's threes does it name rightly?",
        options=("none", "about 10 %", "about a third", "more than half"),
        truth=_threes,
        most="What it never saw it cannot know, one thinks. But of each image the teacher says how much of a 3 is in "
        "it.",
    ),
    "6d.file": Prediction(
        question="The student has 58 times fewer parameters. How many times smaller is its float32 file?",
        options=("fewer than 52 times", "about 58 times", "more than 64 times"),
        truth=_file,
        most="Most count as if a file held parameters alone. It also says which operators run, on what.",
    ),
}
