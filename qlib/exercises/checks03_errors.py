"""The checks of lesson 03, sections 3 to 5: method, threshold and step size."""

from __future__ import annotations

import numpy as np

from qlib import affine, error
from qlib.exercises.asking import Wrong, ask, compare, number

f32 = np.float32

# ------------------------------------------------------------------ 3.6 and 3.7


def _ms(x) -> float:
    return float(np.mean(np.square(np.asarray(x, np.float64))))


def sqnr_db(answer, rng) -> None:
    """The check of 3.6."""

    def right(x, x_hat):
        if x.shape != x_hat.shape:
            raise ValueError("shapes differ")
        return error.sqnr_db(x, x_hat)

    cases = [(np.array([10.0, -10.0]), np.array([9.0, -9.0])), (np.array([3.0, 4.0]), np.array([3.0, 3.5]))]
    cases += [(np.array([1.0, 2.0, 2.0]), np.array([4.0, -2.0, 3.0]))]  # more noise than signal
    for mean, noise, shape in ((0, 0.1, 50), (5, 0.01, 50), (-2, 1, 50), (100, 0.02, 9), (0.3, 0.05, (4, 5))):
        x = rng.normal(mean, 1, shape)
        cases.append((x, x + noise * rng.normal(0.5, 1, shape)))
        cases.append(((x * 1000).astype(f32), (x * 1000 + noise * 700).astype(f32)))
    cases += [(np.array([1e-5, -2e-5]), np.array([1.1e-5, -2e-5]))]  # small units
    wrong = {
        "upside down: the signal stands above the noise, so that more decibels are better.": lambda x, y: -right(x, y),
        "less than 0 dB is possible: there the noise is larger than the signal.": lambda x, y: abs(right(x, y)),
        "20 log10 is for amplitudes; squares have their factor 2 in them already.": lambda x, y: 2 * right(x, y),
        "10 log10 is for squares: with roots the factor is 20.": lambda x, y: right(x, y) / 2,
        "decibels use log10; `np.log` is the natural one.": lambda x, y: right(x, y) * np.log(10),
        "decibels use log10, not log2.": lambda x, y: right(x, y) * np.log2(10),
        "this is in bels: a decibel is a tenth of one, so the factor 10 is missing.": lambda x, y: right(x, y) / 10,
        "this is the bare ratio: the logarithm is missing.": lambda x, y: _ms(x) / _ms(x - y),
        "the variance leaves out the mean of x. The signal is the mean of the squares.": lambda x, y: (
            10 * np.log10(np.var(x) / _ms(x - y))
        ),
        "the variances leave out the means of x and of the error: take the mean of the squares.": lambda x, y: (
            10 * np.log10(np.var(x) / np.var(x - y))
        ),
        "the variance of the error leaves out its mean, and a shift is an error, too.": lambda x, y: (
            10 * np.log10(_ms(x) / np.var(x - y))
        ),
        "the error is not squared: take the mean of (x - x_hat)².": lambda x, y: (
            10 * np.log10(_ms(x) / np.mean(np.abs(x - y)))
        ),
        "signal and error are not squared: take the mean of the squares.": lambda x, y: (
            10 * np.log10(np.mean(np.abs(x)) / np.mean(np.abs(x - y)))
        ),
        "the mean of |x| is not the root of the mean square: square first.": lambda x, y: (
            20 * np.log10(np.mean(np.abs(x)) / np.mean(np.abs(x - y)))
        ),
        "the square comes after the mean: errors of both signs cancel. Square first.": lambda x, y: (
            10 * np.log10(np.mean(x) ** 2 / np.mean(x - y) ** 2)
        ),
        "the error's square comes after the mean: errors of both signs cancel. Square first.": lambda x, y: (
            10 * np.log10(_ms(x) / np.mean(x - y) ** 2)
        ),
        "this takes the largest x and the mean error, the *peak* ratio. Take the mean of x².": lambda x, y: (
            10 * np.log10(np.max(np.abs(x)) ** 2 / _ms(x - y))
        ),
        "this takes the largest error: the noise is the mean of the squared errors.": lambda x, y: (
            10 * np.log10(_ms(x) / np.max(np.abs(x - y)) ** 2)
        ),
        "the signal is x; what came out, x_hat, holds the noise already.": lambda x, y: (
            10 * np.log10(_ms(y) / _ms(x - y))
        ),
        "the noise is the difference x - x_hat, not x_hat.": lambda x, y: 10 * np.log10(_ms(x) / _ms(y)),
        "take the two means first, and their ratio after: a mean of ratios lets small x decide.": lambda x, y: (
            10 * np.log10(np.mean(x**2 / (x - y) ** 2))
        ),
        "something is added to the noise, to be safe from 0; in small units it drowns the noise.": lambda x, y: (
            10 * np.log10(_ms(x) / (_ms(x - y) + 1e-12))
        ),
        "one of the two is a sum, the other a mean.": lambda x, y: 10 * np.log10(np.sum(x**2) / _ms(x - y)),
    }
    otherwise = "it is 10 log10 of the mean of x² over the mean of (x - x_hat)²."
    with np.errstate(all="ignore"):
        compare(answer, right, cases, wrong, otherwise=otherwise)


