"""qlib.distillation_widgets without a browser: set a control's value in Python, look at what the panel would show."""

import re

import numpy as np
import pytest

from qlib.distillation_widgets import LEAST, TemperatureExplorer

LOGITS = np.log([[16.0, 1.0, 4.0], [1.0, 1.0, 2.0]])  # at T = 2: 4, 1 and 2 parts of 7
LABELS = np.array([0, 2])
IMAGES = np.zeros((2, 28, 28), np.uint8)
IMAGES[1, 5:9] = 255


@pytest.fixture
def explorer():
    return TemperatureExplorer(LOGITS, LABELS, IMAGES)


def put(explorer, **settings):
    for name, value in settings.items():
        explorer.controls[name].value = value
        assert explorer.controls[name].value == pytest.approx(value) and explorer.error.value == ""
    return explorer.numbers


def test_numbers_by_hand(explorer):
    entropy = -(4 / 7 * np.log2(4 / 7) + 1 / 7 * np.log2(1 / 7) + 2 / 7 * np.log2(2 / 7))
    at_one = -(16 / 21 * np.log2(16 / 21) + 1 / 21 * np.log2(1 / 21) + 4 / 21 * np.log2(4 / 21))
    assert put(explorer, temperature=2.0) == {
        "label": "0",
        "says": "0, to 57.14 % (at 1: 76.19 %)",
        "second": "2, to 28.57 % (at 1: 19.05 %)",
        "third": "1, to 14.29 % (at 1: 4.76 %)",
        "second ÷ third": "2.00 (at 1: 4.00)",
        "entropy at T": f"{entropy:.4f} of at most 1.58 bits",
        "entropy at 1": f"{at_one:.4f} bits",
    }


def test_the_slider_can_stand_at_the_temperatures_of_the_lesson(explorer):
    slider = explorer.controls["temperature"]
    for temperature in (0.5, 1, 2, 4, 8, 16, 32):  # a browser counts the steps from the lower end
        steps = (np.log(temperature) / np.log(slider.base) - slider.min) / slider.step
        assert steps == pytest.approx(round(steps), abs=1e-9)


def test_it_starts_where_it_is_told():
    other = TemperatureExplorer(LOGITS, LABELS, IMAGES[..., None], image=1, temperature=4.0)
    assert [control.value for control in other.controls.values()] == [1, 4.0]
    assert other.numbers["label"] == "2" and other.images.shape == (2, 28, 28)


def test_the_bars_are_the_probabilities_and_the_crosses_those_at_one(explorer):
    put(explorer, temperature=2.0)
    assert [bar.get_width() for bar in explorer.bars] == pytest.approx([4 / 7, 1 / 7, 2 / 7])
    (crosses,) = explorer.axes[1].lines
    assert crosses.get_xdata() == pytest.approx([16 / 21, 1 / 21, 4 / 21])


def test_a_probability_beyond_the_picture_ends_at_its_edge():
    explorer = TemperatureExplorer(np.array([[0.0, -60.0, -2000.0]]), [0], IMAGES[:1])
    assert [bar.get_width() for bar in explorer.bars] == pytest.approx([1, 0, 0])
    assert min(explorer.axes[1].lines[0].get_xdata()) == LEAST
    assert explorer.numbers["second ÷ third"].startswith("beyond all floats")
    assert explorer.numbers["says"].startswith("0, to 100 %") and "0 %" in explorer.numbers["third"]


def test_no_control_needs_a_repaint(explorer, monkeypatch):
    monkeypatch.setattr(TemperatureExplorer, "background", None)  # would fail
    first = explorer.png
    put(explorer, temperature=20.0)
    second = explorer.png
    put(explorer, image=1)
    assert len({first, second, explorer.png}) == 3 and explorer.png.startswith(b"\x89PNG")


def test_the_digit_and_its_title_move_too(explorer):
    put(explorer, image=1)
    digit, bars = explorer.axes
    assert digit.get_title() == "image 1, a 2" and np.array_equal(digit.images[0].get_array(), IMAGES[1])
    assert digit.images[0].get_clim() == (0, 255)
    assert bars.lines[0].get_xdata() == pytest.approx([0.25, 0.25, 0.5])


def test_the_way_to_a_state_does_not_show(explorer):
    put(explorer, image=1, temperature=20.0)
    put(explorer, image=0, temperature=2.0)
    other = TemperatureExplorer(LOGITS, LABELS, IMAGES, temperature=2.0)
    assert repr(explorer) == repr(other) and explorer.png == other.png


def test_it_says_all_in_words(explorer):
    put(explorer, temperature=2.0)
    assert explorer.alt.startswith("What the teacher says, at each temperature. image 0; temperature 2; label 0; says")
    assert "entropy at T" in explorer.status.value
    bundle, metadata = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == f"TemperatureExplorer: {explorer}"
    assert metadata["image/png"]["alt"] == explorer.alt


@pytest.mark.parametrize(
    "arguments, says",
    [
        (dict(logits=LOGITS[0]), "logits: expected shape (n, classes), 3 classes or more, got (3,)"),
        (dict(logits=LOGITS[:, :2]), "logits: expected shape (n, classes), 3 classes or more, got (2, 2)"),
        (dict(logits=LOGITS + np.inf), "logits: expected finite numbers"),
        (dict(labels=LABELS[:1]), "labels: expected 2, one for each row of logits, got shape (1,)"),
        (dict(images=IMAGES[:1]), "images: expected 2 of shape (height, width), got shape (1, 28, 28)"),
        (dict(image=2), "image: expected 0 to 1, got 2"),
        (dict(temperature=0.1), "temperature: expected 0.5 to 32.0, got 0.1"),
    ],
)
def test_bad_arguments_are_refused(arguments, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        TemperatureExplorer(**(dict(logits=LOGITS, labels=LABELS, images=IMAGES) | arguments))
