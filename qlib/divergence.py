"""How far one histogram is from another, by Kullback and Leibler; and how far all clipped ones are, at once."""

from __future__ import annotations

import numpy as np


def kl_divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence `Σ p ln(p / q)` of two histograms, each first divided by its sum; in nats.

    It is infinite where q is 0 and p is not.

    Examples
    --------
    >>> kl_divergence(np.array([1, 1]), np.array([2, 2])), kl_divergence(np.array([1, 1]), np.array([1, 0]))
    (0.0, inf)
    """
    seen = p > 0
    if (q[seen] == 0).any():
        return float("inf")
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p[seen] * np.log(p[seen] / q[seen])))


def divergences(counts: np.ndarray, kept: np.ndarray, levels: int) -> np.ndarray:
    """`kl_divergence` of the histogram for each number of bins kept, from sums over all beginnings of the histogram.

    With N = Σp = Σq + (what was cut off), KL = Σ p ln(p / q) / N − ln(N / Σq). In a level of C counts and F filled
    bins all q are C / F, so that Σ p ln q is a sum over levels, and Σ p ln p differs in the last bin only.
    """
    total, last = counts.sum(), counts[kept - 1]
    before = np.append(0, np.cumsum(counts))
    filled = np.append(0, np.cumsum(counts > 0))
    own = np.append(0.0, np.cumsum(_p_ln(counts, counts)))
    edges = -(-np.arange(levels + 1) * kept[:, None] // levels)  # the first bin of each level, rounded up
    c, f = np.diff(before[edges]), np.diff(filled[edges])
    cut = total - before[kept]
    p_ln_p = own[kept - 1] + _p_ln(last + cut, last + cut)
    p = c.copy()
    p[:, -1] += cut
    with np.errstate(divide="ignore", invalid="ignore"):  # where the last bin is empty in Q and not in P: infinite
        p_ln_q = np.sum(_p_ln(p, c / np.maximum(f, 1)), axis=1)
        score = (p_ln_p - p_ln_q) / total - np.log(total / before[kept])
    return np.where((last == 0) & (cut > 0), np.inf, score)


def _p_ln(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p ln q, which is 0 where p is."""
    return p * np.log(q, out=np.zeros(np.shape(p)), where=p > 0)


def clipped_and_quantized(counts: np.ndarray, i: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """P: the first i bins, the rest added to the last one. Q: the first i bins merged into `levels`, spread again."""
    p = counts[:i].astype(np.float64)
    p[-1] += counts[i:].sum()
    filled = counts[:i] > 0
    level = np.arange(i) * levels // i
    merged = np.bincount(level, counts[:i], levels)
    spread = np.bincount(level, filled, levels)
    return p, np.where(filled, merged[level] / np.maximum(spread[level], 1), 0.0)
