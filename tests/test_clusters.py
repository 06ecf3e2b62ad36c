"""Weight sharing: k-means in one dimension, by hand, against SciPy, and what it may never do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.vq import kmeans2

from qlib.clusters import assign, kmeans, linear_centroids

REALS = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60)


def squares(w, centroids):
    return float(np.sum((w - centroids[assign(w, centroids)]).astype(np.float64) ** 2))


def test_by_hand():
    w = np.array([0, 1, 2, 10, 11, 30], np.float32)
    start = linear_centroids(w, 3)
    assert start.tolist() == [0, 15, 30] and start.dtype == np.float32
    assert assign(w, start).tolist() == [0, 0, 0, 1, 1, 2]
    assert kmeans(w, start).tolist() == [1, 10.5, 30]


def test_a_centroid_without_weights_stays():
    assert kmeans([0, 10], [0, 4, 10]).tolist() == [0, 4, 10]


@settings(deadline=None)  # a busy machine may take its time
@given(REALS, st.integers(1, 9))
def test_the_nearest_is_taken(values, k):
    w = np.array(values, np.float32)
    centroids = linear_centroids(w, k)
    distance = np.abs(w[:, None] - centroids)
    chosen = np.take_along_axis(distance, assign(w, centroids)[:, None], axis=1)[:, 0]
    assert chosen == pytest.approx(distance.min(axis=1), abs=1e-4)


@settings(deadline=None)  # a busy machine may take its time
@given(REALS, st.integers(1, 9))
def test_kmeans_lowers_the_error_or_leaves_it(values, k):
    w = np.array(values, np.float32)
    start = linear_centroids(w, k)
    found = kmeans(w, start)
    assert (np.diff(found) >= 0).all() and found.shape == (k,)
    assert squares(w, found) <= squares(w, start) * (1 + 1e-5) + 1e-6


def test_the_same_as_scipy():
    w = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    start = linear_centroids(w, 16)
    theirs, codes = kmeans2(w.astype(np.float64)[:, None], start.astype(np.float64)[:, None], iter=300, minit="matrix")
    assert kmeans(w, start) == pytest.approx(theirs[:, 0], abs=1e-4)
    assert np.mean(assign(w, kmeans(w, start)) == codes) > 0.999


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="w: expected at least one value"):
        linear_centroids([], 2)
    with pytest.raises(ValueError, match="w: expected no NaN, got 1 of 2"):
        kmeans([0, np.nan], [0])
    with pytest.raises(ValueError, match="k: expected an integer from 1 on, got 0"):
        linear_centroids([1.0], 0)
    with pytest.raises(ValueError, match="centroids: expected values in rising order"):
        assign([1.0], [2, 1])
