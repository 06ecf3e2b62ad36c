"""The CNN in PyTorch and ONNX Runtime, and the rules of `qlib.parity` against these engines."""

import copy
import io
import platform
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import qlib
from qlib import choose_qparams, onnx_cnn, parity, quantize, torch_cnn
from qlib.mnist import DATA, quiet

torch = torch_cnn.import_torch()
F32 = np.float32
TOOLS = DATA / "tools"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def keras_model():
    return qlib.load_cnn()


@pytest.fixture(scope="module")
def network(keras_model):
    return torch_cnn.from_keras(keras_model.get_weights())


@pytest.fixture(scope="module")
def images():
    (x_train, _), _ = qlib.load_mnist()
    return torch_cnn.as_images(x_train[:200])


@pytest.fixture(scope="module")
def static(network, images):
    return torch_cnn.static(network, images[:100])


# ------------------------------------------------------------- import order

SMALL = {
    "tensorflow": "a = tf.keras.layers.Dense(1, kernel_initializer='ones'); "
    "results.append(float(a(tf.ones((1, 3)))[0, 0]))",
    "torch": "b = torch.nn.Linear(3, 1, bias=False); torch.nn.init.ones_(b.weight); "
    "results.append(b(torch.ones(1, 3)).item())",
}


def test_tensorflow_and_torch_live_together_in_either_order():
    """Both imported, then a small network run in each, in a fresh process for each order."""
    runs = []
    for order in (("tensorflow", "torch"), ("torch", "tensorflow")):
        imports = [{"tensorflow": "import tensorflow as tf", "torch": "import torch"}[name] for name in order]
        code = "\n".join([*imports, "results = []", *(SMALL[name] for name in (*order, *order)), "print(results)"])
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        runs.append(subprocess.Popen([sys.executable, "-c", code], **pipes))
    for run in runs:
        out, _ = run.communicate(timeout=300)
        assert run.returncode == 0 and out.strip() == "[3.0, 3.0, 3.0, 3.0]"


def test_what_is_missing_is_said_in_one_sentence(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, "onnxscript", raising=False)
    monkeypatch.setattr(torch_cnn.importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"type `make pytorch`.*restart the kernel.*no module onnxscript"):
        torch_cnn.import_torch()


# ------------------------------------------------------------- layouts


def test_the_same_outputs_as_keras(keras_model, network):
    _, (x_test, _) = qlib.load_mnist()
    ours = torch_cnn.logits(network, torch_cnn.as_images(x_test[:100]))
    assert np.abs(ours - qlib.cnn_tensors(100)["dense2 logits"]).max() < 1e-4


def test_each_weight_has_its_place(keras_model):
    weights = keras_model.get_weights()
    named = torch_cnn.torch_weights(weights)
    assert named["conv2.weight"][5, 7, 1, 2] == weights[2][1, 2, 7, 5]
    assert named["dense2.weight"][3, 100] == weights[6][100, 3]
    channel, row, column = 11, 2, 4  # of what the flatten reads
    here, there = channel * 25 + row * 5 + column, (row * 5 + column) * 64 + channel
    assert named["dense1.weight"][9, here] == weights[4][there, 9]
    assert np.array_equal(named["conv1.bias"], weights[1]) and named["conv1.bias"] is not weights[1]


def test_other_weights_are_refused(keras_model):
    weights = keras_model.get_weights()
    with pytest.raises(ValueError, match="weights: expected 8 arrays"):
        torch_cnn.torch_weights(weights[:6])
    with pytest.raises(ValueError, match=r"weights\[4\]: expected shape \(1600, 128\), got \(128, 1600\)"):
        torch_cnn.torch_weights([w.T if i == 4 else w for i, w in enumerate(weights)])


def test_other_images_are_refused():
    for images in (np.zeros((2, 28, 28), F32), np.zeros((2, 28, 28, 1), np.uint8)):
        with pytest.raises(ValueError, match="images: expected uint8"):
            torch_cnn.as_images(images)


# ------------------------------------------------------------- quantized networks


def targets(graph):
    return [node.target.__name__.split(".")[0] for node in graph.graph.nodes if node.op == "call_function"]


def test_torchao_stores_what_the_rule_says(network):
    made = torch_cnn.torchao_networks(network)
    for one in made.values():
        assert type(one.conv2.weight).__name__ == "Parameter"
        for name in ("dense1", "dense2"):
            w, stored = network.get_submodule(name).weight.detach().numpy(), one.get_submodule(name).weight
            scale = parity.torch_symmetric(w.min(axis=1), w.max(axis=1))
            assert np.array_equal(stored.scale.numpy().ravel(), scale)
            codes = np.stack([parity.multiply_round_add(row, s, 0) for row, s in zip(w, scale, strict=True)])
            assert np.array_equal(stored.qdata.numpy(), codes)
    assert type(network.dense1.weight).__name__ == "Parameter"  # copies were quantized


