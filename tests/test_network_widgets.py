"""qlib.network_widgets without a browser: set a slider in Python, look at what the panel would show."""

import base64
import hashlib
import html
import itertools
import re

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from test_mixed import random_weights
from test_plots import decoded, only_tag, pixels

from qlib import explorer as base
from qlib import load_cnn, load_mnist, plots
from qlib.mixed import MixedPrecision, MixedWeights, greedy
from qlib.network_widgets import LayerBitsExplorer

NAMES = ["conv1", "conv2", "dense1", "dense2"]
PATH = [(8, 8, 8, 8), (8, 8, 4, 8), (6, 3, 2, 4), (2, 2, 2, 2)]
FLOAT = (32, 32, 32, 32)


def small_network():
    """A network of random weights that names 46 of 50 images as the float network does: labels are its answers."""
    weights, images = random_weights(), np.random.default_rng(1).uniform(size=(50, 14, 11, 2))
    labels = MixedPrecision(weights, images, np.zeros(50, int)).logits(FLOAT).argmax(axis=1)
    labels[:4] = (labels[:4] + 1) % 4
    return MixedPrecision(weights, images, labels)


@pytest.fixture(scope="module")
def shared():
    """An explorer that the tests share, and what it showed at first."""
    explorer = LayerBitsExplorer(small_network(), PATH, NAMES)
    return explorer, shown(explorer)


@pytest.fixture
def explorer(shared):
    return put(shared[0], (8, 8, 8, 8))


@pytest.fixture(scope="module")
def lesson():
    """The explorer with the chapter's network, on every 20th test image."""
    (x_train, y_train), (x_test, y_test) = load_mnist()
    weights = MixedWeights(load_cnn().get_weights())
    path = greedy(MixedPrecision(weights, x_train[::300, ..., None].astype(np.float32) / 255, y_train[::300]))
    network = MixedPrecision(weights, x_test[::20, ..., None].astype(np.float32) / 255, y_test[::20])
    return LayerBitsExplorer(network, path, NAMES)


def put(explorer, bits):
    """Set the sliders, and see that the panel is content."""
    for name, value in zip(explorer.names, bits, strict=True):
        explorer.controls[name].value = value
        assert explorer.error.value == ""
    return explorer


def shown(explorer):
    """All that the panel shows."""
    panel = repr(explorer), explorer.alt, explorer.text.value, explorer.status.value, explorer.error.value
    return *panel, hashlib.sha256(explorer.png).hexdigest()  # nobody wants to read a picture in a failed assertion


def spread(weights, bits):
    """Bytes of each layer: packed codes, and 8 more for each channel."""
    return [-(-w.size * b // 8) + 8 * w.shape[-1] for w, b in zip(weights.kernels, bits, strict=True)]


# ------------------------------------------------------------------- construction


def test_a_slider_for_each_layer(explorer):
    assert list(explorer.controls) == NAMES
    for name, slider in explorer.controls.items():
        assert (slider.min, slider.max, slider.step, slider.value) == (2, 8, 1, 8)
        assert slider.description == slider.tooltip == f"{name} bits"
    children = [*explorer.controls.values(), explorer.error, explorer.picture, explorer.text, explorer.status]
    assert list(explorer.children) == children


def test_sliders_stand_where_they_are_told_to():
    explorer = LayerBitsExplorer(small_network(), PATH, ["a", "b b", "c", "<d>"], bits=np.array([2, 3, 7, 8]))
    assert [slider.value for slider in explorer.controls.values()] == [2, 3, 7, 8]
    assert repr(explorer).startswith("a 2; b b 3; c 7; <d> 8; size ")
    assert [label.get_text() for label in explorer.axes[1].get_yticklabels()] == ["a", "b b", "c", "<d>"]


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"network": 3}, "network: expected a MixedPrecision, got int"),
        ({"names": NAMES[:3]}, "names: expected 4 different names of layers, got ['conv1', 'conv2', 'dense1']"),
        ({"names": ["a", "b", "a", "c"]}, "names: expected 4 different names of layers, got ['a', 'b', 'a', 'c']"),
        ({"names": [1, 2, 3, 4]}, "names: expected 4 different names of layers, got [1, 2, 3, 4]"),
        ({"path": []}, "path: expected at least one choice of bit widths, got none"),
        ({"path": [(8, 8, 8, 8), (8, 8, 8)]}, "path: expected 4 integers from 2 to 8, got (8, 8, 8)"),
        ({"path": [FLOAT]}, "path: expected 4 integers from 2 to 8, got (32, 32, 32, 32)"),
        ({"bits": (1, 2, 3, 4)}, "bits: expected 4 integers from 2 to 8, got (1, 2, 3, 4)"),
        ({"bits": (8, 8, 8, 8.0)}, "bits: expected 4 integers from 2 to 8, got (8, 8, 8, 8.0)"),
    ],
)
def test_bad_arguments_are_refused(changed, says):
    with pytest.raises(ValueError) as error:
        LayerBitsExplorer(**({"network": small_network(), "path": PATH, "names": NAMES} | changed))
    assert str(error.value) == says


