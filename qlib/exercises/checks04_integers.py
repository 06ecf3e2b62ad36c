"""Solutions and checks of lesson 04: computing with integers, and training for them (4.3 to 4.6)."""

from __future__ import annotations

import numpy as np

from qlib import fixedpoint
from qlib.exercises.asking import Wrong, compare, number


def my_bias_codes(b, s_x, s_w):
    return np.rint(b / (s_x * s_w)).astype(np.int32)


def _biases(codes, s_x, s_w) -> tuple:
    """Reals that lie within 0.3 steps of these codes, so that the last bit of a division does not matter."""
    off = 0.3 * np.where(np.arange(len(codes)) % 2, -1, 1)
    steps = np.float64(s_x) * s_w * (np.array(codes) + np.where(np.array(codes) == 0, 0, np.sign(codes)) * off)
    return steps, s_x, s_w


def bias(answer, rng) -> None:
    """The check of 4.3."""
    small = [_biases(codes, 0.25, 0.5) for codes in ([0], [1], [2, 3], [-2, -3], [200, 300], [40_000, -70_000])]
    channels = [
        _biases(rng.integers(-9000, 9000, n), float(rng.uniform(0.003, 0.1)), rng.uniform(1e-3, 0.02, n))
        for n in (1, 4, 32)
    ]
    int32 = lambda codes: codes.astype(np.int32)  # noqa: E731
    compare(
        answer,
        my_bias_codes,
        [*small, *channels],
        {
            "the step of the weights is missing: the bias is added to sums of products, whose step is s_x · s_w.": (
                lambda b, s_x, s_w: int32(np.rint(b / s_x))
            ),
            "the step of the input is missing: the bias is added to sums of products, whose step is s_x · s_w.": (
                lambda b, s_x, s_w: int32(np.rint(b / s_w))
            ),
            "codes count steps: divide by the step s_x · s_w, don't multiply.": (
                lambda b, s_x, s_w: int32(np.rint(b * s_x * s_w))
            ),
            "the fraction is cut off, toward zero: round to the nearest code.": (
                lambda b, s_x, s_w: int32(b / (s_x * s_w))
            ),
            "a half added and the rest cut off rounds only positive numbers; negative ones come out too high.": (
                lambda b, s_x, s_w: int32(np.trunc(b / (s_x * s_w) + 0.5))
            ),
            "the codes are rounded down; take the nearest.": lambda b, s_x, s_w: int32(np.floor(b / (s_x * s_w))),
            "the codes are clipped to int8, but a bias joins an int32 sum and needs its range.": (
                lambda b, s_x, s_w: int32(np.clip(np.rint(b / (s_x * s_w)), -128, 127))
            ),
            "the step of a product is the product of the steps, not their sum.": (
                lambda b, s_x, s_w: int32(np.rint(b / (s_x + s_w)))
            ),
        },
        otherwise="the code of b is the number of steps s_x · s_w in it, rounded.",
    )


def my_requantize(acc, multiplier, shift, zero_point):
    n = 31 - shift
    rounded = (acc * multiplier + (1 << (n - 1))) >> n
    return np.clip(rounded + zero_point, -128, 127).astype(np.int8)


def requantize(answer, rng) -> None:
    """The check of 4.4."""
    half, third = (2**30, 0), (1_431_655_765, -1)  # M = 1/2, and just below 1/3
    hand = [
        (np.array([acc]), *m, z)
        for acc, m, z in (
            *((2, half, 0), (3, half, 0), (1, half, 0), (-1, half, 0), (-3, half, 0), (5, third, 0), (-5, third, 0)),
            *((20, half, 7), (1, half, 1), (600, half, 0), (-600, half, 0), (300, half, -60), (-300, half, 60)),
        )
    ]
    near = np.array([2**25 + 2**19 - 1])  # just below a tie, and more places than a float32 has
    some = [
        (rng.integers(-80_000, 80_000, 60), int(rng.integers(2**30, 2**31)), -int(rng.integers(6, 10)), int(z))
        for z in (-128, 0, rng.integers(-100, 100))
    ]
    compare(
        answer,
        my_requantize,
        [*hand, (near, 2**30, -19, 0), (np.array([-1]), 2**30 + 1, 0, 0), *some],  # M is just above 1/2
        REQUANTIZE,
        otherwise="acc times multiplier, plus half of 2^n, shifted right by n = 31 − shift; then zero point, and clip.",
    )


