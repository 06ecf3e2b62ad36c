"""TensorFlow Model Optimization Toolkit (TFMOT) on the chapter's CNN: prune, cluster, train with the codes in mind.

TFMOT works on models of Keras 2, which live on in the package `tf_keras`; the rest of the workbook uses Keras 3. Both
work side by side in one process, if TFMOT is imported by `import_tfmot`. What is heavy is imported inside functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import check_count
from qlib.mnist import cnn_layers, import_tensorflow, load_cnn, quiet

if TYPE_CHECKING:
    import tf_keras

BATCH = 128
STAGE = 234  # batches of one stage of training: half a pass over the 60,000 images
FEW = 10  # batches: for fewer, building TensorFlow's graph takes longer than doing without
LAYERS = ("conv1", "conv2", "dense1", "dense2")  # those with weights
Progress = Callable[[int], object]


def import_tfmot() -> tuple[ModuleType, ModuleType]:
    """`(tfmot, tf_keras)`, with `tf.keras` left at Keras 3.

    TFMOT sets the environment variable TF_USE_LEGACY_KERAS. Whoever looks at `tf.keras` for the first time after that
    gets Keras 2 without a word. So we look first, and remove the variable: processes that we start inherit it.
    """
    tf = import_tensorflow()
    _ = tf.keras.Model  # `tf.keras` decides now, and for good
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    with quiet():
        import tensorflow_model_optimization as tfmot
        import tf_keras
    if before is None:
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
    return tfmot, tf_keras


# ------------------------------------------------------------------- the network


def twin(weights: Sequence[np.ndarray] | None = None) -> tf_keras.Model:
    """The chapter's network as a model of `tf_keras`, with the shipped weights, or with others in the same order."""
    _, tf_keras = import_tfmot()
    image = tf_keras.layers.InputLayer((28, 28, 1), name="image")
    model = tf_keras.Sequential([image, *cnn_layers(tf_keras.layers)], name="mnist_cnn")
    model.set_weights(load_cnn().get_weights() if weights is None else weights)
    return model


def weights_of(model: tf_keras.Model) -> list[np.ndarray]:
    """Kernel and bias of each layer, in the order of `twin`. (Stripped models hold them in another order.)"""
    return [w.numpy() for name in LAYERS for w in (model.get_layer(name).kernel, model.get_layer(name).bias)]


def train(
    model: tf_keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    steps: int = STAGE,
    seed: int = 0,
    rate: float = 1e-3,
    callbacks: Sequence = (),
    progress: Progress | None = None,
) -> None:
    """One stage: `steps` batches of 128 images by Adam; the rate falls from `rate` to 0 along half a cosine.

    Parameters
    ----------
    images, labels : float32 (n, 28, 28, 1), integers (n,)
    seed : of the order of the images
    progress : function of the number of batches done
    """
    check_count("steps", steps)
    check_count("n images", len(images))
    _, tf_keras = import_tfmot()
    rng = np.random.default_rng(seed)
    passes = -(-steps * BATCH // len(images))
    order = np.concatenate([rng.permutation(len(images)) for _ in range(passes)])[: steps * BATCH]
    callbacks = list(callbacks)
    if progress:
        callbacks.append(tf_keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: progress(batch + 1)))
    falling = tf_keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        optimizer=tf_keras.optimizers.Adam(falling),
        loss="sparse_categorical_crossentropy",
        run_eagerly=steps < FEW,
    )
    with quiet():
        model.fit(images[order], labels[order], batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks)


# -------------------------------------------------------- pruning and clustering


def pruned(model: tf_keras.Model, images, labels, *, sparsity: float = 0.8, steps: int = STAGE, **options):
    """`model`, with its smallest weights set to 0 in every layer while it trains, and the wrappers taken off again.

    The schedule reaches `sparsity` after three quarters of the steps; the rest is for the weights that are left.
    `options` go to `train`.
    """
    tfmot, _ = import_tfmot()
    end = max(1, 3 * steps // 4)
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, sparsity, 0, end, power=3, frequency=max(1, steps // 40))
    with quiet():
        wrapped = tfmot.sparsity.keras.prune_low_magnitude(twin(weights_of(model)), pruning_schedule=schedule)
        train(wrapped, images, labels, steps=steps, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()], **options)
        return twin(weights_of(tfmot.sparsity.keras.strip_pruning(wrapped)))


def clustered(
    model: tf_keras.Model,
    images,
    labels,
    *,
    clusters: int = 16,
    preserve_sparsity: bool = False,
    steps: int = STAGE,
    **options,
):
    """`model`, with the weights of each layer shared: no more than `clusters` values, which training moves.

    The values start evenly between a layer's least and largest weight. With `preserve_sparsity` one of them is 0, and
    stays it. `options` go to `train`.
    """
    check_count("clusters", clusters)
    tfmot, _ = import_tfmot()
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    start = tfmot.clustering.keras.CentroidInitialization.LINEAR
    with quiet():
        wrapped = cluster.cluster_weights(
            twin(weights_of(model)),
            number_of_clusters=clusters,
            cluster_centroids_init=start,
            preserve_sparsity=preserve_sparsity,
        )
        train(wrapped, images, labels, steps=steps, **options)
        return twin(weights_of(tfmot.clustering.keras.strip_clustering(wrapped)))


# ------------------------------------------------- training with the codes in mind


def aware(model: tf_keras.Model, *, preserve: bool = False) -> tf_keras.Model:
    """`model` with fake quantization of its weights and activations, ready for `train`.

    With `preserve` its zeros and its clusters are kept (TFMOT's `Default8BitClusterPreserveQuantizeScheme`).
    """
    tfmot, _ = import_tfmot()
    copy = twin(weights_of(model))
    with quiet():
        if not preserve:
            return tfmot.quantization.keras.quantize_model(copy)
        annotated = tfmot.quantization.keras.quantize_annotate_model(copy)
        scheme = tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=True)
        return tfmot.quantization.keras.quantize_apply(annotated, scheme=scheme)


def calibrate(network: tf_keras.Model, model: tf_keras.Model, samples: np.ndarray) -> None:
    """Start the ranges of an `aware` network's activations at those of `model` on `samples` (min-max).

    Without this they start at −6 … 6 and move by a thousandth of the difference with each batch.
    """
    stop = len(model.layers) - 1
    values, ranges = samples, {v.name: v for v in network.variables if "activation" in v.name}
    for place, layer in enumerate(model.layers):
        if place == stop:  # before its softmax
            values = values @ layer.kernel.numpy() + layer.bias.numpy()
        else:
            values = layer(values).numpy()
        for name, variable in ranges.items():
            if name.startswith(f"quant_{layer.name}/"):
                end = values.min() if name.endswith("min:0") else values.max()
                variable.assign(min(end, 0.0) if name.endswith("min:0") else max(end, 0.0))


def finished(network: tf_keras.Model) -> tf_keras.Model:
    """An `aware` network with `preserve`, without the variables of its clusters, as it may be converted."""
    import_tfmot()
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import cluster_utils

    with quiet():
        return cluster_utils.strip_clustering_cqat(network)