# ------------------------------------------------------------------- numbers


def test_the_numbers_of_the_chapters_network(lesson):
    # 58,072 = 224,800 / 4 + 234 · 8, and 900,136 / 58,072 = 15.50; 226,672 = 224,800 + 234 · 8, and the ratio 3.97.
    for bits, size, smaller in (((2, 2, 2, 2), "58,072 bytes", "15.5"), ((8, 8, 8, 8), "226,672 bytes", "4.0")):
        numbers = put(lesson, bits).numbers
        assert list(numbers) == ["size", "times smaller than float32", "accuracy", "change from float32"]
        assert (numbers["size"], numbers["times smaller than float32"]) == (size, smaller)
        assert numbers["accuracy"].endswith(" of 500 images")


@pytest.mark.parametrize("bits", [(8, 8, 8, 8), (2, 2, 2, 2), (3, 7, 2, 5), (5, 2, 8, 3)], ids=str)
def test_numbers(explorer, bits):
    network = put(explorer, bits).network
    right = int(np.sum(network.logits(bits).argmax(axis=1) == network.labels))
    sizes = spread(network.weights, bits)
    float_size = 4 * sum(w.size for w in random_weights())
    assert explorer.numbers == {
        "size": f"{sum(sizes):,} bytes",
        "times smaller than float32": f"{float_size / sum(sizes):.1f}",
        "accuracy": f"{right / 50:.1%} ± {np.sqrt(right * (50 - right) / 50**3):.1%} of 50 images",
        "change from float32": f"{2 * (right - 46):+.1f} points",
    }
    ((x, y),) = explorer.here.get_xydata()
    assert (x, y) == (sum(sizes), right / 50)
    assert [bar.get_width() for bar in explorer.bars] == sizes
    labels = [f"{b} bits: {size:,} bytes" for b, size in zip(bits, sizes, strict=True)]
    assert [label.get_text() for label in explorer.labels] == labels


def test_no_change_is_a_positive_zero(explorer, monkeypatch):
    for exact, found in ((0.9, 0.8996), (0.9, 0.9), (0.9, 0.9004)):
        monkeypatch.setattr(explorer.network, "accuracy", lambda bits, a=(exact, found): a[bits[0] != 32])
        assert explorer.move(**dict.fromkeys(NAMES, 4))["change from float32"] == "+0.0 points"
    monkeypatch.setattr(explorer.network, "accuracy", lambda bits: 0.9 if bits[0] == 32 else 0.85)
    assert explorer.move(**dict.fromkeys(NAMES, 4))["change from float32"] == "-5.0 points"


def test_the_text_is_rounded_and_without_object_ids(explorer):
    twin = LayerBitsExplorer(small_network(), PATH, NAMES)
    data, metadata = twin._repr_mimebundle_()
    text = data["text/plain"]
    assert text == explorer._repr_mimebundle_()[0]["text/plain"] == f"LayerBitsExplorer: {explorer}"
    assert twin.model_id not in text and " at 0x" not in text and text == f"LayerBitsExplorer: {twin}"
    assert text.startswith("LayerBitsExplorer: conv1 8; conv2 8; dense1 8; dense2 8; size ")
    assert all(len(digits) == 1 for digits in re.findall(r"\.(\d+)", text)) and "-0.0" not in text
    assert data["image/png"] == twin.png == explorer.png and metadata["image/png"]["alt"] == twin.alt
    assert only_tag(data["text/html"])[1]["alt"] == twin.alt == f"Bits for each layer. {twin}"


def test_the_accuracy_is_what_is_spoken(explorer):
    for bits in ((8, 8, 8, 7), (2, 2, 2, 2)):
        put(explorer, bits)
        assert f">accuracy {explorer.numbers['accuracy']}<" in explorer.status.value


