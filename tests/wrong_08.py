"""Wrong answers to the exercises of lesson 08, each with a piece of the sentence it must get."""

import numpy as np


def counted(rule):
    """An answer that counts, in a loop, and then applies a rule to a, b and n."""

    def answer(first, second, labels):
        a = b = 0
        for one, other, label in zip(first, second, labels, strict=True):
            a += one == label and other != label
            b += one != label and other == label
        return bool(rule(int(a), int(b), len(labels)))

    return answer


def unpaired(errors=2):
    def answer(first, second, labels):
        p, q = (first == labels).mean(), (second == labels).mean()
        return bool(abs(p - q) > errors * ((p * (1 - p) + q * (1 - q)) / len(labels)) ** 0.5)

    return answer


def other_answers(first, second, labels):
    a, b = np.sum(first == labels), np.sum(second == labels)
    return bool(abs(a - b) > 2 * np.sqrt(np.sum(first != second)))


def one_error(first, second, labels):
    p = np.mean(first == labels)
    n = len(labels)
    return bool(abs(np.sum(first == labels) - np.sum(second == labels)) > 2 * np.sqrt(n * p * (1 - p)))


def differ_sums(first, second, labels):
    """Right, in another way: the differences of right and right, one for each image."""
    d = (first == labels).astype(int) - (second == labels).astype(int)
    return abs(d.sum()) > 2 * np.sqrt(np.sum(d**2))


def differ_mcnemar(first, second, labels):
    """Right, in another way: the square of both sides."""
    a = int(((first == labels) > (second == labels)).sum())
    b = int(((first == labels) < (second == labels)).sum())
    return (a - b) ** 2 > 4 * (a + b)


def ends(batches):
    return min(b.min() for b in batches), max(b.max() for b in batches)


def moving(batches):
    low, high = batches[0].min(), batches[0].max()
    for b in batches[1:]:
        low, high = 0.9 * low + 0.1 * b.min(), 0.9 * high + 0.1 * b.max()
    return min(low, 0), max(high, 0)


def observed(low, high):
    return lambda batches: (min(low(batches), 0.0), max(high(batches), 0.0))


def range_flat(batches):
    """Right, in another way: all values in one row."""
    values = np.concatenate([[0.0], *(b.ravel() for b in batches)])
    return values.min(), values.max()


def range_list(batches):
    return [min(0, *(b.min() for b in batches)), max(0, *(b.max() for b in batches))]


def range_in_place(batches):
    batches[0][:] = 0
    return range_flat(batches)


def next_loop(loss, losses, saved):
    """Right, in another way."""
    costs = [(more - loss) / size for more, size in zip(losses, saved, strict=True)]
    return costs.index(min(costs))


def next_sorted(loss, losses, saved):
    return np.argsort((losses - loss) / saved)[0]


def rule(size=True, needs=True, trains=True, key=lambda row: (-row[2], row[1]), none="nothing fits"):
    """A choice among the rows that pass those tests that are not left out."""

    def answer(budget, data, training, rows):
        rows = [row for row in rows if not size or row[1] <= budget]
        rows = [row for row in rows if not needs or row[3] <= data]
        rows = [row for row in rows if not trains or training or not row[4]]
        return sorted(rows, key=key)[0][0] if rows else none

    return answer


def own(fits):
    """The most accurate of those that fit in another way."""

    def answer(budget, data, training, rows):
        rows = [row for row in rows if fits(budget, data, training, row)]
        return min(rows, key=lambda row: (-row[2], row[1]))[0] if rows else "nothing fits"

    return answer


def choice_loop(budget, data, training, rows):
    """Right, in another way."""
    best = None
    for name, size, accuracy, needs, trains in rows:
        if size > budget or needs > data or (trains and not training):
            continue
        if best is None or accuracy > best[1] or (accuracy == best[1] and size < best[2]):
            best = (name, accuracy, size)
    return best[0] if best else "nothing fits"


def choice_crashes(budget, data, training, rows):
    rows = [row for row in rows if row[1] <= budget and row[3] <= data and row[4] <= training]
    return max(rows, key=lambda row: (row[2], -row[1]))[0]


