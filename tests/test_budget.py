"""qlib.budget against values worked out by hand, on small files made by hand and on the lesson's network."""

import itertools
import re
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_files import File

from qlib import budget, deploy, mnist
from qlib.budget import DEVICES
from qlib.tflite import Graph, Operator, Tensor, read


def chain(sizes, reads=()):
    """A graph in which each operator reads the tensor before it, and what `reads` adds: {operator: (tensors)}."""
    file, reads = File(), dict(reads)
    tensors = [file.tensor([1, size]) for size in sizes]
    for i in range(len(sizes) - 1):
        file.operator("ADD", [tensors[i], *reads.get(i, ())], [tensors[i + 1]])
    return read(file.bytes([tensors[0]], [tensors[-1]]))


@pytest.fixture(scope="module")
def cnn():
    """The chapter's network in each format."""
    model = mnist.load_cnn()  # untrained it would have biases of 0, which the converter drops
    images = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    names = {name: images if name.startswith("int") else None for name in deploy.FORMATS}
    return {name: deploy.to_tflite(model, name, samples=samples) for name, samples in names.items()}


# ------------------------------------------------------------------- memory

SKIP = chain([100, 400, 100, 100], {2: (0,)})  # exercise 5.1: the last operator reads the input once more


def test_lifetimes_by_hand():
    assert budget.lifetimes(SKIP) == {0: (0, 2), 1: (0, 1), 2: (1, 2), 3: (2, 2)}


def test_live_bytes_by_hand():
    # a + b; a + b + c; a + c + d
    live = budget.live_bytes(SKIP)
    assert live.dtype == np.int64 and live.tolist() == [500, 600, 300]
    assert budget.arena_bytes(SKIP) == 600


def test_without_the_second_reader_the_input_dies_at_once():
    graph = chain([100, 400, 100, 100])
    assert budget.live_bytes(graph).tolist() == [500, 500, 200]
    assert budget.lifetimes(graph)[0] == (0, 0)


def test_an_output_lives_to_the_end_and_a_dead_one_only_while_it_is_written():
    file = File()
    a, b, c, d = (file.tensor([1, size]) for size in (10, 20, 30, 40))
    file.operator("RELU", [a], [b])
    file.operator("RELU", [a], [c])  # nobody reads it
    file.operator("RELU", [a], [d])
    graph = read(file.bytes([a], [b, d]))
    assert budget.lifetimes(graph) == {a: (0, 2), b: (0, 2), c: (1, 1), d: (2, 2)}
    assert budget.live_bytes(graph).tolist() == [30, 60, 70]


def test_constants_are_in_flash_and_an_unread_input_costs_its_bytes_once():
    file = File()
    a, unread, w, b = file.tensor([1, 8]), file.tensor([1, 5]), file.tensor([4, 8], data=np.ones((4, 8))), None
    b = file.tensor([1, 4])
    file.operator("FULLY_CONNECTED", [a, w, -1], [b], "FullyConnectedOptions")
    graph = read(file.bytes([a, unread], [b]))
    assert budget.lifetimes(graph) == {a: (0, 0), unread: (0, 0), b: (0, 0)}
    assert budget.arena_bytes(graph) == 8 + 5 + 4 and budget.constant_bytes(graph) == 32


def test_bytes_follow_the_type():
    file = File()
    a, b = file.tensor([1, 6], "float32"), file.tensor([1, 6], "int16")
    file.operator("QUANTIZE", [a], [b])
    assert budget.arena_bytes(read(file.bytes([a], [b]))) == 6 * 4 + 6 * 2


def test_plan_by_hand():
    # b, the largest, first: 0 … 400. Then a and c, which live together and with b; d finds b dead.
    places = budget.plan(SKIP, alignment=1)
    assert places == {0: range(400, 500), 1: range(0, 400), 2: range(500, 600), 3: range(0, 100)}


def test_plan_aligns_each_place():
    # 100 bytes take 112 = 7 · 16.
    places = budget.plan(SKIP)
    assert places == {0: range(400, 512), 1: range(0, 400), 2: range(512, 624), 3: range(0, 112)}


def test_greedy_is_not_always_best():
    # Exercise 5.2. The first and the last both go to 0, so the two between them must lie behind: 400. But 300 would do:
    # 0 … 200 and 200 … 300, then 0 … 100 and 100 … 300.
    graph = chain([200, 100, 100, 200])
    places = budget.plan(graph, alignment=1)
    assert places == {0: range(0, 200), 1: range(200, 300), 2: range(300, 400), 3: range(0, 200)}
    assert budget.arena_bytes(graph) == 300


