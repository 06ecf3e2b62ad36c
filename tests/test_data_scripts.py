"""The two scripts that made the files in data/: they check what they read, and write the same bytes again."""

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from qlib.mnist import DATA, build_cnn, import_tensorflow

SCRIPTS = ("make_mnist", "train_cnn")
# Two images of 2 × 3: the header is two zero bytes, 8 for unsigned bytes, 3 axes, then each length.
IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(250, 256), *range(6)])
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 4])


def script(name, folder=DATA):
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sha256(content):
    return hashlib.sha256(content).hexdigest()


# ------------------------------------------------------------------- make_mnist.py


@pytest.mark.parametrize(
    "content, expected",
    [(IMAGES, [[[250, 251, 252], [253, 254, 255]], [[0, 1, 2], [3, 4, 5]]]), (LABELS, [7, 4])],
    ids=["images", "labels"],
)
def test_read_idx(tmp_path, content, expected):
    (tmp_path / "idx").write_bytes(content)
    array = script("make_mnist").read_idx(tmp_path / "idx", sha256(content))
    assert array.dtype == np.uint8 and array.tolist() == expected


def test_read_idx_reads_lengths_beyond_one_byte(tmp_path):
    content = bytes([0, 0, 8, 2, 0, 0, 1, 44, 0, 0, 0, 2]) + bytes(range(200)) * 3  # 300 × 2
    (tmp_path / "idx").write_bytes(content)
    array = script("make_mnist").read_idx(tmp_path / "idx", sha256(content))
    assert array.shape == (300, 2) and array[100].tolist() == [0, 1] and array[299].tolist() == [198, 199]


def test_read_idx_refuses_another_file(tmp_path):
    path, wanted = tmp_path / "train-labels-idx1-ubyte", sha256(LABELS)
    path.write_bytes(LABELS[:-1])
    with pytest.raises(ValueError) as refusal:
        script("make_mnist").read_idx(path, wanted)
    assert str(refusal.value) == f"{path}: expected SHA-256 {wanted}, got {sha256(LABELS[:-1])}"


def test_make_mnist_names_the_published_files():
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    files = script("make_mnist").IDX_FILES
    assert set(files) == {"x_train", "y_train", "x_test", "y_test"}
    for name, digest in files.values():
        assert f"{name} | `{digest}`" in readme


def test_make_mnist_writes_the_same_bytes_again(tmp_path, monkeypatch):
    shutil.copy(DATA / "make_mnist.py", tmp_path)  # it writes beside itself
    make_mnist = script("make_mnist", tmp_path)
    contents = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    for key, content in contents.items():
        (tmp_path / key).write_bytes(content)
    monkeypatch.setattr(make_mnist, "IDX_FILES", {key: (key, sha256(raw)) for key, raw in contents.items()})
    make_mnist.main(tmp_path)
    first = (tmp_path / "mnist.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "mnist.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    with np.load(tmp_path / "mnist.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == sorted(contents)
        assert arrays["x_test"].shape == (2, 2, 3) and arrays["y_train"].tolist() == [7, 4]
    make_mnist.main(tmp_path)
    assert (tmp_path / "mnist.npz").read_bytes() == first


def test_make_mnist_writes_nothing_from_an_altered_file(tmp_path):
    shutil.copy(DATA / "make_mnist.py", tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(IMAGES)
    with pytest.raises(ValueError, match="train-images-idx3-ubyte: expected SHA-256 ba891046"):
        script("make_mnist", tmp_path).main(tmp_path)
    assert not (tmp_path / "mnist.npz").exists()


def test_make_mnist_asks_for_its_folder(tmp_path):
    shutil.copy(DATA / "make_mnist.py", tmp_path)
    command = [sys.executable, str(tmp_path / "make_mnist.py")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and "python data/make_mnist.py FOLDER" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["make_mnist.py"]


# ------------------------------------------------------------------- train_cnn.py


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Two networks of the same weights, saved in two different seconds; and one of other weights."""
    folder = tmp_path_factory.mktemp("saved")
    save = script("train_cnn").save_reproducibly
    networks = [build_cnn() for _ in range(3)]
    networks[1].set_weights(networks[0].get_weights())
    save(networks[0], folder / "a.keras")
    time.sleep(1.1)  # Keras stores whole seconds
    save(networks[1], folder / "b.keras")
    save(networks[2], folder / "c.keras")
    return folder, networks[0].get_weights()


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {entry.filename: (archive.read(entry), entry.date_time) for entry in archive.infolist()}


def test_the_same_weights_give_the_same_bytes(saved):
    folder, _ = saved
    assert (folder / "a.keras").read_bytes() == (folder / "b.keras").read_bytes()


def test_other_weights_give_other_bytes(saved):
    folder, _ = saved
    a, c = members(folder / "a.keras"), members(folder / "c.keras")
    assert [name for name in a if a[name] != c[name]] == ["model.weights.h5"]


def test_a_saved_file_holds_no_date(saved):
    found = members(saved[0] / "a.keras")
    assert set(found) == {"metadata.json", "config.json", "model.weights.h5"}
    assert {date for _, date in found.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert list(json.loads(found["metadata.json"][0])) == ["keras_version"]
    text = found["metadata.json"][0] + found["config.json"][0]
    assert not re.search(rb"date|20\d\d-\d\d|@\d\d:\d\d", text)


def integers(value, key=""):
    """Every integer in a JSON value, as (the key it stands under, the integer)."""
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in integers(inner, name)]
    if isinstance(value, list):
        return [found for inner in value for found in integers(inner, key)]
    return [(key, value)] if isinstance(value, int) and not isinstance(value, bool) else []


def assert_no_memory_address(path):
    found = integers(json.loads(members(path)["config.json"][0]))
    ids = {number for key, number in found if key == "shared_object_id"}
    assert ids and ids == set(range(1, len(ids) + 1)) and max(ids) <= 1000  # numbered from 1
    assert max(number for _, number in found) == 1600  # the 5 · 5 · 64 values that dense1 sees


def test_a_saved_file_holds_no_memory_address(saved):
    assert_no_memory_address(saved[0] / "a.keras")


def test_the_loaded_network_has_the_weights(saved):
    folder, weights = saved
    loaded = import_tensorflow().keras.models.load_model(folder / "a.keras", compile=False).get_weights()
    assert len(loaded) == len(weights) == 8
    for one, other in zip(loaded, weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_saving_writes_nothing_else(saved):
    assert sorted(path.name for path in saved[0].iterdir()) == ["a.keras", "b.keras", "c.keras"]


def test_the_shipped_network_was_saved_like_that():
    found = members(DATA / "mnist_cnn.keras")
    assert {date for _, date in found.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert b"date_saved" not in found["metadata.json"][0]
    assert_no_memory_address(DATA / "mnist_cnn.keras")


# ------------------------------------------------------------------- both


@pytest.mark.parametrize("name", SCRIPTS)
def test_importing_a_script_does_nothing(name, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(DATA / f"{name}.py", folder)
    code = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location({name!r}, {str(folder / f"{name}.py")!r})
spec.loader.exec_module(importlib.util.module_from_spec(spec))
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""
    before = {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in DATA.glob("mnist*")}
    run = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert run.returncode == 0 and run.stdout == ""
    assert not {"tensorflow", "keras"} & set(json.loads(run.stderr))
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["data", f"data/{name}.py"]
    assert {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in DATA.glob("mnist*")} == before
