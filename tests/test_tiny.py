"""The tiny network: folding and few bits by hand, against TensorFlow, and what training may not touch."""

import numpy as np
import pytest

from qlib import aware, tiny
from qlib.mnist import import_tensorflow
from qlib.packed import FewBits, dumps, loads

tf = import_tensorflow()


def some(n=64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, 28, 28, 1), np.float32), rng.integers(0, 10, n)


def test_the_number_of_parameters_by_hand():
    # 3·3·1·8 + 8, 3·3·8·12 + 12, 3·3·12·16 + 16, 16·10 + 10
    assert tiny.build_tiny((8, 12, 16)).count_params() == 80 + 876 + 1744 + 170
    assert [w.shape for w in tiny.build_tiny((2, 3, 4)).get_weights()][0::2] == [
        (3, 3, 1, 2),
        (3, 3, 2, 3),
        (3, 3, 3, 4),
        (4, 10),
    ]


def test_fold_by_hand():
    kernel, bias = tiny.fold(
        np.full((1, 1, 1, 1), 2.0), np.array([3.0]), gamma=4.0, beta=5.0, mean=1.0, variance=1 - tiny.EPSILON
    )
    assert kernel.item() == 8 and bias.tolist() == [(3 - 1) * 4 + 5]


def test_a_folded_network_computes_the_same():
    images, labels = some()
    model = tiny.build_tiny((3, 4, 5), normalized=True)
    variables = model.trainable_variables
    aware.train(model, lambda: [v + 0.0 for v in variables], variables, images, labels, epochs=20, batch=32, rate=0.02)
    moments = [v.numpy() for v in model.non_trainable_variables]
    assert any(np.abs(m).max() > 0.01 for m in moments[0::2])  # the moments were learned
    plain = tiny.build_tiny((3, 4, 5))
    plain.set_weights(tiny.folded(model))
    expected, found = model(images, training=False).numpy(), plain(images).numpy()
    assert np.ptp(expected) > 0.05 and np.abs(expected - found).max() < 1e-5


def test_training_lowers_the_loss_and_leaves_the_network_alone():
    images, labels = some()
    labels = labels % 2
    images = images * labels[:, None, None, None].astype(np.float32)  # all black is a 0
    tf.keras.utils.set_random_seed(0)
    model = tiny.build_tiny((3, 4, 5))
    before = model.get_weights()
    variables, losses, shares = [tf.Variable(w) for w in before], [], []
    aware.train(
        model,
        lambda: variables,
        variables,
        images,
        labels,
        epochs=60,
        batch=32,
        rate=0.02,
        before_step=shares.append,
        progress=lambda step, steps, loss: losses.append((step, steps, loss)),
    )
    assert [step for step, _, _ in losses] == list(range(1, 121)) and losses[0][1] == 120
    assert np.mean([loss for *_, loss in losses[-10:]]) < np.mean([loss for *_, loss in losses[:10]]) - 0.5
    assert shares[0] == 0 and shares[60] == 0.5 and max(shares) < 1
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_seed_decides_the_training():
    images, labels = some()

    def trained(seed):
        model = tiny.build_tiny((2, 2, 2))
        variables = [tf.Variable(np.full(w.shape, 0.1, np.float32)) for w in model.get_weights()]
        aware.train(model, lambda: variables, variables, images, labels, epochs=2, batch=16, seed=seed)
        return np.concatenate([v.numpy().ravel() for v in variables])

    assert np.array_equal(trained(1), trained(1)) and not np.array_equal(trained(1), trained(2))


def test_few_bits_by_hand():
    w = tf.constant([-9.0, -0.4, 0.6, 1.5, 2.5, 9.0])
    assert aware.few_bits(w, tf.constant(1.0), 3).numpy().tolist() == [-3, 0, 1, 2, 2, 3]  # half to even
    assert aware.few_bits(w, tf.constant(0.5), 2).numpy().tolist() == [-0.5, -0.5, 0.5, 0.5, 0.5, 0.5]


def test_the_gradients_are_those_of_lsq():
    """Esser et al. 2020, equation 3: −w/Δ + rint(w/Δ) inside, ±qmax where clipped; and 1 or 0 for w."""
    w, scale = tf.Variable([-9.0, -0.4, 0.7, 1.5, 9.0]), tf.Variable(np.full(5, 0.5, np.float32))
    with tf.GradientTape() as tape:
        x_hat = aware.few_bits(w, scale, 3)
    for_w, for_scale = tape.gradient(x_hat, [w, scale])
    assert for_w.numpy().tolist() == [0, 1, 1, 1, 0]
    assert for_scale.numpy() == pytest.approx([-3, 0.8 - 1, 1 - 1.4, 0, 3], abs=1e-6)


def test_few_bits_training_gives_a_file_that_is_read_back():
    images, labels = some()
    weights = tiny.build_tiny((2, 3, 4)).get_weights()
    tensors = tiny.train_few_bits(weights, 3, images, labels, epochs=3)
    assert [t.num_bits for t in tensors] == [3, 8] * 4 and all(isinstance(t, FewBits) for t in tensors)
    again = loads(dumps(tensors), [w.shape for w in weights])
    assert all(np.array_equal(a.restored(), b.restored()) for a, b in zip(tensors, again, strict=True))


def test_shifted_moves_and_loses_nothing_inside():
    image = np.zeros((200, 7, 7, 1), np.float32)
    image[:, 3, 3] = 1
    moved = aware.shifted(image, np.random.default_rng(0), most=2)
    places = {tuple(int(p) for p in np.argwhere(one)[0][:2]) for one in moved}
    assert places == {(i, j) for i in range(1, 6) for j in range(1, 6)} and (moved.sum(axis=(1, 2, 3)) == 1).all()


def test_widths_are_three_counts():
    with pytest.raises(ValueError, match="widths: expected three numbers of filters, got"):
        tiny.build_tiny((1, 2))
    with pytest.raises(ValueError, match="widths: expected an integer from 1 on, got 0"):
        tiny.build_tiny((1, 0, 2))
