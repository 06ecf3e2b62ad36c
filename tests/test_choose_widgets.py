"""qlib.choose_widgets without a browser: set a control's value in Python, look at what the panel would show."""

import re

import pytest

from qlib import choose_widgets
from qlib.choose import DATA, DEVICES, measured_on, recommend
from qlib.choose_widgets import ChooseExplorer


@pytest.fixture
def explorer():
    return ChooseExplorer()


def put(explorer, **settings):
    for name, value in settings.items():
        explorer.controls[name].value = value
        assert explorer.controls[name].value == value and explorer.error.value == ""
    return explorer.numbers


def test_it_starts_where_it_is_told():
    values = [control.value for control in ChooseExplorer(device="server", budget=5000, data=DATA[0]).controls.values()]
    assert values[0] == "server" and values[1] == pytest.approx(5000) and values[2:] == [DATA[0], False, 0.5]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("training", [False, True])
def test_it_says_what_recommend_says(explorer, device, training):
    for data in DATA:
        for budget in (1e3, 1e5, 1e6):
            numbers = put(explorer, device=device, data=data, training=training, budget=budget)
            advice = recommend(device=device, budget=int(budget), data=data, training=training, max_loss=0.005)
            if advice.steps:
                assert numbers["recommended"].startswith(f"{advice.steps[0].technique.name}: ")
                assert numbers["step 1"].endswith(advice.steps[0].reason)
            else:
                assert numbers["recommended"] == f"nothing fits, 0 of {len(measured_on(device))} measured"
                assert numbers["it would take 1"] == advice.instead[0]
            fit = len(measured_on(device)) - sum(name in measured_on(device) for name in advice.ruled_out)
            assert numbers["meet all"] == f"{fit} of {len(measured_on(device))}"
            assert sum(text.get_text() != "" for text in explorer.lines) == 1 + len(advice.steps or advice.instead)


def test_the_points_to_lose_are_points_of_the_accuracy(explorer):
    """2-bit weights lose 1.46 points: lesson 04, section 5. They are out with 1.45, and in with 1.5."""
    put(explorer, device="phone", data=DATA[0], budget=6e4)
    assert put(explorer, points=1.45)["recommended"].startswith("nothing fits")
    assert put(explorer, points=1.5)["recommended"].startswith("2 bits, packed: 58,072 bytes")
    assert list(explorer.least.get_ydata()) == [pytest.approx(98.82 - 1.5)] * 2


def test_the_ring_stands_on_the_recommended_one(explorer):
    put(explorer, device="microcontroller", budget=3e5)
    step = recommend(device="microcontroller", budget=300_000, data=DATA[1], training=False, max_loss=0.005).steps[0]
    (x,), (y,) = explorer.ring.get_data()
    assert (x, y) == (step.bytes, 100 * step.accuracy)
    put(explorer, budget=1e3)
    assert len(explorer.ring.get_data()[0]) == len(explorer.fits.get_data()[0]) == 0


def test_only_a_new_device_repaints(explorer, monkeypatch):
    first = explorer.png
    monkeypatch.setattr(ChooseExplorer, "background", None)  # would fail
    put(explorer, data=DATA[2], training=True, budget=2e4, points=1.0)
    assert explorer.png != first and explorer.png.startswith(b"\x89PNG")


def test_the_way_to_a_state_does_not_show(explorer):
    put(explorer, device="browser", data=DATA[2], training=True)
    put(explorer, device="server", data=DATA[0], training=False, budget=1e5)
    other = ChooseExplorer(device="server", data=DATA[0])
    assert repr(explorer) == repr(other) and explorer.png == other.png


def test_it_says_all_in_words(explorer):
    put(explorer, device="phone", budget=1e5, data=DATA[2], training=True)
    assert explorer.alt.startswith("Choose a technique. device phone; budget 100,000 bytes; data labelled training set")
    assert "recommended 3 bits, packed: 86,172 bytes" in explorer.status.value  # what a slider's move is answered with
    bundle, metadata = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == f"ChooseExplorer: {explorer}"
    assert metadata["image/png"]["alt"] == explorer.alt and 'alt="Choose a technique.' in bundle["text/html"]
    assert explorer.text.value.count("<li>") == len(explorer.advice.steps) + len(explorer.advice.ruled_out)


def test_the_marks_differ_without_colour(explorer):
    marks = {(line.get_marker(), line.get_markerfacecolor(), line.get_markersize()) for line in explorer.axes[0].lines}
    dashes = {explorer.limit.get_linestyle(), explorer.least.get_linestyle()}
    assert len(marks) >= 3 and dashes == {"--", ":"}


def test_a_failure_is_shown_in_the_panel(explorer, monkeypatch):
    def fails(**_):
        raise ValueError("budget: <too small>")

    monkeypatch.setattr(choose_widgets, "recommend", fails)
    explorer.controls["points"].value = 1.0
    assert "ValueError: budget: &lt;too small&gt;" in explorer.error.value and explorer.text.value == ""
    monkeypatch.undo()
    put(explorer, points=2.0)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (
            dict(device="toaster"),
            "device: expected one of ['phone', 'microcontroller', 'server', 'browser'], got 'toaster'",
        ),
        (dict(data="x"), "data: expected one of ['none', 'images without labels', 'labelled training set'], got 'x'"),
        (dict(budget=10), "budget: expected 1,000 to 1,000,000 bytes, got 10"),
        (dict(points=9), "points: expected 0 to 5, got 9"),
        (dict(training=1), "training: expected True or False, got 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        ChooseExplorer(**arguments)