def _requantized(rounding, *, ends=(-128, 127), wraps=False, z_first=False, z=1):
    """A wrong `my_requantize`: another rounding of acc · M, other ends, or another order of steps."""

    def wrong(acc, multiplier, shift, zero_point):
        before, after = (zero_point, 0) if z_first else (0, z * zero_point)
        q = rounding((acc + before) * multiplier, 31 - shift) + after
        return (q.astype(np.int64) if wraps else np.clip(q, *ends)).astype(np.int8)

    return wrong


def _up(product, n):
    return (product + (1 << (n - 1))) >> n


def _clips_first(acc, multiplier, shift, zero_point):
    return (np.clip(_up(acc * multiplier, 31 - shift), -128, 127) + zero_point).astype(np.int8)


def _float32(acc, multiplier, shift, zero_point):
    product = np.float32(acc) * np.float32(multiplier * 2.0 ** (shift - 31))
    return np.clip(np.floor(product + np.float32(0.5)) + zero_point, -128, 127).astype(np.int8)


REQUANTIZE = {
    "a right shift rounds down: half of what it divides by is to be added first.": _requantized(lambda p, n: p >> n),
    "the quotient is cut off toward zero; add half, and shift.": _requantized(lambda p, n: np.trunc(p / 2.0**n)),
    "ties go to the even neighbour here, as with np.rint; this kernel rounds them up.": (
        _requantized(lambda p, n: np.rint(p / 2.0**n))
    ),
    "ties go away from zero here; adding half and shifting rounds them up, also the negative ones.": (
        _requantized(lambda p, n: np.sign(p) * np.floor(np.abs(p) / 2.0**n + 0.5))
    ),
    "you round twice, after a shift by 31 and after the rest; shift the whole product once, by 31 − shift.": (
        _requantized(lambda p, n: (((p + (1 << 30)) >> 31) + (1 << (n - 31) >> 1)) >> (n - 31))
    ),
    "the lowest bits of the multiplier are lost: multiply by all of it, and shift then.": (
        lambda acc, m, shift, z: np.clip(_up(acc * (m >> 16), 15 - shift) + z, -128, 127).astype(np.int8)
    ),
    "the zero point is missing: the code of the real 0 is zero_point.": _requantized(_up, z=0),
    "the zero point is subtracted; a code is the number of steps plus the zero point.": _requantized(_up, z=-1),
    "the zero point is added before the multiplication; it is in steps of the output, so it comes last.": (
        _requantized(_up, z_first=True)
    ),
    "the clip comes before the zero point, so that the sum of both leaves int8 and wraps.": _clips_first,
    "the codes wrap: clip to −128 … 127 before the cast to int8.": _requantized(_up, wraps=True),
    "−128 is a code of int8, too; the clip ends one too early.": _requantized(_up, ends=(-127, 127)),
    "a float32 has 24 binary places, and the product needs more; keep it an integer.": _float32,
    "the shift goes the wrong way: a negative shift makes M smaller, so shift right by 31 − shift.": (
        lambda acc, m, shift, z: np.clip(_up(acc * m, 31 + shift) + z, -128, 127).astype(np.int8)
    ),
}


def my_acc(accs, results):
    differ = results["one_rounding"] != results["two_roundings_up"]
    return accs[differ & (accs > 0)][0]


