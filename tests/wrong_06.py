"""Wrong answers to the exercises of lesson 06, each with a piece of the sentence it must get."""

import numpy as np


def by_seeds(errors, of_seeds):
    def answer(reference, rows):
        least = reference - errors * np.sqrt(reference * (10_000 - reference) / 10_000)
        fitting = [(size, name) for name, size, right in rows if of_seeds(right) >= least]
        return min(fitting)[1] if fitting else rows[0][0]

    return answer


def error(n):
    return np.sqrt(n * (10_000 - n) / 10_000)


def by_distance(allowed):
    """The smallest whose mean is at most so far below the reference."""

    def answer(reference, rows):
        fitting = [row for row in rows if np.mean(row[2]) >= reference - allowed(reference, row[2])]
        return min(fitting, key=lambda row: row[1])[0]

    return answer


def by_order(choose):
    return lambda reference, rows: choose([r for r in rows if np.mean(r[2]) >= reference - 2 * error(reference)])[0]


def gradient_assigned(gradient, codes, k):
    found = np.zeros(k)
    found[codes] += gradient
    return found


def gradient_mean(gradient, codes, k):
    count = np.bincount(codes.ravel(), minlength=k)
    return np.bincount(codes.ravel(), weights=gradient.ravel(), minlength=k) / np.maximum(count, 1)


def gradient_without_minlength(gradient, codes, k):
    return np.bincount(codes.ravel(), weights=gradient.ravel())


def gradient_flat_only(gradient, codes, k):
    return np.bincount(codes, weights=gradient, minlength=k)


def gradient_added_at(gradient, codes, k):
    found = np.zeros(k)
    np.add.at(found, codes, gradient)
    return found


def stored_one_by_one(zeros, index_bits):
    stored = 0
    for gap in zeros.tolist():
        while gap > 2**index_bits - 1:
            gap, stored = gap - 2**index_bits, stored + 1
        stored += 1
    return stored


def choice_in_arrays(reference, rows):
    names, sizes, right = zip(*rows, strict=True)
    fits = np.array([np.mean(counts) for counts in right]) / 1e4 >= reference / 1e4 - 2 * error(reference) / 1e4
    return np.array(names)[fits][np.argmin(np.array(sizes)[fits])]


RIGHT = {
    "6.1": [
        stored_one_by_one,
        lambda z, b: sum(int(np.ceil((gap + 1) / 2**b)) for gap in z),
        lambda zeros, b: len(zeros) + int((zeros >> b).sum()),
    ],
    "6.2": [
        gradient_added_at,
        lambda g, codes, k: np.array([g[codes == j].sum() for j in range(k)]),
        lambda g, codes, k: [float(g[codes == j].sum()) for j in range(k)],
        lambda g, codes, k: np.array([g[codes == j].sum() for j in range(k)], np.float32),
        lambda g, codes, k: (g.ravel()[:, None] * (codes.ravel()[:, None] == np.arange(k))).sum(axis=0),
    ],
    "6.3": [35.0, np.int64(35), np.array(35)],
    "6.4": [
        lambda ref, rows: min(
            (row for row in rows if sum(row[2]) / len(row[2]) >= ref - 2 * (ref * (1 - ref / 1e4)) ** 0.5),
            key=lambda row: row[1],
        )[0],
        choice_in_arrays,
    ],
}

