"""The check of exercise 6d.4, distillation: pairs of accuracies, with a teacher and without."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, ask, same_form, shown_inputs
from qlib.results import paired_difference


def paired(answer, rng) -> None:
    """The check of 6d.4. No smaller pieces: of two pairs, n − 1 and √n would mix up."""
    cases = [(np.array([0.6, 0.8, 0.7]), np.array([0.9, 0.6, 0.5]))]
    cases += [(rng.uniform(0.9, 1, n), rng.uniform(0.9, 1, n)) for n in (4, 7)]
    for case in cases:
        got, expected, given = ask(answer, *case), paired_difference(*case), shown_inputs(answer, case)
        if isinstance(got, np.ndarray) and got.shape == (2,):
            got = tuple(got)
        same_form(got, expected, given)
        if not np.allclose(got, expected, rtol=1e-6, atol=1e-12):
            found = [sentence for sentence, values in _wrong(*case).items() if np.allclose(got, values, rtol=1e-6)]
            otherwise = "the mean of the differences, and their standard deviation divided by √n."
            raise Wrong(found[0] if found else otherwise, given=given, expected=expected, got=got)


def _wrong(a: np.ndarray, b: np.ndarray) -> dict[str, tuple[float, float]]:
    """What each misconception gives."""
    d, n = a - b, len(a)
    mean, spread = d.mean(), d.std(ddof=1)
    error = spread / np.sqrt(n)
    ordered, relative = (paired_difference(x, 0 * b) for x in (np.sort(a) - np.sort(b), d / b))
    return {
        "the difference is taken the wrong way: with the teacher minus without, so that help is positive.": (
            -mean,
            error,
        ),
        **_groups(a, b),
        "this is the standard deviation of the differences; divided by √n it is their standard error.": (mean, spread),
        "the standard deviation of a sample has n − 1 in its denominator (ddof=1).": (mean, d.std() / np.sqrt(n)),
        "two things are missing: n − 1 in the standard deviation (ddof=1), and the division by √n.": (mean, d.std()),
        "the standard deviation is divided by n; it is divided by √n.": (mean, spread / n),
        "n − 1 stands in the standard deviation already (ddof=1); it is divided by √n.": (
            mean,
            spread / np.sqrt(n - 1),
        ),
        "without their signs, differences never cancel, and noise would look like help.": paired_difference(
            np.abs(d), 0 * b
        ),
        "the mean is that of the differences without their signs: noise would look like help.": (
            np.abs(d).mean(),
            error,
        ),
        "the second is the variance of the mean; its square root is the standard error.": (mean, error**2),
        "the variance is divided by √n; the standard deviation is wanted, its square root.": (
            mean,
            spread**2 / np.sqrt(n),
        ),
        "this is twice the standard error.": (mean, 2 * error),
        "five seeds are written into the formula; here their number is len(without).": (mean, spread / np.sqrt(5)),
        "the standard error comes second: mean, then error.": (error, mean),
        "this is the sum of the differences; the mean is wanted.": (n * mean, error),
        "this is the median of the differences; the mean is wanted.": (np.median(d), error),
        "this is the mean with a teacher alone; that of the differences is wanted.": (a.mean(), error),
        "sorted accuracies are no pairs any more: number i of both arrays is seed i.": ordered,
        "these are differences relative to those without; plain differences are wanted.": relative,
        "this is in percent; accuracies and their differences are shares here.": (100 * mean, 100 * error),
    }


def _groups(a: np.ndarray, b: np.ndarray) -> dict[str, tuple[float, float]]:
    """What one gives who computes a spread of each group, and not of the differences."""
    mean, root = a.mean() - b.mean(), np.sqrt(len(a))
    one, other = a.std(ddof=1), b.std(ddof=1)
    groups = "this is the error of two separate groups. Seeds are paired: take the differences first"
    shares = "√(p(1 − p)/n) is for one share among n images; here the spread of n differences is wanted"
    return {
        f"{groups}.": (mean, np.hypot(one, other) / root),
        f"{groups} (and ddof=1).": (mean, np.hypot(a.std(), b.std()) / root),
        "the errors of both are added; the spread of the differences is wanted.": (mean, (one + other) / root),
        "the two standard deviations are subtracted; the spread of the differences is wanted.": (mean, one - other),
        "the two standard errors are subtracted; the spread of the differences is wanted.": (
            mean,
            (one - other) / root,
        ),
        "this is the error of those with a teacher alone; the spread of the differences is wanted.": (mean, one / root),
        "this is the error of those without a teacher; the spread of the differences is wanted.": (mean, other / root),
        f"{shares}.": (mean, np.sqrt(abs(mean) * (1 - abs(mean))) / root),
        f"{shares} (and p is no accuracy of one of them).": (mean, np.sqrt(a.mean() * (1 - a.mean())) / root),
    }
