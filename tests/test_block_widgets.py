"""qlib.block_widgets without a browser: set a control in Python, look at what the panel would show."""

import itertools
import re

import numpy as np
import pytest
from test_network_widgets import boxes
from test_plots import only_tag

from qlib import cnn_tensors, sqnr_db
from qlib.block_widgets import FORMATS, SIZES, BlockExplorer
from qlib.groups import fake_quantize_groups
from qlib.mx import fake_quantize_mx


def some():
    return {name: np.random.default_rng(seed).normal(size=(600, 3)) for seed, name in enumerate(("one", "two"))}


@pytest.fixture(scope="module")
def explorer():
    return BlockExplorer(some())


@pytest.fixture(scope="module")
def lesson():
    return BlockExplorer({"dense1": cnn_tensors(1)["dense1 weights"]})


def put(explorer, **values):
    for name, value in values.items():
        explorer.controls[name].value = value
        assert explorer.error.value == ""
    return explorer


def test_controls(explorer):
    assert list(explorer.controls) == ["matrix", "format", "size", "output"]
    assert explorer.controls["format"].options == tuple(FORMATS) and explorer.controls["size"].options == SIZES
    assert explorer.controls["output"].max == 2
    start = BlockExplorer(some(), format="NF4", size=8)
    assert repr(start).startswith("matrix one; format NF4; size 8; output 0; bits per weight 6.000; SQNR ")


def test_the_numbers_of_the_chapters_matrix(lesson):
    """By hand: 16 bits for 64 weights are a quarter of a bit; 20 a little more; 8 for 32 a quarter."""
    w = lesson.matrices["dense1"]
    numbers = put(lesson, format="int4", size=64, output=0).numbers
    assert list(numbers) == ["bits per weight", "SQNR", "largest weight of the block", "largest error in it"]
    assert numbers["bits per weight"] == "4.250"
    w_hat = fake_quantize_groups(w, 64)
    assert numbers["SQNR"] == f"{sqnr_db(w, w_hat):.1f} dB"
    assert numbers["largest error in it"] == f"{np.abs(w - w_hat)[:64, 0].max():.4f}"
    assert put(lesson, format="int4, zero point").numbers["bits per weight"] == "4.312"
    numbers = put(lesson, format="MX E2M1", size=32).numbers
    assert numbers["bits per weight"] == "4.250"
    assert numbers["SQNR"] == f"{sqnr_db(w, fake_quantize_mx(w)):.1f} dB"


@pytest.mark.parametrize("format", FORMATS)
def test_the_picture_shows_the_block(explorer, format):
    put(explorer, matrix="two", format=format, size=16, output=2)
    w = explorer.matrices["two"]
    w_hat = FORMATS[format][0](w, 16)
    assert explorer.weights.get_xdata().tolist() == w[:16, 2].tolist()
    assert explorer.restored.get_xdata().tolist() == w_hat[:16, 2].tolist()
    lines = np.array(explorer.lines.get_xdata()).reshape(-1, 3)
    assert np.array_equal(lines[:, 0], w[:16, 2]) and np.isnan(lines[:, 2]).all()
    bits, db = explorer.point("two", format, 16)
    assert explorer.ring.get_xydata().tolist() == [[bits, db]] and db == sqnr_db(w, w_hat)
    curve = explorer.axes[0].lines[list(FORMATS).index(format)].get_xydata().tolist()
    assert curve[SIZES.index(16)] == [bits, db]


def test_curves_can_be_told_apart_without_colour(explorer):
    curves = explorer.axes[0].lines[: len(FORMATS)]
    assert len({line.get_marker() for line in curves}) == len({line.get_linestyle() for line in curves}) == 4


def test_the_text_is_rounded_and_without_object_ids(explorer):
    put(explorer, matrix="one", format="NF4", size=64, output=0)
    twin = BlockExplorer(some(), format="NF4")
    data, metadata = twin._repr_mimebundle_()
    assert data["text/plain"] == explorer._repr_mimebundle_()[0]["text/plain"] == f"BlockExplorer: {explorer}"
    assert max(len(digits) for digits in re.findall(r"\.(\d+)", data["text/plain"])) <= 4
    assert metadata["image/png"]["alt"] == twin.alt == f"Blocks of weights. {twin}"
    assert only_tag(data["text/html"])[1]["alt"] == twin.alt
    assert f">SQNR {twin.numbers['SQNR']}<" in twin.status.value


@pytest.mark.parametrize("values", [("int4", 8), ("MX E2M1", 512), ("NF4", 64)], ids=str)
def test_nothing_overlaps_in_the_lesson(lesson, values):
    put(lesson, format=values[0], size=values[1])
    width, height = lesson.figure.canvas.get_width_height()
    for ax in lesson.axes:
        places = boxes(lesson, ax)
        for (one, a), (other, b) in itertools.combinations(places, 2):
            assert not a.overlaps(b), (one, other)
        assert all(a.x0 >= 0 and a.y0 >= 0 and a.x1 <= width and a.y1 <= height for _, a in places)


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"matrices": {}}, "matrices: expected a dict with at least one entry, got {}"),
        (
            {"format": "FP4"},
            "format: expected one of ['int4', 'int4, zero point', 'NF4', 'MX E2M1'], got 'FP4'",
        ),
        ({"size": 7}, "size: expected one of [8, 16, 32, 64, 128, 256, 512], got 7"),
        ({"matrices": {"a": np.ones(4)}}, "matrices: expected two axes, (inputs, outputs), got 1 in 'a'"),
        ({"matrices": {"a": np.full((4, 2), np.inf)}}, "a: expected finite values, got 8 infinite of 8"),
    ],
)
def test_bad_arguments_are_refused(changed, says):
    with pytest.raises(ValueError) as error:
        BlockExplorer(**({"matrices": some()} | changed))
    assert str(error.value) == says
