"""Deep Compression: what each stage keeps, its bytes by hand, and the shipped files read by another program."""

import json
import struct

import numpy as np
import pytest

from qlib import deep_compression as dc
from qlib import results
from qlib.huffman import codes as canonical
from qlib.mnist import DATA, import_tensorflow, load_cnn, load_mnist, verified
from qlib.packed import FewBits, Floats, Shared, loads
from qlib.tiny import build_tiny

tf = import_tensorflow()
FILES = {"as in the paper: P+Q+H": "tools/06_deep_paper.qp", "further: P+Q+H": "tools/06_deep_further.qp"}
KEEP = (0.5, 0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def small():
    """A small network of four kernels, pruned and shared, with some random images."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((64, 28, 28, 1), np.float32), rng.integers(0, 10, 64)
    network = build_tiny((4, 4, 8))
    before = network.get_weights()
    pruned = dc.prune(network, images, labels, KEEP, epochs=20)
    shared = dc.share(pruned, 3, (3, 4, 4, 1))
    tuned = dc.tune_shared(network, shared, images, labels, epochs=4, rate=1e-2)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    return before, pruned, shared, tuned


def test_pruning_keeps_the_wanted_share_and_trains_the_rest(small):
    before, pruned, _, _ = small
    for w, p, share in zip(before[::2], pruned[::2], KEEP, strict=True):
        assert np.count_nonzero(p) == round(share * w.size)
        assert np.abs(p - w)[p != 0].max() > 1e-3


def test_sharing_keeps_zeros_and_few_values(small):
    _, pruned, shared, tuned = small
    for p, before, after in zip(pruned[::2], shared[::2], tuned[::2], strict=True):
        assert np.array_equal(before.codes == 0, p == 0) and np.array_equal(before.codes, after.codes)
        assert len(np.unique(after.restored())) <= 4
        assert np.abs(before.centroids - after.centroids).max() > 1e-3  # they were trained
    for p, before in zip(pruned[1::2], shared[1::2], strict=True):
        assert np.allclose(p, before.restored(), rtol=1e-3)


def test_the_stages_by_hand():
    # Six weights, three of them left; gaps of 2 bits, so 1 and 3 zeros need none and 4 zeros one filler.
    kernel = np.array([[0, 0.5, 0, 0, 0, 0.25, 0, 0, 0, 0, 0.5]], np.float32)
    pruned = [kernel, np.array([1.0], np.float32)]
    tensors = [Shared(np.array([[0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 2]]), np.array([0.25, 0.5]), 2), Floats(pruned[1])]
    sizes = {stage: len(file) for stage, file in dc.stage_files(pruned, tensors).items()}
    assert sizes["float32"] == 4 * 12
    assert sizes["P"] == 4 * 4 + 1 + 4  # three weights and a filler, four gaps of 2 bits, a bias
    assert sizes["P+Q"] == 1 + 1 + 2 * 2 + 2  # four codes of 2 bits, four gaps, two values, a bias in float16
    assert sizes["P+Q+H"] < 40


def test_a_centroids_gradient_is_the_sum_of_those_of_its_weights():
    """Equation 3 of the paper, against TensorFlow."""
    codes, c = np.array([[1, 0, 2], [2, 2, 0]]), tf.Variable([0.5, -1.0])
    weight = np.arange(1.0, 7.0, dtype=np.float32).reshape(2, 3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(weight * tf.gather(tf.concat([[0.0], c], 0), codes))
    assert tf.convert_to_tensor(tape.gradient(loss, c)).numpy().tolist() == [1, 3 + 4 + 5]


@pytest.mark.parametrize("method", FILES)
def test_the_shipped_file_is_as_good_as_its_row_says(method):
    (row,) = [row for row in results.read("06") if row.method == method and row.seed == 0]
    file, network = verified(FILES[method]).read_bytes(), load_cnn()
    network.set_weights([t.restored() for t in loads(file, [w.shape for w in network.get_weights()])])
    _, (x, y) = load_mnist()
    answers = network.predict(x[..., None].astype(np.float32) / 255, batch_size=500, verbose=0).argmax(axis=1)
    assert row.bytes == len(file)
    assert abs(int(np.sum(answers == y)) - row.right) <= 1  # a near tie may turn on another processor


def test_the_shipped_file_read_without_our_code():
    """A reader of its own for the largest kernel, with bits as text: the same weights."""
    data = verified(FILES["further: P+Q+H"]).read_bytes()
    shapes = [w.shape for w in load_cnn().get_weights()]
    expected = loads(data, shapes)[4].restored()
    place = 3
    for shape in shapes[:4]:
        _, place = _tensor(data, place, shape)
    found, _ = _tensor(data, place, shapes[4])
    assert np.array_equal(found, expected) and np.count_nonzero(found) > 1000


def _tensor(data, place, shape):
    size = int(np.prod(shape))
    if data[place] == 0:
        return np.frombuffer(data, "<f2", size, place + 1), place + 1 + 2 * size
    k, index_bits, stored = struct.unpack_from("<xBBI", data, place)
    values = [0.0, *np.frombuffer(data, "<f2", k, place + 7).tolist()]
    codes, place = _symbols(data, place + 7 + 2 * k, k + 1, stored)
    gaps, place = _symbols(data, place, 2**index_bits, stored)
    flat, at = np.zeros(size, np.float32), -1
    for code, gap in zip(codes, gaps, strict=True):
        at += gap + 1
        flat[at] = values[code]
    return flat.reshape(shape), place


def _symbols(data, place, alphabet, count):
    head = -(-5 * alphabet // 8)
    text = "".join(f"{byte:08b}" for byte in data[place : place + head])
    lengths = [int(text[5 * i : 5 * i + 5], 2) for i in range(alphabet)]
    table = {f"{code:0{n}b}": i for i, (code, n) in enumerate(zip(canonical(lengths), lengths, strict=True)) if n}
    found, bits, start = [], "", place + head
    place, text = start, ""
    while len(found) < count:
        if not text:
            text, place = f"{data[place]:08b}", place + 1
        bits, text = bits + text[0], text[1:]
        if bits in table:
            found.append(table[bits])
            bits = ""
    return found, place


def test_the_tiny_file_is_as_good_as_its_row_says():
    (row,) = [row for row in results.read("06-tiny") if row.method == "tiny, 3 bits" and row.seed == 0]
    file, network = verified("tools/06_tiny.qp").read_bytes(), build_tiny((8, 12, 16))
    tensors = loads(file, [w.shape for w in network.get_weights()])
    assert all(isinstance(tensor, FewBits) for tensor in tensors)
    network.set_weights([tensor.restored() for tensor in tensors])
    _, (x, y) = load_mnist()
    answers = network.predict(x[..., None].astype(np.float32) / 255, batch_size=500, verbose=0).argmax(axis=1)
    assert row.bytes == len(file) and abs(int(np.sum(answers == y)) - row.right) <= 1


@pytest.mark.parametrize("lesson", ["06", "06-tiny", "06a", "06b", "06c", "06d"])
def test_results_name_the_command_that_makes_them(lesson):
    stored = json.loads((DATA / "results" / f"{lesson}.json").read_text(encoding="utf-8"))
    script = stored["command"].split()[1]
    assert stored["command"].startswith("python data/") and (DATA.parent / script).is_file()
    assert len({(row["method"], row["seed"]) for row in stored["results"]}) == len(stored["results"])
    assert max(row["seed"] for row in stored["results"]) >= 2  # several seeds where something is trained