def test_static_quantizes_all_four_layers_and_drops_the_floats(network, static, images):
    assert targets(static).count("quantize_per_tensor") == 7
    tensors = static.state_dict()
    assert sorted(t.numel() for t in tensors.values() if t.dtype == torch.int8) == [288, 1280, 18432, 204800]
    assert not any(t.dtype == torch.float32 and t.numel() > 200 for t in tensors.values())
    float_answers = torch_cnn.logits(network, images).argmax(axis=1)
    assert np.mean(torch_cnn.logits(static, images).argmax(axis=1) == float_answers) > 0.97


def test_static_weights_are_what_the_rule_says(network, static):
    buffers = dict(static.named_buffers())
    for place, name in enumerate(torch_cnn.LAYERS):
        w = network.get_submodule(name).weight.detach().numpy()
        rows, codes = w.reshape(len(w), -1), buffers[f"_frozen_param{place}"].numpy()
        scale = parity.torch_symmetric(rows.min(axis=1), rows.max(axis=1))
        assert np.array_equal(buffers[f"_scale_{place}"].numpy(), scale)
        by_rule = np.stack([parity.multiply_round_add(row, s, 0) for row, s in zip(rows, scale, strict=True)])
        assert np.array_equal(codes.reshape(rows.shape), by_rule)


def test_no_scale_of_pt2e_is_below_2_to_the_minus_12(network, images):
    small = copy.deepcopy(network)
    with torch.no_grad():
        small.dense2.weight *= 1e-3
    scales = dict(torch_cnn.static(small, images[:10]).named_buffers())["_scale_3"]
    assert (scales == 2.0**-12).all()


def test_a_program_comes_back_as_it_was(static, images):
    file = torch_cnn.save_program(static)
    assert np.array_equal(torch_cnn.logits(torch_cnn.load_program(file), images), torch_cnn.logits(static, images))


def test_a_program_names_no_folder_of_this_machine(static):
    """Otherwise its size would change with the folder, and a file made on one machine would tell of it on another."""
    for file in (torch_cnn.save_program(static), *(path.read_bytes() for path in TOOLS.glob("06b_*.pt2"))):
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            graph = next(archive.read(name) for name in archive.namelist() if name.endswith("model.json"))
        assert b"quantize_per_tensor" in graph
        assert b".py" not in graph and b"graph_id" not in graph
    assert len(file) < 320_000 < len(torch_cnn.save_state(torch_cnn.build()))


