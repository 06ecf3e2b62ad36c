"""Checks of the exercises 8.1 to 8.3: two models on the same images, an observer, the next layer."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import compare


def _answers(rng, both: int, a: int, b: int, alike: int, apart: int) -> tuple:
    """Answers of two models, and labels, shuffled.

    Right are both, the first alone (a images), the second alone (b), and none: with the same wrong answer (alike), or
    with two wrong answers (apart).
    """
    n = both + a + b + alike + apart
    labels, off = rng.integers(0, 10, n), np.repeat([0, 1, 2, 3, 4], (both, a, b, alike, apart))
    first, second = labels.copy(), labels.copy()
    second[off == 1] += 1
    first[off == 2] += 1
    first[off == 3] += 2
    second[off == 3] += 2
    first[off == 4] += 1
    second[off == 4] += 2
    order = rng.permutation(n)
    return tuple((x % 10)[order] for x in (first, second, labels))


def _counts(first, second, labels) -> tuple[int, int]:
    first, second = first == labels, second == labels
    return int(np.sum(first & ~second)), int(np.sum(second & ~first))


def _by(rule):
    """The answer of a rule that sees a, b and all that was given."""
    return lambda first, second, labels: bool(rule(*_counts(first, second, labels), first, second, labels))


def _unpaired(a, b, first, second, labels, errors=2) -> bool:
    p, q, n = np.mean(first == labels), np.mean(second == labels), len(labels)
    return abs(p - q) > errors * np.sqrt(p * (1 - p) / n + q * (1 - q) / n)


def differ(answer, rng) -> None:
    """The check of 8.1."""
    counts = [
        *((90, 0, 0, 5, 5), (80, 20, 2, 0, 0), (80, 2, 20, 0, 0), (80, 12, 10, 0, 0), (400, 12, 2, 40, 40)),
        *((400, 2, 12, 60, 60), (300, 4, 0, 10, 10), (300, 5, 0, 30, 10), (300, 0, 5, 30, 10), (900, 60, 45, 5, 5)),
        *((900, 70, 48, 5, 5), (100, 9, 2, 1, 80), (100, 2, 9, 1, 80), (50, 40, 30, 9, 9), (60, 30, 8, 9, 9)),
        *((50, 9, 3, 30, 40), (20, 50, 27, 2, 1), (800, 7, 6, 100, 150), (10, 1, 0, 1, 1), (10, 3, 0, 1, 1)),
        *((300, 0, 5, 30, 0), (300, 6, 0, 40, 0), (300, 1, 12, 60, 0), (300, 20, 10, 5, 5), (300, 10, 20, 5, 5)),
    ]
    compare(
        answer,
        _by(lambda a, b, *_: abs(a - b) > 2 * np.sqrt(a + b)),
        [_answers(rng, *row) for row in counts],
        {
            "these are the unpaired errors. On the same images only those count on which one alone is right.": (
                _by(_unpaired)
            ),
            "the second model may be the better one: compare |a − b|.": (
                _by(lambda a, b, *_: a - b > 2 * np.sqrt(a + b))
            ),
            "the first model may be the better one: compare |a − b|.": (
                _by(lambda a, b, *_: b - a > 2 * np.sqrt(a + b))
            ),
            "exactly twice the standard error is not further apart: > and not ≥.": (
                _by(lambda a, b, *_: abs(a - b) >= 2 * np.sqrt(a + b))
            ),
            "one standard error is too little: allow two.": _by(lambda a, b, *_: abs(a - b) > np.sqrt(a + b)),
            "three standard errors are too many: two are asked for.": (
                _by(lambda a, b, *_: abs(a - b) > 3 * np.sqrt(a + b))
            ),
            "this answers False whatever comes. Is the root missing? Or are shares compared with counts?": (
                _by(lambda a, b, *_: abs(a - b) > 2 * (a + b))
            ),
            "the root of the number of all images is too large: only a + b of them can differ.": (
                _by(lambda a, b, f, *_: abs(a - b) > 2 * np.sqrt(len(f)))
            ),
            "that is true as soon as one image differs; noise does that, too.": _by(lambda a, b, *_: a != b),
            "images on which both are wrong, in different ways, do not count: only those that one alone has right.": (
                _by(lambda a, b, f, s, y: abs(a - b) > 2 * np.sqrt(np.sum(f != s)))
            ),
            "the number of images on which they differ says nothing of who is better: compare a with b.": (
                _by(lambda a, b, f, s, y: a + b > 2 * np.sqrt(a + b))
            ),
            "this is the error of the difference at one model's accuracy. Count a and b.": (
                _by(lambda a, b, f, s, y: abs(a - b) > 2 * np.sqrt(len(y) * np.mean(f == y) * (1 - np.mean(f == y))))
            ),
            "both counts vary: under the root stands a + b, and not the larger of them.": (
                _by(lambda a, b, *_: abs(a - b) > 2 * np.sqrt(max(a, b)))
            ),
            "the standard error is of a + b, and not of a · b.": _by(lambda a, b, *_: abs(a - b) > 2 * np.sqrt(a * b)),
            "twice the standard error is asked for: 2, and not 1.96.": (
                _by(lambda a, b, *_: abs(a - b) > 1.96 * np.sqrt(a + b))
            ),
            "no correction is asked for: compare |a − b| itself.": (
                _by(lambda a, b, *_: abs(a - b) - 1 > 2 * np.sqrt(a + b))
            ),
            "this answers True, however near a and b are.": _by(lambda *_: True),
            "this is the wrong way round: True where they differ beyond noise.": (
                _by(lambda a, b, *_: abs(a - b) <= 2 * np.sqrt(a + b))
            ),
            "two errors of √a and √b are not added: the errors' squares are, a + b.": (
                _by(lambda a, b, *_: abs(a - b) > 2 * (np.sqrt(a) + np.sqrt(b)))
            ),
        },
        otherwise="count a and b, and compare |a − b| with 2√(a + b).",
    )


def _mean_of(batches, of) -> float:
    return float(np.mean([of(batch) for batch in batches]))


def _ends(batches) -> tuple[float, float]:
    return min(float(b.min()) for b in batches), max(float(b.max()) for b in batches)


def _moving(batches, share=0.9) -> tuple[float, float]:
    low, high = float(batches[0].min()), float(batches[0].max())
    for batch in batches[1:]:
        low = share * low + (1 - share) * float(batch.min())
        high = share * high + (1 - share) * float(batch.max())
    return min(low, 0.0), max(high, 0.0)


def _with_zero(low, high) -> tuple[float, float]:
    return min(float(low), 0.0), max(float(high), 0.0)


def observed(answer, rng) -> None:
    """The check of 8.2."""
    made = [
        [[-1.0, 2.0], [-3.0, 1.0], [0.5, 5.0], [-0.5, 0.25]],
        [[-4.0, 0.5], [-1.0, 1.5], [-2.0, 3.5], [-0.5, 1.0]],
        [[1.0, 2.0], [3.0, 4.5], [2.0, 2.5]],
        [[-1.0, -2.0], [-3.5, -0.5], [-2.5, -2.0]],
        [[0.5, 7.0]],
    ]
    cases = [([np.array(batch) for batch in batches],) for batches in made]
    cases += [([rng.normal(k, 2, (k + 2, 3)).astype(np.float32) for k in range(4)],) for _ in range(2)]
    compare(
        answer,
        lambda batches: _with_zero(*_ends(batches)),
        cases,
        {
            "0 is left out: a range must hold it, or 0 gets no code.": _ends,
            "only the last batch counts here; the range must hold all.": (
                lambda batches: _with_zero(batches[-1].min(), batches[-1].max())
            ),
            "only the first batch counts here; the range must hold all.": (
                lambda batches: _with_zero(batches[0].min(), batches[0].max())
            ),
            "the mean of the batches' ends cuts off the widest batches; take the least and the largest.": (
                lambda batches: _with_zero(_mean_of(batches, np.min), _mean_of(batches, np.max))
            ),
            "these are the means of the batches, and their range: single values lie far outside.": (
                lambda batches: _with_zero(min(b.mean() for b in batches), max(b.mean() for b in batches))
            ),
            "a moving average forgets the extremes; here all values must lie inside.": _moving,
            "this is a symmetric range; what is asked for has two ends of its own.": (
                lambda batches: (-max(map(abs, _ends(batches))), max(map(abs, _ends(batches))))
            ),
            "rmin comes first, then rmax.": lambda batches: _with_zero(*_ends(batches))[::-1],
            "rmin is always 0 here, as after a ReLU; these batches have negative values.": (
                lambda batches: (0.0, max(_ends(batches)[1], 0.0))
            ),
            "these are the ends of |x|: the signs are lost.": (
                lambda batches: (0.0, max(float(np.abs(b).max()) for b in batches))
            ),
            "this is the range in which the batches overlap; wanted is the one that holds them all.": (
                lambda batches: _with_zero(max(b.min() for b in batches), min(b.max() for b in batches))
            ),
            "only the widest batch counts here; the range must hold all.": (
                lambda batches: _with_zero(*_ends([max(batches, key=np.ptp)]))
            ),
            "the ends are rounded to whole numbers; they are reals.": (
                lambda batches: _with_zero(np.floor(_ends(batches)[0]), np.ceil(_ends(batches)[1]))
            ),
            "this leaves out the outermost values; the range must hold all.": (
                lambda batches: _with_zero(*np.percentile(np.concatenate([b.ravel() for b in batches]), [0.1, 99.9]))
            ),
            "the ends of the batches are added up; take the least and the largest.": (
                lambda batches: _with_zero(sum(b.min() for b in batches), sum(b.max() for b in batches))
            ),
        },
        otherwise="the least of all values and 0, and the largest of all values and 0.",
    )


def _quietly(rule):
    """The rule, without a warning where it divides by zero."""

    def answer(*args):
        with np.errstate(divide="ignore"):
            return rule(*args)

    return answer


def next_layer(answer, rng) -> None:
    """The check of 8.3."""
    cases = [
        (0.25, np.array([0.75, 0.5, 1.0]), np.array([10.0, 1.0, 30.0])),
        (0.5, np.array([0.53125, 0.625, 1.5, 0.515625]), np.array([1.0, 64.0, 256.0, 0.25])),
        (1.0, np.array([1.5, 1.25, 1.125, 2.0]), np.array([100.0, 40.0, 4.0, 120.0])),
        (0.25, np.array([0.5, 0.1875, 0.25]), np.array([8.0, 2.0, 4.0])),
        (2.0, np.array([2.5, 2.0625, 3.0, 2.25]), np.array([4.0, 1.0, 16.0, 1.0])),
        (0.125, np.array([0.375, 0.25, 0.1875, 0.625]), np.array([64.0, 2.0, 4.0, 40.0])),
    ]
    cases.append((0.5, np.array([0.25, 0.375, 0.75]), np.array([2.0, 4.0, 6.0])))
    cases.append((0.5, np.array([0.4375, 0.25, 0.75]), np.array([2.0, 4.0, 6.0])))
    for _ in range(6):
        loss, more = rng.uniform(0.1, 1), rng.uniform(0.01, 1, 5)
        cases.append((loss, loss + more, rng.uniform(1, 200, 5).round(3)))
    compare(
        answer,
        lambda loss, losses, saved: int(np.argmin((losses - loss) / saved)),
        cases,
        {
            "this costs the least loss, whatever it saves: divide by the bytes.": (
                lambda loss, losses, saved: int(np.argmin(losses))
            ),
            "this saves the most bytes, whatever it costs.": lambda loss, losses, saved: int(np.argmax(saved)),
            "the loss of now is not subtracted: only the additional loss is a cost.": (
                lambda loss, losses, saved: int(np.argmin(losses / saved))
            ),
            "this is the most expensive layer; the cheapest goes first.": (
                lambda loss, losses, saved: int(np.argmax((losses - loss) / saved))
            ),
            "cost times bytes punishes those that save much: divide.": (
                lambda loss, losses, saved: int(np.argmin((losses - loss) * saved))
            ),
            "layers are counted from 0.": lambda loss, losses, saved: int(np.argmin((losses - loss) / saved)) + 1,
            "bytes per loss is a gain: of it the largest, not the least.": _quietly(
                lambda loss, losses, saved: int(np.argmin(saved / (losses - loss)))
            ),
            "the largest of bytes per loss goes wrong where a cost is 0 or less: take the least cost.": _quietly(
                lambda loss, losses, saved: int(np.argmax(saved / (losses - loss)))
            ),
            "a layer that lowers the loss is welcome: no absolute value.": (
                lambda loss, losses, saved: int(np.argmin(np.abs(losses - loss) / saved))
            ),
            "a layer that lowers the loss is welcome: a cost below 0 stays below 0.": (
                lambda loss, losses, saved: int(np.argmin(np.maximum(losses - loss, 0) / saved))
            ),
            "a layer that lowers the loss is welcome: it must not be left out.": (
                lambda loss, losses, saved: int(np.argmin(np.where(losses > loss, (losses - loss) / saved, np.inf)))
            ),
            "bytes count once: divide by them, and not by their square.": (
                lambda loss, losses, saved: int(np.argmin((losses - loss) / saved**2))
            ),
            "the loss is divided by the loss of now; what counts is the difference, per byte.": (
                lambda loss, losses, saved: int(np.argmin(losses / loss))
            ),
            "this saves the fewest bytes.": lambda loss, losses, saved: int(np.argmin(saved)),
            "the sign is turned: the additional loss is losses − loss.": (
                lambda loss, losses, saved: int(np.argmin((loss - losses) / saved))
            ),
            "loss less bytes adds two units that do not add: divide.": (
                lambda loss, losses, saved: int(np.argmin((losses - loss) - saved))
            ),
        },
        otherwise="the least of (losses − loss) / saved.",
    )
