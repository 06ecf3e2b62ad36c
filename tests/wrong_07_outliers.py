"""Wrong answers to the exercises 7.6 and 7.7, each with a piece of the sentence it must get."""

import numpy as np


def tops(x, w):
    return abs(x).max(axis=0), abs(w).max(axis=1)


def scales(formula, top_x=lambda x: abs(x).max(axis=0), top_w=lambda w: abs(w).max(axis=1)):
    """A formula of two maxima, with 1 where one of them is 0."""

    def answer(x, w, alpha):
        a, b = top_x(x), top_w(w)
        out = np.ones(len(a))
        for j in range(len(a)):
            if a[j] > 0 and b[j] > 0:
                out[j] = formula(float(a[j]), float(b[j]), alpha)
        return out

    return answer


def right(a, b, alpha):
    return a**alpha / b ** (1 - alpha)


def scales_bare(x, w, alpha):
    a, b = tops(x, w)
    return a**alpha / b ** (1 - alpha)


def scales_floor(x, w, alpha):
    a, b = tops(x, w)
    return np.maximum(a, 1e-5) ** alpha / np.maximum(b, 1e-5) ** (1 - alpha)


def scales_each(x, w, alpha):
    a, b = tops(x, w)
    return right(np.where(a == 0, 1.0, a), np.where(b == 0, 1.0, b), alpha)


def scales_finite(x, w, alpha):
    s = scales_bare(x, w, alpha)
    return np.where(np.isfinite(s), s, 1.0)


def scales_dead_x(x, w, alpha):
    a, b = tops(x, w)
    return np.where(a == 0, 1.0, a**alpha / b ** (1 - alpha))


def scales_dead_w(x, w, alpha):
    a, b = tops(x, w)
    return np.where(b == 0, 1.0, a**alpha / b ** (1 - alpha))


def scales_zeros(x, w, alpha):
    s = scales_bare(x, w, alpha)
    return np.where(np.isfinite(s), s, 0.0)


def scales_log(x, w, alpha):
    """Right, in another way."""
    a, b = tops(x, w)
    dead = (a == 0) | (b == 0)
    a, b = np.where(dead, 1.0, a), np.where(dead, 1.0, b)
    return np.exp(alpha * np.log(a) - (1 - alpha) * np.log(b))


def scales_mended(x, w, alpha):
    """Right: the formula, then 1 where a channel is dead."""
    a, b = tops(x, w)
    s = a.astype(np.float64) ** alpha / b.astype(np.float64) ** (1 - alpha)
    s[(a == 0) | (b == 0)] = 1
    return s


def scales_in_place(x, w, alpha):
    np.abs(x, out=x)
    return scales(right)(x, w, alpha)


