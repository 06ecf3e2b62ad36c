"""GPTQ against an independent form that inverts anew at each step, against all roundings there are, and by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_mixed import IMAGES, WEIGHTS

from qlib import QParams, choose_qparams, fake_quantize, load_cnn, load_mnist, sqnr_db
from qlib.compensate import gptq, hessian, output_mse, output_sqnr_db
from qlib.layer_inputs import as_matrix, layer_inputs, logits, patches, with_kernels
from qlib.mixed import MixedPrecision

GRID = QParams(1.0, 0, -4, 3)


def grid_of(w, num_bits=3, axis=1):
    top = np.abs(w).max(axis=0) if axis == 1 else np.abs(w).max()
    return choose_qparams(-top, top, num_bits=num_bits, symmetric=True, axis=axis)


def correlated(rng, n, inputs):
    return rng.normal(size=(n, inputs)) @ rng.normal(size=(inputs, inputs))


def brain_quantization(w, h, qparams, damping):
    """The same in the form of Optimal Brain Quantization: the inverse of what is left is taken anew for each input."""
    w, h = np.array(w, np.float64), np.array(h, np.float64) + damping * np.trace(h) / len(h) * np.eye(len(h))
    left, w_hat = list(range(len(w))), np.empty_like(w)
    while left:
        i, *left = left
        own = np.linalg.inv(h[np.ix_([i, *left], [i, *left])])
        w_hat[i] = fake_quantize(w[i : i + 1], qparams)[0]
        for place, j in enumerate(left, start=1):
            w[j] -= own[place, 0] / own[0, 0] * (w[i] - w_hat[i])
    return w_hat


# ------------------------------------------------------------------- formulas


def test_hessian_by_hand():
    # rows (1, 2) and (3, 0): sums of products 10, 2, 4; times 2/n = 1
    assert hessian(np.array([[1, 2], [3, 0]])).tolist() == [[10, 2], [2, 4]]
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    assert np.allclose(hessian(x), 2 / 7 * sum(np.outer(row, row) for row in x), rtol=1e-5)


def test_output_mse_is_that_of_the_outputs():
    rng = np.random.default_rng(1)
    x, w, w_hat = rng.normal(size=(50, 6)), rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    assert output_mse(w, w_hat, hessian(x)) == pytest.approx(np.mean((x @ w - x @ w_hat) ** 2))
    assert output_sqnr_db(w, w_hat, hessian(x)) == pytest.approx(sqnr_db(x @ w, x @ w_hat))
    assert output_sqnr_db(w, w, hessian(x)) == np.inf


def test_two_weights_by_hand():
    """0.4 becomes 0; the other takes 0.9 of the error, 0.76, and becomes 1. Undamped; the diagonal is 1."""
    h = np.array([[1, 0.9], [0.9, 1]])
    assert gptq([[0.4], [0.4]], h, GRID, damping=0).tolist() == [[0], [1]]
    assert gptq([[0.4], [-0.4]], h, GRID, damping=0).tolist() == [[0], [0]]  # -0.4 + 0.36
    # with 0.9 the error of nearest is (0.4, 0.4): 0.16 + 0.16 + 2 · 0.9 · 0.16; of GPTQ (0.4, -0.6)
    assert 2 * output_mse([[0.4], [0.4]], [[0], [0]], h) == pytest.approx(0.32 + 0.288)
    assert 2 * output_mse([[0.4], [0.4]], [[0], [1]], h) == pytest.approx(0.16 + 0.36 - 0.432)


# ------------------------------------------------------------------- GPTQ


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.sampled_from([0.01, 0.1, 1.0]), st.sampled_from([None, 1]))
def test_the_cholesky_form_is_the_slow_one(seed, inputs, damping, axis):
    rng = np.random.default_rng(seed)
    w, h = rng.normal(size=(inputs, 5)), hessian(correlated(rng, 3 * inputs, inputs))
    grid = grid_of(w, axis=axis)
    assert np.array_equal(gptq(w, h, grid, damping), brain_quantization(w, h, grid, damping))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_a_diagonal_hessian_compensates_nothing(seed, damping):
    rng = np.random.default_rng(seed)
    w, h = rng.normal(size=(6, 3)), np.diag(rng.uniform(0.1, 9, size=6))
    assert np.array_equal(gptq(w, h, grid_of(w), damping), fake_quantize(w, grid_of(w)))


def test_the_factor_of_the_hessian_changes_nothing():
    rng = np.random.default_rng(2)
    w, h = rng.normal(size=(8, 4)), hessian(correlated(rng, 30, 8))
    assert np.array_equal(gptq(w, h, grid_of(w)), gptq(w, 1024 * h, grid_of(w)))


def test_brute_force_is_a_bound_and_gptq_mostly_beats_nearest():
    """All 4⁴ codes of 4 weights: none has less output error than the best of them; GPTQ is between it and nearest."""
    rng, wins, losses = np.random.default_rng(3), 0, 0
    codes = np.array(list(itertools.product(range(-2, 2), repeat=4)), float).T  # each column a candidate
    for _ in range(30):
        w, h = rng.uniform(-1.5, 1.2, size=(4, 1)), hessian(correlated(rng, 12, 4))
        grid = QParams(1.0, 0, -2, 1)
        errors = [output_mse(w, c[:, None], h) for c in codes.T]
        found, near = (output_mse(w, w_hat, h) for w_hat in (gptq(w, h, grid), fake_quantize(w, grid)))
        assert found >= min(errors) - 1e-12 and near >= min(errors) - 1e-12
        wins, losses = wins + (found < near - 1e-12), losses + (found > near + 1e-12)
    assert wins > 10 and wins > 3 * losses


def test_what_is_rounded_last_is_the_best_it_can_be():
    """With the first weights as they became, no other code of the last one has less error (undamped, one output)."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        w, h = rng.uniform(-2, 2, size=(3, 1)), hessian(correlated(rng, 9, 3))
        found = gptq(w, h, GRID, damping=0)
        others = [np.vstack([found[:2], [[code]]]) for code in range(-4, 4)]
        assert output_mse(w, found, h) <= min(output_mse(w, o, h) for o in others) + 1e-9


