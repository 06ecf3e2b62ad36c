"""qlib.pruning_widgets without a browser: set a slider in Python, look at what the panel would show."""

import base64
import hashlib
import html
import itertools
import re

import numpy as np
import pytest
from test_mixed import random_weights
from test_network_widgets import boxes, counted
from test_plots import only_tag

from qlib import explorer as base
from qlib import load_cnn, load_mnist
from qlib.pruned import PrunedNetwork
from qlib.pruning_widgets import SAMPLED, SparsityExplorer
from qlib.sparse import bitmap_bytes, csr_bytes

NAMES = ["conv1", "conv2", "dense1", "dense2"]
DENSE = (0, 0, 0, 0)


def small_network():
    """A network of random weights that names 46 of 50 images as it does unpruned: labels are its answers."""
    weights, images = random_weights(), np.random.default_rng(1).uniform(size=(50, 14, 11, 2))
    labels = PrunedNetwork(weights, images, np.zeros(50, int)).logits(DENSE).argmax(axis=1)
    labels[:4] = (labels[:4] + 1) % 4
    return PrunedNetwork(weights, images, labels)


@pytest.fixture(scope="module")
def shared():
    """An explorer that the tests share, and what it showed at first."""
    explorer = SparsityExplorer(small_network(), NAMES)
    return explorer, shown(explorer)


@pytest.fixture
def explorer(shared):
    return put(shared[0], DENSE)


@pytest.fixture(scope="module")
def lesson():
    """The explorer with the chapter's network, on every 50th test image."""
    _, (x_test, y_test) = load_mnist()
    images = x_test[::50, ..., None].astype(np.float32) / 255
    return SparsityExplorer(PrunedNetwork(load_cnn().get_weights(), images, y_test[::50]), NAMES)


def put(explorer, percents):
    """Set the sliders, and see that the panel is content."""
    for name, value in zip(explorer.names, percents, strict=True):
        explorer.controls[name].value = value
        assert explorer.error.value == ""
    return explorer


def shown(explorer):
    """All that the panel shows."""
    panel = repr(explorer), explorer.alt, explorer.text.value, explorer.status.value, explorer.error.value
    return *panel, hashlib.sha256(explorer.png).hexdigest()


# ------------------------------------------------------------------- construction


def test_a_slider_for_each_layer(explorer):
    assert list(explorer.controls) == NAMES
    for name, slider in explorer.controls.items():
        assert (slider.min, slider.max, slider.step, slider.value) == (0, 99, 1, 0)
        assert slider.description == slider.tooltip == f"{name} % zeros"
    children = [*explorer.controls.values(), explorer.error, explorer.picture, explorer.text, explorer.status]
    assert list(explorer.children) == children


def test_sliders_stand_where_they_are_told_to():
    explorer = SparsityExplorer(small_network(), ["a", "b b", "c", "<d>"], percents=np.array([1, 50, 99, 0]))
    assert [slider.value for slider in explorer.controls.values()] == [1, 50, 99, 0]
    assert repr(explorer).startswith("a 1; b b 50; c 99; <d> 0; zeros ")


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"network": 3}, "network: expected a PrunedNetwork, got int"),
        ({"names": NAMES[:3]}, "names: expected 4 different names of layers, got ['conv1', 'conv2', 'dense1']"),
        ({"names": ["a", "b", "a", "c"]}, "names: expected 4 different names of layers, got ['a', 'b', 'a', 'c']"),
        ({"percents": (0, 0, 100, 0)}, "percents: expected 4 integers from 0 to 99, got (0, 0, 100, 0)"),
        ({"percents": (0, 0, 0.5, 0)}, "percents: expected 4 integers from 0 to 99, got (0, 0, 0.5, 0)"),
    ],
)
def test_bad_arguments_are_refused(changed, says):
    with pytest.raises(ValueError) as error:
        SparsityExplorer(**({"network": small_network(), "names": NAMES} | changed))
    assert str(error.value) == says


# ------------------------------------------------------------------- numbers


