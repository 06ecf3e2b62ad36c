"""The check of the last exercise of lesson 03: a calibrator."""

from __future__ import annotations

import numpy as np

from qlib import affine, error
from qlib.exercises.asking import Wrong, ask, number


def calibrator(answer, rng) -> None:
    """The check of 3.10."""
    tries = [(f"x = {name}, num_bits = {b}", x, b) for name, x, bit_widths in _samples(rng) for b in bit_widths]
    for place, (given, x, num_bits) in enumerate(tries):
        chosen, profile = number(ask(answer, x, num_bits)), error.ErrorProfile(x)
        if chosen <= 0:
            raise Wrong("a threshold is greater than 0: clip to [-T, T], and T is a size.", given=given, got=chosen)
        best = profile.best_threshold(num_bits)
        ratio = _error(profile, chosen, num_bits) / _error(profile, best, num_bits)
        if ratio > 1.05:
            sentence = _calibrator_mistake(answer, tries[place:]) or _where(x, chosen, best, ratio)
            raise Wrong(
                sentence,
                given=given,
                expected=f"T near {best:.4g}",
                got=f"T = {chosen:.4g}, {ratio:.2f} times the error",
            )


def _where(x, chosen: float, best: float, ratio: float) -> str:
    if chosen > float(np.abs(x).max()) * 1.001:
        return "T lies beyond the largest |x|: there is nothing to clip, and the step is wider than it need be."
    if chosen < best / 8:
        return "almost everything is clipped: is this the candidate with the largest error, not the least?"
    if ratio < 2:
        return "near the best T, but not near enough: are the candidates fine enough, and does `num_bits` enter?"
    if chosen > best:
        return "T is too large, and the step too wide: try smaller candidates, and keep the one with the least error."
    return "T is too small: too much is clipped. Is the error the squared one, and over both signs?"


def _calibrator_mistake(answer, tries) -> str:
    """The misconception whose T the answer gives in three of four tries that are wrong, or ""."""
    found: dict[str, int] = {}
    failed = 0
    for _, x, num_bits in tries:
        if failed == 10:  # enough to tell them apart
            break
        try:
            chosen, profile = float(ask(answer, x, num_bits)), error.ErrorProfile(x)
            best = profile.best_threshold(num_bits)
            if chosen > 0 and _error(profile, chosen, num_bits) <= 1.05 * _error(profile, best, num_bits):
                continue
        except (Wrong, TypeError, ValueError):
            continue
        failed += 1
        for sentence, value in _wrong_thresholds(x, num_bits, best, profile).items():
            found[sentence] = found.get(sentence, 0) + bool(value > 0 and abs(np.log(abs(chosen) / value)) < 0.03)
    most = max(found, key=found.get)
    return most if found[most] >= 0.75 * failed else ""


def _wrong_thresholds(x, num_bits: int, best: float, profile: error.ErrorProfile) -> dict[str, float]:
    largest, qmax = float(np.abs(x).max()), 2 ** (num_bits - 1) - 1
    wrong = {
        "this is for unsigned codes: signed symmetric ones spend half of theirs below 0, also where x has no minus.": (
            profile.best_threshold(num_bits + 1) if x.min() >= 0 else 0.0
        ),
        "the lowest code is left out: without `narrow_range` the codes reach to qmin.": (
            profile.best_threshold(num_bits, narrow_range=True)
        ),
        "these codes are affine: without `symmetric=True` the step is 2 T over 2^b - 1.": _least_affine(
            profile, x, num_bits
        ),
        "this is min-max: nothing is clipped, and with few bits that costs much.": largest,
        "the absolute value is missing: the largest |x| may be negative.": float(x.max()),
        "this is the scale: give the threshold T = scale * qmax.": best / qmax,
        "this is the width of the range, from -T to T: give T, half of it.": 2 * best,
        "this is a fraction of the largest |x|: give T itself.": best / largest,
        "this is the least error itself: give the T at which it is reached.": _error(profile, best, num_bits),
        "here the mean |error| is least; the squared error counts large ones more.": _least_absolute(x, num_bits),
    }
    for k in (2, 3, 4):
        text = f"{k} standard deviations know nothing of the number of bits, or of the tails."
        wrong[text] = k * float(x.std())
        wrong[text.replace("deviations", "deviations around the mean")] = abs(float(x.mean())) + k * float(x.std())
    for percent in (99.9, 99.99, 99.5, 99):
        text = f"the {percent} % percentile knows nothing of the number of bits."
        wrong[text] = float(np.percentile(np.abs(x), percent))
    for bits_taken in (2, 3, 4, 5, 6, 7, 8):
        text = f"this is the threshold for {bits_taken} bits: `num_bits` must enter the error."
        wrong[text] = profile.best_threshold(bits_taken) if bits_taken != num_bits else 0.0
    return wrong


def _least_affine(profile: error.ErrorProfile, x, num_bits: int) -> float:
    """The threshold with the least error if `symmetric=True` is forgotten."""
    candidates = np.abs(x).max() * np.linspace(0.005, 1, 200)
    errors = [profile.mse(affine.choose_qparams(-t, t, num_bits=num_bits)) for t in candidates]
    return float(candidates[np.argmin(errors)])


def _least_absolute(x, num_bits: int) -> float:
    """The threshold with the least mean |error|."""
    candidates = np.abs(x).max() * np.linspace(0.005, 1, 200)
    quantizers = [affine.choose_qparams(-t, t, num_bits=num_bits, symmetric=True) for t in candidates]
    return float(candidates[np.argmin([np.mean(np.abs(x - affine.fake_quantize(x, p))) for p in quantizers])])


def _samples(rng) -> list[tuple[str, np.ndarray, tuple[int, ...]]]:
    normal = rng.normal(size=4000)
    outlier = np.append(rng.normal(size=4000), 12.0)
    samples = {  # where several minima lie, or one sign is missing, a hasty search goes wrong
        "a normal sample": normal,
        "a Laplace sample": rng.laplace(size=4000),
        "a normal sample with one value at 12": outlier,
        "a normal sample with one value at -12": -outlier,
        "a sample with negative values only": -np.abs(rng.normal(size=4000)) - 0.1,
        "a normal sample around 2": rng.normal(2, 1, 4000),
        "a sample of small values": 1e-3 * rng.normal(size=(40, 50)),
        "a sample of large values": 500 * rng.laplace(size=3000),
        "a sample with positive values only": np.abs(rng.normal(size=3000)),
        "a uniform sample with negative values only": -rng.uniform(0, 1, 3000),
        "a normal sample with one value at 30": np.append(rng.normal(size=3000), 30.0),
        "a sample with very long tails": rng.standard_cauchy(size=3000),
    }
    return [(f"{name}, shape {x.shape}", x.astype(np.float32), _bit_widths(name)) for name, x in samples.items()]


def _bit_widths(name: str) -> tuple[int, ...]:
    if name == "a normal sample":
        return 4, 3, 8, 6, 5, 7
    if "uniform" in name:
        return 4, 3  # with 8 bits the valley is too narrow to be fair
    return (3, 4, 5) if "at 30" in name else (4, 8, 3)


def _error(profile: error.ErrorProfile, chosen: float, num_bits: int) -> float:
    return profile.mse(affine.choose_qparams(-chosen, chosen, num_bits=num_bits, symmetric=True))
