"""The data and the network: against the published hashes, known facts about MNIST, and Keras itself."""

import hashlib
import json
import re
import zipfile

import numpy as np
import pytest

from qlib.mnist import DATA, build_cnn, cnn_tensors, import_tensorflow, load_cnn, load_mnist


@pytest.fixture(scope="module")
def mnist():
    (x_train, y_train), (x_test, y_test) = load_mnist()
    return {"train-images": x_train, "train-labels": y_train, "t10k-images": x_test, "t10k-labels": y_test}


@pytest.fixture(scope="module")
def cnn():
    return load_cnn()


@pytest.fixture(scope="module")
def tensors():
    return cnn_tensors(20)


def pixels(mnist, n):
    return mnist["t10k-images"][:n, ..., None].astype(np.float32) / 255


# ------------------------------------------------------------------- MNIST


@pytest.mark.parametrize(
    "name, shape, largest",
    [
        ("train-images", (60000, 28, 28), 255),
        ("train-labels", (60000,), 9),
        ("t10k-images", (10000, 28, 28), 255),
        ("t10k-labels", (10000,), 9),
    ],
)
def test_shapes_dtypes_and_ranges(mnist, name, shape, largest):
    array = mnist[name]
    assert array.shape == shape and array.dtype == np.uint8 and (array.min(), array.max()) == (0, largest)


@pytest.mark.parametrize("name", ["train-images", "train-labels", "t10k-images", "t10k-labels"])
def test_each_array_is_the_published_idx_file(mnist, name):
    # The IDX header: two zero bytes, 8 for unsigned bytes, the number of axes, each length as a big-endian int32.
    array = mnist[name]
    header = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    listed = re.findall(rf"{name}-idx\d-ubyte \| `([0-9a-f]{{64}})`", (DATA / "README.md").read_text(encoding="utf-8"))
    assert listed == [hashlib.sha256(header + array.tobytes()).hexdigest()]


def test_labels_are_those_that_everyone_knows(mnist):
    assert mnist["t10k-labels"][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert mnist["train-labels"][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    in_train, in_test = (np.bincount(mnist[name]).tolist() for name in ("train-labels", "t10k-labels"))
    assert in_train == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949] and sum(in_train) == 60000
    assert in_test == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009] and sum(in_test) == 10000


def test_paper_is_0_and_ink_is_bright(mnist):
    # The mean grey value, 0.1307 of 255, is the constant with which PyTorch's examples normalize MNIST.
    assert mnist["train-images"].mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert mnist["train-images"][:, 0, 0].max() == 0


# ------------------------------------------------------------------- files


