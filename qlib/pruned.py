"""The chapter's network while it is pruned: trained with masks in Keras, and in NumPy for an explorer.

Keras is imported inside the functions that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import is_integer
from qlib.mixed import LAYERS, MixedPrecision, MixedWeights
from qlib.mnist import cnn_layers, import_tensorflow
from qlib.pruning import global_masks, gradual_sparsity, magnitude_mask
from qlib.sparse import bitmap_bytes, csr_bytes

if TYPE_CHECKING:
    import keras

Arrays = Sequence[np.ndarray]
Percents = Sequence[int]
MOST = 99  # percent of a layer's weights that the explorer prunes, at most


def cnn_with(weights: Arrays) -> keras.Model:
    """The chapter's network with as many filters and units as these weights have, and with these weights."""
    keras = import_tensorflow().keras
    layers = cnn_layers(keras.layers, tuple(kernel.shape[-1] for kernel in weights[:6:2]))
    model = keras.Sequential([keras.Input((28, 28, 1), name="image"), *layers])
    model.set_weights(list(weights))
    return model


# ------------------------------------------------------------------ training in Keras


def kernels_of(model: keras.Model) -> list:
    """The kernels of a Keras model, as its variables: what is pruned. (Biases are few, and stay.)"""
    return [layer.kernel for layer in model.layers if layer.weights]


def apply_masks(model: keras.Model, masks: Arrays) -> None:
    """Set to zero, in each kernel, the weights whose mask is False."""
    for kernel, mask in zip(kernels_of(model), masks, strict=True):
        kernel.assign(kernel * np.asarray(mask, np.float32))


def hold(model: keras.Model, masks: Arrays) -> keras.callbacks.Callback:
    """A callback for `fit` that applies the same masks after each batch: what is zero stays zero."""
    return _after_each_batch(lambda step: apply_masks(model, masks))


def prune_gradually(model: keras.Model, final: float, steps: int, *, every: int = 10) -> keras.callbacks.Callback:
    """A callback for `fit` that prunes more at each `every`-th step, by `gradual_sparsity`, over all layers together.

    In between it holds the zeros. A weight that is zero has the smallest magnitude, so it stays among the pruned.
    """
    masks: list[np.ndarray] = []

    def prune(step: int) -> None:
        if step % every == 0 or not masks:
            masks[:] = global_masks(
                [k.numpy() for k in kernels_of(model)], gradual_sparsity(step, steps=steps, final=final)
            )
        apply_masks(model, masks)

    return _after_each_batch(prune)


def fine_tune(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    callback: keras.callbacks.Callback | None = None,
    *,
    seed: int,
    epochs: int = 1,
) -> None:
    """Train with Adam in batches of 128, the learning rate falling from 10⁻³ to 0 (half a cosine)."""
    keras = import_tensorflow().keras
    keras.utils.set_random_seed(seed)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=epochs * -(-len(x) // 128))
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    model.fit(x, y, epochs=epochs, batch_size=128, verbose=0, callbacks=[callback] if callback else [])


def _after_each_batch(function: Callable[[int], None]) -> keras.callbacks.Callback:
    """A callback that calls `function` with the number of the step, from 1."""
    steps = count(1)
    return import_tensorflow().keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: function(next(steps))
    )


# ------------------------------------------------------------------ in NumPy, for the explorer


class PrunedWeights(MixedWeights):
    """The weights of the network, each kernel pruned by magnitude to any sparsity, in whole percent from 0 to 99."""

    def zeroed(self, percents: Percents) -> list[np.ndarray]:
        """The pruned kernels, and the biases, in the order of `weights`: for Keras's `set_weights`."""
        kernels = [self._kernel(layer, percent) for layer, percent in enumerate(check_percents(percents))]
        return [array for pair in zip(kernels, self.biases, strict=True) for array in pair]

    def stored(self, percents: Percents) -> dict[str, list[int]]:
        """Bytes of each layer and its biases: "dense", as "bitmap" and as "CSR", which has a row for each output."""
        sizes: dict[str, list[int]] = {"dense": [], "bitmap": [], "CSR": []}
        for percent, kernel, bias in zip(check_percents(percents), self.kernels, self.biases, strict=True):
            left = kernel.size - round(percent / 100 * kernel.size)
            sizes["dense"].append(kernel.nbytes + bias.nbytes)
            sizes["bitmap"].append(bitmap_bytes(left, kernel.size) + bias.nbytes)
            sizes["CSR"].append(csr_bytes(left, bias.size) + bias.nbytes)
        return sizes

    def _kernel(self, layer: int, percent: int) -> np.ndarray:
        if (key := (layer, "pruned", percent)) not in self._restored:
            kernel = self.kernels[layer]
            self._restored[key] = kernel * magnitude_mask(kernel, percent / 100)
            self._restored[key].flags.writeable = False
        return self._restored[key]


class PrunedNetwork(MixedPrecision):
    """The network on given images, for any choice of four sparsities in percent: as `MixedPrecision` for bit widths."""

    def __init__(self, weights: PrunedWeights | Arrays, images: np.ndarray, labels: np.ndarray) -> None:
        super().__init__(weights if isinstance(weights, PrunedWeights) else PrunedWeights(weights), images, labels)

    def logits(self, percents: Percents) -> np.ndarray:
        """The outputs of the last layer before its softmax: float32, shape (n, classes)."""
        return self._output(check_percents(percents))

    def accuracy(self, percents: Percents) -> float:
        """The share of the images that the network names rightly, 0 to 1."""
        percents = check_percents(percents)
        if percents not in self._scores:
            self._scores[percents] = float(np.mean(self._output(percents).argmax(axis=1) == self.labels))
        return self._scores[percents]


def sensitivity(network: PrunedNetwork, percents: Sequence[int]) -> np.ndarray:
    """The accuracy with one layer pruned and the others whole, for each percentage: shape (layers, percents)."""
    curves = np.empty((LAYERS, len(percents)))
    for layer, i in np.ndindex(*curves.shape):
        one = [0] * LAYERS
        one[layer] = percents[i]
        curves[layer, i] = network.accuracy(one)
    return curves


def check_percents(percents: Percents) -> tuple[int, ...]:
    """Four sparsities as a tuple; refused if they are not four integers from 0 to 99."""
    percents = tuple(percents)
    if len(percents) != LAYERS or not all(is_integer(p) and 0 <= p <= MOST for p in percents):
        raise ValueError(f"percents: expected {LAYERS} integers from 0 to {MOST}, got {percents}")
    return tuple(map(int, percents))