def scales(answer, rng) -> None:
    """The check of 3.7."""

    def peaks(w):
        return np.abs(np.asarray(w, np.float64)).reshape(-1, w.shape[-1]).max(axis=0)

    def right(w, num_bits):
        return peaks(w) / (2 ** (num_bits - 1) - 1)

    def flat(w):
        return np.asarray(w, np.float64).reshape(-1, w.shape[-1])

    first = np.array([[1.0, -14.0, 0.5], [-7.0, 3.0, 0.25], [2.0, 1.0, -0.1], [0.5, 6.0, 0.0]], f32)
    cases = [(first, 4), (first[1:, :3], 4), (first, 2), (-first, 8), (np.array([[2.0, -3.0]], f32), 3)]
    for shape, num_bits in (((5, 5), 8), ((3, 3, 2, 4), 4), ((4, 4, 4, 4), 3), ((6, 2, 3), 16), ((7, 1), 2)):
        w = rng.normal(0.1, 1, shape) * rng.uniform(0.01, 10, shape[-1])
        cases.append((w.astype(f32), num_bits))
    for w, num_bits in (cases[0], cases[6]):
        _check_scales_shape(ask(answer, w, num_bits), w)
    wrong = {
        "all channels have the same scale, and that is per-tensor.": lambda w, b: np.full(
            w.shape[-1], right(w, b).max()
        ),
        "the largest is taken over the wrong axis: the last one, the channel, stays.": lambda w, b: right(
            np.swapaxes(w, 0, -1), b
        ),
        "the absolute value is missing: a large negative weight counts, too.": lambda w, b: (
            flat(w).max(axis=0) / (2 ** (b - 1) - 1)
        ),
        "the absolute value comes after the maximum: a large negative weight is lost before.": lambda w, b: (
            np.abs(flat(w).max(axis=0)) / (2 ** (b - 1) - 1)
        ),
        "2^(b-1) is one too many: T stands for the highest code, 2^(b-1) - 1.": lambda w, b: peaks(w) / 2 ** (b - 1),
        "2 T over 2^b - 1 steps puts the real 0 between two codes. Divide T by qmax.": lambda w, b: (
            2 * peaks(w) / (2**b - 1)
        ),
        "2^b - 1 is the highest unsigned code; symmetric codes are signed.": lambda w, b: peaks(w) / (2**b - 1),
        "this is the affine scale, from smallest to largest; the symmetric one needs max|w| alone.": lambda w, b: (
            np.ptp(flat(w), axis=0) / (2**b - 1)
        ),
        "half of the range from smallest to largest is no threshold: 0 is not its middle.": lambda w, b: (
            np.ptp(flat(w), axis=0) / (2**b - 2)
        ),
        "the smallest weight alone is not enough: a large positive one counts, too.": lambda w, b: (
            np.abs(flat(w).min(axis=0)) / (2 ** (b - 1) - 1)
        ),
        "127 is the highest code of 8 bits: compute it from num_bits.": lambda w, b: peaks(w) / 127,
        "7 is the highest code of 4 bits: compute it from num_bits.": lambda w, b: peaks(w) / 7,
        "this is the threshold of each channel: divide it by the highest code.": lambda w, b: peaks(w),
        "this is the inverse of the scale: the scale is reals per step.": lambda w, b: 1 / right(w, b),
        "the standard deviation says nothing of the largest weight: it would be clipped.": lambda w, b: (
            flat(w).std(axis=0) / (2 ** (b - 1) - 1)
        ),
        "the mean says nothing of the largest weight: it would be clipped.": lambda w, b: (
            np.abs(flat(w)).mean(axis=0) / (2 ** (b - 1) - 1)
        ),
    }
    compare(answer, right, cases, wrong, otherwise="each channel's scale is its own max|w| over 2^(b-1) - 1.")


def _check_scales_shape(got, w) -> None:
    shape = np.shape(got)
    sentences = {
        (): "one scale for all is per-tensor: each channel has a scale of its own.",
        w.shape[:1]: "the largest is taken over the wrong axis: the last one, the channel, stays.",
        w.shape[:-1]: "the largest is taken over the wrong axis: the last one, the channel, stays.",
        w.shape[1:]: "the first axis is not the only one to reduce: all but the last are.",
        (
            *(1 for _ in w.shape[:-1]),
            w.shape[-1],
        ): "too many axes: `keepdims` is not needed, one scale for each channel is wanted.",
        w.shape: "there is a scale for each weight, but one for each channel is wanted.",
    }
    if shape in sentences and shape != w.shape[-1:]:
        raise Wrong(sentences[shape], given=f"w of shape {w.shape}", expected=f"shape {w.shape[-1:]}", got=got)


# ------------------------------------------------------------- 3.8 and 3.9