def test_one_relu_module_called_twice_is_refused(network, images):
    class Reused(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2, self.relu = network.conv1, network.conv2, torch.nn.ReLU()

        def forward(self, x):
            return self.relu(self.conv2(self.relu(self.conv1(x))))

    with pytest.raises(ValueError, match="more than one output"):
        torch_cnn.prepared(Reused())


def test_training_depends_on_the_seed_alone(network, images):
    def after(seed):
        aware = torch_cnn.prepared(network, aware=True)
        torch_cnn.train(aware, images, np.arange(200) % 10, seed=seed, batches=1)
        return torch_cnn.logits(torch_cnn.converted(aware), images[:10])

    first = after(0)
    assert np.array_equal(first, after(0)) and not np.array_equal(first, after(1))


# ------------------------------------------------------------- ONNX Runtime


@pytest.fixture(scope="module")
def onnx_file(network):
    return onnx_cnn.to_onnx(network)


def test_onnx_gives_the_same_outputs(onnx_file, network, images):
    assert np.abs(onnx_cnn.run(onnx_file, images.numpy()) - torch_cnn.logits(network, images)).max() < 1e-4
    assert onnx_cnn.operators(onnx_file).count("Relu") == 3


def test_an_onnx_file_names_no_folder_of_this_machine(onnx_file, images):
    for file in (onnx_file, onnx_cnn.static_int8(onnx_file, images.numpy()[:2])):
        assert b"conv1.weight" in file
        assert b".py" not in file and b"stack_trace" not in file


@pytest.mark.parametrize("per_channel", [True, False])
def test_onnx_runtime_weights_are_qlibs_to_the_bit(onnx_file, network, images, per_channel):
    stored = onnx_cnn.constants(onnx_cnn.static_int8(onnx_file, images.numpy()[:20], per_channel=per_channel))
    for name in torch_cnn.LAYERS:
        w = network.get_submodule(name).weight.detach().numpy()
        rows = w.reshape(len(w), -1)
        axis = 0 if per_channel else None
        low, high = (rows.min(axis=1), rows.max(axis=1)) if per_channel else (rows.min(), rows.max())
        ours = choose_qparams(low, high, symmetric=True, narrow_range=True, axis=axis)
        assert np.array_equal(stored[f"{name}.weight_scale"], ours.scale)
        assert np.array_equal(stored[f"{name}.weight_quantized"].reshape(rows.shape), quantize(rows, ours))


# ------------------------------------------------------------- parity, code by code


def fake_quantize(x, scale, zero_point):
    x_hat = torch.fake_quantize_per_tensor_affine(torch.from_numpy(x), float(scale), zero_point, -128, 127)
    return np.rint(x_hat.numpy() / scale) + zero_point


def quantize_per_tensor(x, scale, zero_point):
    with quiet():
        codes = torch.quantize_per_tensor(torch.from_numpy(x), float(scale), zero_point, torch.qint8)
        return codes.int_repr().numpy()


def pt2e(x, scale, zero_point):
    operator = torch.ops.quantized_decomposed.quantize_per_tensor
    return operator(torch.from_numpy(x), float(scale), zero_point, -128, 127, torch.int8).numpy()


def torchao(x, scale, zero_point):
    from torchao.quantization.quant_primitives import quantize_affine

    parameters = torch.tensor([scale]), torch.tensor([zero_point])
    return quantize_affine(torch.from_numpy(x), x.shape, *parameters, torch.int8, -128, 127).numpy()


RULES = {
    fake_quantize: "multiply, round, add",
    pt2e: "multiply, round, add",
    torchao: "multiply, round, add",
    onnx_cnn.quantize_linear: "divide, round, add",
    quantize_per_tensor: "multiply, add, round",
}


@pytest.fixture(scope="module")
def tensors():
    """More than 10⁶ real values, and a million random ones, with odd, even and no zero point."""
    _, (x_test, _) = qlib.load_mnist()
    real, rng = qlib.cnn_tensors(50), np.random.default_rng(0)
    found = [real["conv1 activations"], real["dense1 weights"], rng.normal(size=10**6)]
    found.append((x_test[:1000].astype(F32) / 255 - F32(0.5)) / F32(0.5))
    return [np.array(x, F32).ravel() for x in found]


@pytest.mark.parametrize("engine", RULES, ids=lambda engine: engine.__name__)
def test_every_code_follows_the_rule(engine, tensors):
    if engine is quantize_per_tensor and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("another rule on this processor")
    assert sum(x.size for x in tensors) > 2 * 10**6
    for x in tensors:
        ours = choose_qparams(x.min(), x.max())
        scale, zero_point = ours.scale, int(ours.zero_point)
        for z in (zero_point, max(-128, zero_point - 1)):  # even and odd
            by_rule = parity.ROUNDING[RULES[engine]](x, scale, z)
            assert np.count_nonzero(engine(x, scale, z) != by_rule) == 0


def test_the_rules_can_be_told_apart(tensors):
    x = tensors[-1]
    p = choose_qparams(x.min(), x.max())
    codes = [rule(x, p.scale, int(p.zero_point)) for rule in parity.ROUNDING.values()]
    assert np.count_nonzero(codes[1] != codes[2]) > 10**4


@pytest.fixture(scope="module")
def ranges():
    rng = np.random.default_rng(1)
    scales = 10.0 ** rng.uniform(-9, 3, 2000)
    ends = np.sort(rng.normal(size=(2000, 2)), axis=1) * scales[:, None]
    return ends.astype(F32)


def test_scales_and_zero_points_of_pytorchs_observer(ranges):
    from torchao.quantization.pt2e.observer import PerChannelMinMaxObserver

    for scheme in (torch.per_channel_affine, torch.per_channel_symmetric):
        observer = PerChannelMinMaxObserver(dtype=torch.int8, qscheme=scheme, quant_min=-128, quant_max=127)
        observer(torch.from_numpy(ranges))
        scale, zero_point = (value.numpy() for value in observer.calculate_qparams())
        if scheme is torch.per_channel_affine:
            by_rule = parity.torch_affine(ranges[:, 0], ranges[:, 1])
            assert np.array_equal(scale, by_rule[0]) and np.array_equal(zero_point, by_rule[1])
        else:
            assert np.array_equal(scale, parity.torch_symmetric(ranges[:, 0], ranges[:, 1])) and not zero_point.any()


def test_scales_and_zero_points_of_torchao(ranges):
    from torchao.quantization.quant_primitives import MappingType, choose_qparams_affine

    x = torch.from_numpy(ranges)
    options = dict(block_size=(1, 2), target_dtype=torch.int8, eps=float(parity.EPS))
    scale, zero_point = choose_qparams_affine(x, MappingType.ASYMMETRIC, **options)
    by_rule = parity.torch_affine(ranges[:, 0], ranges[:, 1])
    assert np.array_equal(scale, by_rule[0]) and np.array_equal(zero_point, by_rule[1])
    scale, _ = choose_qparams_affine(x, MappingType.SYMMETRIC, **options)
    assert np.array_equal(scale, parity.torch_symmetric(ranges[:, 0], ranges[:, 1]))


def test_scales_and_zero_points_of_onnx_runtime(ranges):
    from onnxruntime.quantization.quant_utils import compute_scale_zp

    for low, high in ranges[:500]:
        zero_point, scale = compute_scale_zp(low, high, np.array(-128, np.int8), np.array(127, np.int8))
        assert (scale, zero_point) == parity.ort_affine(low, high)
        zero_point, scale = compute_scale_zp(low, high, np.array(-127, np.int8), np.array(127, np.int8), symmetric=True)
        assert scale == choose_qparams(low, high, symmetric=True).scale and zero_point == 0
