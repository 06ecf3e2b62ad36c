"""Wrong answers to the exercises of lesson 06c, each with a piece of the sentence it must get."""

import numpy as np
import wrong_06c_more


def mask_by(key, count=lambda s, n: round(s * n), largest=False):
    """A mask that ranks by a key of w, and may count in another way."""

    def mask(w, sparsity):
        keys = key(w).ravel()
        order = np.argsort(-keys if largest else keys, kind="stable")
        stays = np.ones(w.size, bool)
        stays[order[: count(sparsity, w.size)]] = False
        return stays.reshape(w.shape)

    return mask


def mask_quantile(w, sparsity):
    return np.abs(w) > np.quantile(np.abs(w), sparsity)


def mask_threshold_kept(w, sparsity):
    k = round(sparsity * w.size)
    threshold = np.append(np.sort(np.abs(w), axis=None), np.inf)[k]
    return np.abs(w) >= threshold


def mask_columns(w, sparsity):
    if w.ndim == 1:
        return mask_by(np.abs)(w, sparsity)
    flat = w.reshape(len(w), -1)
    return np.stack([mask_by(np.abs)(c, sparsity) for c in flat.T], axis=1).reshape(w.shape)


def mask_pruned(w, sparsity):
    return ~mask_by(np.abs)(w, sparsity)


def mask_last(w, sparsity):
    """Of equal weights the last go."""
    return mask_by(np.abs)(w.ravel()[::-1], sparsity)[::-1].reshape(w.shape)


def mask_squares(w, sparsity):
    """Right: squares have the order of magnitudes."""
    keys = np.square(w.astype(np.float64))
    places = sorted(range(w.size), key=lambda i: keys.flat[i])[: int(np.rint(sparsity * w.size))]
    mask = np.ones(w.shape, bool)
    mask.flat[places] = False
    return mask


def sizes(dense=None, csr=None, bitmap=None):
    """The three sizes, with some of them by another rule of (w, number of nonzeros)."""

    def my_bytes(w):
        k = int((w != 0).sum())
        return (
            dense(w, k) if dense else w.nbytes,
            csr(w, k) if csr else 8 * k + 4 * len(w) + 4,
            bitmap(w, k) if bitmap else 4 * k + (w.size + 7) // 8,
        )

    return my_bytes


def schedule(power=3, clip=(0.0, 1.0), start=True, initial=True, length=lambda start, steps: steps):
    def my_schedule(t, t0, steps, a, b):
        done = (t - t0 * start) / length(t0, steps)
        done = min(max(done, clip[0]), clip[1])
        return b + (a * initial - b) * (1 - done) ** power

    return my_schedule


def schedule_swapped(t, t0, steps, a, b):
    return schedule()(t, t0, steps, b, a)


def schedule_slow(t, t0, steps, a, b):
    done = min(max((t - t0) / steps, 0), 1)
    return a + (b - a) * done**3


def schedule_rest(t, t0, steps, a, b):
    return schedule()(t, t0, steps, a, b) - b


def schedule_early_zero(t, t0, steps, a, b):
    return schedule()(t, t0, steps, a, b) if t >= t0 else 0.0


def schedule_branches(t, t0, steps, a, b):
    """Right, with three branches."""
    if t <= t0:
        return a
    if t >= t0 + steps:
        return b
    left = (t0 + steps - t) / steps
    return b - (b - a) * left * left * left


def groups(n, m, columns, largest=True):
    """For each column the mask of its groups."""
    mask = np.zeros(columns.shape, bool)
    for j, column in enumerate(columns.T):
        for i in range(0, len(column), m):
            order = np.argsort(column[i : i + m], kind="stable")
            mask[i + (order[m - n :] if largest else order[:n]), j] = True
    return mask


def nm_outputs(w, n, m):
    return groups(n, m, np.abs(w.T)).T


def nm_first(w, n, m):
    return np.arange(len(w))[:, None] % m + np.zeros_like(w) < n


def nm_rows(w, n, m):
    return np.repeat(groups(n, m, np.abs(w).sum(axis=1, keepdims=True)), w.shape[1], axis=1)


def nm_whole(w, n, m):
    return mask_by(np.abs)(w, 1 - n / m)


def nm_each_output(w, n, m):
    return np.stack([mask_by(np.abs)(column, 1 - n / m) for column in w.T], axis=1)


def nm_flat(w, n, m):
    return groups(n, m, np.abs(w).reshape(-1, 1)).reshape(w.shape)


def nm_reshape(w, n, m):
    """Right: with a third axis for the groups."""
    cut = np.abs(w).reshape(-1, m, w.shape[1])
    ranks = np.argsort(np.argsort(cut, axis=1, kind="stable"), axis=1)
    return (ranks >= m - n).reshape(w.shape)


