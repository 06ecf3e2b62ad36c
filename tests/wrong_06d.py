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


def softmax_cut(logits, temperature):
    e = np.exp(np.minimum(logits / temperature, 700))
    return e / e.sum(axis=1, keepdims=True)


def softmax_zeros(logits, temperature):
    return np.nan_to_num(softmax_unstable(logits, temperature))


def softmax_mean_away(logits, temperature):
    return softmax_unstable(logits - logits.mean(axis=1, keepdims=True), temperature)


def softmax_in_place(logits, temperature):
    logits -= logits.max(axis=1, keepdims=True)
    return softmax_unstable(logits, temperature)


def softmax_pairs(logits, temperature):
    """Right, in another way: one over the sum of the ratios."""
    return 1 / np.exp((logits[:, None, :] - logits[:, :, None]) / temperature).sum(axis=2)


def softmax_float32(logits, temperature):
    return soft(logits.astype(np.float32), np.float32(temperature))


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


def loss_other(first=None, second=None, *, images=(1, 1)):
    """Another number of each image in place of −log of the label's probability, or of Σ p log(p / q)."""

    def value(z, v, y, a, t):
        p, q, n = soft(v, t), soft(z, t), len(y)
        hard = -np.log(soft(z)[np.arange(n), y]) if first is None else first(z, v, y)
        kl = np.sum(p * np.log(p / q), axis=1) if second is None else second(p, q)
        return a * np.mean(hard) * n ** (images[0] - 1) + (1 - a) * t**2 * np.mean(kl) * n ** (images[1] - 1)

    return value


def loss_weights(hard, teacher):
    return lambda z, v, y, a, t: hard(a) * loss()(z, v, y, 1, t) + teacher(a) * loss()(z, v, y, 0, t)


def loss_all_at_t(z, v, y, a, t):
    return t**2 * loss(hard_t="T", power=0)(z, v, y, a, t)


def loss_guarded(z, v, y, a, t):
    """Right: a small number keeps log away from 0."""
    p, q = soft(v, t), soft(z, t)
    right = soft(z)[np.arange(len(y)), y]
    return np.mean(-a * np.log(right + 1e-7) + (1 - a) * t**2 * np.sum(p * np.log((p + 1e-7) / (q + 1e-7)), axis=1))


def loss_loop(z, v, y, a, t):
    total = 0
    for i in range(len(y)):
        total += loss()(z[i : i + 1], v[i : i + 1], y[i : i + 1], a, t)
    return total / len(y)


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


def gradient_high(z, v, t):
    z, v = (x - x.mean(axis=1, keepdims=True) for x in (z, v))
    return (z - v) / z.size


def gradient_of_q(z, v, t):
    return -(t**2) * soft(v, t) / soft(z, t) / len(z)


def gradient_diagonal(z, v, t):
    return -t * soft(v, t) * (1 - soft(z, t)) / len(z)


def gradient_jacobian(z, v, t):
    """Right, in another way: the derivatives of all log q_i, weighted by p."""
    rows = [-t * p @ (np.eye(len(p)) - q) for p, q in zip(soft(v, t), soft(z, t), strict=True)]
    return np.array(rows) / len(z)


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


def paired_sorted(a, b):
    d = np.sort(a) - np.sort(b)
    return d.mean(), error(d, 0)


def paired_share(a, b):
    p = np.mean(a - b)
    return p, np.sqrt(abs(p) * (1 - abs(p)) / len(a))


def paired_covariance(a, b):
    """Right, in another way: the variance of a difference."""
    variance = np.var(a, ddof=1) + np.var(b, ddof=1) - 2 * np.cov(a, b)[0, 1]
    return np.array([np.mean(a) - np.mean(b), np.sqrt(variance / len(a))])


