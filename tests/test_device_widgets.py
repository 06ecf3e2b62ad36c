"""qlib.device_widgets without a browser: set a control's value in Python, look at what the panel would show."""

import re

import numpy as np
import pytest
from tflite_files import File

from qlib import budget
from qlib.budget import Device
from qlib.device_widgets import BudgetExplorer, ProgressBar
from qlib.tflite import read


def dense(outputs, dtype="int8", more=()):
    """A file of one dense layer with 8 inputs, and RELUs behind it, one for each size in `more`."""
    file = File()
    a, w = file.tensor([1, 8], dtype), file.tensor([outputs, 8], "int8", data=np.zeros((outputs, 8)))
    last = file.tensor([1, outputs], dtype)
    file.operator("FULLY_CONNECTED", [a, w, -1], [last], "FullyConnectedOptions")
    for size in more:
        new = file.tensor([1, size], dtype)
        file.operator("RELU", [last], [new])
        last = new
    return file.bytes([a], [last])


FILES = {"small": dense(4), "long": dense(16, more=(100, 2)), "int16": dense(4, "int16")}
DEVICES = {
    "roomy": Device(1 << 20, 1 << 20, 1000, "made up"),
    "no RAM": Device(1 << 20, 58, 1000, "made up"),  # long needs 116 bytes, twice as much
    "nothing": Device(100, 1, 1000, "made up"),
}


@pytest.fixture
def explorer():
    return BudgetExplorer(FILES, DEVICES)


def put(explorer, **settings):
    for name, value in settings.items():
        explorer.controls[name].value = value
        assert explorer.controls[name].value == value and explorer.error.value == ""
    return explorer.numbers


def test_it_starts_at_the_first_file_and_device_and_at_the_peak(explorer):
    assert [control.value for control in explorer.controls.values()] == ["small", "roomy", 0]
    other = BudgetExplorer(FILES, DEVICES, file="long", device="nothing")
    assert [control.value for control in other.controls.values()] == ["long", "nothing", 1]


def test_numbers_by_hand(explorer):
    numbers = put(explorer, file="long", operator=1)
    size = len(FILES["long"])
    # 128 weights in 16 words of 64 bits; 128 MACs at 0.3 pJ; 1 MAC per cycle at 1000 Hz.
    assert numbers == {
        "fits": "yes",
        "flash": f"{size:,} of 1,048,576 bytes",
        "RAM": "116 of 1,048,576 bytes",
        "MACs": "128",
        "at one per cycle": "128.0 ms",
        "arithmetic": "0.00 µJ",
        "weights from 1 MB cache": "0.0 µJ",
        "from DRAM": "0 to 0 µJ",
        "runs": "RELU",
        "in memory there": "116 bytes (1×16 int8 + 1×100 int8)",
    }
    assert put(explorer, operator=0)["in memory there"] == "24 bytes (1×8 int8 + 1×16 int8)"
    assert put(explorer, operator=2)["in memory there"] == "102 bytes (1×100 int8 + 1×2 int8)"


def test_what_does_not_fit_is_said_with_its_factor(explorer):
    assert put(explorer, file="long", device="no RAM")["fits"] == "no, it needs 2.0 times the RAM it has"
    share = len(FILES["long"]) / 100
    expected = f"no, it needs {share:.{0 if share >= 10 else 1}f} times the flash it has and 116 times the RAM it has"
    assert put(explorer, device="nothing")["fits"] == expected
    assert put(explorer, device="roomy")["fits"] == "yes"


def test_a_limit_that_is_met_exactly_fits():
    exact = {"exact": Device(len(FILES["small"]), 12, 1, "made up"), "less": Device(1 << 20, 11, 1, "made up")}
    explorer = BudgetExplorer(FILES, exact)
    assert explorer.numbers["fits"] == "yes"
    assert put(explorer, device="less")["fits"] == "no, it needs 1.1 times the RAM it has"


def test_types_that_the_table_lacks_are_said_to_be(explorer):
    assert put(explorer, file="int16")["arithmetic"] == "not in the table"


def test_the_slider_has_one_place_for_each_operator(explorer):
    slider = explorer.controls["operator"]
    assert slider.max == 0
    put(explorer, file="long")
    assert slider.max == 2
    put(explorer, operator=2)
    put(explorer, file="small")  # the last operator is not there any more
    assert (slider.value, slider.max) == (0, 0) and explorer.numbers["runs"] == "FULLY_CONNECTED"


