"""qlib.background: the formulas by hand, and the tables against what can be counted."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qlib import background, budget, deploy, mnist
from qlib.background import GB, MACHINES, NETWORKS
from qlib.tflite import read


@pytest.mark.parametrize(
    "parameters, num_bits, expected",
    [(1, 8, 1), (1, 1, 1), (3, 4, 2), (8, 3, 3), (9, 3, 4), (225_034, 32, 900_136), (175 * GB, 4, 87_500_000_000)],
)
def test_weight_bytes_by_hand(parameters, num_bits, expected):
    size = background.weight_bytes(parameters, num_bits)
    assert size == expected and isinstance(size, int)


@given(st.integers(1, 10**13), st.integers(1, 64))
def test_the_bits_fit_into_the_bytes_and_not_into_one_less(parameters, num_bits):
    size = background.weight_bytes(parameters, num_bits)
    assert 8 * (size - 1) < parameters * num_bits <= 8 * size


def test_numpy_integers_do_not_overflow():
    assert background.weight_bytes(np.int64(2**60), np.int64(32)) == 2**62


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "8", None])
@pytest.mark.parametrize("name", ["parameters", "num_bits"])
def test_bad_counts_are_refused(name, bad):
    arguments = dict(parameters=8, num_bits=8) | {name: bad}
    with pytest.raises(ValueError, match=f"^{name}: expected an integer from 1 on, got {re.escape(repr(bad))}$"):
        background.weight_bytes(**arguments)


def test_macs_are_counted_one_by_one():
    # A convolution as loops: one count for each product.
    count = sum(1 for _ in np.ndindex(4, 3, 5, 2, 3, 6))
    assert background.conv_macs(4, 3, 5, 2, 3, 6) == count
    assert background.dense_macs(7, 9) == sum(1 for _ in np.ndindex(7, 9))


def test_read_seconds_by_hand():
    assert background.read_seconds(14 * GB, 50 * GB) == 0.28


def test_intensity_by_hand():
    # 2 × 3 weights, 5 inputs of 2 and outputs of 3: 6 + 25 values of 4 bytes; 2 · 5 · 6 FLOP.
    assert background.layer_intensity(2, 3, 5) == 60 / (31 * 4)
    assert background.layer_intensity(2, 3, 5, num_bits=8) == 60 / 31
    assert background.layer_intensity(4096, 4096, 1) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("name", ["n_in", "n_out", "batch", "num_bits"])
def test_a_bad_layer_is_refused(name):
    arguments = dict(n_in=2, n_out=2, batch=2, num_bits=2) | {name: 0}
    with pytest.raises(ValueError, match=f"^{name}: expected an integer from 1 on, got 0$"):
        background.layer_intensity(**arguments)


@pytest.mark.parametrize("intensity, expected", [(0.5, 10.0), (1.0, 20.0), (5.0, 100.0), (50.0, 100.0)])
def test_the_roof_by_hand(intensity, expected):
    assert background.attainable(100.0, 20.0, intensity) == expected


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf])
def test_what_is_not_positive_is_refused(bad):
    for name in ("peak", "bandwidth", "intensity"):
        with pytest.raises(ValueError, match=f"^{name}: expected a positive number, got "):
            background.attainable(**(dict(peak=1.0, bandwidth=1.0, intensity=1.0) | {name: bad}))
    with pytest.raises(ValueError, match=r"^nbytes: expected a positive number, got "):
        background.read_seconds(bad, 1.0)
    with pytest.raises(ValueError, match=r"^bandwidth: expected a positive number, got "):
        background.read_seconds(1.0, bad)


# ------------------------------------------------------------------- the tables


def test_our_network_is_counted():
    model = mnist.load_cnn()
    network = NETWORKS["CNN of lesson 04"]
    assert network.parameters == model.count_params()
    assert network.macs == budget.macs(read(deploy.to_tflite(model, "float32"))).sum()


def test_resnet_is_counted():
    tf = mnist.import_tensorflow()
    assert NETWORKS["ResNet-50"].parameters == tf.keras.applications.ResNet50(weights=None).count_params()


def test_published_numbers():
    millions = {name: network.parameters / 1e6 for name, network in NETWORKS.items()}
    published = {"LeNet-5": 0.06, "MobileNet": 4.2, "AlexNet": 60, "BERT base": 110, "VGG-16": 138, "GPT-2": 1500}
    published |= {"Llama 2 7B": 7000, "Llama 2 70B": 70_000, "GPT-3": 175_000}
    assert {name: millions[name] for name in published} == published
    macs = {name: network.macs / 1e6 for name, network in NETWORKS.items() if network.macs}
    assert {"MobileNet": 569, "ResNet-50": 3800, "VGG-16": 15_300}.items() <= macs.items()
    assert list(millions.values()) == sorted(millions.values())
    assert all(network.source for network in NETWORKS.values())


def test_machines_say_what_is_assumed():
    chip = MACHINES["microcontroller (nRF52840)"]
    assert chip.memory == 1_048_576 and chip.bandwidth == 4 * 64_000_000
    assert all(re.search("assumed|round", machine.source) for machine in MACHINES.values())
    memories = [machine.memory for machine in MACHINES.values()]
    assert memories == sorted(memories)