def with_error(of):
    return lambda a, b: (np.mean(a - b), of(a, b, len(a)))


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
        "T²": (lambda v, t: soft(v, t * t), "temperature is squared"),
        "− logits": (lambda v, t: soft(-v, t), "sign is wrong"),
        "twice": (lambda v, t: soft(soft(v), t), "taken twice"),
        "roots": (lambda v, t: soft(v) ** (1 / t), "roots of the probabilities"),
        "no exp": (lambda v, t: v / t / (v / t).sum(axis=1, keepdims=True), "exp is missing"),
        "one-hot": (lambda v, t: np.eye(v.shape[1])[v.argmax(axis=1)], "gives a share to each"),
        "rounded": (lambda v, t: soft(v, t).round(3), "keep all digits"),
        "cut off": (softmax_cut, "cut off or replaced"),
        "zeros for NaN": (softmax_zeros, "cut off or replaced"),
        "the mean away": (softmax_mean_away, "Take the largest of each row away"),
        "in place": (softmax_in_place, "Work on a copy"),
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
        "by T²": (loss(power=-2), "divided by T²; it is multiplied"),
        "both at 1": (loss(p_t=1.0, q_t=1.0), "are at temperature 1; both need T"),
        "all at T": (loss_all_at_t, "has T and T², too"),
        "z and v swapped": (lambda z, v, y, a, t: loss()(v, z, y, a, t), "changed places"),
        "sum of KL": (loss_other(images=(1, 2)), "the teacher's a sum over the images"),
        "sum of labels": (loss_other(images=(2, 1)), "the labels' a sum over the images"),
        "no alpha": (loss_weights(lambda a: 1, lambda a: 1 - a), "lost its weight alpha"),
        "no 1 − alpha": (loss_weights(lambda a: a, lambda a: 1), "lost its weight 1 − alpha"),
        "log / log": (
            loss_other(second=lambda p, q: np.sum(p * np.log(p) / np.log(q), axis=1)),
            "divided by the other",
        ),
        "squares": (loss_other(second=lambda p, q: np.sum((p - q) ** 2, axis=1)), "squared differences"),
        "the teacher's choice": (
            loss_other(lambda z, v, y: -np.log(soft(z)[np.arange(len(y)), v.argmax(axis=1)])),
            "the teacher's first choice",
        ),
        "the student's choice": (loss_other(lambda z, v, y: -np.log(soft(z).max(axis=1))), "right or wrong"),
        "no logarithm": (loss_other(lambda z, v, y: -soft(z)[np.arange(len(y)), y]), "no logarithm"),
        "1 − p": (loss_other(lambda z, v, y: 1 - soft(z)[np.arange(len(y)), y]), "1 − the label's probability"),
        "logits": (loss_other(lambda z, v, y: -z[np.arange(len(y)), y]), "the label's logit"),
        "all classes": (loss_other(lambda z, v, y: -np.log(soft(z))), "takes all classes"),
        "n × n": (loss_other(lambda z, v, y: -np.log(soft(z)[:, y])), "every label for every image"),
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
        "high temperature": (gradient_high, "comes close to at a high temperature"),
        "z − v": (lambda z, v, t: (z - v) / len(z), "logits are subtracted"),
        "no temperature": (lambda z, v, t: (soft(z) - soft(v)) / len(z), "have no temperature"),
        "logarithms": (lambda z, v, t: t * np.log(soft(z, t) / soft(v, t)) / len(z), "logarithms are subtracted"),
        "with respect to q": (gradient_of_q, "with respect to q"),
        "i = k alone": (gradient_diagonal, "only the term i = k"),
        "absolute": (lambda z, v, t: np.abs(gradient()(z, v, t)), "signs are lost"),
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
        "two groups, ddof 0": (with_error(lambda a, b, n: np.hypot(np.std(a), np.std(b)) / n**0.5), "and ddof=1"),
        "errors added": (with_error(lambda a, b, n: error(a, 0) + error(b, 0)), "errors of both are added"),
        "errors subtracted": (with_error(lambda a, b, n: error(a, 0) - error(b, 0)), "errors are subtracted"),
        "of one": (with_error(lambda a, b, n: error(a, 0)), "with a teacher alone"),
        "of the other": (with_error(lambda a, b, n: error(b, 0)), "without a teacher"),
        "neither": (with_error(lambda a, b, n: np.std(a - b)), "two things are missing"),
        "n − 1 twice": (with_error(lambda a, b, n: np.std(a - b, ddof=1) / (n - 1) ** 0.5), "already"),
        "var / √n": (with_error(lambda a, b, n: np.var(a - b, ddof=1) / n**0.5), "variance is divided by √n"),
        "two errors": (with_error(lambda a, b, n: 2 * error(a, b)), "twice"),
        "√5": (with_error(lambda a, b, n: np.std(a - b, ddof=1) / 5**0.5), "five seeds are written"),
        "a share": (paired_share, "one share among n images"),
        "sorted": (paired_sorted, "no pairs any more"),
        "mean of |d|": (lambda a, b: (np.mean(np.abs(a - b)), error(a, b)), "without their signs: noise"),
        "median": (lambda a, b: (np.median(a - b), error(a, b)), "median"),
        "one mean": (lambda a, b: (np.mean(a), error(a, b)), "mean with a teacher alone"),
        "relative": (lambda a, b: (np.mean(a / b - 1), error(a / b, 1)), "relative"),
        "percent": (lambda a, b: (100 * np.mean(a - b), 100 * error(a, b)), "percent"),
        "nothing known": (lambda a, b: (0.0, 0.0), "divided by √n"),
    },
}

RIGHT = {
    "6d.1": [softmax_power, softmax_loop, soft, softmax_pairs, softmax_float32],
    "6d.2": [loss(), lambda z, v, y, a, t: float(loss()(z, v, y, a, t)), loss_guarded, loss_loop],
    "6d.3": [gradient(), gradient_numerical, gradient_jacobian],
    "6d.4": [
        lambda a, b: (np.mean(a) - np.mean(b), error(a, b)),
        lambda a, b: [np.mean(a - b), error(a, b)],
        paired_covariance,
        lambda a, b: (np.mean(a - b), np.std(a - b) / np.sqrt(len(a) - 1)),
    ],
}