# ------------------------------------------------------------------- the picture


def test_what_stands_behind_the_ring(explorer):
    left, network = explorer.axes[0], explorer.network
    lines = {line.get_label(): line.get_xydata() for line in left.lines}
    uniform = [(b,) * 4 for b in range(2, 9)]
    for label, choices in (("greedy: one bit less at each step", PATH), ("the same bits in all layers", uniform)):
        expected = [(sum(spread(network.weights, bits)), network.accuracy(bits)) for bits in choices]
        np.testing.assert_array_equal(lines[label], expected)
    assert [text.get_text() for text in left.texts] == [str(b) for b in range(2, 9)]
    (band,) = [patch for patch in left.patches if patch.get_label() == "float32 ± standard error"]
    error = np.sqrt(0.92 * 0.08 / 50)  # 46 of 50 right
    ends = band.get_path().transformed(band.get_patch_transform()).vertices[:, 1]
    assert (ends.min(), ends.max()) == pytest.approx((0.92 - error, 0.92 + error))


def test_points_can_be_told_apart_without_colour(explorer):
    path, uniform, ring = explorer.axes[0].lines
    assert len({line.get_marker() for line in (path, uniform)}) == 2 and ring is explorer.here
    assert path.get_linestyle() == "--" and uniform.get_linestyle() == "None" and ring.get_markerfacecolor() == "none"


def test_the_ring_is_always_in_the_picture(explorer):
    left = explorer.axes[0]
    limits = left.get_xlim(), left.get_ylim()
    for bits in itertools.product((2, 5, 8), repeat=4):
        put(explorer, bits)
        ((x, y),) = explorer.here.get_xydata()
        assert limits[0][0] <= x <= limits[0][1] and limits[1][0] <= y <= limits[1][1]
        accuracy = explorer.network.accuracy(bits)
        assert y == accuracy or (accuracy < y == limits[1][0]) or (accuracy > y == limits[1][1])
    assert limits == (left.get_xlim(), left.get_ylim())


def test_beyond_the_axis_the_ring_stands_at_its_edge(monkeypatch):
    explorer = LayerBitsExplorer(small_network(), PATH, NAMES)
    explorer.axes[0].set_ylim(0.4, 0.6)
    for accuracy, place in ((0.1, 0.4), (0.5, 0.5), (0.9, 0.6)):
        monkeypatch.setattr(explorer.network, "accuracy", lambda bits, found=accuracy: found)
        explorer.move(**dict.fromkeys(NAMES, 4))
        assert explorer.here.get_ydata() == [place]


def boxes(explorer, ax):
    """Where in the picture the texts of an axes stand, `[(text, box)]`; the legend as one."""
    renderer, texts = explorer.figure.canvas.get_renderer(), [*ax.texts, ax.xaxis.label, ax.yaxis.label]
    for axis in (ax.xaxis, ax.yaxis):
        lowest, highest = sorted(axis.get_view_interval())
        texts += [tick.label1 for tick in axis.get_major_ticks() if lowest <= tick.get_loc() <= highest]  # the drawn
    found = [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text()]
    return found + [("legend", legend.get_window_extent(renderer)) for legend in [ax.get_legend()] if legend]


@pytest.mark.parametrize("bits", [(8, 8, 8, 8), (2, 2, 2, 2), (7, 3, 2, 5)], ids=str)
def test_nothing_overlaps_in_the_lesson(lesson, bits):
    put(lesson, bits)
    width, height = lesson.figure.canvas.get_width_height()
    for ax, fewest in zip(lesson.axes, (7 + 3 + 3 + 2 + 1, 4 + 3 + 4 + 1), strict=True):  # points or labels, ticks, …
        places = boxes(lesson, ax)
        assert len(places) >= fewest
        for (one, a), (other, b) in itertools.combinations(places, 2):
            assert not a.overlaps(b), (one, other)
        assert all(a.x0 >= 0 and a.y0 >= 0 and a.x1 <= width and a.y1 <= height for _, a in places)


def test_the_legend_hides_no_point_of_the_lesson(lesson):
    left = lesson.axes[0]
    legend = dict(boxes(lesson, left))["legend"].padded(5)
    points = [left.transData.transform(line.get_xydata()) for line in left.lines[:2]]
    assert [len(xy) for xy in points] == [25, 7]
    assert not legend.count_contains(np.concatenate(points))


