"""More wrong answers for lesson 06c, written from the text alone. See wrong_06c.py."""

import math

import numpy as np

from qlib.sparse import encode_bitmap, encode_csr, nbytes


# 6c.1 -----------------------------------------------------------------------------------------------------------------
def mask_of(w, gone, kind="stable"):
    mask = np.ones(w.size, bool)
    mask[np.argsort(np.abs(w), axis=None, kind=kind)[:gone]] = False
    return mask.reshape(w.shape)


def mask_rows(w, sparsity):
    order = np.argsort(np.abs(w), kind="stable")
    mask = np.ones(w.shape, bool)
    np.put_along_axis(mask, order[..., : round(sparsity * w.shape[-1])], False, axis=-1)
    return mask


def mask_not_zero(w, sparsity):
    return (w * mask_of(w, round(sparsity * w.size))) != 0


def mask_in_place(w, sparsity):
    w[~mask_of(w, round(sparsity * w.size))] = 0
    return w != 0


def mask_partition(w, sparsity):
    mask, k = np.ones(w.size, bool), round(sparsity * w.size)
    if k:
        mask[np.argpartition(np.abs(w), k - 1, axis=None)[:k]] = False
    return mask.reshape(w.shape)


def mask_places(w, sparsity):
    return (np.argsort(np.abs(w), axis=None, kind="stable") >= round(sparsity * w.size)).reshape(w.shape)


def mask_from_above(w, sparsity):
    mask, stay = np.zeros(w.size, bool), w.size - round(sparsity * w.size)
    mask[np.argsort(np.abs(w), axis=None, kind="stable")[-stay:]] = True
    return mask.reshape(w.shape)


def mask_ranks(w, sparsity):
    """Right: the rank of each weight."""
    ranks = np.argsort(np.argsort(np.abs(w), axis=None, kind="stable"))
    return (ranks >= round(sparsity * w.size)).reshape(w.shape)


def mask_one_by_one(w, sparsity):
    """Right: the smallest goes, so many times."""
    mask, left = np.ones(w.shape, bool), np.abs(w).astype(float)
    for _ in range(round(sparsity * w.size)):
        place = np.unravel_index(np.argmin(left), w.shape)
        mask[place], left[place] = False, np.inf
    return mask


# 6c.2 -----------------------------------------------------------------------------------------------------------------
def of_three(function):
    """An answer from w, the number of its weights that are not zero, its rows and its size."""
    return lambda w: function(w, int((w != 0).sum()), len(w), w.size)


def right_sizes(w):
    return w.nbytes, nbytes(*encode_csr(w)), nbytes(*encode_bitmap(w))


def with_k(count):
    """All right but for the number of weights that are left."""
    return lambda w: (4 * w.size, 8 * count(w) + 4 * len(w) + 4, 4 * count(w) + math.ceil(w.size / 8))


# 6c.3 -----------------------------------------------------------------------------------------------------------------
def cubic(done, initial, final):
    return final + (initial - final) * (1 - done) ** 3


def limited(done):
    return min(max(done, 0), 1)


def by_way(way):
    """The cubic schedule of another way that is done."""
    return lambda t, t0, n, a, b: cubic(way(t, t0, n), a, b)


def scheduled(function):
    """An answer from the way that is done, rightly limited, and both sparsities."""
    return lambda t, t0, n, a, b: function(limited((t - t0) / n), a, b)


def schedule_limited_later(t, t0, n, a, b):
    """Right for sparsities that rise."""
    return min(max(cubic((t - t0) / n, a, b), a), b)


# 6c.5 -----------------------------------------------------------------------------------------------------------------
def by_group(mark, stop=lambda w, m: len(w)):
    """A mask that `mark` sets group by group: mark(mask, i, group, n)."""

    def mask(w, n, m):
        stays = np.zeros(w.shape, bool)
        for i in range(0, stop(w, m), m):
            mark(stays, i, np.abs(w[i : i + m]), n)
        return stays

    return mask


def put(mask, i, group, n):
    np.put_along_axis(mask[i : i + len(group)], np.argsort(group, axis=0)[-n:], True, axis=0)


def put_unshifted(mask, i, group, n):
    np.put_along_axis(mask, np.argsort(group, axis=0)[-n:], True, axis=0)


def put_rows(mask, i, group, n):
    mask[i + np.argsort(group, axis=0)[-n:]] = True