WRONG = {
    "7.6": {
        "upside down": (scales(lambda a, b, alpha: 1 / right(a, b, alpha)), "this is 1/s"),
        "exponents swapped": (scales(lambda a, b, alpha: right(a, b, 1 - alpha)), "have changed places"),
        "one exponent": (scales(lambda a, b, alpha: (a / b) ** alpha), "both have the exponent"),
        "a product": (scales(lambda a, b, alpha: a**alpha * b ** (1 - alpha)), "you multiply"),
        "a root": (scales(lambda a, b, alpha: (a / b) ** 0.5), "always α = 0.5"),
        "all of w": (scales(lambda a, b, alpha: a**alpha / b), "left out for w"),
        "x alone": (scales(lambda a, b, alpha: a**alpha), "w is left out"),
        "a factor": (
            lambda x, w, alpha: alpha * tops(x, w)[0] / ((1 - alpha) * tops(x, w)[1]),
            ("an exponent", "dead"),
        ),
        "x without abs": (scales(right, top_x=lambda x: x.max(axis=0)), "misses large negative values: max |x|"),
        "w without abs": (scales(right, top_w=lambda w: w.max(axis=1)), "misses large negative values: max |w|"),
        "tokens": (scales(right, top_x=lambda x: abs(x).max(axis=1)), "of each token"),
        "outputs": (scales(right, top_w=lambda w: abs(w).max(axis=0)), "of each output"),
        "mean": (scales(right, top_x=lambda x: abs(x).mean(axis=0)), "a mean hides"),
        "spread": (scales(right, top_x=lambda x: x.max(axis=0) - x.min(axis=0)), "max − min"),
        "the whole tensor": (scales(right, top_x=lambda x: np.full(x.shape[1], abs(x).max())), "one maximum for all"),
        "dead channels": (scales_bare, "0 or infinity"),
        "dead in x only": (scales_dead_x, "dead in w"),
        "dead in w only": (scales_dead_w, "dead in x"),
        "a floor": (scales_floor, "a floor under"),
        "each maximum": (scales_each, "as a whole"),
        "abs too late": (
            scales(right, top_x=lambda x: abs(x.max(axis=0)), top_w=lambda w: abs(w.max(axis=1))),
            "the magnitude comes first",
        ),
        "norms": (
            scales(right, lambda x: np.linalg.norm(x, axis=0), lambda w: np.linalg.norm(w, axis=1)),
            "a norm is not",
        ),
        "mean of w": (scales(right, top_w=lambda w: abs(w).mean(axis=1)), "a mean of |w|"),
        "finite": (scales_finite, "but 0 was not"),
        "zeros": (scales_zeros, "divides by 0"),
        "one scale": (lambda x, w, alpha: right(*(top.max() for top in tops(x, w)), alpha), "is wanted"),
        "in place": (scales_in_place, "changes its input"),
        "anything": (lambda x, w, alpha: np.full(x.shape[1], 7.0), "one for each channel"),
    },
    "7.7": {
        "without abs": (lambda x, t: x.max(axis=0) >= t, "negative values count"),
        "tokens": (lambda x, t: abs(x).max(axis=1) >= t, "about each token"),
        "all": (lambda x, t: abs(x).min(axis=0) >= t, "one is enough: `any`"),
        "mean": (lambda x, t: abs(x).mean(axis=0) >= t, "a mean hides"),
        "above": (lambda x, t: abs(x).max(axis=0) > t, "equal to the threshold"),
        "the others": (lambda x, t: abs(x).max(axis=0) < t, "channels that are quantized"),
        "of the median": (
            lambda x, t: abs(x).max(axis=0) >= t * np.median(abs(x).max(axis=0)),
            "multiple of the median",
        ),
        "standard deviations": (lambda x, t: abs(x).max(axis=0) >= t * np.std(x), "standard deviations"),
        "spread": (lambda x, t: x.max(axis=0) - x.min(axis=0) >= t, "max − min"),
        "sum": (lambda x, t: abs(x).sum(axis=0) >= t, "the sum over the tokens"),
        "always 6": (lambda x, t: abs(x).max(axis=0) >= 6, "always 6"),
        "abs too late": (lambda x, t: abs(x.max(axis=0)) >= t, ("the magnitude comes first", "negative values count")),
        "negative ones": (lambda x, t: abs(x.min(axis=0)) >= t, "most negative value only"),
        "first token": (lambda x, t: abs(x[0]) >= t, "the first token alone"),
        "two tokens": (lambda x, t: (abs(x) >= t).sum(axis=0) > 1, ("two are asked for", "one is enough")),
        "numbers": (lambda x, t: np.flatnonzero(abs(x).max(axis=0) >= t), "truth value"),
        "each value": (lambda x, t: abs(x) >= t, "is wanted"),
        "none": (lambda x, t: np.zeros(x.shape[1], bool), ("reaches threshold", "one is enough")),
    },
}

RIGHT = {
    "7.6": [scales(right), scales_log, scales_mended],
    "7.7": [
        lambda x, t: np.abs(x).max(axis=0) >= t,
        lambda x, t: np.array([any(abs(value) >= t for value in column) for column in x.T]),
    ],
}