def test_the_hashes_are_those_of_the_files():
    lines = (DATA / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {name: sha for sha, name in (line.split() for line in lines)}
    shipped = [*DATA.glob("*.npz"), *DATA.glob("*.keras"), *DATA.glob("tools/*")]
    assert {"mnist.npz", "mnist_cnn.keras"} < listed.keys() and len(listed) == len(lines)
    assert listed == {
        path.relative_to(DATA).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in shipped
    }


def test_the_files_are_small():
    assert (DATA / "mnist.npz").stat().st_size <= 12_000_000
    assert (DATA / "mnist_cnn.keras").stat().st_size <= 1_000_000
    others = {path.name: path.stat().st_size for path in DATA.glob("tools/*")}
    assert others.pop("07_transformer.npz") <= 3_000_000
    assert sum(others.values()) <= 3_000_000


def test_the_network_file_holds_no_date():
    with zipfile.ZipFile(DATA / "mnist_cnn.keras") as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        texts = {name: file.read(name).decode() for name in file.namelist() if name.endswith(".json")}
    assert set(texts) == {"config.json", "metadata.json"}
    assert "date_saved" not in json.loads(texts["metadata.json"])
    assert not any(re.search(r"20\d\d-\d\d|\d\d:\d\d|date", text) for text in texts.values())


def test_the_network_file_holds_no_optimizer():
    with zipfile.ZipFile(DATA / "mnist_cnn.keras") as file:
        assert b"optimizer" not in file.read("model.weights.h5")
        assert not json.loads(file.read("config.json")).get("compile_config")


# -------------------------------------------------------------- the network

LAYERS = [  # name, kernel, output for one image: 28 - 2 = 26, / 2 = 13, - 2 = 11, / 2 = 5, 5 * 5 * 64 = 1600
    ("conv1", (3, 3, 1, 32), (26, 26, 32)),
    ("pool1", None, (13, 13, 32)),
    ("conv2", (3, 3, 32, 64), (11, 11, 64)),
    ("pool2", None, (5, 5, 64)),
    ("flatten", None, (1600,)),
    ("dense1", (1600, 128), (128,)),
    ("dense2", (128, 10), (10,)),
]


def test_the_layers_are_the_chapters(cnn):
    for model in (cnn, build_cnn()):
        kernels = [layer.get_weights()[0].shape if layer.weights else None for layer in model.layers]
        shapes = [tuple(layer.output.shape[1:]) for layer in model.layers]
        assert list(zip([layer.name for layer in model.layers], kernels, shapes, strict=True)) == LAYERS
        # (9 + 1) * 32 + (9 * 32 + 1) * 64 + (1600 + 1) * 128 + (128 + 1) * 10
        assert model.count_params() == 320 + 18_496 + 204_928 + 1_290 == 225_034
        assert tuple(model.input_shape) == (None, 28, 28, 1)


def test_the_network_is_not_compiled(cnn):
    assert not cnn.compiled and getattr(cnn, "optimizer", None) is None
    assert all(weight.dtype == np.float32 for weight in cnn.get_weights())


def test_the_network_reads_98_7_percent_of_all_test_images(mnist, cnn):
    probabilities = cnn.predict(pixels(mnist, 10_000), batch_size=500, verbose=0)
    assert np.mean(probabilities.argmax(axis=1) == mnist["t10k-labels"]) >= 0.987
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_an_untrained_network_only_guesses(mnist):
    probabilities = build_cnn().predict(pixels(mnist, 2000), batch_size=500, verbose=0)
    assert np.mean(probabilities.argmax(axis=1) == mnist["t10k-labels"][:2000]) < 0.5


# -------------------------------------------------------------- cnn_tensors


def test_cnn_tensors_are_these(tensors):
    shapes = {
        "conv1 weights": (3, 3, 1, 32),
        "conv1 activations": (20, 26, 26, 32),
        "conv2 weights": (3, 3, 32, 64),
        "conv2 activations": (20, 11, 11, 64),
        "dense1 weights": (1600, 128),
        "dense1 activations": (20, 128),
        "dense2 weights": (128, 10),
        "dense2 logits": (20, 10),
    }
    assert {name: array.shape for name, array in tensors.items()} == shapes
    assert all(array.dtype == np.float32 for array in tensors.values())


def test_weights_are_those_of_the_model(tensors, cnn):
    for name in ("conv1", "conv2", "dense1", "dense2"):
        np.testing.assert_array_equal(tensors[f"{name} weights"], cnn.get_layer(name).get_weights()[0])


def test_activations_are_the_outputs_of_a_keras_model(tensors, cnn, mnist):
    keras = import_tensorflow().keras
    names = ["conv1", "conv2", "dense1"]
    parts = keras.Model(cnn.inputs[0], [cnn.get_layer(name).output for name in names])
    for name, expected in zip(names, parts(pixels(mnist, 20)), strict=True):
        activations = tensors[f"{name} activations"]
        np.testing.assert_allclose(activations, expected, rtol=1e-5, atol=1e-5)
        assert activations.min() == 0 < activations.max()


def test_the_softmax_of_the_logits_is_the_output_of_the_model(tensors, cnn, mnist):
    logits = tensors["dense2 logits"].astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, cnn(pixels(mnist, 20)), atol=1e-5)
    assert logits.min() < 0


def test_cnn_tensors_takes_ten_images_unless_told(tensors):
    np.testing.assert_allclose(cnn_tensors()["dense2 logits"], tensors["dense2 logits"][:10], rtol=1e-5, atol=1e-5)