WRONG = {
    "8.1": {
        "unpaired": (unpaired(), "unpaired errors"),
        "no absolute value": (counted(lambda a, b, n: a - b > 2 * (a + b) ** 0.5), "the second model may be"),
        "b − a": (counted(lambda a, b, n: b - a > 2 * (a + b) ** 0.5), "the first model may be"),
        "≥": (counted(lambda a, b, n: abs(a - b) >= 2 * (a + b) ** 0.5), "> and not ≥"),
        "one error": (counted(lambda a, b, n: abs(a - b) > (a + b) ** 0.5), "one standard error"),
        "three errors": (counted(lambda a, b, n: abs(a - b) > 3 * (a + b) ** 0.5), "three standard errors"),
        "no root": (counted(lambda a, b, n: abs(a - b) > 2 * (a + b)), "Is the root missing"),
        "root of n": (counted(lambda a, b, n: abs(a - b) > 2 * n**0.5), "all images"),
        "any difference": (counted(lambda a, b, n: a != b), "as soon as one"),
        "other answers": (other_answers, "both are wrong, in different ways"),
        "a + b": (counted(lambda a, b, n: a + b > 2 * (a + b) ** 0.5), "who is better"),
        "one error of one": (one_error, "at one model's accuracy"),
        "not": (counted(lambda a, b, n: abs(a - b) <= 2 * (a + b) ** 0.5), "wrong way round"),
        "√a + √b": (counted(lambda a, b, n: abs(a - b) > 2 * (a**0.5 + b**0.5)), "are not added"),
        "√max": (counted(lambda a, b, n: abs(a - b) > 2 * max(a, b) ** 0.5), "the larger of them"),
        "√ab": (counted(lambda a, b, n: abs(a - b) > 2 * (a * b) ** 0.5), "a · b"),
        "1.96": (counted(lambda a, b, n: abs(a - b) > 1.96 * (a + b) ** 0.5), "not 1.96"),
        "continuity": (counted(lambda a, b, n: abs(a - b) - 1 > 2 * (a + b) ** 0.5), "no correction"),
        "shares": (counted(lambda a, b, n: abs(a - b) / n > 2 * (a + b) ** 0.5), "shares compared with counts"),
        "always True": (lambda f, s, y: True, "however near"),
        "always False": (lambda f, s, y: False, "whatever comes"),
        "a number": (lambda f, s, y: float(np.mean(f == y) - np.mean(s == y)), "truth value"),
        "for each image": (lambda f, s, y: f != s, "one number is wanted"),
    },
    "8.2": {
        "no zero": (ends, "0 is left out"),
        "the last": (lambda batches: range_flat(batches[-1:]), "only the last"),
        "the first": (lambda batches: range_flat(batches[:1]), "only the first"),
        "mean of ends": (
            observed(lambda bs: np.mean([b.min() for b in bs]), lambda bs: np.mean([b.max() for b in bs])),
            "mean of the batches' ends",
        ),
        "means": (observed(lambda bs: min(b.mean() for b in bs), lambda bs: max(b.mean() for b in bs)), "means of the"),
        "moving average": (moving, "moving average"),
        "symmetric": (lambda bs: (-max(np.abs(b).max() for b in bs), max(np.abs(b).max() for b in bs)), "symmetric"),
        "rmax first": (lambda bs: range_flat(bs)[::-1], "rmin comes first"),
        "ReLU": (lambda bs: (0.0, max(0.0, ends(bs)[1])), "as after a ReLU"),
        "|x|": (lambda bs: (0.0, max(np.abs(b).max() for b in bs)), "the signs are lost"),
        "overlap": (observed(lambda bs: max(b.min() for b in bs), lambda bs: min(b.max() for b in bs)), "overlap"),
        "sum": (observed(lambda bs: sum(b.min() for b in bs), lambda bs: sum(b.max() for b in bs)), "added up"),
        "the widest": (lambda bs: range_flat([max(bs, key=lambda b: b.max() - b.min())]), "only the widest"),
        "rounded": (lambda bs: (np.floor(range_flat(bs)[0]), np.ceil(range_flat(bs)[1])), "whole numbers"),
        "one number": (lambda bs: ends(bs)[1], "2 values"),
        "in place": (range_in_place, "changes its input"),
    },
    "8.3": {
        "least loss": (lambda loss, losses, saved: int(losses.argmin()), "whatever it saves"),
        "most bytes": (lambda loss, losses, saved: int(saved.argmax()), "whatever it costs"),
        "not subtracted": (lambda loss, losses, saved: int((losses / saved).argmin()), "not subtracted"),
        "the dearest": (lambda loss, losses, saved: int(((losses - loss) / saved).argmax()), "most expensive"),
        "times": (lambda loss, losses, saved: int(((losses - loss) * saved).argmin()), "cost times bytes"),
        "from 1": (lambda loss, losses, saved: next_loop(loss, losses, saved) + 1, "counted from 0"),
        "least gain": (lambda loss, losses, saved: int((saved / (losses - loss)).argmin()), "is a gain"),
        "largest gain": (lambda loss, losses, saved: int((saved / (losses - loss)).argmax()), "a cost is 0 or less"),
        "absolute": (lambda loss, losses, saved: int((abs(losses - loss) / saved).argmin()), "no absolute value"),
        "clipped": (
            lambda loss, losses, saved: int((np.clip(losses - loss, 0, None) / saved).argmin()),
            "stays below 0",
        ),
        "dearer only": (
            lambda loss, losses, saved: int(np.where(losses > loss, (losses - loss) / saved, 1e9).argmin()),
            "must not be left out",
        ),
        "squared": (lambda loss, losses, saved: int(((losses - loss) / saved**2).argmin()), "count once"),
        "fewest bytes": (lambda loss, losses, saved: int(saved.argmin()), "fewest bytes"),
        "minus bytes": (
            lambda loss, losses, saved: int((losses - loss - saved).argmin()),
            ("do not add", "whatever it"),
        ),
        "a ratio": (lambda loss, losses, saved: ((losses - loss) / saved).min(), "integer is wanted"),
        "all of them": (lambda loss, losses, saved: np.argsort((losses - loss) / saved), "one number is wanted"),
    },
    "8.4": {
        "no budget": (rule(size=False), "larger than the budget"),
        "no data": (rule(needs=False), "data that are not there"),
        "no training": (rule(trains=False), "there is no training"),
        "nothing": (rule(False, False, False), "no constraint"),
        "smallest": (rule(key=lambda row: row[1]), "the smallest that fits"),
        "first": (rule(key=lambda row: 0), "the first that fits"),
        "larger of equals": (rule(key=lambda row: (-row[2], -row[1])), "two equally accurate"),
        "first of equals": (rule(key=lambda row: -row[2]), "first in the list"),
        "least accurate": (rule(key=lambda row: (row[2], row[1])), "least accurate"),
        "below the budget": (
            own(lambda b, d, t, row: row[1] < b and row[3] <= d and (t or not row[4])),
            "exactly as large",
        ),
        "equal data": (
            own(lambda b, d, t, row: row[1] <= b and row[3] == d and (t or not row[4])),
            "need not be equal",
        ),
        "data turned": (
            own(lambda b, d, t, row: row[1] <= b and row[3] >= d and (t or not row[4])),
            "the wrong way round",
        ),
        "must train": (own(lambda b, d, t, row: row[1] <= b and row[3] <= d and row[4] == t), "may also take"),
        "over the budget": (
            own(lambda b, d, t, row: row[1] >= b and row[3] <= d and (t or not row[4])),
            "exceeds the budget",
        ),
        "less data": (
            own(lambda b, d, t, row: row[1] <= b and row[3] < d and (t or not row[4])),
            "needs just that",
        ),
        "never train": (own(lambda b, d, t, row: row[1] <= b and row[3] <= d and not row[4]), "method that trains"),
        "or": (own(lambda b, d, t, row: row[1] <= b and (row[3] <= d or t or not row[4])), "all three"),
        "largest": (rule(key=lambda row: -row[1]), "the largest that fits"),
        "by name": (rule(key=lambda row: (-row[2], row[0])), "first by name"),
        "Nothing fits.": (rule(none="Nothing fits."), "letter by letter"),
        "None": (rule(none=None), "returns None"),
        "empty": (rule(none=""), "no method of this name"),
        "raises": (choice_crashes, "raised ValueError"),
        "a row": (lambda b, d, t, rows: rows[0], "as text"),
        "a number": (lambda b, d, t, rows: 0, "as text"),
        "always nothing": (lambda b, d, t, rows: "nothing fits", "something fits"),
    },
}

RIGHT = {
    "8.1": [differ_sums, differ_mcnemar, counted(lambda a, b, n: abs(a - b) > 2 * (a + b) ** 0.5)],
    "8.2": [range_flat, range_list],
    "8.3": [next_loop, next_sorted],
    "8.4": [choice_loop, rule()],
}
