"""qlib.format_widgets without a browser: press a bit in Python, look at what the panel would show."""

import re

import numpy as np
import pytest

from qlib import formats
from qlib.format_widgets import MOST_BITS, FormatExplorer
from qlib.formats import FORMATS


@pytest.fixture
def explorer():
    return FormatExplorer()


def put(explorer, **settings):
    for name, value in settings.items():
        explorer.controls[name].value = value
        assert explorer.error.value == ""
    return explorer.numbers


def digits(explorer):
    """The bits as the buttons on the page show them."""
    shown = [toggle for group in explorer.bits.children for toggle in group.children[1].children]
    assert all(toggle.description == "01"[toggle.value] for toggle in shown)
    return "".join(toggle.description for toggle in shown)


def flip(explorer, bit):
    """Press the button of bit `bit`, counted from the right."""
    toggle = explorer.toggles[FORMATS[explorer.controls["format"].value].num_bits - 1 - bit]
    toggle.value = not toggle.value
    return explorer.numbers


def test_numbers_by_hand(explorer):
    assert explorer.numbers == {
        "pattern": "0 0111 001",
        "hex": "0x39",
        "sign": "+",
        "exponent": "7",
        "mantissa": "1/8",
        "formula": "(−1)^0 × 1.125 × 2^0 (normal)",
        "value": "1.125",
        "rounding error": "-0.025",
        "next below": "1",
        "next above": "1.25",
    }
    assert digits(explorer) == "00111001"


def test_integers_by_hand(explorer):
    numbers = put(explorer, format="int8", number="-77.4")
    assert numbers["formula"] == "1 × (−128) + 51" and numbers["value"] == "-77" and numbers["sign"] == "1"
    assert (numbers["pattern"], numbers["hex"]) == ("1 0110011", "0xB3") and digits(explorer) == "10110011"
    assert "exponent" not in numbers
    assert put(explorer, number="1000")["next above"] == "none" and explorer.numbers["value"] == "127"
    assert put(explorer, number="-1000")["next below"] == "none" and explorer.numbers["value"] == "-128"


def test_a_flipped_bit_changes_the_number(explorer):
    assert flip(explorer, 7)["value"] == "-1.125" and explorer.controls["number"].value == "-1.125"
    assert flip(explorer, 3)["value"] == "-0.5625"  # exponent 6
    assert flip(explorer, 0)["value"] == "-0.5"
    assert explorer.numbers["rounding error"] == "0" and digits(explorer) == "10110000"


@pytest.mark.parametrize("format", FORMATS)
def test_every_bit_can_be_flipped_and_back(format):
    explorer = FormatExplorer(format, 3)
    before = digits(explorer)
    for bit in range(FORMATS[format].num_bits):
        pattern = int(before, 2) ^ 1 << bit
        value = float(formats.value_of(pattern, format))
        assert np.array_equal(float(flip(explorer, bit)["value"]), value, equal_nan=True)
        assert int(digits(explorer), 2) == pattern and explorer.error.value == ""
        flip(explorer, bit)
        assert digits(explorer) == before


def test_what_is_not_finite(explorer):
    numbers = put(explorer, number="500")
    assert (numbers["value"], numbers["formula"]) == ("nan", "none: kept for NaN")
    assert numbers["rounding error"] == "not finite"
    assert put(explorer, format="float8 E5M2")["value"] == "512"  # from what was typed
    numbers = put(explorer, number="inf")
    assert (numbers["value"], numbers["formula"]) == ("inf", "none: kept for infinity")
    assert numbers["next below"] == "57344" and put(explorer, number="57344")["next above"] == "inf"
    flip(explorer, 0)  # the largest mantissa, 3, becomes 2
    assert explorer.numbers["value"] == "49152"


def test_a_nan_is_left_behind_when_the_format_changes(explorer):
    put(explorer, format="float16", number="inf")
    assert flip(explorer, 0)["value"] == "nan"
    assert put(explorer, format="int4")["value"] == "1" and digits(explorer) == "0001"


def test_subnormals_are_said_to_be(explorer):
    numbers = put(explorer, number="0.002")
    assert numbers["formula"] == "(−1)^0 × 0.125 × 2^-6 (subnormal, without the leading 1)"
    assert numbers["next below"] == "0.0" and put(explorer, number="0")["value"] == "0.0"


def test_the_buttons_stay_while_the_format_stays(explorer):
    before = explorer.bits.children
    flip(explorer, 2)
    put(explorer, number="7")
    assert explorer.bits.children is before  # a new button would lose the focus
    put(explorer, format="float32")
    assert len(digits(explorer)) == 32 == MOST_BITS


def test_each_button_has_a_name_and_each_field_a_title(explorer):
    assert [toggle.tooltip for toggle in explorer.toggles[:5]] == [
        "bit 7, sign: 0",
        "bit 6, exponent: 0",
        "bit 5, exponent: 1",
        "bit 4, exponent: 1",
        "bit 3, exponent: 1",
    ]
    titles = [group.children[0].value for group in explorer.bits.children]
    assert titles == ["<b>S</b> sign", "<b>E</b> exponent", "<b>M</b> mantissa"]
    assert len({group.layout.border_top for group in explorer.bits.children}) == 3  # without colour, too
    assert "aria-pressed" in explorer.picture.value


@pytest.mark.parametrize("typed", ["abc", "", "nan", "1,5"])
def test_what_is_no_number_is_said_and_the_rest_goes_on(explorer, typed):
    explorer.controls["number"].value = typed
    assert "This setting failed" in explorer.error.value and explorer.text.value == ""
    assert repr(explorer).endswith("failed")
    assert put(explorer, number="2")["value"] == "2"


def test_one_picture_for_each_change(explorer):
    drawn = []
    explorer.picture.observe(lambda change: drawn.append(change["new"]), "value")
    flip(explorer, 0)
    assert len(set(drawn)) <= 2 and explorer.picture.value == drawn[-1]
    pictures = {explorer.png}
    for bit in range(7):
        flip(explorer, bit)
        pictures.add(explorer.png)
    assert len(pictures) == 8


def test_without_a_kernel_there_is_a_picture_with_its_numbers(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and data["text/plain"].startswith(
        "FormatExplorer: format float8 E4M3"
    )
    assert re.search(r'alt="Anatomy of a number format[^"]*value 1.125', data["text/html"])
    assert "pattern 0 0111 001" in metadata["image/png"]["alt"]


def test_it_starts_where_one_wants_and_refuses_the_rest():
    assert FormatExplorer("float16", -2).numbers["pattern"] == "1 10000 0000000000"
    with pytest.raises(ValueError, match="format: expected one of"):
        FormatExplorer("float64")
    with pytest.raises(ValueError, match="expected no NaN"):
        FormatExplorer(number=np.nan)
