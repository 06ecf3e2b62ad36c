"""Train a network with what will be stored in mind: zeros, shared weights, few bits.

A network is trained through *rebuilt* weights: what it computes with is made, at each step, from what training moves.
TensorFlow is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import check_count
from qlib.mnist import import_tensorflow

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Rebuild = Callable[[], "Sequence[tf.Tensor]"]
Progress = Callable[[int, int, float], object]


def rint(x: tf.Tensor) -> tf.Tensor:
    """Rounded, half to even; backward as if nothing had been done (straight-through estimator, lesson 04)."""
    tf = import_tensorflow()
    return x + tf.stop_gradient(tf.round(x) - x)


def few_bits(w: tf.Tensor, scale: tf.Tensor, num_bits: int) -> tf.Tensor:
    """ŵ = Δ · clip(rint(w/Δ), −qmax, qmax), with a gradient for w and one for Δ.

    Δ learns from how each weight was rounded and clipped (LSQ), which the straight-through `rint` gives by itself.

    Parameters
    ----------
    w : float32 tensor
    scale : float32 tensor, positive
        Of w's shape, after broadcasting.
    num_bits : 2 or more; the codes are symmetric and narrow, −qmax … qmax.

    References
    ----------
    Esser et al., "Learned step size quantization", ICLR 2020, equations 1 to 3.
    """
    tf = import_tensorflow()
    check_count("num_bits", num_bits)
    qmax = 2.0 ** (num_bits - 1) - 1
    return scale * rint(tf.clip_by_value(w / scale, -qmax, qmax))


def train(
    network: keras.Model,
    rebuild: Rebuild,
    variables: Sequence[tf.Variable],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: float,
    batch: int = 128,
    rate: float = 1e-3,
    seed: int = 0,
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    before_step: Callable[[float], object] | None = None,
    progress: Progress | None = None,
) -> None:
    """Move `variables` so that `network`, with the weights that `rebuild()` makes of them, names the images rightly.

    Adam; the rate falls from `rate` to 0 along a half cosine. Batches come in an order that `seed` decides.

    Parameters
    ----------
    network : Keras model whose output is probabilities
        Only its layers are used, with the rebuilt weights; its own are left alone.
    rebuild : function that returns the weights in the order of `network.get_weights()`
    images, labels : float32 (n, …), integers (n,)
    epochs : passes over the images; may be a fraction
    augment : function of a batch and a random generator, such as `shifted`
    before_step : function of the share of the training that is done, 0 to 1: the place for a schedule
    progress : function of the step, of all steps, and of the loss
    """
    tf = import_tensorflow()
    rng, steps = np.random.default_rng(seed), max(1, round(epochs * len(images) / batch))
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(rate, steps))
    optimizer.build(list(variables))
    state = network.non_trainable_variables  # the moments of a batch normalization

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            p, moments = network.stateless_call(list(rebuild()), state, images, training=True)
            loss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(labels, p))
        optimizer.apply(tape.gradient(loss, list(variables)))
        for variable, new in zip(state, moments, strict=True):
            variable.assign(new)
        return loss

    places = np.empty(0, np.int64)
    for i in range(steps):
        if before_step:
            before_step(i / steps)
        if places.size < batch:
            places = np.concatenate([places, rng.permutation(len(images))])
        some, places = places[:batch], places[batch:]
        shown = augment(images[some], rng) if augment else images[some]
        loss = step(tf.convert_to_tensor(shown), tf.convert_to_tensor(labels[some]))
        if progress:
            progress(i + 1, steps, float(loss))


def shifted(images: np.ndarray, rng: np.random.Generator, most: int = 2) -> np.ndarray:
    """Each image moved by up to `most` pixels down or up, and right or left; what comes in is 0."""
    n, height, width, channels = images.shape
    wide = np.zeros((n, height + 2 * most, width + 2 * most, channels), images.dtype)
    wide[:, most : most + height, most : most + width] = images
    out = np.empty_like(images)
    for i, (down, right) in enumerate(rng.integers(0, 2 * most + 1, (n, 2))):
        out[i] = wide[i, down : down + height, right : right + width]
    return out