def test_the_numbers_of_the_chapters_network(lesson):
    # 900,136 = 4 · 225,034; a bitmap adds 224,800 / 8; CSR 8 · 224,800 + 4 · (234 + 4) + 4 · 234.
    numbers = put(lesson, DENSE).numbers
    assert list(numbers) == ["zeros", "accuracy", "change from dense", "dense", "bitmap", "CSR"]
    assert (numbers["dense"], numbers["bitmap"], numbers["CSR"]) == (
        "900,136 bytes",
        "928,236 bytes",
        "1,800,288 bytes",
    )
    assert numbers["zeros"] == "0 of 224,800 weights, 0.0%" and numbers["change from dense"] == "+0.0 points"
    numbers = put(lesson, (0, 0, 50, 0)).numbers
    assert numbers["dense"] == "900,136 bytes" and numbers["bitmap"] == "518,636 bytes"  # 102,400 values less
    assert numbers["zeros"] == "102,400 of 224,800 weights, 45.6%"


@pytest.mark.parametrize("percents", [DENSE, (99, 99, 99, 99), (13, 47, 80, 5), (0, 90, 10, 60)], ids=str)
def test_numbers(explorer, percents):
    network = put(explorer, percents).network
    right = int(np.sum(network.logits(percents).argmax(axis=1) == network.labels))
    weights = random_weights()
    dense = sum(w.nbytes for w in weights)
    zeros = [round(p / 100 * w.size) for p, w in zip(percents, weights[::2], strict=True)]
    layers = list(zip(zeros, weights[::2], weights[1::2], strict=True))
    assert explorer.numbers == {
        "zeros": f"{sum(zeros)} of {sum(w.size for w in weights[::2]):,} weights, "
        f"{sum(zeros) / sum(w.size for w in weights[::2]):.1%}",
        "accuracy": f"{right / 50:.1%} ± {np.sqrt(right * (50 - right) / 50**3):.1%} of 50 images",
        "change from dense": f"{2 * (right - 46):+.1f} points",
        "dense": f"{dense:,} bytes",
        "bitmap": f"{sum(bitmap_bytes(w.size - z, w.size) + b.nbytes for z, w, b in layers):,} bytes",
        "CSR": f"{sum(csr_bytes(w.size - z, b.size) + b.nbytes for z, w, b in layers):,} bytes",
    }
    widths = [f"{int(bar.get_width()):,} bytes" for bar in explorer.bars]
    assert widths == [explorer.numbers[name] for name in ("dense", "bitmap", "CSR")]
    assert [label.get_text() for label in explorer.labels] == widths
    assert list(explorer.line.get_ydata()) == [right / 50] * 2
    error = np.sqrt(right * (50 - right) / 50**3)
    assert (explorer.band.get_y(), explorer.band.get_height()) == pytest.approx((right / 50 - error, 2 * error))


def test_the_curves_are_those_of_one_layer_each(explorer):
    network, lines = explorer.network, {line.get_label(): line for line in explorer.axes[0].lines}
    for layer, name in enumerate(NAMES):
        x, y = lines[f"{name} alone"].get_xydata().T
        one = [network.accuracy(tuple(p * (i == layer) for i in range(4))) for p in SAMPLED]
        assert x.tolist() == list(SAMPLED) and y.tolist() == one


def test_rings_stand_on_their_curves(explorer):
    put(explorer, (20, 50, 90, 99))
    for ring, percent, curve in zip(explorer.rings, (20, 50, 90, 99), explorer.curves, strict=True):
        assert ring.get_xydata().tolist() == [[percent, curve[SAMPLED.index(percent)]]]
    put(explorer, (30, 50, 90, 99))  # between two samples
    assert explorer.rings[0].get_ydata() == [explorer.curves[0, 1:3].mean()]


def test_no_change_is_a_positive_zero(explorer, monkeypatch):
    monkeypatch.setattr(explorer.network, "accuracy", lambda percents: 0.9 if not any(percents) else 0.8998)
    assert explorer.move(**dict.fromkeys(NAMES, 4))["change from dense"] == "+0.0 points"


