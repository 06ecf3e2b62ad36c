"""qlib.background_widgets without a browser: set a control's value in Python, look at what the panel would show."""

import re

import numpy as np
import pytest

from qlib.background import MACHINES, NETWORKS, Machine, Network
from qlib.background_widgets import BITS, OWN, PERCENT, SECONDS, ModelSizeExplorer

SOME = {"small": Network(60_000, None, "made up"), "large": Network(7_000_000_001, None, "made up")}
NEAR_SMALL = 10**4.8  # the place of the slider that is nearest to 60,000
MADE_UP = {"tight": Machine(60_000, 600_000, "made up"), "wide": Machine(10**10, 10**11, "made up")}


@pytest.fixture
def explorer():
    return ModelSizeExplorer(SOME, MADE_UP)


def put(explorer, **settings):
    for name, value in settings.items():
        explorer.controls[name].value = value
        assert explorer.controls[name].value == value and explorer.error.value == ""
    return explorer.numbers


def test_it_starts_at_the_first_or_where_it_is_told(explorer):
    assert [control.value for control in explorer.controls.values()] == ["small", NEAR_SMALL, 8, "tight"]
    other = ModelSizeExplorer(SOME, MADE_UP, network="large", machine="wide")
    assert [control.value for control in other.controls.values()] == ["large", 10**9.85, 8, "wide"]


def test_numbers_by_hand(explorer):
    # 60,000 bytes are 7,500 words of 64 bits, each 1300 to 2600 pJ; 60,000 / 600,000 per second.
    assert explorer.numbers == {
        "weights": "60,000",
        "bytes": "60 kB",
        "fits": "yes, in 100 % of the memory",
        "to read them once": "100 ms",
        "passes per second": "at most 10",
        "energy, if from DRAM": "9.75 µJ to 19.5 µJ",
    }
    numbers = put(explorer, bits=16)
    assert (numbers["fits"], numbers["to read them once"]) == ("no, they need 2 times the memory", "200 ms")
    numbers = put(explorer, network="large")
    assert (numbers["weights"], numbers["bytes"]) == (
        "7,000,000,001",
        "14 GB",
    )  # the slider rounds, the network doesn't
    assert numbers["to read them once"] == "23,300 s"  # 14e9 / 6e5


def test_one_byte_too_many_is_too_many():
    machines = {"exact": Machine(60_000, 1, "made up"), "less": Machine(59_999, 1, "made up")}
    explorer = ModelSizeExplorer(SOME, machines)
    assert explorer.numbers["fits"].startswith("yes")
    assert put(explorer, machine="less")["fits"] == "no, they need a little more than the memory"


def test_the_slider_makes_a_network_of_its_own(explorer):
    numbers = put(explorer, parameters=10**6.05)
    assert explorer.controls["network"].value == OWN and numbers["weights"] == "1,120,000"  # as its readout says
    numbers = put(explorer, network="small")  # and back
    assert explorer.controls["parameters"].value == NEAR_SMALL and numbers["weights"] == "60,000"
    put(explorer, network=OWN)
    assert explorer.controls["parameters"].value == NEAR_SMALL


def test_the_page_may_move_the_slider_a_little(explorer):
    """It sends back what it has rounded to a place of the slider: the network stays."""
    put(explorer, parameters=NEAR_SMALL * (1 + 1e-12))
    assert explorer.controls["network"].value == "small" and explorer.numbers["weights"] == "60,000"


def test_the_bars_and_the_ring_stand_where_the_numbers_say(explorer):
    put(explorer, bits=4)
    heights = [bar.get_y() + bar.get_height() for bar in explorer.bars]
    np.testing.assert_allclose(heights, [100 * b / 8 for b in BITS])  # 8 bits fill the memory
    (x,), (y,) = explorer.ring.get_data()
    assert x == BITS.index(4) and y == pytest.approx(0.05)
    np.testing.assert_allclose(explorer.line.get_ydata(), [0.1 * b / 8 for b in BITS])


def test_what_lies_outside_stands_at_the_edge(explorer):
    put(explorer, machine="wide", bits=2)
    assert explorer.line.get_ydata().min() == SECONDS[0] and min(bar.get_height() for bar in explorer.bars) > 0
    put(explorer, machine="tight", network="large", bits=32)
    assert explorer.line.get_ydata().max() == SECONDS[1]
    assert max(bar.get_y() + bar.get_height() for bar in explorer.bars) == pytest.approx(PERCENT[1])


def test_the_chosen_bar_differs_without_colour(explorer):
    for bits in BITS:
        put(explorer, bits=bits)
        assert [bool(bar.get_hatch()) for bar in explorer.bars] == [b == bits for b in BITS]


def test_a_slider_does_not_repaint_and_gives_another_picture(explorer, monkeypatch):
    monkeypatch.setattr(ModelSizeExplorer, "background", None)  # would fail
    first = explorer.png
    put(explorer, bits=2)
    second = explorer.png
    put(explorer, parameters=1e7)
    assert len({first, second, explorer.png}) == 3 and explorer.png.startswith(b"\x89PNG")


def test_the_way_to_a_state_does_not_show(explorer):
    put(explorer, parameters=1e9, machine="wide", bits=3, network="large")
    other = ModelSizeExplorer(SOME, MADE_UP, network="large", machine="wide")
    put(other, bits=3)
    assert repr(explorer) == repr(other) and explorer.png == other.png


def test_it_says_all_in_words(explorer):
    assert explorer.alt.startswith("Size of a model. network small; parameters 6.31e+04; bits 8; machine tight; ")
    assert "60 kB" in explorer.status.value
    bundle, metadata = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == f"ModelSizeExplorer: {explorer}"
    assert metadata["image/png"]["alt"] == explorer.alt


def test_every_default_setting_can_be_shown():
    explorer = ModelSizeExplorer()
    assert explorer.controls["machine"].options == tuple(MACHINES)
    for machine in MACHINES:
        for network in NETWORKS:
            assert "fits" in put(explorer, machine=machine, network=network)
    for parameters in (1e4, 1e12):
        assert put(explorer, parameters=parameters)["weights"] == f"{parameters:,.0f}"


@pytest.mark.parametrize(
    "arguments, says",
    [
        (dict(networks={}), "networks: expected a dict with at least one entry, got {}"),
        (dict(machines=[]), "machines: expected a dict with at least one entry, got []"),
        (dict(networks=SOME, network="other"), "network: expected one of ['small', 'large'], got 'other'"),
        (dict(machines=MADE_UP, machine="x"), "machine: expected one of ['tight', 'wide'], got 'x'"),
    ],
)
def test_bad_arguments_are_refused(arguments, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        ModelSizeExplorer(**arguments)
