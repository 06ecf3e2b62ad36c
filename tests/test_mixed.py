"""qlib.mixed: the network against Keras and against plain loops, sizes and the greedy path by hand."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from qlib import CALIBRATORS, choose_qparams, fake_quantize, load_cnn, load_mnist, mixed, quantize
from qlib.mixed import (
    FLOAT,
    MixedPrecision,
    MixedWeights,
    check_bits,
    conv_relu_pool,
    cross_entropy,
    greedy,
    standard_error,
)
from qlib.mnist import import_tensorflow

RNG = np.random.default_rng(0)
WIDTHS = range(2, 9)


def random_weights(shape=(14, 11, 2), filters=(3, 5), hidden=7, classes=4, seed=0):
    """Weights of a small network of the chapter's shape, for images of this shape."""
    rng = np.random.default_rng(seed)
    height, width = (((side - 2) // 2 - 2) // 2 for side in shape[:2])
    shapes = [(3, 3, shape[2], filters[0]), (3, 3, *filters), (height * width * filters[1], hidden), (hidden, classes)]
    pairs = [(rng.normal(size=s) / np.sqrt(np.prod(s[:-1])), rng.normal(size=s[-1]) / 4) for s in shapes]
    return [array.astype(np.float32) for pair in pairs for array in pair]


WEIGHTS = random_weights()
IMAGES = RNG.uniform(size=(30, 14, 11, 2)).astype(np.float32)
LABELS = RNG.integers(4, size=30)
for array in (*WEIGHTS, IMAGES, LABELS):
    array.flags.writeable = False  # so that writing to an input fails every test here


@pytest.fixture
def network():
    return MixedPrecision(WEIGHTS, IMAGES, LABELS)


@pytest.fixture(scope="module")
def cnn():
    """The chapter's network in Keras, its weights, and 200 test images."""
    model, (_, (x_test, y_test)) = load_cnn(), load_mnist()
    return model, MixedWeights(model.get_weights()), x_test[:200, ..., None].astype(np.float32) / 255, y_test[:200]


# ------------------------------------------------------------------- formulas


def test_cross_entropy_by_hand():
    # Probabilities 1/4 and 3/4.
    logits = np.log([[1.0, 3.0], [1.0, 3.0]])
    assert cross_entropy(logits, [0, 0]) == pytest.approx(np.log(4))
    assert cross_entropy(logits, [0, 1]) == pytest.approx((np.log(4) + np.log(4 / 3)) / 2)


@pytest.mark.parametrize("far", [1e4, -1e4])
def test_cross_entropy_of_large_logits(far):
    assert cross_entropy([[far, far]], [0]) == pytest.approx(np.log(2))
    assert cross_entropy([[0.0, far]], [0]) == max(far, 0)


def test_cross_entropy_is_taken_in_float64():
    # exp(-20) = 2.06e-9 is lost beside 1 in float32; log(1 + p) = p - p²/2.
    assert cross_entropy(np.float32([[20, 0]]), [0]) == pytest.approx(np.exp(-20), rel=1e-7)


@pytest.mark.parametrize("share, n, expected", [(0.5, 100, 0.05), (0.2, 10_000, 0.004), (1.0, 50, 0), (0.0, 50, 0)])
def test_standard_error_by_hand(share, n, expected):
    assert standard_error(share, n) == pytest.approx(expected)


def test_conv_relu_pool_by_hand():
    # The first filter is the middle of the patch, the second its negative. Sums 7, 8, 9, 10; 13, 14, 15, 16; …
    x = np.arange(36, dtype=np.float32).reshape(1, 6, 6, 1)
    kernel = np.zeros((3, 3, 1, 2), np.float32)
    kernel[1, 1, 0] = 1, -1
    pooled = conv_relu_pool(x, kernel, np.float32([0.5, 10]))
    assert pooled[0, ..., 0].tolist() == [[14.5, 16.5], [26.5, 28.5]]
    # Largest of -7, -8, -13, -14; then the bias, 3; the others stay negative: 0.
    assert pooled[0, ..., 1].tolist() == [[3, 1], [0, 0]]


def plain_conv_relu_pool(x, kernel, bias):
    """Value by value, as the definition says it."""
    n, height, width, _ = x.shape
    conv = np.zeros((n, height - 2, width - 2, bias.size))
    for i, row, column, f in np.ndindex(conv.shape):
        conv[i, row, column, f] = np.sum(x[i, row : row + 3, column : column + 3] * kernel[..., f]) + bias[f]
    conv = np.maximum(conv, 0)
    pooled = np.zeros((n, (height - 2) // 2, (width - 2) // 2, bias.size))
    for i, row, column, f in np.ndindex(pooled.shape):
        pooled[i, row, column, f] = conv[i, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, f].max()
    return pooled


@pytest.mark.parametrize("block", [1, 2, 3, 500])
@pytest.mark.parametrize("height, width", [(4, 4), (5, 8), (7, 6), (7, 9)])
def test_conv_relu_pool_is_the_plain_one(height, width, block, monkeypatch):
    monkeypatch.setattr(mixed, "BLOCK", block)
    x = RNG.normal(size=(5, height, width, 3)).astype(np.float32)
    kernel, bias = RNG.normal(size=(3, 3, 3, 4)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
    pooled = conv_relu_pool(x, kernel, bias)
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, plain_conv_relu_pool(x, kernel, bias), atol=1e-5)


# ------------------------------------------------------------------- the network against Keras


def probabilities(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


CHOICES = [(FLOAT,) * 4, (8, 8, 8, 8), (2, 2, 2, 2), (7, 3, 2, 5), (2, FLOAT, 4, 3), (3, 8, FLOAT, FLOAT)]


@pytest.mark.parametrize("bits", CHOICES, ids=str)
def test_the_network_is_that_of_keras(cnn, bits):
    model, weights, images, labels = cnn
    model.set_weights(weights.restored(bits))
    theirs, network = model.predict(images, verbose=0), MixedPrecision(weights, images, labels)
    np.testing.assert_allclose(probabilities(network.logits(bits)), theirs, atol=1e-5)
    assert network.accuracy(bits) == np.mean(theirs.argmax(axis=1) == labels)
    losses = import_tensorflow().keras.losses.sparse_categorical_crossentropy(labels, theirs)
    assert network.loss(bits) == pytest.approx(float(np.mean(losses)), abs=1e-5)


@pytest.mark.parametrize("shape", [(10, 10, 1), (14, 11, 2), (13, 17, 3), (12, 16, 1), (15, 15, 2)], ids=str)
def test_a_network_for_other_images_is_that_of_keras(shape):
    """Sides from which the two poolings leave out no, one, two or three rows."""
    keras = import_tensorflow().keras
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(5, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(7, activation="relu"),
            keras.layers.Dense(4),
        ]
    )
    model.set_weights(random_weights(shape))
    images = RNG.uniform(size=(9, *shape)).astype(np.float32)
    logits = MixedPrecision(model.get_weights(), images, np.zeros(9, int)).logits((FLOAT,) * 4)
    np.testing.assert_allclose(logits, model.predict(images, verbose=0), atol=1e-5)


# ------------------------------------------------------------------- weights in few bits


def expected_kernel(kernel, num_bits):
    """As in lesson 04: per-channel, symmetric, mse."""
    options = dict(num_bits=num_bits, symmetric=True, axis=kernel.ndim - 1)
    return fake_quantize(kernel, choose_qparams(*CALIBRATORS["mse"](kernel, **options), **options))


def test_kernels_are_those_of_the_calibrator():
    weights = MixedWeights(WEIGHTS)
    for bits in [*((b,) * 4 for b in WIDTHS), (2, 5, 8, 3)]:
        restored = weights.restored(bits)
        for kernel, num_bits, found in zip(WEIGHTS[::2], bits, restored[::2], strict=True):
            np.testing.assert_array_equal(found, expected_kernel(kernel, num_bits))
        for bias, found in zip(WEIGHTS[1::2], restored[1::2], strict=True):
            np.testing.assert_array_equal(found, bias)


def test_kernels_of_the_chapters_network_are_those_of_the_calibrator(cnn):
    model, weights, *_ = cnn
    model.set_weights(weights.restored((FLOAT,) * 4))
    for found, kernel in zip(weights.restored((2, 3, 4, 8))[:4:2], model.get_weights()[:4:2], strict=True):
        np.testing.assert_array_equal(found, expected_kernel(kernel, 2 if kernel.shape[2] == 1 else 3))


def test_channels_of_one_sign_and_of_zeros():
    weights = [w.copy() for w in WEIGHTS]
    weights[2][..., 0], weights[2][..., 1], weights[2][..., 2] = 0, abs(weights[2][..., 1]), -abs(weights[2][..., 2])
    restored = MixedWeights(weights).restored((4, 3, 4, 4))[2]
    np.testing.assert_array_equal(restored, expected_kernel(weights[2], 3))
    assert not restored[..., 0].any() and restored[..., 1].min() >= 0 >= restored[..., 2].max()


def test_a_width_of_32_leaves_the_weights_alone():
    for found, given in zip(MixedWeights(WEIGHTS).restored((FLOAT,) * 4), WEIGHTS, strict=True):
        np.testing.assert_array_equal(found, given)


def test_what_is_handed_out_is_read_only():
    restored = MixedWeights(WEIGHTS).restored((2, FLOAT, 3, FLOAT))
    assert not any(array.flags.writeable for array in restored)


@pytest.mark.parametrize(
    "bits, layers",
    [
        # The chapter's: 288, 18432, 204800, 1280 weights and 32, 64, 128, 10 channels with 4 + 4 bytes each.
        ((8, 8, 8, 8), [288 + 256, 18432 + 512, 204800 + 1024, 1280 + 80]),
        ((2, 2, 2, 2), [72 + 256, 4608 + 512, 51200 + 1024, 320 + 80]),
        ((7, 3, 2, 5), [252 + 256, 6912 + 512, 51200 + 1024, 800 + 80]),
        ((32, 4, 32, 2), [1152 + 128, 9216 + 512, 819200 + 512, 320 + 80]),
        ((32, 32, 32, 32), [1152 + 128, 73728 + 256, 819200 + 512, 5120 + 40]),  # 900,136
    ],
)
def test_sizes_by_hand(cnn, bits, layers):
    assert cnn[1].layer_sizes(bits) == layers and cnn[1].size(bits) == sum(layers)


def test_the_size_is_that_of_the_packed_codes():
    weights, packed = MixedWeights(WEIGHTS), []
    for kernel, num_bits in zip(WEIGHTS[::2], (3, 5, 7, 3), strict=True):
        options = dict(num_bits=num_bits, symmetric=True, axis=kernel.ndim - 1)
        qparams = choose_qparams(*CALIBRATORS["mse"](kernel, **options), **options)
        ones = (quantize(kernel, qparams).ravel()[:, None] - qparams.qmin) >> np.arange(num_bits) & 1
        packed.append(np.packbits(ones.astype(np.uint8)).nbytes + qparams.scale.nbytes + 4 * kernel.shape[-1])
    assert weights.layer_sizes((3, 5, 7, 3)) == packed
    assert any(kernel.size * b % 8 for kernel, b in zip(WEIGHTS[::2], (3, 5, 7, 3), strict=True))  # a byte begun counts


# ------------------------------------------------------------------- what is remembered


def count_layers(monkeypatch):
    """A list that grows by the number of filters at each convolution."""
    calls, original = [], mixed.conv_relu_pool
    monkeypatch.setattr(mixed, "conv_relu_pool", lambda x, k, b: (calls.append(b.size), original(x, k, b))[1])
    return calls


def test_only_the_layers_from_the_changed_one_on_are_computed(network, monkeypatch):
    calls = count_layers(monkeypatch)  # 3 filters in conv1, 5 in conv2
    network.accuracy((4, 4, 4, 4))
    assert calls == [3, 5]
    network.accuracy((4, 4, 4, 3)), network.accuracy((4, 4, 6, 3)), network.loss((4, 4, 6, 8))
    assert calls == [3, 5]
    network.accuracy((4, 5, 6, 3))
    assert calls == [3, 5, 5]
    network.accuracy((5, 5, 6, 3))
    assert calls == [3, 5, 5, 3, 5]
    network.accuracy((4, 5, 2, 2)), network.loss((5, 5, 6, 3))
    assert calls == [3, 5, 5, 3, 5]


def test_two_networks_share_the_quantized_weights(monkeypatch):
    asked, original = [], mixed.fake_quantize
    monkeypatch.setattr(mixed, "fake_quantize", lambda *args: (asked.append(1), original(*args))[1])
    weights = MixedWeights(WEIGHTS)
    one, other = MixedPrecision(weights, IMAGES, LABELS), MixedPrecision(weights, IMAGES[:9], LABELS[:9])
    one.accuracy((2, 3, 4, 5)), other.accuracy((2, 3, 4, 5))
    assert len(asked) == 4 and one.weights is other.weights is weights


@pytest.mark.parametrize("limit", [0, 5_000, 40_000])
def test_memory_is_bounded_and_forgetting_changes_nothing(network, limit, monkeypatch):
    choices = list(itertools.product((2, 8), repeat=4))
    expected = {bits: network.logits(bits) for bits in choices}
    monkeypatch.setattr(mixed, "REMEMBERED", limit)
    poor = MixedPrecision(WEIGHTS, IMAGES, LABELS)
    for bits in [*choices, *reversed(choices)]:
        np.testing.assert_array_equal(poor.logits(bits), expected[bits])
        assert sum(x.nbytes for x in poor._outputs.values()) <= limit
    # 30 images: conv1 gives 6·4·3 values each (the last column is not needed), conv2 2·1·5, dense1 7.
    assert sum(x.nbytes for x in network._outputs.values()) == 120 * (2 * 6 * 4 * 3 + 4 * 2 * 1 * 5 + 8 * 7)


def test_what_was_not_asked_for_the_longest_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(mixed, "REMEMBERED", 120 * (6 * 4 * 3 + 2 * 10 + 2 * 7))
    network, calls = MixedPrecision(WEIGHTS, IMAGES, LABELS), count_layers(monkeypatch)
    network.logits((4, 2, 4, 4)), network.logits((4, 3, 4, 4)), network.logits((4, 2, 4, 5))
    assert calls == [3, 5, 5]
    # Needs conv1 again, and room for two: conv2 at 2 bits and at 3 bits were asked for the longest ago.
    network.logits((4, 4, 4, 4))
    calls.clear()
    for bits in ((4, 2, 4, 6), (4, 3, 4, 6), (4, 4, 4, 6)):  # all three dense1 are there
        network.logits(bits)
    assert calls == []
    network.logits((4, 3, 5, 6))
    assert calls == [5]


def test_inputs_are_copied():
    weights, images, labels = [w.copy() for w in WEIGHTS], IMAGES.copy(), LABELS.copy()
    network = MixedPrecision(weights, images, labels)
    for array in (*weights, images, labels):
        array[...] = 0
    assert network.loss((FLOAT,) * 4) == MixedPrecision(WEIGHTS, IMAGES, LABELS).loss((FLOAT,) * 4)
    assert network.loss((3,) * 4) == MixedPrecision(WEIGHTS, IMAGES, LABELS).loss((3,) * 4)


def test_other_dtypes_are_used_as_float32(network):
    other = MixedPrecision([w.astype(np.float64) for w in WEIGHTS], IMAGES.astype(np.float64), LABELS.astype(np.uint8))
    np.testing.assert_array_equal(other.logits((4,) * 4), network.logits((4,) * 4))
    assert other.logits((4,) * 4).dtype == np.float32 and other.accuracy((4,) * 4) == network.accuracy((4,) * 4)


def test_numpy_widths_are_widths(network):
    assert network.logits(np.array([4, 4, 4, 4])).tolist() == network.logits([4, 4, 4, 4]).tolist()
    assert check_bits(np.array([2, 8, 32, 3])) == (2, 8, 32, 3) and check_bits(iter((2, 2, 2, 2))) == (2, 2, 2, 2)
    assert network.weights.size(iter((2, 2, 2, 2))) == network.weights.size((2, 2, 2, 2))


# ------------------------------------------------------------------- the greedy path


def pretended(sizes, loss):
    """What `greedy` needs of a network: kernels of these sizes, and a loss."""
    return SimpleNamespace(weights=SimpleNamespace(kernels=[np.zeros(size) for size in sizes]), loss=loss)


def test_greedy_by_hand():
    # One bit less saves 1, 2, 10, 1 bytes, and costs 3, 2, 5, 9 of loss: 3, 1, 0.5, 9 per byte. Cheapest first.
    path = greedy(
        pretended([8, 16, 80, 8], lambda bits: sum(c * (8 - b) for c, b in zip((3, 2, 5, 9), bits, strict=True)))
    )
    expected = [(8, 8, b, 8) for b in range(8, 1, -1)]
    expected += [(8, b, 2, 8) for b in range(7, 1, -1)]
    expected += [(b, 2, 2, 8) for b in range(7, 1, -1)]
    expected += [(2, 2, 2, b) for b in range(7, 1, -1)]
    assert path == expected and len(path) == 25


def test_greedy_looks_again_after_each_step():
    # Only the lost squares count: each further bit of a layer costs more, so that all go down in turn.
    path = greedy(pretended([8, 8, 8, 8], lambda bits: sum((8 - b) ** 2 for b in bits)))
    assert path[:6] == [(8, 8, 8, 8), (7, 8, 8, 8), (7, 7, 8, 8), (7, 7, 7, 8), (7, 7, 7, 7), (6, 7, 7, 7)]
    assert path[-1] == (2, 2, 2, 2)


def test_greedy_takes_what_lowers_the_loss_first():
    path = greedy(pretended([80, 80, 80, 8], lambda bits: sum(8 - b for b in bits[:3]) + bits[3]))
    assert path[:7] == [(8, 8, 8, b) for b in range(8, 1, -1)]


def test_greedy_of_a_network_takes_the_cheapest_step_each_time(network):
    path, sizes = greedy(network), [kernel.size for kernel in WEIGHTS[::2]]
    assert path[0] == (8,) * 4 and path[-1] == (2,) * 4 and len(path) == 25
    for here, there in itertools.pairwise(path):
        costs = {}
        for layer in range(4):
            lower = tuple(b - (i == layer) for i, b in enumerate(here))
            if min(lower) >= 2:
                costs[lower] = (network.loss(lower) - network.loss(here)) * 8 / sizes[layer]
        assert there in costs and costs[there] == min(costs.values())


def test_mixed_widths_beat_uniform_ones(cnn):
    """What the lesson shows: hardly larger than 2 bits everywhere, nearly as good as float32."""
    _, weights, *_ = cnn
    (x_train, y_train), (x_test, y_test) = load_mnist()
    path = greedy(MixedPrecision(weights, x_train[::120, ..., None].astype(np.float32) / 255, y_train[::120]))
    network = MixedPrecision(weights, x_test[::10, ..., None].astype(np.float32) / 255, y_test[::10])
    good = network.accuracy((FLOAT,) * 4) - standard_error(network.accuracy((FLOAT,) * 4), 1000)
    small = [bits for bits in path if weights.size(bits) < 1.1 * weights.size((2,) * 4)]
    assert max(map(network.accuracy, small)) >= good > network.accuracy((2,) * 4)
    assert all(weights.size(here) > weights.size(there) for here, there in itertools.pairwise(path))


# ------------------------------------------------------------------- refusals


def other(i, array):
    return [array if k == i else w for k, w in enumerate(WEIGHTS)]


NAN, INFINITE = WEIGHTS[2].copy(), WEIGHTS[5].copy()
NAN[0, 0, 0, 0], INFINITE[:2] = np.nan, np.inf


@pytest.mark.parametrize(
    "weights, says",
    [
        (WEIGHTS[:6], "weights: expected 8 arrays, kernels and biases in turn, got 6"),
        (other(0, np.zeros((5, 5, 2, 3))), "weights[0]: expected a kernel of shape (3, 3, any, any), got (5, 5, 2, 3)"),
        (other(2, np.zeros((3, 3, 4, 5))), "weights[2]: expected a kernel of shape (3, 3, 3, any), got (3, 3, 4, 5)"),
        (other(4, np.zeros((2, 10, 7))), "weights[4]: expected a kernel of shape (any, any), got (2, 10, 7)"),
        (other(6, np.zeros((8, 4))), "weights[6]: expected a kernel of shape (7, any), got (8, 4)"),
        (other(6, np.array(1.0)), "weights[6]: expected a kernel of shape (7, any), got ()"),
        (other(3, np.zeros(4)), "weights[3]: expected biases of shape (5,), got (4,)"),
        (other(7, np.zeros((4, 1))), "weights[7]: expected biases of shape (4,), got (4, 1)"),
        (other(2, NAN), "weights[2]: expected no NaN, got 1 of 135 values"),
        (other(5, INFINITE), "weights[5]: expected finite values, got 2 infinite of 7"),
        (other(4, np.zeros((0, 7))), "weights[4]: expected at least one value, got none"),
        (other(1, ["a"] * 3), "weights[1]: expected real numbers, got dtype <U1"),
    ],
)
def test_bad_weights_are_refused(weights, says):
    for make in (MixedWeights, lambda w: MixedPrecision(w, IMAGES, LABELS)):
        with pytest.raises(ValueError) as error:
            make(weights)
        assert str(error.value) == says


@pytest.mark.parametrize(
    "images, says",
    [
        (IMAGES[..., 0], "images: expected the shape (n, ≥10, ≥10, 2), got (30, 14, 11)"),
        (IMAGES[..., :1], "images: expected the shape (n, ≥10, ≥10, 2), got (30, 14, 11, 1)"),
        (IMAGES[:, :9], "images: expected the shape (n, ≥10, ≥10, 2), got (30, 9, 11, 2)"),
        (IMAGES[:, :10], "images: expected a size that gives the dense layer its 10 inputs, got 5"),
        (IMAGES[:0], "images: expected at least one value, got none"),
        (np.full_like(IMAGES, np.nan), "images: expected no NaN, got 9240 of 9240 values"),
        (np.full_like(IMAGES, np.inf), "images: expected finite values, got 9240 infinite of 9240"),
        (3.0, "images: expected the shape (n, ≥10, ≥10, 2), got ()"),
    ],
)
def test_bad_images_are_refused(images, says):
    with pytest.raises(ValueError) as error:
        MixedPrecision(WEIGHTS, images, LABELS)
    assert str(error.value) == says


@pytest.mark.parametrize(
    "labels, says",
    [
        (LABELS[:-1], "labels: expected 30 integers, got int64 of shape (29,)"),
        (np.eye(4)[LABELS], "labels: expected 30 integers, got float64 of shape (30, 4)"),  # one-hot
        (LABELS.astype(np.float32), "labels: expected 30 integers, got float32 of shape (30,)"),
        (LABELS % 3 - 1, "labels: expected 0 to 3, got -1 to 1"),
        (LABELS % 4 + 1, "labels: expected 0 to 3, got 1 to 4"),
    ],
)
def test_bad_labels_are_refused(labels, says):
    with pytest.raises(ValueError) as error:
        MixedPrecision(WEIGHTS, IMAGES, labels)
    assert str(error.value) == says


@pytest.mark.parametrize(
    "bits", [(8, 8, 8), (8, 8, 8, 8, 8), (1, 8, 8, 8), (8, 9, 8, 8), (8, 8, 16, 8), (8, 8, 8, 4.0)]
)
def test_bad_bits_are_refused(network, bits):
    says = f"bits: expected 4 integers from 2 to 8, or 32 for float32, got {bits}"
    weights = network.weights
    for ask in (network.logits, network.loss, network.accuracy, weights.size, weights.layer_sizes, weights.restored):
        with pytest.raises(ValueError) as error:
            ask(bits)
        assert str(error.value) == says
