"""Checks of the exercises 7.6 and 7.7: smoothing scales, outlier channels."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import compare
from qlib.smooth import channel_max, outlier_channels, smoothing_scales


def scales(answer, rng) -> None:
    """The check of 7.6."""
    square = (
        [[-16.0, 1.0, 0.5], [4.0, -2.0, 0.25], [2.0, 1.5, -1.0]],
        [[1.0, -4.0, 0.5], [2.0, 0.25, -1.0], [3.0, 9.0, 5.0]],
    )
    dead = [[0.0, 3.0, 2.0], [0.0, -5.0, 1.0]], [[2.0], [0.0], [4.0]]
    cases = [(*(np.array(part, np.float32) for part in square), alpha) for alpha in (0.5, 0.75)]
    cases += [(*(np.array(part, np.float32) for part in dead), 0.5)]
    for shape, alpha in (((7, 5), 0.5), ((20, 30), 0.8), ((4, 6), 0.0), ((9, 3), 1.0)):
        x = rng.normal(size=shape) * 10 ** rng.uniform(-1, 1, shape[1])
        w = rng.normal(size=(shape[1], 4))
        x[:, 1], w[2] = 0, 0
        cases.append((x.astype(np.float32), w.astype(np.float32), alpha))
    compare(answer, _scales, cases, SCALES, otherwise="s = x_max**alpha / w_max**(1 - alpha), one for each channel.")


def outliers(answer, rng) -> None:
    """The check of 7.7."""
    small = [
        ([[1.0, -7.0, 2.0], [0.0, 3.0, 5.0], [4.0, 2.0, 6.0]], 6.0),
        ([[1.0, 7.0, 2.0], [8.0, 3.0, 9.0], [0.5, 2.0, -1.0]], 6.0),
        ([[0.25, -0.5], [0.75, 0.125], [0.0, 0.0]], 0.5),
        ([[5.0, 1.0], [20.0, 2.0], [5.0, -1.0]], 6.0),
        ([[1.0, 0.05], [0.02, 0.045]], 0.1),
    ]
    cases = [(np.array(x, np.float32), threshold) for x, threshold in small]
    for shape in ((6, 9), (40, 12)):
        x = rng.normal(size=shape).astype(np.float32)
        x[rng.integers(shape[0], size=3), [0, 4, 7]] = 6, -6, 20
        cases.append((x, 6.0))
    compare(answer, outlier_channels, cases, OUTLIERS, otherwise="True where some |x| of the column reaches threshold.")


# ------------------------------------------------------------------ what goes wrong


def _scales(x, w, alpha):
    return smoothing_scales(channel_max(x), channel_max(w, axis=0), alpha)


def _made(formula, x_part=lambda x: np.abs(x).max(axis=0), w_part=lambda w: np.abs(w).max(axis=1)):
    """Another formula of the two maxima and α, with the scale 1 where a channel is dead."""

    def scales(x, w, alpha):
        x_max, w_max = (np.asarray(part, np.float64) for part in (x_part(x), w_part(w)))
        alive = (x_max > 0) & (w_max > 0)
        with np.errstate(all="ignore"):
            return np.where(alive, formula(np.where(alive, x_max, 1), np.where(alive, w_max, 1), alpha), 1)

    return scales


def _equation(x_max, w_max, alpha):
    return x_max**alpha / w_max ** (1 - alpha)


def _bare(floor=0.0, mend_x=False, mend_w=False, mend=lambda s: s):
    """The equation, without care for dead channels, or with another care."""

    def scales(x, w, alpha):
        x_max, w_max = (np.maximum(top, floor) for top in (np.abs(x).max(axis=0), np.abs(w).max(axis=1)))
        with np.errstate(all="ignore"):
            s = mend(_equation(x_max, w_max, alpha))
        return np.where(((x_max == 0) & mend_x) | ((w_max == 0) & mend_w), 1, s)

    return scales


def _replaced(x, w, alpha):
    """The equation, with 1 for each maximum that is 0."""
    x_max, w_max = np.abs(x).max(axis=0), np.abs(w).max(axis=1)
    return _equation(np.where(x_max > 0, x_max, 1), np.where(w_max > 0, w_max, 1), alpha)


SCALES = {
    "this is 1/s: a large channel of x must be divided by a large s.": _made(lambda x, w, a: w ** (1 - a) / x**a),
    "the exponents have changed places: α belongs to x, 1 − α to w.": _made(lambda x, w, a: x ** (1 - a) / w**a),
    "both have the exponent α; that of w is 1 − α.": _made(lambda x, w, a: (x / w) ** a),
    "you multiply; s is a quotient, so that a row of w that is already large takes over less.": (
        _made(lambda x, w, a: x**a * w ** (1 - a))
    ),
    "`alpha` is left out: this is always α = 0.5.": _made(lambda x, w, a: (x / w) ** 0.5),
    "`alpha` is left out for w: its exponent is 1 − α.": _made(lambda x, w, a: x**a / w),
    "w is left out: s depends on both.": _made(lambda x, w, a: x**a),
    "α is an exponent, not a factor.": _made(lambda x, w, a: a * x / ((1 - a) * w)),
    "the maximum of x itself misses large negative values: max |x|.": (
        _made(_equation, x_part=lambda x: np.maximum(x.max(axis=0), 0))
    ),
    "the maximum of w itself misses large negative values: max |w|.": (
        _made(_equation, w_part=lambda w: np.maximum(w.max(axis=1), 0))
    ),
    "this takes the maximum of each token; a channel is a column of x: axis=0.": (
        _made(_equation, x_part=lambda x: np.abs(x).max(axis=1))
    ),
    "this takes the maximum of each output; a channel is a row of w: axis=1.": (
        _made(_equation, w_part=lambda w: np.abs(w).max(axis=0))
    ),
    "a mean hides the outlier: max |x| decides about the scale.": (
        _made(_equation, x_part=lambda x: np.abs(x).mean(axis=0))
    ),
    "the spread max − min is not what a symmetric range needs: max |x|.": _made(
        _equation, x_part=lambda x: np.ptp(x, axis=0)
    ),
    "the magnitude comes first: the largest of |x|, not the magnitude of the largest x (and the same for w).": (
        _made(_equation, x_part=lambda x: np.abs(x.max(axis=0)), w_part=lambda w: np.abs(w.max(axis=1)))
    ),
    "a mean of |w| is not its largest: the largest weight decides about the scale.": (
        _made(_equation, w_part=lambda w: np.abs(w).mean(axis=1))
    ),
    "a norm is not the largest: max |x| and max |w|.": (
        _made(_equation, lambda x: np.linalg.norm(x, axis=0), lambda w: np.linalg.norm(w, axis=1))
    ),
    "only the maximum that is 0 became 1; a dead channel shall get s = 1 as a whole.": _replaced,
    "this is one maximum for all of x: each channel has its own.": (
        _made(_equation, x_part=lambda x: np.full(x.shape[1], np.abs(x).max()))
    ),
    "a dead channel (all zero in x or in w) gives 0 or infinity, and then NaN; its scale shall be 1.": _bare(),
    "a channel that is dead in w divides by 0; its scale shall be 1, too.": _bare(mend_x=True),
    "a channel that is dead in x gives s = 0, and x / s is NaN; its scale shall be 1, too.": _bare(mend_w=True),
    "a floor under the maxima makes the scale of a dead channel tiny or huge; it shall be 1.": _bare(floor=1e-5),
    "a floor under the maxima makes the scale of a dead channel tiny or huge; here it shall be 1.": _bare(floor=1e-8),
    "a scale of 0 divides by 0, and infinity takes over all; a dead channel shall get 1.": (
        _bare(mend=lambda s: np.nan_to_num(s, posinf=0.0))
    ),
    "not finite was mended, but 0 was not: a channel that is dead in x shall get 1, too.": (
        _bare(mend=lambda s: np.where(np.isfinite(s), s, 1))
    ),
}

OUTLIERS = {
    "large negative values count, too: |x|.": lambda x, t: (x >= t).any(axis=0),
    "this asks about each token; a channel is a column of x: axis=0.": lambda x, t: (np.abs(x) >= t).any(axis=1),
    "not all tokens need a large value; one is enough: `any`.": lambda x, t: (np.abs(x) >= t).all(axis=0),
    "a mean hides the one large value; one is enough.": lambda x, t: np.abs(x).mean(axis=0) >= t,
    "a value equal to the threshold counts, too: ≥.": lambda x, t: (np.abs(x) > t).any(axis=0),
    "this is True for the channels that are quantized; True is wanted for those left in float.": (
        lambda x, t: ~outlier_channels(x, t)
    ),
    "the threshold is a value, not a multiple of the median.": (
        lambda x, t: np.abs(x).max(axis=0) >= t * np.median(np.abs(x).max(axis=0))
    ),
    "the threshold is a value, not a number of standard deviations.": lambda x, t: (np.abs(x) >= t * x.std()).any(
        axis=0
    ),
    "the spread max − min is not a magnitude: |x|.": lambda x, t: np.ptp(x, axis=0) >= t,
    "the sum over the tokens is not the largest: one value must reach the threshold.": (
        lambda x, t: np.abs(x).sum(axis=0) >= t
    ),
    "`threshold` is left out: this is always 6.": lambda x, t: outlier_channels(x, 6.0),
    "the magnitude comes first: the largest of |x|, not the magnitude of the largest x.": (
        lambda x, t: np.abs(x.max(axis=0)) >= t
    ),
    "this looks at the most negative value only; large positive ones count, too: |x|.": (
        lambda x, t: np.abs(x.min(axis=0)) >= t
    ),
    "this looks at the first token alone; a large value in any token is enough.": lambda x, t: np.abs(x[0]) >= t,
    "one token is enough; here two are asked for.": lambda x, t: (np.abs(x) >= t).sum(axis=0) >= 2,
    "this keeps only the largest channel; several can be outliers.": (
        lambda x, t: np.arange(x.shape[1]) == np.abs(x).max(axis=0).argmax()
    ),
}