def test_plan_fills_a_gap_between_two_living_tensors():
    # While the last one is written, 0 … 40 and 80 … 130 are taken: it fits between them.
    graph = chain([80, 50, 40, 30], {2: (1,)})
    places = budget.plan(graph, alignment=1)
    assert places == {0: range(0, 80), 1: range(80, 130), 2: range(0, 40), 3: range(40, 70)}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, 300), min_size=2, max_size=9),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=4),
    st.sampled_from([1, 4, 16]),
)
def test_no_two_living_tensors_overlap(sizes, skips, alignment):
    reads = {step: (tensor,) for step, tensor in skips if tensor <= step < len(sizes) - 1}
    graph = chain(sizes, reads)
    lives, places = budget.lifetimes(graph), budget.plan(graph, alignment=alignment)
    for step in range(len(graph.operators)):
        together = sorted((places[i].start, places[i].stop) for i in lives if lives[i][0] <= step <= lives[i][1])
        assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(together))
    assert all(place.start % alignment == 0 and len(place) >= graph.tensors[i].nbytes for i, place in places.items())
    assert max(place.stop for place in places.values()) >= budget.arena_bytes(graph)


def test_a_graph_without_operators_is_refused():
    graph = Graph(SKIP.tensors, (), (0,), (0,))
    with pytest.raises(ValueError, match=r"^graph: expected at least one operator, got none$"):
        budget.lifetimes(graph)


def test_a_type_without_bytes_is_refused():
    empty = np.zeros(0)
    tensors = tuple(Tensor(i, "strange", (2,), None, empty, empty, 0, None) for i in range(2))
    graph = Graph(tensors, (Operator(0, "RELU", (0,), (1,), {}),), (0,), (1,))
    with pytest.raises(ValueError, match=r"^graph: expected known types, got tensor 0 \(strange\) of another$"):
        budget.live_bytes(graph)


@pytest.mark.parametrize("alignment", [0, -1, 1.5, True])
def test_a_bad_alignment_is_refused(alignment):
    with pytest.raises(ValueError, match=r"^alignment: expected an integer from 1 on, got "):
        budget.plan(SKIP, alignment=alignment)


# ------------------------------------------------------------------- arithmetic


def one_mac_operator(name, x, w, out, types=("int8", "int8"), options=None):
    file = File()
    a, k = file.tensor(x, types[0]), file.tensor(w, types[1], data=np.zeros(w))
    b = file.tensor(out, types[0])
    file.operator(name, [a, k, -1], [b], options)
    return read(file.bytes([a], [b]))


DENSE = dict(name="FULLY_CONNECTED", x=[1, 100], w=[50, 100], out=[1, 50])


@pytest.mark.parametrize(
    "graph, expected",
    [
        (one_mac_operator(**DENSE), 100 * 50),
        # 6 × 5 places, 4 filters, each 3 · 3 · 2 products.
        (one_mac_operator("CONV_2D", [1, 8, 7, 2], [4, 3, 3, 2], [1, 6, 5, 4]), 6 * 5 * 4 * 18),
        # Each output channel sees one input channel: 9 products.
        (one_mac_operator("DEPTHWISE_CONV_2D", [1, 8, 7, 4], [1, 3, 3, 4], [1, 6, 5, 4]), 6 * 5 * 4 * 9),
        (chain([100, 400]), 0),
    ],
)
def test_macs_by_hand(graph, expected):
    assert budget.macs(graph).tolist() == [expected]


@pytest.mark.parametrize(
    "types, expected",  # multiplication + addition to the sum, figure 1.1.9
    [(("int8", "int8"), 0.2 + 0.1), (("float32", "float32"), 3.7 + 0.9), (("float32", "int8"), 0.2 + 0.1)],
)
def test_energy_by_hand(types, expected):
    assert budget.energy(one_mac_operator(**DENSE, types=types)) == pytest.approx(5000 * expected)


def test_energy_of_a_type_that_the_source_lacks_is_refused():
    wanted = "operator 0 (FULLY_CONNECTED): expected float32 × float32 or int8 weights, got int16 × int8"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        budget.energy(one_mac_operator(**DENSE, types=("int16", "int8")))


def test_an_operator_with_unknown_multiplications_is_refused():
    file = File()
    a, b = file.tensor([1, 4, 4]), file.tensor([1, 4, 4])
    file.operator("BATCH_MATMUL", [a, a], [b])
    with pytest.raises(ValueError, match=r"^operator 0 \(BATCH_MATMUL\): expected an operator whose multiplications"):
        budget.macs(read(file.bytes([a], [b])))


def test_an_operator_without_weights_is_refused():
    file = File()
    a, b = file.tensor([1, 4]), file.tensor([1, 4])
    file.operator("FULLY_CONNECTED", [a], [b], "FullyConnectedOptions")
    with pytest.raises(ValueError, match=r"expected activations and weights, got inputs \(0,\)$"):
        budget.macs(read(file.bytes([a], [b])))


@pytest.mark.parametrize(
    "nbytes, memory, expected",
    [
        (8, "8 KB cache", (10, 10)),
        (9, "32 KB cache", (40, 40)),  # two words
        (800, "1 MB cache", (10_000, 10_000)),
        (16, "DRAM", (2600, 5200)),
    ],
)
def test_read_energy_by_hand(nbytes, memory, expected):
    assert budget.read_energy(nbytes, memory) == expected


