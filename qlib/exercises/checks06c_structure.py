"""Checks of the exercises 6c.4 and 6c.5, pruning with a structure: whole filters, N:M."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, compare, number
from qlib.pruning import magnitude_mask, nm_mask

LEFT = {
    1600 * 80: "the units are gone, but the inputs that came from 16 filters are still there.",
    1200 * 128: "the inputs are gone, but dense1 has lost 48 units, too.",
    1584 * 80: "each of the 16 filters fed 25 inputs, one for each pixel: 400 inputs go, not 16.",
    1584 * 128: "each of the 16 filters fed 25 inputs; and 48 units go, too.",
    400 * 48: "count what is left: this is the block that goes in both (or 5 inputs for each filter, not 5 × 5).",
    48 * 80: "each filter has 5 × 5 pixels: 25 inputs, not one.",
    1600 * 128: "nothing has gone yet: these are all weights of dense1.",
    1600 * 128 - 400 * 48: "you took away only the weights that lose both ends; a weight goes if either end does.",
    1600 * 48: "48 units go with all 1,600 inputs; or the weights that lose both ends were taken away twice.",
    1200 * 80 + 80: "the kernel was asked for; the biases are not part of it.",
    400 * 80: "these are the inputs that go; 1,200 are left.",
    1200 * 48: "48 units go; 80 are left.",
    1200: "these are the inputs; each of the 80 units has a weight for each of them.",
    400 * 128: "these are the weights that go with the inputs; count what is left at both ends.",
    400 * 128 + 1600 * 48 - 400 * 48: "these are the weights that go; how many are left?",
    1600 * 128 - 16 * 48: "16 filters and 48 units go, with *all* their weights: each filter fed 25 inputs.",
    9 * 48 * 80: "3 × 3 is the kernel of conv2; dense1 sees its output, 5 × 5 pixels for each filter.",
    1200 * 112: "you took 16 units away; 48 go, and 16 are the filters of conv2.",
    1600 * 128 * 0.75 * 0.625 * 4: "these are the bytes in float32; the weights were asked for.",
    75 / 160: "this is the share that is left; how many weights is it?",
    7500 / 160: "this is the share that is left, in percent; how many weights is it?",
    400: "these are the inputs that go; 1,200 are left, and each unit has a weight for each of them.",
}


def left(answer, rng) -> None:
    """The check of 6c.4."""
    got = number(answer)
    if got in LEFT:
        raise Wrong(LEFT[got], got=answer)
    if got > 1600 * 128:
        raise Wrong("more than before.", got=answer)
    if got != 1200 * 80:
        raise Wrong("inputs that are left × units that are left.", got=answer)


# ------------------------------------------------------------------ N:M


def pattern(answer, rng) -> None:
    """The check of 6c.5."""
    column = np.array([[0.1], [-3.0], [2.0], [0.2]], np.float32)
    square = np.array([[1, 8, 3, 6], [-9, 2, 5, -7], [4, -3, 9, 1], [2, 7, -1, 5]], np.float32)
    cases = [(square, 2, 4), (square, 1, 4), (square, 1, 2), (square, 3, 4), (column, 2, 4)]
    cases += [(np.array([[9], [8], [7], [6], [0.1], [-0.2], [0.3], [0.4]], np.float32), 2, 4)]
    cases += [(rng.normal(size=(16, 8)).astype(np.float32), n, m) for n, m in ((2, 4), (2, 8), (4, 4))]
    compare(
        answer,
        lambda w, n, m: nm_mask(w, n, m, axis=0),
        cases,
        {
            "the groups lie along the outputs; the weights that one output adds up stand in a column.": (
                lambda w, n, m: nm_mask(w, n, m, axis=1)
            ),
            "you rank w itself; the magnitude |w| decides.": lambda w, n, m: nm_mask(w - w.min() + 1, n, m, axis=0),
            "the n smallest stay here; the largest should.": lambda w, n, m: nm_mask(_inverse(w), n, m, axis=0),
            "this is True where a weight goes.": lambda w, n, m: ~nm_mask(w, n, m, axis=0),
            "n of each m stay; here n of each m go.": lambda w, n, m: nm_mask(w, m - n, m, axis=0),
            "the right share stays, but over the whole kernel; each group has to keep n.": (
                lambda w, n, m: magnitude_mask(w, 1 - n / m)
            ),
            "the right share of each output stays, but not in each group of m.": _each_output,
            "the first n of each group stay, whatever they are.": _first,
            "the groups run across the rows, as the memory does: take them down the columns.": _flat,
            "whole rows stay or go; each output chooses for itself.": _rows,
            "`mask[rows] = True` sets whole rows; `np.put_along_axis` sets one row number in each column.": _whole_rows,
            "the last group is missing: i runs up to `len(w)`, in steps of m.": _without_last,
            "the row numbers count within a group; in the whole mask they begin at i.": _not_shifted,
            "these are rows far apart; neighbours are the rows i to i + m.": _strided,
            "n is an argument; here always half of the group stays.": lambda w, n, m: nm_mask(w, m // 2, m, axis=0),
            "n and m are arguments; here they are always 2 and 4.": lambda w, n, m: nm_mask(w, 2, 4, axis=0),
            "what lies above the mean of its group is not always n of them: rank.": _above_mean,
            "n of each m stay, not the largest alone.": lambda w, n, m: nm_mask(w, 1, m, axis=0),
            "all outputs of a group are ranked together; each column chooses its own n.": _block,
            "the mask is transposed: it has the shape of w, (inputs, outputs).": (
                lambda w, n, m: nm_mask(w, n, m, axis=0).T
            ),
        },
        otherwise="in each column, of each m neighbours the n largest |w| stay.",
    )


def _inverse(w):
    return 1 / (np.abs(w) + 1e-9)


def _each_output(w, n, m):
    return np.stack([magnitude_mask(column, 1 - n / m) for column in w.T], axis=1)


def _first(w, n, m):
    return np.broadcast_to((np.arange(len(w)) % m < n)[:, None], w.shape)


def _flat(w, n, m):
    return nm_mask(w.ravel(), n, m, axis=0).reshape(w.shape)


def _rows(w, n, m):
    return np.broadcast_to(nm_mask(np.abs(w).sum(axis=1), n, m, axis=0)[:, None], w.shape)


def _whole_rows(w, n, m):
    return np.broadcast_to(nm_mask(w, n, m, axis=0).any(axis=1)[:, None], w.shape)


def _without_last(w, n, m):
    mask = nm_mask(w, n, m, axis=0)
    mask[len(w) - m :] = False
    return mask


def _not_shifted(w, n, m):
    mask = np.zeros(w.shape, bool)
    mask[:m] = nm_mask(w, n, m, axis=0).reshape(-1, m, w.shape[1]).any(axis=0)
    return mask


def _strided(w, n, m):
    return nm_mask(w.reshape(m, -1, w.shape[1]), n, m, axis=0).reshape(w.shape)


def _above_mean(w, n, m):
    groups = np.abs(w).reshape(-1, m, w.shape[1])
    return (groups > groups.mean(axis=1, keepdims=True)).reshape(w.shape)


def _block(w, n, m):
    return np.stack([magnitude_mask(group, 1 - n / m) for group in w.reshape(-1, m, w.shape[1])]).reshape(w.shape)
