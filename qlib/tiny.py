"""The smallest file: a network of few filters, trained for few bits. Used by lesson 06.

Convolution 3×3 and ReLU three times, with max pooling after the first two; the mean of each filter over the image; a
dense layer. In training each convolution is normalized (batch normalization); afterwards the normalization is folded
into kernel and bias, and is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import check_count
from qlib.aware import Progress, few_bits, shifted, train
from qlib.mnist import import_tensorflow
from qlib.packed import FewBits, Tensor

if TYPE_CHECKING:
    import keras

BIAS_BITS = 8  # a bias is added to a whole filter: few of them, so more bits
EPSILON = 1e-3  # of Keras's BatchNormalization
Arrays = Sequence[np.ndarray]


def build_tiny(widths: Sequence[int], *, normalized: bool = False) -> keras.Model:
    """The network with three numbers of filters, untrained: images (n, 28, 28, 1) → probabilities (n, 10)."""
    widths = tuple(widths)
    if len(widths) != 3:
        raise ValueError(f"widths: expected three numbers of filters, got {widths}")
    for width in widths:
        check_count("widths", width)
    layers = import_tensorflow().keras.layers
    parts = [layers.Input((28, 28, 1), name="image")]
    for i, width in enumerate(widths, start=1):
        parts.append(layers.Conv2D(width, (3, 3), name=f"conv{i}"))
        parts += [layers.BatchNormalization(epsilon=EPSILON, name=f"norm{i}")] if normalized else []
        parts.append(layers.ReLU(name=f"relu{i}"))
        parts += [layers.MaxPooling2D((2, 2), name=f"pool{i}")] if i < 3 else []
    parts += [layers.GlobalAveragePooling2D(name="mean"), layers.Dense(10, activation="softmax", name="dense")]
    return import_tensorflow().keras.Sequential(parts, name="tiny")


def fold(kernel: np.ndarray, bias: np.ndarray, gamma, beta, mean, variance) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a convolution that has its batch normalization built in.

    γ · (w∗x + b − μ) / √(σ² + ε) + β = (γ/√(σ² + ε) · w)∗x + (b − μ) · γ/√(σ² + ε) + β

    Parameters
    ----------
    kernel : shape (3, 3, channels, filters); the others : shape (filters,)

    References
    ----------
    B. Jacob et al., CVPR 2018, section 3.2; S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.
    """
    factor = gamma / np.sqrt(variance + EPSILON)
    return kernel * factor, (bias - mean) * factor + beta


def folded(model: keras.Model) -> list[np.ndarray]:
    """The weights of `build_tiny(widths)` that compute what a trained normalized network computes, not training."""
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    found: list[np.ndarray] = []
    for i in (1, 2, 3):
        found += fold(*weights[f"conv{i}"], *weights[f"norm{i}"])
    return [*found, *weights["dense"]]


def train_float(
    widths: Sequence[int],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: float,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[np.ndarray]:
    """Train the normalized network in float32 and fold it: kernels and biases in turn."""
    import_tensorflow().keras.utils.set_random_seed(seed)
    model = build_tiny(widths, normalized=True)
    variables = model.trainable_variables
    options = dict(epochs=epochs, rate=1e-2, seed=seed, augment=one_pixel, progress=progress)
    train(model, lambda: [v + 0.0 for v in variables], variables, images, labels, **options)
    return folded(model)


def train_few_bits(
    weights: Arrays,
    num_bits: int,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: float,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Tensor]:
    """Train on with kernels in `num_bits` bits and biases in 8, the steps too; return the codes."""
    tf = import_tensorflow()
    model = build_tiny([kernel.shape[-1] for kernel in weights[0:6:2]])
    bits = [num_bits, BIAS_BITS] * 4
    variables = [tf.Variable(w.astype(np.float32)) for w in weights]
    steps = [tf.Variable(first_step(w, b)) for w, b in zip(weights, bits, strict=True)]

    def rebuild() -> list:
        return [few_bits(*each) for each in zip(variables, steps, bits, strict=True)]

    options = dict(epochs=epochs, rate=2e-3, seed=seed, augment=one_pixel, progress=progress)
    train(model, rebuild, variables + steps, images, labels, **options)
    tensors: list[Tensor] = []
    for x_hat, step, b in zip(rebuild(), steps, bits, strict=True):
        codes = np.rint(x_hat.numpy() / step.numpy()).astype(np.int64)
        tensors.append(FewBits(codes, float(step.numpy()), b))
    return tensors


def first_step(w: np.ndarray, num_bits: int) -> np.float32:
    """Where the step begins: 2·mean|w|/√qmax (Esser et al., ICLR 2020, section 2.1)."""
    step = 2 * np.abs(w).mean() / np.sqrt(2 ** (num_bits - 1) - 1)
    return np.float32(max(step, 2.0**-10))  # biases that are all 0 have a step, too


def one_pixel(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images moved by up to one pixel, for training."""
    return shifted(images, rng, most=1)