def test_bad_reads_are_refused():
    with pytest.raises(ValueError, match=r"^nbytes: expected an integer from 1 on, got 0$"):
        budget.read_energy(0, "DRAM")
    with pytest.raises(ValueError, match=r"^memory: expected one of \['8 KB cache', .*\], got 'disk'$"):
        budget.read_energy(8, "disk")


# ------------------------------------------------------------------- the lesson's network


def test_arenas_of_the_network(cnn):
    """The first pooling: 26 · 26 · 32 values come in, 13 · 13 · 32 go out."""
    values = 26 * 26 * 32 + 13 * 13 * 32
    arenas = {name: budget.arena_bytes(read(file)) for name, file in cnn.items()}
    weights = 9 * 32 + 288 * 64 + 1600 * 128 + 128 * 10 + 32 + 64 + 128 + 10
    assert arenas == {
        "float32": 4 * values,
        "dynamic": 4 * values,
        "int8": values,
        "int8_per_tensor": values,
        "int16x8": 2 * values,
        # Every weight and bias unpacked but those of conv1, which has run.
        "float16": 4 * values + 4 * (weights - 9 * 32 - 32),
    }


def test_macs_of_the_network(cnn):
    expected = [26 * 26 * 32 * 9, 11 * 11 * 64 * 288, 1600 * 128, 1280]
    for file in cnn.values():
        counted = budget.macs(read(file))
        assert counted[counted > 0].tolist() == expected


def test_energy_of_the_network(cnn):
    conv1, rest = 26 * 26 * 32 * 9, 11 * 11 * 64 * 288 + 1600 * 128 + 1280
    expected = {"float32": 4.6 * (conv1 + rest), "float16": 4.6 * (conv1 + rest), "int8": 0.3 * (conv1 + rest)}
    expected["dynamic"] = 4.6 * conv1 + 0.3 * rest  # the converter leaves 288 weights in float32
    for name, picojoules in expected.items():
        assert budget.energy(read(cnn[name])) == pytest.approx(picojoules)


def test_constants_of_the_network(cnn):
    weights, biases, shapes = 9 * 32 + 288 * 64 + 1600 * 128 + 1280, 32 + 64 + 128 + 10, 3 * 4
    assert budget.constant_bytes(read(cnn["float32"])) == 4 * (weights + biases) + shapes
    assert budget.constant_bytes(read(cnn["float16"])) == 2 * (weights + biases) + shapes
    assert budget.constant_bytes(read(cnn["int8"])) == weights + 4 * biases + shapes


def test_devices_are_those_of_their_data_sheets():
    memories = {name: (device.flash, device.ram) for name, device in DEVICES.items()}
    assert memories == {
        "ATmega328P": (32_768, 2_048),
        "nRF51822 QFAA": (262_144, 16_384),
        "nRF52833": (524_288, 131_072),
        "nRF52840": (1_048_576, 262_144),
        "STM32F746": (1_048_576, 327_680),
        "Raspberry Pi Pico": (2_097_152, 270_336),
        "ESP32-WROOM-32": (4_194_304, 532_480),
    }
    assert {name: device.clock for name, device in DEVICES.items()} == {
        "ATmega328P": 20_000_000,
        "nRF51822 QFAA": 16_000_000,
        "nRF52833": 64_000_000,
        "nRF52840": 64_000_000,
        "STM32F746": 216_000_000,
        "Raspberry Pi Pico": 133_000_000,
        "ESP32-WROOM-32": 240_000_000,
    }


def test_the_c_array_is_the_file(cnn, tmp_path):
    """Read back from the source; and through a compiler, on a computer that has one."""
    source = deploy.c_array(cnn["int8"], "network")
    body = source[source.index("{") + 1 : source.index("}")]
    assert bytes(int(number, 16) for number in body.split(",")) == cnn["int8"]
    assert f"network_len = {len(cnn['int8'])};" in source
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is not None:
        writes = 'FILE *f = fopen("out.bin", "wb"); fwrite(network, 1, network_len, f); return fclose(f);'
        (tmp_path / "network.c").write_text(f"#include <stdio.h>\n{source}\nint main(void) {{ {writes} }}\n")
        subprocess.run([compiler, "network.c", "-o", "network.exe"], cwd=tmp_path, check=True, timeout=60)
        subprocess.run([tmp_path / "network.exe"], cwd=tmp_path, check=True, timeout=60)
        assert (tmp_path / "out.bin").read_bytes() == cnn["int8"]


def test_the_answers_of_the_exercises_are_those_of_qlib(cnn):
    assert budget.arena_bytes(SKIP) == 600
    device, fit = DEVICES["nRF52833"], {"dynamic", "int8", "int8_per_tensor", "int16x8"}
    needs = {name: (len(file), budget.arena_bytes(read(file))) for name, file in cnn.items()}
    assert {name for name, (flash, ram) in needs.items() if flash <= device.flash and ram <= device.ram} == fit
    assert budget.energy(one_mac_operator(**DENSE)) == pytest.approx(1500)