def test_the_ring_stands_on_the_live_memory(explorer):
    live = budget.live_bytes(read(FILES["long"]))
    put(explorer, file="long")
    for operator in range(3):
        put(explorer, operator=operator)
        x, y = explorer.here.get_data()
        assert (list(x), list(y)) == ([operator], [live[operator]])


def test_moving_the_ring_does_not_repaint_and_gives_another_picture(explorer, monkeypatch):
    put(explorer, file="long")
    monkeypatch.setattr(BudgetExplorer, "background", None)  # would fail
    first = explorer.png
    put(explorer, operator=2)
    assert explorer.png != first and explorer.png.startswith(b"\x89PNG")


def test_the_way_to_a_state_does_not_show(explorer):
    put(explorer, file="int16", device="nothing")
    put(explorer, file="long", device="no RAM", operator=2)
    other = put_fresh(file="long", device="no RAM", operator=2)
    assert repr(explorer) == repr(other) and explorer.png == other.png


def put_fresh(**settings):
    explorer = BudgetExplorer(FILES, DEVICES)
    put(explorer, **settings)
    return explorer


def test_it_says_all_in_words(explorer):
    put(explorer, file="long", operator=1)
    assert explorer.alt.startswith("Budget of a device. file long; device roomy; operator 1; fits yes; ")
    assert "in memory there 116 bytes" in explorer.status.value  # what a slider's move is answered with
    bundle, metadata = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == f"BudgetExplorer: {explorer}"
    assert metadata["image/png"]["alt"] == explorer.alt and 'alt="Budget of a device.' in bundle["text/html"]


def test_the_bars_differ_without_colour(explorer):
    hatches = [bar.get_hatch() for bar in explorer.axes[0].patches]
    assert len(hatches) == len(set(hatches)) == 2
    words = [text.get_text() for text in explorer.axes[0].texts]
    assert [word.rsplit(": ")[1] for word in words] == ["fits", "fits"]
    put(explorer, device="nothing")
    assert [text.get_text().rsplit(": ")[1] for text in explorer.axes[0].texts] == ["too large", "too large"]


def test_real_devices_are_the_default():
    explorer = BudgetExplorer(FILES)
    assert explorer.controls["device"].options == tuple(budget.DEVICES)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (dict(files={}), "files: expected a dict with at least one entry, got {}"),
        (dict(files=FILES, devices={}), "devices: expected a dict with at least one entry, got {}"),
        (dict(files=FILES, file="other"), "file: expected one of ['small', 'long', 'int16'], got 'other'"),
        (dict(files={"bad": b"no file at all"}), "source: expected a .tflite file"),
        (dict(files=FILES, devices=DEVICES, device="x"), "device: expected one of ['roomy', 'no RAM', 'nothing']"),
    ],
)
def test_bad_arguments_are_refused(arguments, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        BudgetExplorer(**arguments)


def test_a_file_whose_macs_are_unknown_is_refused_at_once():
    file = File()
    a, b = file.tensor([1, 4, 4]), file.tensor([1, 4, 4])
    file.operator("BATCH_MATMUL", [a, a], [b])
    with pytest.raises(ValueError, match="BATCH_MATMUL"):
        BudgetExplorer({"good": FILES["small"], "other": file.bytes([a], [b])})


# ------------------------------------------------------------------- the progress bar


def test_progress_is_shown_from_first_to_last():
    bar = ProgressBar(1200, "images")
    assert repr(bar) == "a progress bar of 1,200 images" and bar.bar.value == 0
    bar(100)
    assert bar.bar.value == 100 and bar.label.value == "100 of 1,200 images"
    bar(1200)
    assert bar.bar.value == 1200 and bar.label.value == "1,200 of 1,200 images"


def test_progress_is_drawn_ten_times_a_second_at_most(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    bar = ProgressBar(10, "files")
    seen = []
    for done in range(1, 11):
        bar(done)
        seen.append(bar.bar.value)
        now[0] += 0.04
    assert seen == [1, 1, 1, 4, 4, 4, 7, 7, 7, 10]