WRONG = {
    "6.1": {
        "a filler bridges one less": (lambda z, b: int(np.sum(1 + z // max(2**b - 1, 1))), "2^b zeros"),
        "without fillers": (lambda z, b: len(z), "fillers are left out"),
        "fillers alone": (lambda z, b: int(np.sum(z // 2**b)), "these are the fillers"),
        "b as the largest gap": (lambda z, b: int(np.sum(1 + z // b)), "b itself is not the largest"),
        "rounded up": (lambda z, b: int(np.sum(1 + np.ceil(z / 2**b))), "round down"),
        "one filler only": (lambda z, b: int(np.sum(np.where(z >= 2**b, 2, 1))), "one filler is not enough"),
        "all zeros added up": (lambda z, b: int(len(z) + z.sum() // 2**b), "must not be added up"),
        "2^b fits": (lambda z, b: int(np.sum(1 + np.maximum(z - 1, 0) // 2**b)), "a gap of 2^b needs a filler"),
        "rounded to the nearest": (lambda z, b: int(np.sum(1 + np.round(z / 2**b))), "not to the nearest"),
        "fitted in": (lambda z, b: int(np.sum(np.ceil(z / (2**b - 1)))), "no zero before it"),
        "dense": (lambda z, b: int(len(z) + z.sum()), "the zeros, too"),
        "one weight": (lambda z, b: int(np.sum(z // 2**b) + 1), "not one for all"),
        "twice b": (lambda z, b: int(np.sum(1 + z // (2 * b))), "not 2·b"),
        "a sign bit": (lambda z, b: int(np.sum(1 + z // 2 ** (b - 1))), "no sign"),
        "xor": (lambda z, b: int(np.sum(1 + z // (2 ^ b))), "no power"),
        "what is left": (lambda z, b: int(np.sum(1 + z % 2**b)), "`%`"),
        "longest gap only": (lambda z, b: int(len(z) + z.max() // 2**b), "not only the longest"),
        "first gap only": (lambda z, b: 1 + int(z[0]) // 2**b, "only the first gap"),
        "gaps and values": (lambda z, b: int(2 * np.sum(1 + z // 2**b)), "not two"),
        "in bits": (lambda z, b: int(b * np.sum(1 + z // 2**b)), "bits of the gaps"),
        "a float": (lambda z, b: float(np.sum(1 + z / 2**b)), "an integer is wanted"),
        "for each gap": (lambda z, b: 1 + z // 2**b, "one number is wanted"),
    },
    "6.2": {
        "mean": (gradient_mean, "this is the mean"),
        "assigned": (gradient_assigned, "keeps the last one"),
        "without minlength": (gradient_without_minlength, "`minlength`"),
        "flat only": (gradient_flat_only, "raised ValueError"),
        "counts": (lambda g, c, k: np.bincount(c.ravel(), minlength=k) * 1.0, "how many weights"),
        "absolute": (
            lambda g, c, k: np.bincount(c.ravel(), weights=np.abs(g).ravel(), minlength=k),
            "no absolute value",
        ),
        "negative": (lambda g, c, k: -np.bincount(c.ravel(), weights=g.ravel(), minlength=k), "against the gradient"),
        "divided by all": (
            lambda g, c, k: np.bincount(c.ravel(), weights=g.ravel(), minlength=k) / g.size,
            "the number of all weights",
        ),
        "squares": (lambda g, c, k: np.bincount(c.ravel(), weights=g.ravel() ** 2, minlength=k), "just add"),
        "for each weight": (
            lambda g, c, k: np.bincount(c.ravel(), weights=g.ravel(), minlength=k)[c],
            "not one for each weight",
        ),
        "looked up": (lambda g, c, k: g[c] if g.size > k else np.zeros(c.shape), "not one for each weight"),
        "one too many": (lambda g, c, k: np.bincount(c.ravel(), weights=g.ravel(), minlength=k + 1), "not k + 1"),
        "all together": (lambda g, c, k: g.sum(), "not one for all"),
        "without the empty ones": (lambda g, c, k: [g[c == j].sum() for j in range(c.max() + 1)], "`minlength`"),
        "codes from 1": (lambda g, c, k: [g[c == j].sum() for j in range(1, k + 1)], "begin at 0"),
        "code as a factor": (lambda g, c, k: [(c * g)[c == j].sum() for j in range(k)], "it is no factor"),
        "whole numbers": (
            lambda g, c, k: np.bincount(c.ravel(), weights=g.ravel(), minlength=k).astype(int),
            "an array of floats",
        ),
        "largest": (
            lambda g, c, k: [g[c == j].max(initial=-9) if (c == j).any() else 0.0 for j in range(k)],
            "largest",
        ),
        "sum without sign": (lambda g, c, k: [abs(g[c == j].sum()) for j in range(k)], "the sum may be negative"),
    },
    "6.3": {
        "fixed width": (40, "a fixed width"),
        "entropy": (34.85, "this is the entropy"),
        "per symbol": (1.75, "bits per symbol"),
        "lengths": (9, "added up"),
        "unary": (37, "unary"),
        "wrong way round": (53, "the wrong way round"),
        "one sum missing": (15, "one sum is missing"),
        "another sum missing": (30, "one sum is missing"),
        "the sum between missing": (25, "one sum is missing"),
        "three bits each": (60, "four symbols need 2"),
        "in bytes": (5, "wanted are the bits"),
        "mean length": (2.25, "the mean length"),
        "entropy of one": (1.74, "the entropy of one symbol"),
        "last group": (20, "the last group"),
        "bytes": (160, "bytes"),
        "below the entropy": (32, "below the entropy"),
        "something": (36, "join the two rarest"),
    },
    "6.4": {
        "smallest": (lambda ref, rows: min(rows, key=lambda row: row[1])[0], "the smallest of all"),
        "most accurate": (lambda ref, rows: max(rows, key=lambda row: np.mean(row[2]))[0], "the most right"),
        "best seed": (by_seeds(2, np.max), "one good seed is luck"),
        "worst seed": (by_seeds(2, np.min), "the worst seed"),
        "no noise": (by_seeds(0, np.mean), "still noise"),
        "one standard error": (by_seeds(1, np.mean), "not one"),
        "first seed": (by_seeds(2, lambda right: right[0]), "only the first seed"),
        "first row": (
            lambda ref, rows: next(row[0] for row in rows if np.mean(row[2]) >= ref - 2 * 10.8),
            "the first that loses nothing",
        ),
        "last row": (by_order(lambda rows: rows[-1]), "the last that loses nothing"),
        "largest": (by_order(lambda rows: max(rows, key=lambda row: row[1])), "the largest that loses nothing"),
        "by name": (by_order(min), "compares their names"),
        "median": (by_seeds(2, np.median), "the median"),
        "seeds added up": (by_seeds(2, np.sum), "must not be added up"),
        "three standard errors": (by_seeds(3, np.mean), "not three"),
        "four standard errors": (by_seeds(4, np.mean), "not four"),
        "without the root": (by_distance(lambda ref, right: 2 * error(ref) ** 2), "the root is missing"),
        "the error of a share": (by_distance(lambda ref, right: 2 * error(ref) / 10_000), "a count of 10,000"),
        "the method's own error": (by_distance(lambda ref, right: 2 * error(np.mean(right))), "of the reference"),
        "divided by seeds": (by_distance(lambda ref, right: 2 * error(ref) / len(right) ** 0.5), "not divided"),
        "as far above": (
            lambda ref, rows: min((row[1], row[0]) for row in rows if abs(np.mean(row[2]) - ref) <= 2 * error(ref))[1],
            "no absolute value",
        ),
        "root of n": (by_distance(lambda ref, right: 2 * ref**0.5), "two standard errors below the reference are"),
        "two images": (by_distance(lambda ref, right: 2), "not the smallest that loses nothing"),
        "the row": (lambda ref, rows: rows[0], "the name of a method"),
        "another name": (lambda ref, rows: "float", "no method of this name"),
    },
}
