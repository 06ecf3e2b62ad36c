"""Wrong answers to the exercises of lesson 06d, each with a piece of the sentence it must get."""

import numpy as np


def soft(x, t=1.0, axis=1):
    e = np.exp(x / t - (x / t).max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def softmax_unstable(logits, temperature):
    e = np.exp(logits / temperature)
    return e / e.sum(axis=1, keepdims=True)


def softmax_one_maximum(logits, temperature):
    e = np.exp((logits - logits.max()) / temperature)
    return e / e.sum(axis=1, keepdims=True)


def softmax_down(logits, temperature):
    e = np.exp(logits / temperature)
    return e / e.sum(axis=0)


def softmax_all(logits, temperature):
    e = np.exp(logits / temperature)
    return e / e.sum()


def softmax_two(logits, temperature):
    e = 2.0 ** (logits / temperature)
    return e / e.sum(axis=1, keepdims=True)


def softmax_half(logits, temperature):
    return np.exp(logits / temperature) / np.exp(logits).sum(axis=1, keepdims=True)


def softmax_power(logits, temperature):
    """Right, in another way: the probabilities at 1, to the power 1/T."""
    powers = soft(logits - logits.max(axis=1, keepdims=True)) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def softmax_loop(logits, temperature):
    rows = []
    for row in logits:
        e = np.exp((row - max(row)) / temperature)
        rows.append(e / sum(e))
    return np.array(rows)


def loss(*, hard_t=None, p_t=None, q_t=None, power=2, swap=False, entropy=False, labels_of="student", mean=np.mean):
    def value(z, v, y, a, t):
        p, q = soft(v, t if p_t is None else p_t), soft(z, t if q_t is None else q_t)
        right = soft({"student": z, "teacher": v}[labels_of], t if hard_t == "T" else 1)[np.arange(len(y)), y]
        p, q = (q, p) if swap else (p, q)
        terms = np.sum(-p * np.log(q) if entropy else p * np.log(p / q), axis=1)
        return mean(-a * np.log(right) + (1 - a) * t**power * terms)

    return value


def loss_swapped(z, v, y, a, t):
    return loss()(z, v, y, 1 - a, t)


def loss_all_heated(z, v, y, a, t):
    return loss(power=0)(z, v, y, a, t) * t**2


def loss_bits(z, v, y, a, t):
    return loss()(z, v, y, a, t) / np.log(2)


def loss_unweighted(z, v, y, a, t):
    return loss()(z, v, y, 1, t) + loss()(z, v, y, 0, t)


def loss_mean_of_classes(z, v, y, a, t):
    p, q = soft(v, t), soft(z, t)
    hard = -np.mean(np.log(soft(z)[np.arange(len(y)), y]))
    return a * hard + (1 - a) * t**2 * np.mean(p * np.log(p / q))


def gradient(power=1, sign=1, p_t=None, q_t=None, mean=True):
    def value(z, v, t):
        q, p = soft(z, t if q_t is None else q_t), soft(v, t if p_t is None else p_t)
        return sign * t**power * (q - p) / (len(z) if mean else 1)

    return value


def gradient_label(z, v, t):
    return t * (soft(z, t) - (v == v.max(axis=1, keepdims=True))) / len(z)


def gradient_logits(z, v, t):
    return (z - v) / z.size


def gradient_classes(z, v, t):
    return t * (soft(z, t) - soft(v, t)) / z.shape[1]


def gradient_numerical(z, v, t):
    """Right, in another way: differences of the loss."""
    y, found = np.zeros(len(z), int), np.zeros_like(z)
    for place in np.ndindex(*z.shape):
        step = np.zeros_like(z)
        step[place] = 1e-5
        found[place] = (loss()(z + step, v, y, 0, t) - loss()(z - step, v, y, 0, t)) / 2e-5
    return found


def error(a, b, *, ddof=1, root=0.5):
    d = a - b
    return d.std(ddof=ddof) / len(d) ** root


def paired_groups(a, b):
    return np.mean(a) - np.mean(b), np.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b))


def paired_absolute(a, b):
    d = np.abs(a - b)
    return d.mean(), d.std(ddof=1) / np.sqrt(len(d))