def test_the_text_is_rounded_and_without_object_ids(explorer):
    twin = SparsityExplorer(small_network(), NAMES)
    data, metadata = twin._repr_mimebundle_()
    text = data["text/plain"]
    assert text == explorer._repr_mimebundle_()[0]["text/plain"] == f"SparsityExplorer: {explorer}"
    assert twin.model_id not in text and " at 0x" not in text
    assert all(len(digits) == 1 for digits in re.findall(r"\.(\d+)", text)) and "-0.0" not in text
    assert data["image/png"] == twin.png == explorer.png and metadata["image/png"]["alt"] == twin.alt
    assert only_tag(data["text/html"])[1]["alt"] == twin.alt == f"Sparsity of each layer. {twin}"


def test_the_accuracy_is_what_is_spoken(explorer):
    for percents in ((0, 0, 0, 1), (90, 90, 90, 90)):
        put(explorer, percents)
        assert f">accuracy {explorer.numbers['accuracy']}<" in explorer.status.value


# ------------------------------------------------------------------- the picture


def test_curves_can_be_told_apart_without_colour(explorer):
    curves = explorer.axes[0].lines[:4]
    assert len({line.get_marker() for line in curves}) == len({line.get_linestyle() for line in curves}) == 4


@pytest.mark.parametrize("percents", [DENSE, (99, 99, 99, 99), (20, 60, 85, 20)], ids=str)
def test_nothing_overlaps_in_the_lesson(lesson, percents):
    put(lesson, percents)
    width, height = lesson.figure.canvas.get_width_height()
    for ax, fewest in zip(lesson.axes, (6 + 6 + 2 + 1, 3 + 3 + 3 + 1), strict=True):  # ticks, labels, legend or bars
        places = boxes(lesson, ax)
        assert len(places) >= fewest
        for (one, a), (other, b) in itertools.combinations(places, 2):
            assert not a.overlaps(b), (one, other)
        assert all(a.x0 >= 0 and a.y0 >= 0 and a.x1 <= width and a.y1 <= height for _, a in places)


def test_the_picture_carries_the_png_the_alt_text_and_the_script(explorer):
    tag, attributes = only_tag(explorer.picture.value)
    assert tag == "img" and set(attributes) == {"alt", "width", "height", "style", "onload", "src"}
    assert base64.b64decode(attributes["src"].partition(",")[2], validate=True) == explorer.png
    assert attributes["alt"] == explorer.alt and attributes["onload"] == base.ACCESSIBLE


def test_the_picture_does_not_depend_on_the_way_there(shared):
    explorer, first = shared
    for percents in ((99, 99, 99, 99), (3, 80, 5, 40), DENSE):
        put(explorer, percents)
    assert shown(explorer) == first


def test_each_slider_changes_what_is_shown(explorer):
    for name in NAMES:
        before, png = shown(explorer), explorer.png
        explorer.controls[name].value = 70
        assert explorer.png != png and shown(explorer)[:3] != before[:3]
        assert f"; {name} 70" in f"; {explorer}"


def test_no_artists_are_left_behind(explorer):
    before = [len(ax.get_children()) for ax in explorer.axes]
    for percents in ((20, 30, 40, 50), (99, 0, 1, 2), DENSE):
        put(explorer, percents)
    assert [len(ax.get_children()) for ax in explorer.axes] == before


def test_where_the_sliders_were_before_nothing_is_computed_again(explorer, monkeypatch):
    choices = [DENSE, (40, 0, 0, 0), (40, 0, 30, 0)]
    for percents in choices:
        put(explorer, percents)
    asked = []
    monkeypatch.setattr(explorer.network, "_output", counted(explorer.network._output, asked))
    for percents in reversed(choices):
        put(explorer, percents)
    assert asked == []
    put(explorer, (0, 0, 0, 77))
    assert asked


def test_an_error_while_moving_is_shown(explorer, monkeypatch):
    before, png = shown(explorer), explorer.png

    def boom(percents):
        raise MemoryError("<no room>")

    with monkeypatch.context() as patch:
        patch.setattr(explorer.network, "accuracy", boom)
        explorer.controls["conv2"].value = 3
        assert "MemoryError: <no room>" in html.unescape(explorer.error.value)
        assert explorer.text.value == explorer.status.value == "" and explorer.png == png
        assert repr(explorer) == "Sparsity of each layer: failed"
    explorer.controls["conv2"].value = 0
    assert shown(explorer) == before