def put_block(mask, i, group, n):
    least = np.sort(group, axis=None)[-n * group.shape[1]]
    mask[i : i + len(group)] = group >= least


def put_two(mask, i, group, n):
    put(mask, i, group, 2)


def put_one(mask, i, group, n):
    put(mask, i, group, 1)


def put_mean(mask, i, group, n):
    mask[i : i + len(group)] = group > group.mean(axis=0)


def put_median(mask, i, group, n):
    mask[i : i + len(group)] = group > np.median(group, axis=0)


def put_larger(mask, i, group, n):
    """Right: counts, for each weight, those that are larger."""
    mask[i : i + len(group)] = np.sum(group[None] > group[:, None], axis=1) < n


def nm_far(w, n, m):
    groups = np.abs(w).reshape(m, -1, w.shape[1])
    return (np.argsort(np.argsort(groups, axis=0), axis=0) >= m - n).reshape(w.shape)


WRONG = {
    "6c.1": {
        "up": (lambda w, s: mask_of(w, math.ceil(s * w.size)), "rounded up"),
        "a half up": (lambda w, s: mask_of(w, int(s * w.size + 0.5)), "a tie to the even number"),
        "rows": (lambda w, s: mask_of(w, round(s * len(w))), "counts the rows"),
        "one too few": (lambda w, s: mask_of(w, max(0, round(s * w.size) - 1)), "one weight too few"),
        "each row": (mask_rows, "each row is ranked"),
        "what is not zero": (mask_not_zero, "a weight that was 0 before may stay"),
        "in place": (mask_in_place, "changes its input"),
        "not stable": (lambda w, s: mask_of(w, round(s * w.size), None), "kind='stable'"),
        "a partition": (mask_partition, ("a stable `argsort`", "kind='stable'")),
        "places for ranks": (mask_places, "not which rank a weight has"),
        "from above": (mask_from_above, "is all of them, not none"),
        "percentile": (lambda w, s: np.abs(w) > np.percentile(np.abs(w), s), "counts in percent"),
        "flat": (lambda w, s: mask_ranks(w, s).ravel(), "the shape (2, 3) is wanted"),
        "0 and 1": (lambda w, s: mask_ranks(w, s).astype(int), "a truth value is wanted"),
    },
    "6c.2": {
        "positive ones": (with_k(lambda w: int((w > 0).sum())), "`w != 0`, not `w > 0`"),
        "zeros": (with_k(lambda w: int((w == 0).sum())), "you count the zeros"),
        "CSR first": (lambda w: [right_sizes(w)[i] for i in (1, 0, 2)], "dense and CSR have changed places"),
        "CSR last": (lambda w: [right_sizes(w)[i] for i in (0, 2, 1)], "CSR and bitmap have changed places"),
        "backwards": (lambda w: right_sizes(w)[::-1], "turned round"),
        "bits": (lambda w: [8 * size for size in right_sizes(w)], "eight of them are a byte"),
        "numbers": (of_three(lambda w, k, rows, n: (n, 2 * k + rows + 1, k + n)), "each has 4 bytes"),
        "rows for weights": (
            of_three(lambda w, k, rows, n: (4 * rows, 8 * k + 4 * rows + 4, 4 * k + -(-rows // 8))),
            "counts the rows",
        ),
        "float64": (
            of_three(lambda w, k, rows, n: (8 * n, 12 * k + 4 * rows + 4, 8 * k + -(-n // 8))),
            "has 4 bytes, not 8",
        ),
        "64-bit indices": (
            of_three(lambda w, k, rows, n: (4 * n, 12 * k + 8 * rows + 8, 4 * k + -(-n // 8))),
            "an index of 32 bits has 4 bytes",
        ),
        "no brackets": (of_three(lambda w, k, rows, n: (4 * n, 8 * k + 4 * rows + 1, 4 * k + -(-n // 8))), "brackets"),
        "rows with values": (
            of_three(lambda w, k, rows, n: (4 * n, 8 * k + 4 * int((w != 0).any(1).sum()) + 4, 4 * k + -(-n // 8))),
            "a row in which all is zero",
        ),
        "all values in CSR": (
            of_three(lambda w, k, rows, n: (4 * n, 4 * n + 4 * k + 4 * rows + 4, 4 * k + -(-n // 8))),
            "CSR: only the values",
        ),
        "all values in the bitmap": (
            of_three(lambda w, k, rows, n: (4 * n, 8 * k + 4 * rows + 4, 4 * n + -(-n // 8))),
            "bitmap: only the values",
        ),
        "always one more": (
            of_three(lambda w, k, rows, n: (4 * n, 8 * k + 4 * rows + 4, 4 * k + n // 8 + 1)),
            "even if the last one is full",
        ),
        "to the nearest": (
            of_three(lambda w, k, rows, n: (4 * n, 8 * k + 4 * rows + 4, 4 * k + round(n / 8))),
            ("round up, always", "round up"),
        ),
    },
    "6c.3": {
        "whole numbers": (by_way(lambda t, t0, n: limited((t - t0) // n)), "`//` cuts off"),
        "a step ahead": (by_way(lambda t, t0, n: limited((t - t0 + 1) / n)), "one step ahead"),
        "no brackets": (by_way(lambda t, t0, n: limited(t - t0 / n)), "brackets"),
        "times 3": (scheduled(lambda done, a, b: b + (a - b) * (1 - done) * 3), "`* 3` is three times"),
        "the sign": (scheduled(lambda done, a, b: b - (a - b) * (1 - done) ** 3), "the sign"),
        "percent": (scheduled(lambda done, a, b: 100 * cubic(done, a, b)), "not percent"),
        "final too early": (
            lambda t, t0, n, a, b: a if t < t0 else b if t >= n else cubic((t - t0) / n, a, b),
            "not from `steps` on",
        ),
        "final before": (lambda t, t0, n, a, b: b if t < t0 else cubic(limited((t - t0) / n), a, b), "not yet `final`"),
        "1 after": (lambda t, t0, n, a, b: 1.0 if t > t0 + n else cubic(limited((t - t0) / n), a, b), "is not 1"),
        "the sparsity limited": (lambda t, t0, n, a, b: limited(cubic((t - t0) / n, a, b)), "this limits the sparsity"),
        "nothing before": (lambda t, t0, n, a, b: None if t < t0 else cubic(limited((t - t0) / n), a, b), "None"),
    },
    "6c.4": {
        "what goes with the inputs": (51_200, "go with the inputs"),
        "all that goes": (108_800, "how many are left"),
        "16 × 48": (204_032, "each filter fed 25 inputs"),
        "the kernel of conv2": (34_560, "dense1 sees its output"),
        "16 units": (134_400, "48 go"),
        "bytes": (384_000, "the bytes in float32"),
        "a share": (0.46875, "the share that is left; how many"),
        "a percentage": (46.875, "in percent"),
        "inputs that go": (400, "1,200 are left"),
        "a shape": ((1200, 80), "one number is wanted"),
    },
    "6c.5": {
        "without the last": (by_group(put, lambda w, m: len(w) - m), "the last group is missing"),
        "not shifted": (by_group(put_unshifted), "count within a group"),
        "whole rows": (by_group(put_rows), "sets whole rows"),
        "a block": (by_group(put_block), "of a group are ranked together"),
        "always 2": (by_group(put_two), ("always half", "always 2 and 4", "the n largest |w| stay")),
        "the largest": (by_group(put_one), "not the largest alone"),
        "above the mean": (by_group(put_mean), "above the mean"),
        "above the median": (by_group(put_median), "always half"),
        "far apart": (nm_far, "rows far apart"),
        "2:4": (lambda w, n, m: by_group(put)(w, 2, 4), "they are always 2 and 4"),
        "transposed": (lambda w, n, m: by_group(put)(w, n, m).T, "transposed"),
        "weights": (lambda w, n, m: w * by_group(put)(w, n, m), "a truth value is wanted"),
    },
}

RIGHT = {
    "6c.1": [mask_ranks, mask_one_by_one, lambda w, s: mask_ranks(w, s).tolist()],
    "6c.2": [right_sizes, with_k(np.count_nonzero)],
    "6c.3": [
        schedule_limited_later,
        lambda t, t0, n, a, b: a + (b - a) * (1 - (1 - np.interp(t, [t0, t0 + n], [0, 1])) ** 3),
        scheduled(lambda done, a, b: a + (b - a) * (3 * done - 3 * done**2 + done**3)),
    ],
    "6c.4": [np.int64(96_000), np.array(96_000)],
    "6c.5": [by_group(put), by_group(put_larger), lambda w, n, m: by_group(put_larger)(w, n, m).tolist()],
}
