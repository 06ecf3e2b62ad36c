"""Masks, schedules, filters: values by hand, properties of any, and Keras as the oracle of a smaller network."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_mixed import random_weights

from qlib import load_cnn, pruned, pruning
from qlib.mixed import MixedPrecision
from qlib.mnist import import_tensorflow
from qlib.sparse import encode_bitmap, encode_csr, nbytes

WEIGHTS = arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.sampled_from([-2, -1, 0, 1, 3])
)


# ------------------------------------------------------------------ masks


@pytest.mark.parametrize(
    "w, sparsity, stays",
    [
        ([1, -2, 3, -4], 0.5, [0, 0, 1, 1]),
        ([1, 1, -1, 1], 0.5, [0, 0, 1, 1]),  # of equal ones the first go
        ([5, 0, 0, 0], 0.5, [1, 0, 0, 1]),  # zeros that were there count
        ([1, 2, 3], 0.5, [0, 0, 1]),  # round(1.5) is 2
        ([3, 1, 2], 0, [1, 1, 1]),
        ([3, 1, 2], 1, [0, 0, 0]),
        ([[4, -1], [2, 3]], 0.25, [[1, 0], [1, 1]]),
    ],
)
def test_magnitude_mask_by_hand(w, sparsity, stays):
    mask = pruning.magnitude_mask(np.array(w, np.float32), sparsity)
    assert mask.dtype == bool and mask.astype(int).tolist() == stays


@given(WEIGHTS, st.floats(0, 1))
def test_magnitude_mask_has_the_exact_count_and_the_smallest_go(w, sparsity):
    before = w.copy()
    mask = pruning.magnitude_mask(w, sparsity)
    assert np.count_nonzero(~mask) == round(sparsity * w.size) and mask.shape == w.shape
    assert np.abs(w[~mask]).max(initial=0) <= np.abs(w[mask]).min(initial=9)
    assert np.array_equal(w, before)


@given(WEIGHTS, st.floats(0, 0.5))
def test_more_sparsity_prunes_what_less_did(w, sparsity):
    less, more = pruning.magnitude_mask(w, sparsity), pruning.magnitude_mask(w, sparsity + 0.5)
    assert not np.any(more & ~less)
    assert np.array_equal(pruning.magnitude_mask(w * less, sparsity + 0.5), more)  # zeros stay among the pruned


def test_global_masks_are_one_ranking():
    kernels = [np.array([[1, -9]]), np.array([2, 3, -4, 5])]
    found = [mask.astype(int).tolist() for mask in pruning.global_masks(kernels, 0.5)]
    assert found == [[[0, 1]], [0, 0, 1, 1]]


@given(st.lists(WEIGHTS, min_size=1, max_size=3), st.floats(0, 1))
def test_global_masks_have_the_exact_count(kernels, sparsity):
    masks = pruning.global_masks(kernels, sparsity)
    assert [mask.shape for mask in masks] == [kernel.shape for kernel in kernels]
    assert sum(np.count_nonzero(~mask) for mask in masks) == round(sparsity * sum(kernel.size for kernel in kernels))


# ------------------------------------------------------------------ N:M


def test_nm_mask_by_hand_along_each_axis():
    w = np.array([[1, 8, 3, 6], [-9, 2, 5, -7], [4, -3, 9, 1], [2, 7, -1, 5]])
    down = [[0, 1, 0, 1], [1, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 0]]
    across = [[0, 1, 0, 1], [1, 0, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
    assert pruning.nm_mask(w, 2, 4, axis=0).astype(int).tolist() == down
    assert pruning.nm_mask(w, 2, 4, axis=1).astype(int).tolist() == across
    assert pruning.nm_mask(w, 2, 4, axis=-1).astype(int).tolist() == across


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 3), st.sampled_from([(1, 2), (2, 4), (1, 4), (4, 4), (3, 8)]))
def test_each_group_keeps_n_and_the_largest(seed, axis, pair):
    (n, m), rng = pair, np.random.default_rng(seed)
    w = rng.integers(-3, 4, (8, 8, 8, 8)).astype(np.float32)
    mask = pruning.nm_mask(w, n, m, axis)
    cut = np.moveaxis(mask, axis, -1).reshape(-1, m)
    sizes = np.abs(np.moveaxis(w, axis, -1).reshape(-1, m))
    assert (cut.sum(axis=1) == n).all()
    gone, stay = np.where(cut, -1, sizes).max(axis=1), np.where(cut, sizes, 9).min(axis=1)
    assert (gone <= stay).all()
    values, places = pruning.encode_nm(w * mask, n, m, axis)
    assert places.dtype == np.uint8 and values.dtype == w.dtype and values.size == w.size * n // m
    assert np.array_equal(pruning.decode_nm(values, places, m, axis), w * mask)


def test_two_of_four_takes_as_many_bytes_as_a_bitmap():
    w = np.random.default_rng(0).normal(size=(1600, 128)).astype(np.float32)
    mask = pruning.nm_mask(w, 2, 4, axis=0)
    assert pruning.nm_bytes(w.size, 2, 4) == nbytes(*encode_bitmap(w * mask)) == 204_800 * 2 + 204_800 // 8
    assert pruning.nm_bytes(16, 1, 2, value_bits=8) == 8 + 1  # one bit for each place
    assert pruning.nm_bytes(16, 4, 4, value_bits=8) == 16 + 4


# ------------------------------------------------------------------ schedule


def test_schedule_by_hand():
    """Half of the way: 0.8 − 0.8/8; a quarter: 0.8 − 0.8 · 27/64."""
    found = [pruning.gradual_sparsity(t, steps=8, final=0.8, start=2) for t in (0, 2, 4, 6, 10, 11)]
    assert found == pytest.approx([0, 0, 0.8 - 0.8 * 27 / 64, 0.7, 0.8, 0.8])
    assert pruning.gradual_sparsity(0, steps=3, final=0.9, initial=0.5) == pytest.approx(0.5)
    assert pruning.gradual_sparsity(1, steps=4, final=0.8, power=1) == pytest.approx(0.2)


@given(st.integers(0, 50), st.integers(1, 40), st.floats(0, 1), st.floats(0, 1))
def test_schedule_rises_from_initial_to_final(start, steps, initial, final):
    curve = [pruning.gradual_sparsity(t, steps=steps, final=final, start=start, initial=initial) for t in range(100)]
    assert curve[start] == pytest.approx(initial, abs=1e-12) and curve[-1] == pytest.approx(final, abs=1e-12)
    changes = np.diff(curve[start : start + steps + 1]) * np.sign(final - initial)
    assert (changes >= -1e-12).all() and (np.diff(changes) <= 1e-12).all()  # fast at first


# ------------------------------------------------------------------ filters


def small_model(weights):
    """The same layers as a Keras model of another size: 14 × 14 images, 2 channels."""
    layers = import_tensorflow().keras.layers
    sizes = [bias.size for bias in weights[1::2]]
    convolutions = [
        part for f in sizes[:2] for part in (layers.Conv2D(f, 3, activation="relu"), layers.MaxPooling2D(2))
    ]
    dense = [layers.Flatten(), layers.Dense(sizes[2], activation="relu"), layers.Dense(sizes[3])]
    model = import_tensorflow().keras.Sequential([layers.Input((14, 14, 2)), *convolutions, *dense])
    model.set_weights(weights)
    return model


def weights_of(sizes=(2, 4, 5, 6, 3), seed=0):
    rng, (c, f1, f2, d, out) = np.random.default_rng(seed), sizes
    shapes = [(3, 3, c, f1), (f1,), (3, 3, f1, f2), (f2,), (pixels(14) ** 2 * f2, d), (d,), (d, out), (out,)]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def pixels(side):
    """The side of what two convolutions with pooling leave."""
    return ((side - 2) // 2 - 2) // 2


def test_removed_filters_are_those_that_give_nothing():
    """The smaller network says what the large one says whose filters that go have zeros."""
    weights, kept = weights_of(), [np.array([0, 3]), np.array([1, 2, 4]), np.array([0, 5])]
    before = [array.copy() for array in weights]
    small = pruning.remove_filters(weights, kept)
    assert [w.shape for w in small[::2]] == [(3, 3, 2, 2), (3, 3, 2, 3), (pixels(14) ** 2 * 3, 2), (2, 3)]
    zeroed = [array.copy() for array in weights]
    for i, stay in enumerate(kept):
        goes = np.setdiff1d(np.arange(weights[2 * i + 1].size), stay)
        zeroed[2 * i][..., goes], zeroed[2 * i + 1][goes] = 0, 0
    images = np.random.default_rng(1).normal(size=(5, 14, 14, 2)).astype(np.float32)
    small_says, large_says = (np.asarray(small_model(some)(images)) for some in (small, zeroed))
    np.testing.assert_allclose(small_says, large_says, rtol=1e-4, atol=1e-4)
    assert np.abs(large_says).max() > 1
    assert all(np.array_equal(a, b) for a, b in zip(weights, before, strict=True))


def test_all_filters_kept_is_the_same_network():
    weights = weights_of()
    same = pruning.remove_filters(weights, [np.arange(4), np.arange(5), np.arange(6)])
    assert all(np.array_equal(a, b) for a, b in zip(weights, same, strict=True))


def test_the_largest_filters_by_hand():
    kernel = np.array([[1, -9, 3, 0], [1, 1, -3, 0]], np.float32)  # norms 2, 10, 6, 0
    assert pruning.filter_norms(kernel).tolist() == [2, 10, 6, 0]
    assert pruning.largest_filters(kernel, 0.5).tolist() == [1, 2]
    assert pruning.largest_filters(kernel, 0).tolist() == [1]  # at least one
    assert pruning.filter_norms(np.ones((3, 3, 2, 4))).tolist() == [18] * 4


def test_the_chapters_network_with_half_the_filters():
    weights = load_cnn().get_weights()
    small = pruning.remove_filters(weights, [pruning.largest_filters(w, 0.5) for w in weights[:6:2]])
    model = pruned.cnn_with(small)
    # 16·9 + 16, 32·16·9 + 32, 64·800 + 64, 10·64 + 10
    assert model.count_params() == 160 + 4_640 + 51_264 + 650
    assert model.layers[-1].name == "dense2" and model.output_shape == (None, 10)


# ------------------------------------------------------------------ training


@pytest.fixture(scope="module")
def some_images():
    rng = np.random.default_rng(0)
    return rng.random((300, 28, 28, 1), np.float32), rng.integers(0, 10, 300)


def zeros_of(model):
    return [kernel.numpy() == 0 for kernel in pruned.kernels_of(model)]


def test_held_zeros_stay_and_the_rest_learns(some_images):
    model = load_cnn()
    before = [kernel.numpy() for kernel in pruned.kernels_of(model)]
    masks = pruning.global_masks(before, 0.9)
    pruned.apply_masks(model, masks)
    pruned.fine_tune(model, *some_images, pruned.hold(model, masks), seed=0)
    for kernel, mask, old in zip(pruned.kernels_of(model), masks, before, strict=True):
        assert not kernel.numpy()[~mask].any() and np.any(kernel.numpy()[mask] != old[mask])


def test_without_the_callback_they_do_not_stay(some_images):
    model = load_cnn()
    masks = pruning.global_masks([kernel.numpy() for kernel in pruned.kernels_of(model)], 0.9)
    pruned.apply_masks(model, masks)
    pruned.fine_tune(model, *some_images, seed=0)
    assert sum(np.count_nonzero(zeros) for zeros in zeros_of(model)) < 0.8 * 224_800


def test_gradual_pruning_reaches_its_end(some_images, monkeypatch):
    """Three batches: masks after steps 1 and 2, at 0.9 · (1 − 1/8) and 0.9; then they are held."""
    counts, apply = [], pruned.apply_masks

    def watched(model, masks):
        apply(model, masks)
        counts.append(sum(np.count_nonzero(zeros) for zeros in zeros_of(model)))

    monkeypatch.setattr(pruned, "apply_masks", watched)
    model = load_cnn()
    pruned.fine_tune(model, *some_images, pruned.prune_gradually(model, 0.9, 2, every=1), seed=0)
    assert counts == [round(0.9 * 7 / 8 * 224_800), round(0.9 * 224_800), round(0.9 * 224_800)]


# ------------------------------------------------------------------ in NumPy


def some_network():
    return pruned.PrunedNetwork(
        random_weights(), np.random.default_rng(1).uniform(size=(50, 14, 11, 2)), np.arange(50) % 4
    )


def test_the_network_computes_with_the_pruned_kernels():
    network, percents = some_network(), (10, 50, 99, 0)
    weights = random_weights()
    for i, percent in enumerate(percents):
        weights[2 * i] = weights[2 * i] * pruning.magnitude_mask(weights[2 * i], percent / 100)
    zeroed = network.weights.zeroed(percents)
    assert all(np.array_equal(a, b) for a, b in zip(zeroed, weights, strict=True))
    plain = MixedPrecision(weights, network.images, network.labels)
    np.testing.assert_array_equal(network.logits(percents), plain.logits((32,) * 4))
    assert network.accuracy(percents) == plain.accuracy((32,) * 4)


@pytest.mark.parametrize("percents", [(0, 0, 0, 0), (10, 50, 99, 33), (99, 1, 2, 3)], ids=str)
def test_stored_bytes_are_those_of_the_arrays(percents):
    weights = some_network().weights
    zeroed, found = weights.zeroed(percents), weights.stored(percents)
    for i, (kernel, bias) in enumerate(zip(zeroed[::2], zeroed[1::2], strict=True)):
        matrix = kernel.reshape(-1, bias.size).T
        assert found["dense"][i] == kernel.nbytes + bias.nbytes
        assert found["bitmap"][i] == nbytes(*encode_bitmap(kernel)) + bias.nbytes
        assert found["CSR"][i] == nbytes(*encode_csr(matrix)) + bias.nbytes


def test_sensitivity_prunes_one_layer_at_a_time():
    network = some_network()
    curves = pruned.sensitivity(network, (0, 60))
    one = [network.accuracy(tuple(60 * (i == layer) for i in range(4))) for layer in range(4)]
    assert curves.shape == (4, 2) and curves[:, 1].tolist() == one
    assert curves[:, 0].tolist() == [network.accuracy((0, 0, 0, 0))] * 4


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: pruning.magnitude_mask([1.0], 1.5), "sparsity: expected a share from 0 to 1, got 1.5"),
        (lambda: pruning.magnitude_mask([1.0], "all"), "sparsity: expected a share from 0 to 1, got 'all'"),
        (lambda: pruning.magnitude_mask([np.nan, 1], 0.5), "w: expected no NaN, got 1 of 2 values"),
        (lambda: pruning.nm_mask(np.ones(6), 2, 4, 0), "w: expected a multiple of 4 along axis 0, got 6"),
        (lambda: pruning.nm_mask(np.ones(8), 5, 4, 0), "n: expected an integer from 1 to 4, got 5"),
        (lambda: pruning.nm_mask(np.ones(8), 2, 4, 1), "axis: expected one of the 1 axes of the array, got 1"),
        (
            lambda: pruning.encode_nm(np.ones(4), 2, 4, 0),
            "w: expected at most 2 of each 4 that are not 0, got more: apply nm_mask first",
        ),
        (lambda: pruning.gradual_sparsity(1, steps=0, final=0.5), "steps: expected an integer from 1 on, got 0"),
        (lambda: pruning.gradual_sparsity(1, steps=2, final=2), "final: expected a share from 0 to 1, got 2"),
        (lambda: pruning.largest_filters(np.ones((2, 2)), -1), "share: expected a share from 0 to 1, got -1"),
        (lambda: pruning.remove_filters(weights_of(), [[0]]), "kept: expected 3 lists of indices, got 1"),
        (
            lambda: some_network().accuracy((0, 0, 100, 0)),
            "percents: expected 4 integers from 0 to 99, got (0, 0, 100, 0)",
        ),
        (lambda: some_network().logits((0, 0, 0)), "percents: expected 4 integers from 0 to 99, got (0, 0, 0)"),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == says
