"""AdaRound: formulas by hand and against torch, its gradient against differences, its result against all roundings."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compensate import correlated, grid_of

from qlib import QParams, adaround, fake_quantize
from qlib.compensate import hessian, output_mse

GRID = QParams(1.0, 0, -4, 3)


def test_rectified_sigmoid_by_hand():
    # sigma(log 2) = 2/3: 1.2 · 2/3 - 0.1 = 0.7
    assert adaround.rectified_sigmoid(np.log([2.0, 0.5, 1, 99, 0.001])) == pytest.approx([0.7, 0.3, 0.5, 1, 0])


def test_undecided_by_hand():
    assert adaround.undecided(np.array([0.25, 0.5, 1]), 3) == pytest.approx(1 - 1 / 8 + 1)


@given(st.floats(0.001, 0.999))
def test_it_begins_without_an_error(fraction):
    assert adaround.rectified_sigmoid(adaround._inverse(np.array(fraction))) == pytest.approx(fraction)


@pytest.mark.parametrize("done", [0.3, 0.6, 1.0])
def test_the_slope_of_the_regularizer_is_that_of_torch(done):
    torch = pytest.importorskip("torch")
    h = torch.tensor([0.1, 0.4, 0.6, 0.95], dtype=torch.float64, requires_grad=True)
    beta = 20 - 18 * (done - 0.2) / 0.8
    torch.sum(1 - torch.abs(2 * h - 1) ** beta).backward()
    assert np.allclose(adaround._regularizer_slope(h.detach().numpy(), done), h.grad.numpy())
    assert adaround._regularizer_slope(np.array([0.3]), 0.2) == 0


def test_the_slope_of_the_sigmoid_is_that_of_differences():
    v = np.linspace(-2, 2, 9)
    moved = (adaround.rectified_sigmoid(v + 1e-6) - adaround.rectified_sigmoid(v - 1e-6)) / 2e-6
    assert np.allclose(adaround._sigmoid_slope(v), moved, atol=1e-6)


# ------------------------------------------------------------------- roundings


def test_round_by_goes_down_and_up_and_is_clipped():
    w = np.array([[1.2, -1.2], [9.0, -9.0]])
    assert adaround.round_by(w, np.zeros((2, 2)), GRID).tolist() == [[1, -2], [3, -4]]
    assert adaround.round_by(w, np.ones((2, 2)), GRID).tolist() == [[2, -1], [3, -4]]


def test_stochastic_rounding_has_the_right_mean():
    w, rng = np.full(20_000, 0.3), np.random.default_rng(0)
    found = adaround.stochastic(w, GRID, rng)
    assert set(found) == {0, 1} and found.mean() == pytest.approx(0.3, abs=0.015)  # about 4.6 standard errors
    assert np.array_equal(adaround.stochastic([2.0, -1.0], GRID, rng), [2, -1])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_each_weight_is_one_of_its_two_neighbours(seed):
    rng = np.random.default_rng(seed)
    w, h = rng.normal(size=(5, 3)), hessian(correlated(rng, 20, 5))
    grid = grid_of(w)
    found = adaround.adaround(w, h, grid, steps=50)
    down, up = (adaround.round_by(w, np.full(w.shape, u), grid) for u in (0, 1))
    assert np.isin(found, np.unique([down, up])).all() and ((found == down) | (found == up)).all()
    assert found.dtype == np.float32 and np.array_equal(fake_quantize(found, grid), found)


def test_a_diagonal_hessian_rounds_to_the_nearest():
    """Each weight is alone then, and the nearest code is its best. Fractions away from one half, which is a tie."""
    rng = np.random.default_rng(1)
    w = rng.integers(-3, 3, size=(8, 4)) + rng.choice([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], size=(8, 4))
    found = adaround.adaround(w, np.diag(rng.uniform(0.5, 2, 8)), GRID)
    assert np.array_equal(found, fake_quantize(w, GRID))


def test_it_comes_near_the_best_of_all_roundings():
    """2⁸ roundings of 8 weights, tried one by one: in 5 cases AdaRound errs less than nearest, little more than best.

    The inputs have a part in common, as pixels have.
    """
    rng, sums = np.random.default_rng(2), np.zeros(3)
    ups = np.array(list(itertools.product((0, 1), repeat=8)), bool)
    for _ in range(5):
        x = rng.normal(size=(40, 8)) + 2 * rng.normal(size=(40, 1))
        w, h = rng.uniform(-2, 2, size=(8, 1)), hessian(x)
        best = min(output_mse(w, adaround.round_by(w, up[:, None], GRID), h) for up in ups)
        found, near = adaround.adaround(w, h, GRID), fake_quantize(w, GRID)
        assert output_mse(w, found, h) >= best - 1e-9
        sums += best, output_mse(w, found, h), output_mse(w, near, h)
    assert sums[1] < 0.7 * sums[2] and sums[1] < 2 * sums[0]


def test_inputs_are_not_written_to():
    rng = np.random.default_rng(3)
    w, h = rng.normal(size=(4, 2)).astype(np.float32), hessian(correlated(rng, 9, 4))
    before = w.copy(), h.copy()
    adaround.adaround(w, h, grid_of(w), steps=5)
    assert np.array_equal(w, before[0]) and np.array_equal(h, before[1])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: adaround.adaround([[1.0]], [[1.0]], GRID, steps=0), "steps: expected"),
        (lambda: adaround.adaround([1.0], [[1.0]], GRID), "w: expected a matrix"),
        (lambda: adaround.adaround([[1.0]], np.eye(2), GRID), "h: expected the shape"),
        (lambda: adaround.round_by([1.0], 0, QParams(1.0, 1, -4, 3)), "qparams: expected a symmetric"),
        (lambda: adaround.stochastic([np.nan], GRID, np.random.default_rng(0)), "w: expected no NaN"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
