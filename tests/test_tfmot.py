"""The TensorFlow toolkit beside Keras 3: the twin, the schedule, the wrappers, the files, TensorFlow's own rounding."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qlib
from qlib import deploy, results, tflite, tfmot
from qlib.fakequant import fake_quant
from qlib.mnist import import_tensorflow
from qlib.pruning import gradual_sparsity
from qlib.tfmot_files import LAYERS, aware_file, file_weights, shared_step_file, shipped_file, stored_kernels

SHIPPED = ("pruned", "clustered", "qat", "pcqat")


@pytest.fixture(scope="module")
def data():
    (x, y), (x_test, _) = qlib.load_mnist()
    return x[:2000, ..., None].astype(np.float32) / 255, y[:2000], x_test[:300, ..., None].astype(np.float32) / 255


@pytest.fixture(scope="module")
def files():
    return {name: shipped_file(name) for name in SHIPPED}


# ---------------------------------------------------------------- two Kerases


def test_tfmot_leaves_keras_3_in_place(tmp_path):
    code = """
import json, os
from qlib import tfmot, mnist
toolkit, tf_keras = tfmot.import_tfmot()
keras = mnist.import_tensorflow().keras
print(json.dumps([keras.__version__[0], tf_keras.__version__[0], "TF_USE_LEGACY_KERAS" in os.environ]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert run.returncode == 0 and json.loads(run.stdout) == ["3", "2", False]
    assert run.stderr == ""


def test_the_twin_is_the_shipped_network(data):
    twin, model = tfmot.twin(), qlib.load_cnn()
    assert type(twin).__module__.startswith("tf_keras") and type(model).__module__.startswith("keras")
    assert np.allclose(twin(data[2][:50]), model(data[2][:50]), atol=1e-6)
    for a, b in zip(tfmot.weights_of(twin), model.get_weights(), strict=True):
        assert np.array_equal(a, b)


# ----------------------------------------------------------------- the schedule


@given(st.integers(0, 300), st.integers(0, 50), st.integers(1, 200), st.floats(0, 0.99), st.floats(0, 0.99))
@settings(max_examples=40, deadline=None)
def test_the_schedule_is_that_of_tfmot(step, begin, length, initial, final):
    toolkit, _ = tfmot.import_tfmot()
    theirs = toolkit.sparsity.keras.PolynomialDecay(initial, final, begin, begin + length, power=3, frequency=1)
    ours = gradual_sparsity(step, steps=length, final=final, start=begin, initial=initial)
    constant = import_tensorflow().constant
    assert ours == pytest.approx(float(theirs(constant(step))[1]), abs=1e-6)


# ------------------------------------------------------ prune, cluster, QAT: short


def test_pruning_makes_the_zeros_that_were_asked_for(data):
    before = tfmot.twin()
    network = tfmot.pruned(before, *data[:2], sparsity=0.5, steps=6)
    for old, w in zip(tfmot.weights_of(before)[::2], tfmot.weights_of(network)[::2], strict=True):
        assert np.mean(w == 0) == pytest.approx(0.5, abs=0.005) and not (old == 0).any()
    assert network.count_params() == before.count_params()  # no mask is left


def test_clusters_keep_the_zeros_only_if_they_are_told_to(data):
    weights = qlib.load_cnn().get_weights()
    weights[4] = np.where(np.abs(weights[4]) < 0.05, 0, weights[4]).astype(np.float32)
    network, short = tfmot.twin(weights), dict(steps=2, rate=1e-4, clusters=8)
    zeros = np.mean(weights[4] == 0)
    plain = tfmot.weights_of(tfmot.clustered(network, *data[:2], **short))
    kept = tfmot.weights_of(tfmot.clustered(network, *data[:2], preserve_sparsity=True, **short))
    assert max(len(np.unique(w)) for w in (*plain[::2], *kept[::2])) <= 8
    assert np.mean(plain[4] == 0) == 0 and np.mean(kept[4] == 0) == zeros > 0.3
    assert np.array_equal(network.get_weights()[4], weights[4])  # what was handed over is as it was


def test_ranges_start_at_six_or_are_measured(data):
    x, y, _ = data
    network = tfmot.twin()
    aware = tfmot.aware(network)
    ranges = {v.name.split("/", 1)[0] + v.name[-5:-2]: v for v in aware.variables if "activation" in v.name}
    assert {float(v) for v in ranges.values()} == {-6.0, 6.0}
    tfmot.train(aware, x, y, steps=3)
    assert float(ranges["quant_conv1min"]) == pytest.approx(-6 * 0.999**3, abs=1e-4)
    tfmot.calibrate(aware, network, x[:50])
    hidden, outputs = x[:50], {}
    for layer in qlib.load_cnn().layers[:-1]:
        hidden = outputs[layer.name] = np.asarray(layer(hidden))
    for name in ("conv1", "conv2", "dense1"):
        assert float(ranges[f"quant_{name}min"]) == 0
        assert float(ranges[f"quant_{name}max"]) == pytest.approx(outputs[name].max(), rel=1e-5)
    assert float(ranges["quant_dense2min"]) < -1  # logits, not probabilities
    file = aware_file(aware)
    first, *_, last = [operator.name for operator in tflite.read(file).operators]
    assert (first, last) == ("QUANTIZE", "DEQUANTIZE")
    scale = tflite.read(file).tensors[tflite.read(file).operators[1].outputs[0]].scale
    assert scale == pytest.approx(outputs["conv1"].max() / 255, rel=1e-5)


# ------------------------------------------------------------- TensorFlow's rounding


def theirs(x, rmin, rmax, narrow_range):
    quantization = import_tensorflow().quantization
    kernel = quantization.fake_quant_with_min_max_vars
    if np.ndim(rmin):
        kernel = quantization.fake_quant_with_min_max_vars_per_channel
    return kernel(x, rmin, rmax, num_bits=8, narrow_range=narrow_range).numpy()


def test_fake_quant_by_hand():
    """Steps of 1 from −1 to 254: ties go up, so −0.5 becomes 0, where half to even gives −0 and half away −1."""
    x = np.float32([-9, -0.5, 0.5, 1.5, 2.5, 999])
    assert fake_quant(x, -1.0, 254.0).tolist() == [-1, 0, 1, 2, 3, 254]


@pytest.mark.parametrize("narrow_range", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_fake_quant_is_tensorflows_bit_for_bit(narrow_range, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=300_000).astype(np.float32)
    x[::3] = np.round(x[::3] * 64) / 64  # ties, for some ranges
    rmin, rmax = (-np.float32(2.5), np.float32(2.5)) if seed == 0 else -rng.uniform(0, 4), rng.uniform(0.1, 4)
    rmin, rmax = np.float32(np.min(rmin)), np.float32(np.max(rmax))
    assert np.array_equal(fake_quant(x, rmin, rmax, narrow_range=narrow_range), theirs(x, rmin, rmax, narrow_range))


@pytest.mark.parametrize("seed", range(3))
def test_fake_quant_per_channel_is_tensorflows_bit_for_bit(seed):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(3, 3, 100, 64)).astype(np.float32) * rng.uniform(0.01, 2, 64).astype(np.float32)
    top = np.abs(w).max(axis=(0, 1, 2))
    assert np.array_equal(fake_quant(w, -top, top, narrow_range=True), theirs(w, -top, top, True))


def test_it_differs_from_ours_on_ties_only():
    x = (np.arange(-1000, 1000) / 8).astype(np.float32)  # every eighth but one is no tie of a step of 1
    p = qlib.choose_qparams(-127.0, 127.0, symmetric=True, narrow_range=True)
    ours, other = qlib.fake_quantize(x, p), fake_quant(x, -127.0, 127.0, narrow_range=True)
    differ = ours != other
    assert differ.any() and (np.abs(x[differ]) % 1 == 0.5).all()


# ------------------------------------------------------------------------ the files


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("kernel", ["reference", "no_delegate", "xnnpack"])
def test_our_engine_computes_each_file_as_litert_does(files, data, name, kernel):
    engine, images = qlib.IntegerModel.from_tflite(files[name]), data[2]
    assert np.array_equal(
        engine.predict(images, kernel=kernel), deploy.run(files[name], images, kernel=kernel, batch=len(images))
    )
    for (_, ours), litert in zip(
        engine.trace(images[:32], kernel=kernel), deploy.trace(files[name], images[:32], kernel=kernel), strict=True
    ):
        assert np.array_equal(ours, litert)


def test_a_dead_filter_has_a_bias_at_the_end_of_int32(files):
    graph = tflite.read(files["pcqat"])
    _, w, bias = (graph.tensors[i] for i in graph.operators[1].inputs)
    dead = ~w.data.any(axis=(1, 2, 3))
    assert dead.any() and bias.data[dead].min() == -(2**31)  # which the engine takes: the test above ran it


def test_what_the_files_store(files):
    for name in ("pruned", "pcqat"):
        for tensor in stored_kernels(files[name]).values():
            assert np.mean(tensor.data == 0) > 0.79
    for name in ("clustered", "pcqat"):
        kernels = stored_kernels(files[name])
        assert max(len(np.unique(kernels[layer].data)) for layer in ("dense1", "dense2")) <= 16
    assert list(stored_kernels(files["qat"])) == list(LAYERS)
    for w, shipped in zip(file_weights(files["qat"]), qlib.load_cnn().get_weights(), strict=True):
        assert w.shape == shipped.shape and w.dtype == np.float32


def test_clusters_survive_a_shared_step_and_not_one_per_channel(files, data):
    network = tfmot.twin(file_weights(files["clustered"]))
    shared = shared_step_file(network, data[0][:20])
    single = deploy.to_tflite(network, "int8", samples=data[0][:20])
    counts = [len(np.unique(stored_kernels(file)["dense1"].data)) for file in (shared, single)]
    assert counts[0] <= 16 < counts[1]


def test_the_results_are_complete():
    found = results.summary(results.read("06a"))
    trained = [summary for name, summary in found.items() if name not in ("float32", "int8")]
    assert len(trained) == 6 and min(summary.seeds for summary in trained) >= 3
    assert min(summary.accuracy for summary in found.values()) > 0.97