def threshold(answer, rng, w) -> None:
    """The check of 3.8."""
    chosen, largest = number(answer), float(np.abs(w).max())
    profile = error.ErrorProfile(w)

    def ratio(threshold: float) -> float:
        p, whole = (affine.choose_qparams(-t, t, num_bits=2, symmetric=True) for t in (threshold, largest))
        return profile.mse(p) / profile.mse(whole)

    if chosen <= 0:
        raise Wrong("a threshold is a size, greater than 0: the range is from -T to T.", got=answer)
    if ratio(chosen) < 0.25:
        return
    told = f"its error is {ratio(chosen):.2f} of min-max's"
    best = profile.best_threshold(2)
    if chosen > largest * 1.001:
        sentence = f"T = {chosen:.3g} lies beyond the largest weight, {largest:.2f}: {told}, and nothing is clipped."
    elif chosen > largest * 0.99:
        sentence = f"T = {chosen:.3g} is min-max itself, the largest weight: nothing is saved yet."
    elif np.isclose(chosen, profile.best_threshold(4), rtol=0.03):
        sentence = f"T = {chosen:.3g} is best for 4 bits: {told}. With 2 bits clipping pays more."
    elif chosen > best and ratio(chosen * largest) < 0.25:
        sentence = (
            f"T = {chosen:.3g} is too large: {told}. As a fraction of the largest weight it is right: give T itself."
        )
    elif chosen > best:
        sentence = f"T = {chosen:.3g} is too large: {told}. Most weights round to 0, because the step is so wide."
    else:
        sentence = f"T = {chosen:.3g} is too small: {told}. Too much is clipped."
    raise Wrong(sentence, expected="below 0.25 of min-max's error", got=answer)


def bits(answer, rng) -> None:
    """The check of 3.9."""

    def formula(b: int) -> float:
        return 20 * np.log10(2**b - 1)

    def right(decibels):
        return next(b for b in range(1, 60) if formula(b) >= decibels)

    hand = [23.0, 9.0, 20.0, 10.0, 11.9, 23.8, 48.0, 48.15, 5.0, 0.5, 100.0, 140.0, 96.325, 120.405, 0.0]
    cases = [(d,) for d in hand] + [(float(d),) for b in range(2, 12) for d in formula(b) + np.array([-0.01, 0.01])]
    fresh = rng.uniform(1, 90, 20)
    cases += [(float(d),) for d in fresh if min(abs(formula(b) - d) for b in range(1, 20)) > 1e-3]
    whole = 20 * np.log10(2)
    wrong = {
        "2^b is the number of codes; the formula has the steps, 2^b - 1, and that can be one bit more.": lambda d: int(
            np.ceil(d / whole)
        ),
        "6.02 dB per bit is an approximation, and near the border it is a bit off. Use 2^b - 1.": lambda d: int(
            np.ceil(d / 6.02)
        ),
        "6 dB per bit is an approximation, and near the border it is a bit off. Use 2^b - 1.": lambda d: int(
            np.ceil(d / 6)
        ),
        "rounded down: one bit too few does not reach the decibels. Round up.": lambda d: int(
            np.floor(np.log2(10 ** (d / 20) + 1))
        ),
        "rounded to the nearest: many answers do not reach the decibels. Round up.": lambda d: int(
            np.rint(np.log2(10 ** (d / 20) + 1))
        ),
        "rounded down, and from 6.02 dB per bit, which is an approximation.": lambda d: int(d / 6.02),
        "rounded to the nearest, and from 6.02 dB per bit, which is an approximation.": lambda d: int(
            np.rint(d / 6.02)
        ),
        # these three give the same: a test with > for >=, a search that begins with 2 bits, and floor plus 1
        "reached is enough (>=, not >): 1 bit has one step, and that is 0 dB. So begin with 1 bit, and round up, not "
        "down plus 1.": lambda d: int(np.log2(10 ** (d / 20) + 1)) + 1,
        "the formula goes on beyond 16 bits: with an end there, 100 dB get one bit too few.": lambda d: min(
            right(d), 16
        ),
        "one bit too many: are there 2^b - 1 steps, and does the loop end as soon as they are enough?": lambda d: (
            right(d) + 1
        ),
        "rounding down and adding 1 to the approximation of 6.02 dB is not the formula.": lambda d: int(d / 6.02) + 1,
        "1.76 dB more is for a sine that fills the range; a uniform signal has 20 log10(2^b - 1).": lambda d: int(
            np.ceil((d - 1.76) / 6.02)
        ),
        "10 log10 is for squares; steps are amplitudes, so the factor is 20.": lambda d: int(
            np.ceil(np.log2(10 ** (d / 10) + 1))
        ),
        "the inverse of log10 is a power of 10, not of e.": lambda d: int(np.ceil(np.log2(np.exp(d / 20) + 1))),
        "2^b - 1 steps: solved for 2^b, the 1 is added, not subtracted.": lambda d: int(
            np.ceil(np.log2(max(10 ** (d / 20) - 1, 1e-9)))
        ),
    }
    compare(answer, right, cases, wrong, otherwise="it is the least b with 20 log10(2^b - 1) >= decibels.")
