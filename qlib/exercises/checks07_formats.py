"""The check of exercise 7.3, outlook: a scale for each group of weights."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, ask, compare


def groups(answer, rng) -> None:
    """The check of 7.3."""
    small = [
        ([7, 3.2, -1.1], 3),
        ([3.1, -7, 1.2], 3),
        ([7, 3.2, -1.1, 14, -6.5, 0.9], 3),
        ([7, 3.2, -1.1, 14, -6.5, 0.9, -21, 4.3], 3),
        ([28, 3.2, -1.1, 14, -6.5, 0.9, 3.5], 3),
        ([-3.3, -1.2, -0.4, 0.6, 0.2, 0.1, -5.5, 2.2, 1.3, 4.1], 4),
    ]
    cases = [(np.array(w, np.float32), size) for w, size in small]
    cases += [(rng.normal(size=n).astype(np.float32), size) for n, size in ((50, 16), (100, 32))]
    compare(
        answer,
        _grouped,
        cases,
        {
            "this is one scale for all weights; each group has its own.": lambda w, n: _grouped(w, len(w)),
            "`size` is the number of weights in a group, not the number of groups.": (
                lambda w, n: np.concatenate([_one(g) for g in np.array_split(w, n)])
            ),
            "a group is `size` neighbours; these weights lie far apart (a reshape the wrong way round?).": _interleaved,
            "the last, shorter group is left at 0; it has a scale, too.": lambda w, n: _tail(w, n, np.zeros_like),
            "the last, shorter group is left as it was; it is quantized, too.": lambda w, n: _tail(w, n, np.array),
            "the last group has the scale of the group before it; it has its own.": _scale_of_the_one_before,
            "the last group is shorter: you filled it up with weights of the group before, and these set its scale.": (
                _overlap
            ),
            "you divide by 8 (or the range by 16); the largest code is 7, so the largest weight would be clipped.": (
                lambda w, n: _grouped(w, n, divisor=8)
            ),
            "you divide by 8; the largest code of 4 bits is 7, not 8.": lambda w, n: _grouped(w, n, divisor=8, high=8),
            "you divide by 7.5, and the code 8 doesn't exist: the scale is max|w| / 7.": (
                lambda w, n: _grouped(w, n, divisor=7.5, high=8)
            ),
            "you divide by 7.5 (or the range by 15); with zero point 0 the scale is max|w| / 7.": (
                lambda w, n: _grouped(w, n, divisor=7.5)
            ),
            "this is a scale for 8 bits; the largest code of 4 bits is 7.": lambda w, n: _grouped(
                w, n, divisor=127, high=127
            ),
            "the threshold is the largest magnitude: take |w| first, or a negative weight is overlooked.": (
                lambda w, n: _grouped(w, n, most=np.max)
            ),
            "the threshold is the largest |w|; a group whose largest magnitude is negative is overlooked.": (
                lambda w, n: _grouped(w, n, most=np.max, high=999)
            ),
            "these are the codes; multiply each by the scale of its group.": lambda w, n: _grouped(w, n, back="codes"),
            "a code times the scale is the weight; you divide by the scale.": lambda w, n: _grouped(w, n, back="over"),
            "this rounds down; take the nearest code.": lambda w, n: _grouped(w, n, rounding=np.floor),
            "this cuts off towards 0; take the nearest code.": lambda w, n: _grouped(w, n, rounding=np.trunc),
            "this rounds up; take the nearest code.": lambda w, n: _grouped(w, n, rounding=np.ceil),
            "this rounds away from 0; take the nearest code.": lambda w, n: _grouped(
                w, n, rounding=lambda x: np.copysign(np.ceil(np.abs(x)), x)
            ),
            "this is affine, with a zero point for each group; symmetric was asked for.": _affine,
            "the range max(w) − min(w) is divided by 15; symmetric: the scale is max|w| / 7.": lambda w, n: _grouped(
                w, n, most=np.ptp, divisor=15
            ),
            "you divide max|w| by 15; codes of either sign reach 7 only, so the large weights are clipped.": (
                lambda w, n: _grouped(w, n, divisor=15)
            ),
            "max|w| is divided by 1, as for 2 bits; the largest code of 4 bits is 7.": lambda w, n: _grouped(
                w, n, divisor=1, high=1
            ),
            "codes from 0 on lose the negative weights; here they go from −8 to 7.": lambda w, n: np.maximum(
                _grouped(w, n, high=15), 0
            ),
            "all groups have the scale of the first one; each has its own.": lambda w, n: np.concatenate(
                [_one(w[i : i + n], scale=np.abs(w[:n]).max() / 7) for i in range(0, len(w), n)]
            ),
            "your scales are rounded to float16; here they stay as they are.": lambda w, n: np.concatenate(
                [_one(g, scale=float(np.float16(np.abs(g).max() / 7))) for g in np.split(w, range(n, len(w), n))]
            ),
            "the largest weight so far is kept from group to group; begin anew in each.": _running,
            "nothing is rounded here.": lambda w, n: w,
        },
        otherwise="in each group: scale = max|w| / 7, codes rint(w / scale), and back.",
    )
    got = np.asarray(ask(answer, zeros := np.array([0, 0, 0, 7, 2, 1], np.float32), 3))
    if np.isnan(got).any():
        raise Wrong("a group of zeros has the scale 0, and 0 / 0 is NaN; any other scale will do.", got=got)
    if not np.array_equal(got, zeros):
        raise Wrong("a group of zeros stays 0, and the next one does not notice.", expected=zeros, got=got)


def _one(g, divisor=7.0, high=7, most=lambda g: np.abs(g).max(), rounding=np.rint, back="reals", scale=None):
    """One group, there and back, by one of many rules; float64."""
    g = g.astype(np.float64)
    with np.errstate(all="ignore"):
        scale = (most(g) if g.size else 0) / divisor if scale is None else scale
        codes = np.clip(rounding(g / (scale or 1.0)), -high - 1, high)
    return {"reals": codes * scale, "codes": codes, "over": codes / (scale or 1.0)}[back]


def _grouped(w, size, **rules):
    return np.concatenate([np.zeros(0)] + [_one(w[i : i + size], **rules) for i in range(0, len(w), size)])


def _interleaved(w, size):
    count, w_hat = -(-len(w) // size), np.zeros(len(w))
    for i in range(count):
        w_hat[i::count] = _one(w[i::count])
    return w_hat


def _whole(w, size):
    """Where the whole groups end: at the last weight but for a shorter group."""
    return len(w) // size * size


def _tail(w, size, rest):
    end = _whole(w, size)
    return np.concatenate([_grouped(w[:end], size), rest(w[end:])] if end else [rest(w)])


def _scale_of_the_one_before(w, size):
    end = _whole(w, size)
    scale = np.abs(w[end - size : end]).max() / 7
    return np.concatenate([_grouped(w[:end], size), _one(w[end:], scale=scale)])


def _overlap(w, size):
    end = _whole(w, size)
    return np.concatenate([_grouped(w[:end], size), _one(w[end:], scale=np.abs(w[-size:]).max() / 7)])


def _running(w, size):
    most = [np.abs(w[: i + size]).max() for i in range(0, len(w), size)]
    return np.concatenate([_one(w[i * size : (i + 1) * size], scale=m / 7) for i, m in enumerate(most)])


def _affine(w, size):
    w_hat = []
    for i in range(0, len(w), size):
        g = w[i : i + size].astype(np.float64)
        low, high = min(g.min(), 0), max(g.max(), 0)
        scale = (high - low) / 15
        zero_point = np.rint(-8 - low / scale)
        w_hat.append(scale * (np.clip(np.rint(g / scale) + zero_point, -8, 7) - zero_point))
    return np.concatenate(w_hat)