def acc(answer, rng, m, accs, results) -> None:
    """The check of 4.5."""
    acc = number(answer, integer=True)
    if 40_000 < acc < len(accs):
        raise Wrong(f"{acc} is a place in `accs`: the accumulator there is {accs[acc]}.", got=answer)
    if acc < 0:
        raise Wrong("a negative accumulator was not asked for: take one from 1 to 40,000.", got=answer)
    if not 1 <= acc <= 40_000:
        raise Wrong("take an accumulator from 1 to 40,000.", got=answer)
    rules = fixedpoint.one_rounding, fixedpoint.two_roundings_up  # not `results`, which ends at 39,999
    once, twice = (int(rule(np.array([acc]), m)[0]) for rule in rules)
    exact = acc * int(m.multiplier) / 2.0 ** (31 - int(m.shift))
    given, both = f"{acc} · M = {exact:.5f}", f"once {once}, twice {twice}"
    part = exact % 1
    if once != twice:
        return
    if part >= 0.5:
        raise Wrong("from .5 on both rules round up: look just below it.", given=given, got=both)
    if part > 0.48:
        raise Wrong("close: the part after the point must be nearer still to .5, as in 82.4997.", given=given, got=both)
    raise Wrong("both rules round down: the part after the point has to be just below .5.", given=given, got=both)


def my_ste_gradient(upstream, w, scale, qmin, qmax):
    codes = np.rint(w / scale)
    return np.where((qmin <= codes) & (codes <= qmax), upstream, 0)


def ste(answer, rng) -> None:
    """The check of 4.6."""
    hand = [(np.array([3.0]), np.array([w]), scale, -2, 1) for w, scale in ((0.2, 1.0), (9.0, 1.0), (-9.0, 1.0))]
    hand += [(np.array([3.0]), np.array([w]), 0.5, -2, 1) for w in (0.6, 0.7, -1.1, -1.2, 0.9, -1.4)]
    some = []
    for scale, qmin, qmax in ((0.1, -2, 1), (0.25, -4, 3), (2.0, -8, 7)):
        codes = rng.integers(qmin - 2, qmax + 3, 60)
        w = scale * (codes + rng.uniform(-0.45, 0.45, 60))  # no ties
        some.append((rng.normal(size=60), w, scale, qmin, qmax))
    compare(
        answer,
        my_ste_gradient,
        [*hand, *some],
        {
            "the gradient passes where w is clipped, too; there a small move of w changes nothing.": (
                lambda up, w, s, lo, hi: up
            ),
            "0 everywhere is the derivative of the staircase, and no weight would ever move: let it pass inside.": (
                lambda up, w, s, lo, hi: np.zeros_like(up)
            ),
            "you compare w / scale with the ends, not its code: 1.2 has the code 1, which is not clipped.": (
                lambda up, w, s, lo, hi: np.where((lo * s <= w) & (w <= hi * s), up, 0)
            ),
            "the lowest code is qmin, not −qmax; both ends are given, and differ.": (
                lambda up, w, s, lo, hi: np.where(np.abs(np.rint(w / s)) <= hi, up, 0)
            ),
            "the ends qmin and qmax are codes like any other: use ≤, not <.": (
                lambda up, w, s, lo, hi: np.where((lo < np.rint(w / s)) & (np.rint(w / s) < hi), up, 0)
            ),
            "qmin and qmax are codes, and w is a real: divide w by the scale first.": (
                lambda up, w, s, lo, hi: np.where((lo <= np.rint(w)) & (np.rint(w) <= hi), up, 0)
            ),
            "the gradient is the mask alone; the chain rule multiplies it with what comes from above.": (
                lambda up, w, s, lo, hi: np.where((lo <= np.rint(w / s)) & (np.rint(w / s) <= hi), 1.0, 0)
            ),
            "no factor of the scale remains: dividing by it and multiplying with it cancel.": (
                lambda up, w, s, lo, hi: np.where((lo <= np.rint(w / s)) & (np.rint(w / s) <= hi), up * s, 0)
            ),
            "this is the quantized weight; the gradient is asked for.": (
                lambda up, w, s, lo, hi: s * np.clip(np.rint(w / s), lo, hi)
            ),
            "turned round: it passes exactly where w is clipped.": (
                lambda up, w, s, lo, hi: np.where((lo <= np.rint(w / s)) & (np.rint(w / s) <= hi), 0, up)
            ),
        },
        otherwise="upstream where qmin ≤ rint(w / scale) ≤ qmax, and 0 elsewhere.",
    )
