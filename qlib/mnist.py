"""The data and the network of the lessons: MNIST and the chapter's CNN, ready trained, checked before use.

Both files lie in `data/` (its README.md says where they come from), so that a class needs no network. TensorFlow is
imported inside the functions that need it: it takes seconds to load.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import check_count

if TYPE_CHECKING:
    import keras

DATA = Path(__file__).resolve().parent.parent / "data"
Split = tuple[np.ndarray, np.ndarray]


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing reaches the terminal, neither from Python nor from C++ parts. An exception still comes through.

    C++ writes to file descriptor 2 before any log level is read, so the descriptor itself is closed off meanwhile.
    """
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def import_tensorflow() -> ModuleType:
    """TensorFlow, imported without the start-up messages of its C++ part. An import that fails still raises."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with quiet():
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for a GPU, and says so, now rather than in the first lesson cell
    return sys.modules["tensorflow"]


def verified(name: str, folder: Path = DATA) -> Path:
    """The path of the data file `name`, after its SHA-256 was compared with `SHA256SUMS`.

    Raises
    ------
    ValueError
        If a file is missing, truncated or altered. The message says which, and how to mend it.
    """
    path, sums = folder / name, folder / "SHA256SUMS"
    mend = "Mend it with: git checkout -- data"
    for needed in (path, sums):
        if not needed.is_file():
            raise ValueError(f"{name}: expected the file {needed}, got none (missing). {mend}")
    lines = [line.split() for line in sums.read_text(encoding="utf-8").splitlines()]
    expected = next((line[0] for line in lines if line[1:] == [name]), None)
    if expected is None:
        raise ValueError(f"{name}: expected a line in SHA256SUMS, got none. {mend}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        what = "altered" if zipfile.is_zipfile(path) else "truncated or not a zip file"
        raise ValueError(
            f"{name}: expected SHA-256 {expected[:12]}…, got {found[:12]}… "
            f"in {path.stat().st_size:,} bytes ({what}). {mend}"
        )
    return path


def load_mnist(*, folder: Path = DATA) -> tuple[Split, Split]:
    """MNIST as `(x_train, y_train), (x_test, y_test)`, in the order that Keras uses.

    Returns
    -------
    x_train, x_test : uint8, shape (60000, 28, 28) and (10000, 28, 28)
        Grey values, 0 (paper) to 255 (ink).
    y_train, y_test : uint8, shape (60000,) and (10000,)
        The digits, 0 to 9.

    Raises
    ------
    ValueError
        If `mnist.npz` is missing, truncated or altered.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998).
    """
    with np.load(verified("mnist.npz", folder), allow_pickle=False) as file:
        return (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])


def cnn_layers(layers: ModuleType, widths: tuple[int, int, int] = (32, 64, 128)) -> list:
    """The chapter's layers behind the image, from a module of layers (Keras's, or `tf_keras`'s).

    widths : filters of conv1 and conv2, units of dense1.
    """
    f1, f2, units = widths
    return [
        layers.Conv2D(f1, (3, 3), activation="relu", name="conv1"),
        layers.MaxPooling2D((2, 2), name="pool1"),
        layers.Conv2D(f2, (3, 3), activation="relu", name="conv2"),
        layers.MaxPooling2D((2, 2), name="pool2"),
        layers.Flatten(name="flatten"),
        layers.Dense(units, activation="relu", name="dense1"),
        layers.Dense(10, activation="softmax", name="dense2"),
    ]


def build_cnn() -> keras.Model:
    """The chapter's network (section 4), untrained and not compiled: images (n, 28, 28, 1) → probabilities (n, 10)."""
    keras = import_tensorflow().keras
    return keras.Sequential([keras.Input((28, 28, 1), name="image"), *cnn_layers(keras.layers)], name="mnist_cnn")


def load_cnn(*, folder: Path = DATA) -> keras.Model:
    """The chapter's network with the shipped weights, not compiled (call `compile` before `fit` or `evaluate`).

    Raises
    ------
    ValueError
        If `mnist_cnn.keras` is missing, truncated or altered.
    """
    path = verified("mnist_cnn.keras", folder)
    model = build_cnn()
    model.load_weights(path)  # the weights alone: older Keras can't read a newer one's description of the layers
    return model


def cnn_tensors(n_images: int = 10) -> dict[str, np.ndarray]:
    """Real tensors to quantize: each layer's weights, and its outputs for the first `n_images` test images.

    Returns
    -------
    dict of float32 arrays
        "conv1 weights" (3, 3, 1, 32), "conv2 weights", "dense1 weights", "dense2 weights": kernels with the output
        channel on the last axis. "conv1 activations" (n_images, 26, 26, 32) and so on: outputs after ReLU;
        "dense2 logits": outputs of the last layer before its softmax, which is where negative values are left.

    Raises
    ------
    ValueError
        If `n_images` is no integer from 1 to 10000, or a data file is missing, truncated or altered.
    """
    check_count("n_images", n_images, 10_000)
    model, (_, (x_test, _)) = load_cnn(), load_mnist()
    tensors = {}
    hidden = x_test[:n_images, ..., None].astype(np.float32) / 255
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            tensors[f"{layer.name} weights"] = kernel
        if layer is model.layers[-1]:
            tensors[f"{layer.name} logits"] = hidden @ kernel + bias
        else:
            hidden = np.asarray(layer(hidden))
            if layer.weights:
                tensors[f"{layer.name} activations"] = hidden
    return tensors