def test_a_dead_input_needs_damping_and_is_rounded_to_the_nearest():
    x = np.random.default_rng(5).normal(size=(20, 3))
    x[:, 1] = 0
    w = np.array([[0.4], [0.7], [1.2]])
    with pytest.raises(ValueError, match="use more damping"):
        gptq(w, hessian(x), GRID, damping=0)
    assert gptq(w, hessian(x), GRID)[1, 0] == 1


def test_inputs_are_not_written_to_and_the_result_is_on_the_grid():
    rng = np.random.default_rng(6)
    w, h = rng.normal(size=(6, 3)).astype(np.float32), hessian(correlated(rng, 20, 6))
    before = w.copy(), h.copy()
    found, grid = gptq(w, h, grid_of(w)), grid_of(w)
    assert np.array_equal(w, before[0]) and np.array_equal(h, before[1])
    assert found.dtype == np.float32 and np.array_equal(fake_quantize(found, grid), found)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: hessian([1.0]), "x: expected a matrix"),
        (lambda: hessian(np.empty((0, 3))), "x: expected at least one"),
        (lambda: hessian([[np.nan]]), "x: expected no NaN"),
        (lambda: gptq([[1.0]], [[1.0, 0], [0, 1]], GRID), "h: expected the shape"),
        (lambda: gptq([[1.0], [2]], [[1.0, 0.5], [0, 1]], GRID), "h: expected a symmetric"),
        (lambda: gptq([[1.0]], [[1.0]], GRID, damping=-1), "damping: expected"),
        (lambda: gptq([[1.0]], [[1.0]], GRID, damping=np.nan), "damping: expected"),
        (lambda: output_mse([[1.0]], [[1.0, 2]], [[1.0]]), "w_hat: expected the shape"),
        (lambda: as_matrix([1.0]), "kernel: expected at least two axes"),
        (lambda: patches(np.zeros((1, 2, 3, 1))), "x: expected the shape"),
        (lambda: with_kernels(WEIGHTS, WEIGHTS[:2]), "matrices: expected 4"),
        (lambda: gptq([[1.0]], [[1.0]], GRID, damping="x"), "damping: expected"),
        (lambda: gptq([[1.0]], [[1.0]], GRID, damping=np.inf), "damping: expected"),
        (lambda: layer_inputs(WEIGHTS, IMAGES, 0), "patches_of: expected"),
        (lambda: logits(WEIGHTS, IMAGES[..., 0]), "images: expected the shape"),
        (lambda: logits(WEIGHTS, np.repeat(IMAGES, 3, axis=3)), "images: expected the shape"),
        (lambda: layer_inputs(WEIGHTS, np.repeat(IMAGES, 2, axis=1)), "images: expected a size"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------- the network's layers


def test_layer_inputs_and_logits_are_those_of_the_network():
    network = MixedPrecision(WEIGHTS, IMAGES, np.zeros(len(IMAGES), int))
    assert np.allclose(logits(WEIGHTS, IMAGES), network.logits((32,) * 4), atol=1e-5)
    *_, last = layer_inputs(WEIGHTS, IMAGES)
    assert np.allclose(last @ WEIGHTS[6] + WEIGHTS[7], logits(WEIGHTS, IMAGES), atol=1e-5)


def test_patches_times_the_matrix_is_the_convolution():
    first, second, *_ = layer_inputs(WEIGHTS, IMAGES, 2)
    n, height, width = 2, IMAGES.shape[1] - 2, IMAGES.shape[2] - 2
    out = (first @ as_matrix(WEIGHTS[0])).reshape(n, height, width, -1)
    image, row, column = 1, 3, 4
    patch = IMAGES[image, row : row + 3, column : column + 3]
    assert np.allclose(out[image, row, column], np.einsum("hwc,hwcf->f", patch, WEIGHTS[0]), atol=1e-5)
    assert second.shape[1] == 9 * WEIGHTS[0].shape[-1]


def test_with_kernels_puts_matrices_back():
    again = with_kernels(WEIGHTS, [as_matrix(w) for w in WEIGHTS[::2]])
    assert all(np.array_equal(a, b) for a, b in zip(again, WEIGHTS, strict=True))


def test_the_last_layer_of_the_network_gains_on_images_it_has_not_seen():
    weights, ((x_train, _), (x_test, _)) = load_cnn().get_weights(), load_mnist()
    train, test = (x[:300, ..., None].astype(np.float32) / 255 for x in (x_train, x_test))
    x, new = layer_inputs(weights, train, 1)[3], layer_inputs(weights, test, 1)[3]
    w, h, new_h = weights[6], hessian(x), hessian(new)
    for num_bits in (2, 3, 4):
        found, near = gptq(w, h, grid_of(w, num_bits)), fake_quantize(w, grid_of(w, num_bits))
        assert sqnr_db(w, found) < sqnr_db(w, near)  # the weights get worse
        assert output_sqnr_db(w, found, new_h) > output_sqnr_db(w, near, new_h) + 3  # and the outputs better
