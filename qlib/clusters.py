"""Weight sharing: the weights of a layer take one of a few values, which k-means finds. NumPy only."""

from __future__ import annotations

import numpy as np

from qlib.arguments import as_float32, check_count, refuse_unmeasurable

ROUNDS = 300  # of k-means, at most: it ends by itself long before


def linear_centroids(w: np.ndarray, k: int) -> np.ndarray:
    """k values, evenly from the least to the largest weight: float32, shape (k,).

    They reach the few large weights, which matter most; spread by density, nearly all would lie about 0.

    References
    ----------
    Han, Mao, Dally, "Deep Compression", ICLR 2016, section 3.2.

    Examples
    --------
    >>> linear_centroids([-1, 0, 3], 3)
    array([-1.,  1.,  3.], dtype=float32)
    """
    w = _weights(w)
    check_count("k", k)
    return np.linspace(w.min(), w.max(), k, dtype=np.float32)


def assign(w: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The code of each weight: which of the centroids, in rising order, is nearest. int64, the shape of w.

    Examples
    --------
    >>> assign([-9, 0.4, 0.6], [0, 1])
    array([0, 0, 1])
    """
    w, centroids = _weights(w), as_float32("centroids", centroids)
    if centroids.ndim != 1 or centroids.size == 0 or (np.diff(centroids) < 0).any():
        raise ValueError(f"centroids: expected values in rising order, got {centroids}")
    return np.searchsorted((centroids[1:] + centroids[:-1]) / 2, w)


def kmeans(w: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Lloyd's k-means in one dimension, from these centroids on: float32, in rising order.

    Each weight goes to the nearest centroid, each centroid to the mean of its weights, until nothing changes. Each
    round lowers Σ (w − its centroid)², or leaves it. One to which no weight goes stays where it is.

    References
    ----------
    S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28 (1982).

    Examples
    --------
    >>> kmeans([0, 1, 10, 14], [0, 10])
    array([ 0.5, 12. ], dtype=float32)
    """
    w, centroids = _weights(w).ravel(), np.sort(as_float32("centroids", centroids))
    before = None
    for _ in range(ROUNDS):
        codes = assign(w, centroids)
        if before is not None and np.array_equal(codes, before):
            break
        count = np.bincount(codes, minlength=centroids.size)
        total = np.bincount(codes, weights=w, minlength=centroids.size)
        centroids = np.where(count > 0, total / np.maximum(count, 1), centroids).astype(np.float32)
        before = codes
    return centroids


def _weights(w: np.ndarray) -> np.ndarray:
    w = as_float32("w", w)
    refuse_unmeasurable("w", w)
    return w
