"""Bias correction and equalization: by hand, against outputs that are measured, and against Keras."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_mixed import IMAGES, WEIGHTS

from qlib import equalize, load_cnn
from qlib.equalize import bias_shift, equalizing_scales, ranges_in, ranges_out, rescale
from qlib.layer_inputs import logits


@given(st.integers(0, 2**32))
def test_the_shift_is_the_measured_one(seed):
    rng = np.random.default_rng(seed)
    x, w, w_hat = (rng.normal(size=size).astype(np.float32) for size in ((30, 5), (5, 4), (5, 4)))
    shift = bias_shift(w, w_hat, x.mean(axis=0))
    assert np.allclose(shift, (x @ w_hat - x @ w).mean(axis=0), atol=1e-5)
    assert np.allclose((x @ w_hat - shift).mean(axis=0), (x @ w).mean(axis=0), atol=1e-5)


def test_the_shift_by_hand():
    # inputs of mean 1 and 2: (0 - 0.5) · 1 + (1 - 0.75) · 2
    assert bias_shift([[0.5], [0.75]], [[0.0], [1.0]], [1.0, 2.0]).tolist() == [0.0]
    assert bias_shift([[0.5], [0.75]], [[0.0], [1.0]], [1.0, 4.0]).tolist() == [0.5]


# ------------------------------------------------------------------- ranges and scales


def test_ranges_by_hand():
    kernel = np.zeros((3, 3, 2, 2))
    kernel[0, 1, 0], kernel[2, 2, 1] = (1, -4), (-3, 0.5)
    assert ranges_out(kernel).tolist() == [3, 4]
    assert ranges_in(kernel, 2).tolist() == [4, 3]
    flat = np.array([[1.0], [-2], [3], [0.5]])  # two pixels of two channels: rows 0 and 2, rows 1 and 3
    assert ranges_in(flat, 2).tolist() == [3, 2] and ranges_in(flat, 4).tolist() == [1, 2, 3, 0.5]


def test_scales_by_hand():
    assert equalizing_scales([8, 1, 9], [2, 4, 9]).tolist() == [2, 0.5, 1]
    assert equalizing_scales([0, 5, 0], [5, 0, 0]).tolist() == [1, 1, 1]


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)), min_size=1, max_size=5))
def test_both_ranges_become_the_geometric_mean(pairs):
    r1, r2 = np.array(pairs).T
    s = equalizing_scales(r1, r2)
    assert np.allclose(r1 / s, np.sqrt(r1 * r2)) and np.allclose(r2 * s, np.sqrt(r1 * r2))


# ------------------------------------------------------------------- the network


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2))
def test_rescaling_changes_no_output(seed, layer):
    scales = 8 ** np.random.default_rng(seed).uniform(-1, 1, WEIGHTS[2 * layer].shape[-1])
    other = rescale(WEIGHTS, layer, scales)
    assert not np.allclose(other[2 * layer], WEIGHTS[2 * layer])
    assert np.allclose(logits(other, IMAGES), logits(WEIGHTS, IMAGES), rtol=1e-4, atol=1e-4)


def test_powers_of_two_change_no_bit_of_keras_outputs():
    model, images = load_cnn(), np.random.default_rng(0).uniform(size=(4, 28, 28, 1)).astype(np.float32)
    weights, before = model.get_weights(), model.predict(images, verbose=0)
    for layer in range(3):
        scales = 2.0 ** np.random.default_rng(layer).integers(-3, 4, weights[2 * layer].shape[-1])
        weights = rescale(weights, layer, scales)
    model.set_weights(weights)
    assert np.array_equal(model.predict(images, verbose=0), before)


def test_equalizing_makes_ranges_equal_and_undoes_what_was_scaled():
    even = equalize.equalize(WEIGHTS, rounds=60)
    for layer in range(3):
        r1 = ranges_out(even[2 * layer])
        assert np.allclose(r1, ranges_in(even[2 * layer + 2], r1.size), rtol=1e-3)
    assert np.allclose(logits(even, IMAGES), logits(WEIGHTS, IMAGES), rtol=1e-4, atol=1e-4)
    uneven = WEIGHTS
    for layer in range(3):
        uneven = rescale(uneven, layer, 2.0 ** np.arange(-1, WEIGHTS[2 * layer].shape[-1] - 1))
    again = equalize.equalize(uneven, rounds=60)
    assert all(np.allclose(a, b, rtol=1e-3, atol=1e-6) for a, b in zip(again, even, strict=True))


def test_a_dead_filter_stays_as_it_is():
    weights = [array.copy() for array in WEIGHTS]
    weights[0][..., 1] = 0
    even = equalize.equalize(weights, rounds=3)
    assert not even[0][..., 1].any() and np.array_equal(even[1][1], weights[1][1])
    assert all(np.isfinite(array).all() for array in even)


def test_inputs_are_not_written_to():
    before = [array.copy() for array in WEIGHTS]
    equalize.equalize(WEIGHTS, rounds=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, WEIGHTS, strict=True))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bias_shift([[1.0]], [[1.0, 2]], [1.0]), "w_hat: expected a matrix of the shape"),
        (lambda: bias_shift([[1.0]], [[1.0]], [1.0, 2]), "mean_x: expected one mean for each"),
        (lambda: ranges_out([1.0]), "kernel: expected at least two axes"),
        (lambda: ranges_in([[1.0], [2], [3]], 2), "channels: expected a divisor"),
        (lambda: equalizing_scales([1.0], [1.0, 2]), "r2: expected the shape"),
        (lambda: equalizing_scales([-1.0], [1.0]), "expected finite ranges"),
        (lambda: ranges_in([[1.0], [2]], 0), "channels: expected an integer from 1 on, got 0"),
        (lambda: rescale(WEIGHTS, 3, [1.0]), "layer: expected from 0 to 2"),
        (lambda: rescale(WEIGHTS, 0.0, [1.0]), "layer: expected from 0 to 2"),
        (lambda: equalize.equalize(WEIGHTS, -1), "rounds: expected an integer from 1 on, got -1"),
        (lambda: rescale(WEIGHTS, 0, [1.0, 0, 1]), "scales: expected 3 positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