INF = float("inf")
WRONG = {
    "6c.1": {
        "without abs": (mask_by(lambda w: w), "negative weights go first"),
        "True where it goes": (mask_pruned, "True where a weight goes"),
        "the largest go": (mask_by(np.abs, largest=True), "prunes the largest"),
        "the share that stays": (mask_by(np.abs, lambda s, n: round((1 - s) * n)), "not the share that stays"),
        "a quantile": (mask_quantile, "the count is not exact"),
        "a threshold that keeps the equal": (mask_threshold_kept, "the count is not exact"),
        "sparsity as a threshold": (lambda w, s: np.abs(w) > s, "not a magnitude"),
        "a share of the largest": (lambda w, s: np.abs(w) > s * np.abs(w).max(), "a share of the largest"),
        "the last of equal ones": (mask_last, "of equal weights the first go"),
        "cut off": (mask_by(np.abs, lambda s, n: int(s * n)), "cut off, not rounded"),
        "each column": (mask_columns, "on its own"),
        "one too many": (mask_by(np.abs, lambda s, n: round(s * n) + 1), "one weight too many"),
        "numbers": (lambda w, s: w * mask_squares(w, s), "a truth value is wanted"),
    },
    "6c.2": {
        "dense without zeros": (sizes(dense=lambda w, k: 4 * k), "zeros take 4 bytes, too"),
        "dense, numbers": (sizes(dense=lambda w, k: w.size), "each has 4 bytes"),
        "no starts": (sizes(csr=lambda w, k: 8 * k), "where each row begins is missing"),
        "as many starts as rows": (sizes(csr=lambda w, k: 8 * k + 4 * len(w)), "one start more than rows"),
        "no columns": (sizes(csr=lambda w, k: 4 * (k + len(w) + 1)), "or the columns"),
        "COO": (sizes(csr=lambda w, k: 12 * k), "this is COO"),
        "starts of columns": (sizes(csr=lambda w, k: 8 * k + 4 * (w.shape[1] + 1)), "counted for the columns"),
        "32 bytes": (sizes(csr=lambda w, k: 4 * k + 32 * (k + len(w) + 1)), "which are 4 bytes"),
        "bits alone": (sizes(bitmap=lambda w, k: (w.size + 7) // 8), "the values are missing"),
        "a byte for each": (sizes(bitmap=lambda w, k: 4 * k + w.size), "a whole byte for each"),
        "rounded down": (sizes(bitmap=lambda w, k: 4 * k + w.size // 8), "round up"),
        "each row anew": (sizes(bitmap=lambda w, k: 4 * k + len(w) * ((w.shape[1] + 7) // 8)), "begin a new byte"),
        "bits of the others": (sizes(bitmap=lambda w, k: 4 * k + (k + 7) // 8), "zeros need a bit, too"),
        "reals": (lambda w: tuple(size + 0.5 for size in sizes()(w)), "an integer is wanted"),
        "two of them": (lambda w: sizes()(w)[:2], "3 values are wanted"),
        "none of these": (sizes(bitmap=lambda w, k: 7), "4 bytes for each stored value"),
    },
    "6c.3": {
        "swapped": (schedule_swapped, "have changed places"),
        "a line": (schedule(power=1), "along a line"),
        "a square": (schedule(power=2), "not 2"),
        "slow at first": (schedule_slow, "slow at first"),
        "without start": (schedule(start=False), "`start` is left out"),
        "ends at steps": (schedule(length=lambda t0, steps: steps - t0), "ends at start + steps"),
        "without initial": (schedule(initial=False), "`initial` is left out"),
        "goes on": (schedule(clip=(0.0, INF)), "it stays at `final`"),
        "begins early": (schedule(clip=(-INF, 1.0)), "before `start` it is `initial`"),
        "goes on at both ends": (schedule(clip=(-INF, INF)), "goes on"),
        "the rest": (schedule_rest, "add it to `final`"),
        "0 at first": (schedule_early_zero, "not 0"),
        "anything": (lambda *_: 0.123, "(1 − done)³"),
    },
    "6c.4": {
        "units alone": (128_000, "are still there"),
        "inputs alone": (153_600, "has lost 48 units"),
        "16 inputs": (1584 * 80, "fed 25 inputs"),
        "16 inputs alone": (1584 * 128, "fed 25 inputs; and"),
        "what goes": (19_200, "count what is left"),
        "without pixels": (48 * 80, "25 inputs, not one"),
        "all": (204_800, "nothing has gone yet"),
        "the corner alone": (185_600, "if either end does"),
        "the corner twice": (76_800, "taken away twice"),
        "with biases": (96_080, "biases are not part"),
        "inputs that go": (32_000, "1,200 are left"),
        "units that go": (57_600.0, "80 are left"),
        "inputs": (1200, "these are the inputs"),
        "more": (300_000, "more than before"),
        "any": (100_000, "× units that are left"),
    },
    "6c.5": {
        "along the outputs": (nm_outputs, "along the outputs"),
        "without abs": (lambda w, n, m: groups(n, m, w), "you rank w itself"),
        "the smallest": (lambda w, n, m: groups(n, m, np.abs(w), largest=False), "the n smallest stay"),
        "True where it goes": (lambda w, n, m: ~groups(n, m, np.abs(w)), "True where a weight goes"),
        "n go": (lambda w, n, m: groups(m - n, m, np.abs(w)), "here n of each m go"),
        "the whole kernel": (nm_whole, "over the whole kernel"),
        "each output": (nm_each_output, "not in each group"),
        "the first": (nm_first, "the first n of each group"),
        "as the memory runs": (nm_flat, "across the rows"),
        "rows": (nm_rows, "whole rows stay or go"),
        "all stay": (lambda w, n, m: np.ones(w.shape, bool), "in each column"),
    },
}

RIGHT = {
    "6c.1": [mask_squares, mask_by(np.abs)],
    "6c.2": [sizes(), lambda w: list(sizes()(w))],
    "6c.3": [schedule(), schedule_branches],
    "6c.4": [96_000, 96_000.0],
    "6c.5": [nm_reshape, lambda w, n, m: groups(n, m, np.abs(w))],
}

for exercise_id, wrongs in wrong_06c_more.WRONG.items():
    WRONG[exercise_id] |= {f"more: {name}": wrong for name, wrong in wrongs.items()}
for exercise_id, answers in wrong_06c_more.RIGHT.items():
    RIGHT[exercise_id] += answers