WRONG = {
    "6d.1": {
        "no temperature": (lambda v, t: soft(v), "not used"),
        "times T": (lambda v, t: soft(v * t), "multiplied by the temperature"),
        "p / T": (lambda v, t: soft(v) / t, "no longer sum to 1"),
        "over everything": (softmax_all, "runs over all images"),
        "down the columns": (softmax_down, "down the columns"),
        "no sum": (lambda v, t: np.exp(v / t), "not divided by their sum"),
        "powers of 2": (softmax_two, "powers of e"),
        "logarithms": (lambda v, t: np.log(soft(v, t)), "logarithms"),
        "the sum at 1": (softmax_half, "sum is taken at temperature 1"),
        "overflows": (softmax_unstable, "Take the largest of each row away"),
        "one maximum for all": (softmax_one_maximum, "Take the largest of each row away"),
    },
    "6d.2": {
        "no T²": (loss(power=0), "T² is missing"),
        "T": (loss(power=1), "by T, not by T²"),
        "the wrong way": (loss(swap=True), "runs the wrong way"),
        "labels at T": (loss(hard_t="T"), "labels meet the student at temperature T"),
        "student at 1": (loss(q_t=1.0), "only the teacher has the temperature"),
        "teacher at 1": (loss(p_t=1.0), "only the student has the temperature"),
        "alpha swapped": (loss_swapped, "swapped"),
        "sum": (loss(mean=np.sum), "sum over the images"),
        "soft cross-entropy": (loss(entropy=True), "own entropy"),
        "T² on both": (loss_all_heated, "teacher's term alone"),
        "bits": (loss_bits, "in bits"),
        "negative": (lambda *args: -loss()(*args), "sign is wrong"),
        "no weights": (loss_unweighted, "without their weights"),
        "mean over classes": (loss_mean_of_classes, "sum over the classes"),
        "the teacher's own error": (loss(labels_of="teacher"), "compared with the teacher"),
    },
    "6d.3": {
        "p − q": (gradient(sign=-1), "sign is wrong"),
        "KL alone": (gradient(power=-1), "T² is missing"),
        "no 1/T": (gradient(power=2), "inner derivative"),
        "no mean": (gradient(mean=False), "divided by their number"),
        "no factor": (gradient(power=0), "make T; it is missing"),
        "at 1": (gradient(p_t=1.0, q_t=1.0), "these are at 1"),
        "student at 1": (gradient(q_t=1.0), "student's probabilities are at temperature 1"),
        "teacher at 1": (gradient(p_t=1.0), "teacher's probabilities are at temperature 1"),
        "hard target": (gradient_label, "label alone"),
        "logits": (gradient_logits, "here it is not high"),
        "over classes": (gradient_classes, "number of classes"),
    },
    "6d.4": {
        "without − with": (lambda a, b: (np.mean(b - a), error(a, b)), "the wrong way"),
        "two groups": (paired_groups, "paired"),
        "standard deviation": (lambda a, b: (np.mean(a - b), error(a, b, root=0)), "divided by √n it is"),
        "ddof 0": (lambda a, b: (np.mean(a - b), error(a, b, ddof=0)), "n − 1"),
        "by n": (lambda a, b: (np.mean(a - b), error(a, b, root=1)), "divided by √n."),
        "absolute": (paired_absolute, "without their signs"),
        "variance": (lambda a, b: (np.mean(a - b), error(a, b) ** 2), "square root"),
        "spreads subtracted": (lambda a, b: (np.mean(a - b), np.std(a, ddof=1) - np.std(b, ddof=1)), "subtracted"),
        "error first": (lambda a, b: (error(a, b), np.mean(a - b)), "comes second"),
        "sum": (lambda a, b: (np.sum(a - b), error(a, b)), "sum of the differences"),
        "nothing known": (lambda a, b: (0.0, 0.0), "divided by √n"),
    },
}

RIGHT = {
    "6d.1": [softmax_power, softmax_loop, soft],
    "6d.2": [loss(), lambda z, v, y, a, t: float(loss()(z, v, y, a, t))],
    "6d.3": [gradient(), gradient_numerical],
    "6d.4": [lambda a, b: (np.mean(a) - np.mean(b), error(a, b)), lambda a, b: [np.mean(a - b), error(a, b)]],
}