def test_each_label_stands_above_its_bar(lesson):
    renderer, right = put(lesson, (8, 3, 2, 5)).figure.canvas.get_renderer(), lesson.axes[1]
    tops = [right.transAxes.transform((0, 1))[1], *(bar.get_window_extent(renderer).y0 for bar in lesson.bars)]
    for above, bar, label in zip(tops[:-1], lesson.bars, lesson.labels, strict=True):
        text = label.get_window_extent(renderer)
        assert bar.get_window_extent(renderer).y1 - 1 <= text.y0 < text.y1 <= above


def test_the_picture_carries_the_png_the_alt_text_and_the_script(explorer):
    tag, attributes = only_tag(explorer.picture.value)
    assert tag == "img" and set(attributes) == {"alt", "width", "height", "style", "onload", "src"}
    assert base64.b64decode(attributes["src"].partition(",")[2], validate=True) == explorer.png
    assert attributes["alt"] == explorer.alt and attributes["onload"] == base.ACCESSIBLE
    np.testing.assert_array_equal(decoded(explorer.png), pixels(explorer.figure))


def test_the_picture_does_not_depend_on_the_way_there(shared):
    explorer, first = shared
    for bits in ((2, 2, 2, 2), (3, 8, 5, 4), (8, 8, 2, 8), (8, 8, 8, 8)):
        put(explorer, bits)
    assert shown(explorer) == first


def test_each_slider_changes_what_is_shown(explorer):
    for name in NAMES:
        before, png = shown(explorer), explorer.png
        explorer.controls[name].value = 2
        assert explorer.png != png and shown(explorer)[:3] != before[:3]
        assert f"; {name} 2" in f"; {explorer}"


def counted(function, calls):
    def count(*args, **kwargs):
        calls.append(args)
        return function(*args, **kwargs)

    return count


def test_a_move_draws_only_what_moves(explorer, monkeypatch):
    whole, drawn = [], []
    for owner, name in (
        (Figure, "draw"),
        (Figure, "draw_without_rendering"),
        (FigureCanvasAgg, "draw"),
        (ConstrainedLayoutEngine, "execute"),
        (Axes, "draw"),
        (plots, "backdrop"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name), whole))
    monkeypatch.setattr(Axes, "draw_artist", counted(Axes.draw_artist, drawn))
    moves = [explorer.here, *explorer.bars, *explorer.labels]
    for name, value in itertools.product(NAMES, (3, 6)):
        drawn.clear()
        explorer.controls[name].value = value
        assert whole == [] and sorted(id(artist) for _, artist in drawn) == sorted(map(id, moves))
    LayerBitsExplorer(small_network(), PATH, NAMES)
    assert whole  # these are the functions that a whole picture takes


def test_no_artists_are_left_behind(explorer):
    before = [len(ax.get_children()) for ax in explorer.axes]
    for bits in ((2, 2, 2, 2), (3, 4, 5, 6), (8, 8, 8, 8)):
        put(explorer, bits)
    assert [len(ax.get_children()) for ax in explorer.axes] == before


def test_where_the_sliders_were_before_nothing_is_computed_again(explorer, monkeypatch):
    choices = [(8, 8, 8, 8), (4, 8, 8, 8), (4, 8, 3, 8)]
    for bits in choices:
        put(explorer, bits)
    asked = []
    monkeypatch.setattr(explorer.network, "_output", counted(explorer.network._output, asked))
    for bits in reversed(choices):
        put(explorer, bits)
    assert asked == []
    put(explorer, (8, 8, 8, 5)), put(explorer, (8, 7, 8, 5))
    assert asked


# ------------------------------------------------------------------- errors


def test_an_error_while_moving_is_shown(explorer, monkeypatch):
    before, png = shown(explorer), explorer.png

    def boom(bits):
        raise MemoryError("<no room>")

    with monkeypatch.context() as patch:
        patch.setattr(explorer.network, "accuracy", boom)
        explorer.controls["conv2"].value = 3
        assert "MemoryError: <no room>" in html.unescape(explorer.error.value)
        assert "<no room>" not in explorer.error.value
        assert explorer.text.value == explorer.status.value == "" and explorer.png == png
        assert repr(explorer) == "Bits for each layer: failed"
    explorer.controls["conv2"].value = 8
    assert shown(explorer) == before
