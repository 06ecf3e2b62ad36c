"""The check of exercise 6a.4: codes by TensorFlow's rule for a whole tensor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qlib.exercises.asking import Wrong, ask, compare

HALF = np.float32(0.5)


def _half_up(v: np.ndarray) -> np.ndarray:
    return np.floor(v + HALF)


def _rule(steps: Callable | None = None, rounding: Callable = _half_up, *, low=None, high=None) -> Callable:
    """The rule, with its steps from `lowest`, its rounding or an end of its clip replaced. All are functions."""

    def codes(x, scale, lowest):
        ends = [end(lowest, scale) if end else given for end, given in ((low, lowest), (high, lowest + 255 * scale))]
        clipped = np.clip(x, *ends)
        return rounding(steps(clipped, scale, lowest) if steps else (clipped - lowest) / scale).astype(np.int64)

    return codes


_right = _rule()
_open = _rule(low=lambda low, s: np.float32(-np.inf), high=lambda low, s: np.float32(np.inf))


def _away(x, scale, lowest) -> np.ndarray:
    """Rounded before the shift, ties away from zero."""
    v = np.clip(x, lowest, lowest + 255 * scale) / scale
    return (np.sign(v) * np.floor(np.abs(v) + HALF) - lowest / scale).astype(np.int64)


MISCONCEPTIONS = {
    "ties go to the even code here (np.round and np.rint do that); TensorFlow rounds them up.": _rule(rounding=np.rint),
    "ties go down here; TensorFlow rounds them up.": _rule(rounding=lambda v: np.ceil(v - HALF)),
    "the rounding is missing: a cast or a floor alone takes the next lower code.": _rule(rounding=np.floor),
    "this always takes the next higher code; half up means the nearer one, and up on a tie.": _rule(rounding=np.ceil),
    "this adds a half and then rounds once more; after the half only floor is needed.": (
        _rule(rounding=lambda v: np.rint(v + HALF))
    ),
    "values outside the range have no code: clip first.": _open,
    "a cast to 8 bits comes before the clip here, so that codes wrap around.": lambda *case: _open(*case) & 255,
    "the shift is missing: the code 0 stands for `lowest`, not for the real 0.": _rule(lambda x, s, low: x / s),
    "`lowest` is negative: it is subtracted, not added.": _rule(lambda x, s, low: (x + low) / s),
    "`lowest` is a real, not a code: subtract it before you divide.": _rule(lambda x, s, low: x / s - low),
    "divide by the scale; a product with it has no meaning.": _rule(lambda x, s, low: (x - low) * s),
    "the half is half a code: add it after the division.": _rule(lambda x, s, low: (x - low + HALF) / s, np.floor),
    "this range has 256 steps; between 256 codes there are 255.": _rule(high=lambda low, s: low + 256 * s),
    "this range has 254 steps; between 256 codes there are 255.": _rule(high=lambda low, s: low + 254 * s),
    "negative values are clipped away; the range begins at `lowest`.": _rule(low=lambda low, s: 0),
    "the range ends at lowest + 255·scale, not at 255·scale.": _rule(high=lambda low, s: 255 * s),
    "this range is symmetric; it ends at lowest + 255·scale, not at −lowest.": _rule(high=lambda low, s: -low),
    "these codes begin at −128; those asked for go from 0 to 255.": lambda *case: _right(*case) - 128,
    "`lowest` has the code 0; here it has 1.": lambda *case: _right(*case) + 1,
    "these are the reals again, without their decimals; the codes are asked for.": (
        lambda x, s, low: (_right(x, s, low) * s + low).astype(np.int64)
    ),
    "this rounds x/Δ before the shift, ties to even, as qlib does.": (
        lambda x, s, low: (np.rint(np.clip(x, low, low + 255 * s) / s) - low / s).astype(np.int64)
    ),
    "this rounds ties away from zero before the shift, so those of negative values go down.": _away,
    "this rounds before the shift, and a cast cuts negative values towards 0: shift first.": (
        lambda x, s, low: (np.trunc(np.clip(x, low, low + 255 * s) / s + HALF) - low / s).astype(np.int64)
    ),
}


def tf_codes(answer, rng) -> None:
    """The check of 6a.4. The steps are powers of two, so that nothing else is rounded."""
    half, quarter, one = np.float32(0.5), np.float32(0.25), np.float32(1)
    ties = np.float32([0.25, 0.75, 1.25, -0.25, -0.75, -1.25, 3.0, 0.0])
    cases = [(np.float32([0.0, 1.0, 2.0]), half, np.float32(0)), (np.float32([0.1, 0.4, 1.9]), half, np.float32(0))]
    cases += [(np.float32([-1.0, 0.0, 2.0]), half, np.float32(-2)), (ties, half, np.float32(-3))]
    cases += [(ties, half, np.float32(-3.5)), (np.float32([-9, 9, 300]), one, np.float32(-4))]
    cases += [(np.float32([63.9, 70, -70]), quarter, np.float32(-16)), (np.float32([[0.5, 1.5]]), one, np.float32(-7))]
    for scale in (half, quarter, one):
        lowest = np.float32(-scale * rng.integers(1, 200))
        x = (scale * rng.integers(-900, 900, 60) / 4).astype(np.float32)  # a quarter of them ties
        cases.append((x, scale, lowest))
    if isinstance(ask(answer, *cases[0]), list):
        raise Wrong("an array is wanted, of x's shape, not a list: leave out .tolist().")
    otherwise = "clip x to lowest … lowest + 255·scale, subtract lowest, divide by scale, floor(v + 0.5)."
    compare(answer, _right, cases, MISCONCEPTIONS, otherwise=otherwise)
