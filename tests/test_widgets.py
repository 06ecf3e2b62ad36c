"""qlib.widgets without a browser: set a control's value in Python, look at what the panel would show."""

import base64
import functools
import hashlib
import html
import itertools
import re
import warnings
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.patches import Patch
from matplotlib.text import Text
from test_plots import HEADER, decoded, only_tag, pixels, positions

from qlib import CALIBRATORS, QParams, choose_qparams, fake_quantize, plots, qrange, quantize, widgets
from qlib import explorer as base
from qlib.error import ErrorProfile, max_abs_error, mse, split_mse, sqnr_db
from qlib.widgets import BitWidthExplorer, StepExplorer, ThresholdExplorer, TrainingBar

RNG = np.random.default_rng(0)
# Symmetric 3-bit codes -4 … 3 with step 1: -3 and 3 are exact, -1.5 -> -2, 0.25 -> 0.
HAND = [-3, -1.5, 0.25, 3]
TENSORS = {
    "normal": RNG.normal(size=(40, 6)).astype(np.float32),
    "relu": np.maximum(RNG.normal(size=(40, 6)), 0).astype(np.float32),
    # Seed 2: with these values matplotlib's layout has not converged, and shows where it started from.
    "uniform": np.random.default_rng(2).uniform(-1, 1, 300).astype(np.float32),
    "constant": np.full(20, 2.5, np.float32),
    "hand": np.float32(HAND),
    # No error at all from 3 bits on, in some bit widths: 0 has no logarithm.
    "integers": np.float32([-3, 1, 2, 3]),
    "one value": np.array(-2, np.float32),
    "tiny": np.float32([1e-30, 3e-31]),
    "tiny and huge": np.float32([1e-30, -1e-3, 1, 1e30]),
    # With few bits the best threshold leaves out all but the body, far below the least one that the slider has.
    "outlier": np.append(RNG.normal(size=3000), [400, 400]).astype(np.float32),
}
ORIGINAL = {name: x.copy() for name, x in TENSORS.items()}
for x in TENSORS.values():
    x.flags.writeable = False  # so that an explorer that writes to a tensor fails every test here
EXPLORERS = (BitWidthExplorer, StepExplorer, ThresholdExplorer)
SLIDERS = {BitWidthExplorer: "num_bits", StepExplorer: "relative", ThresholdExplorer: "fraction"}
START = {
    BitWidthExplorer: {"scheme": "symmetric", "granularity": "per-tensor", "num_bits": 4},
    StepExplorer: {"num_bits": 4, "relative": 1.0},
    ThresholdExplorer: {"num_bits": 4, "fraction": 1.0},
}
ENDS = {
    (BitWidthExplorer, "num_bits"): (2, 16),
    (StepExplorer, "num_bits"): (2, 8),
    (StepExplorer, "relative"): (2.0**-6, 2.0**2),
    (ThresholdExplorer, "num_bits"): (2, 8),
    (ThresholdExplorer, "fraction"): (0.02, 1.0),
}
every_explorer = pytest.mark.parametrize("make", EXPLORERS)


@functools.cache
def made(make, tensor):
    """An explorer that tests share, because making one takes longer than most of them, and what it showed at first."""
    explorer = make(TENSORS, tensor=tensor)
    return explorer, shown(explorer), positions(explorer.figure)


def start(make, tensor="normal", **settings):
    """The shared explorer, put back to its first settings, or to others."""
    explorer, _, _ = made(make, tensor)
    return put(explorer, **(START[make] | {"tensor": tensor})) if not settings else put(start(make, tensor), **settings)


@pytest.fixture(
    scope="module", params=itertools.product(EXPLORERS, TENSORS), ids=lambda it: f"{it[0].__name__}-{it[1]}"
)
def stop(request):
    """Each explorer with each tensor. pytest runs all tests of one of them together."""
    return request.param


@pytest.fixture
def explorer(stop):
    return start(*stop)


def put(explorer, **settings):
    """Set controls, and see that the panel is content."""
    for name, value in settings.items():
        explorer.controls[name].value = value
        assert explorer.controls[name].value == value and explorer.error.value == ""
    assert spoken(explorer) == f"{explorer.spoken} {explorer.numbers[explorer.spoken]}"
    return explorer


def number(text):
    return float(re.match(r"[-+.\de]+|inf", text).group())


def alert(explorer):
    """The message in the panel, as a person reads it."""
    found = re.fullmatch(r'<p role="alert"><b>This setting failed\.</b> (.*)</p>', explorer.error.value)
    assert found and "<" not in found.group(1)
    return html.unescape(found.group(1))


def read(text):
    """HTML as its opening tags, `(name, attributes)`, and the words that a person reads."""
    tags, words = [], []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    parser.handle_data = words.append
    parser.feed(text)
    parser.close()
    return tags, "".join(words)


def spoken(explorer):
    """What a screen reader says when a slider has moved."""
    ((tag, attributes),), words = read(explorer.status.value)
    assert tag == "span" and set(attributes) == {"style"} and "clip-path: inset(50%)" in attributes["style"]
    return words


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def shown(explorer):
    """All that the panel shows; the picture as a hash, because nobody wants to read it in a failed assertion."""
    what = repr(explorer), explorer.alt, explorer.text.value, explorer.status.value
    return *what, digest(explorer.picture.value), explorer.error.value


def counted(function, calls):
    def count(*args, **kwargs):
        calls.append((args, kwargs))
        return function(*args, **kwargs)

    return count


# ------------------------------------------------------------------- construction


def test_every_tensor_can_be_explored(explorer, stop):
    assert explorer.controls["tensor"].value == stop[1] and explorer.error.value == ""
    assert list(explorer.controls["tensor"].options) == list(TENSORS)
    assert explorer.png.startswith(b"\x89PNG") and explorer.numbers
    children = [*explorer.controls.values(), explorer.error, explorer.picture, explorer.text, explorer.status]
    assert list(explorer.children) == children
    assert "nan" not in repr(explorer) and "inf " not in repr(explorer).replace("inf dB", "")


@every_explorer
def test_without_a_name_the_first_tensor_is_shown(make):
    assert make({"b": HAND, "a": [1.0]}).controls["tensor"].value == "b"


@every_explorer
def test_an_empty_dict_is_refused(make):
    with pytest.raises(ValueError, match=r"^tensors: expected a dict with at least one named array, got an empty one$"):
        make({})


@every_explorer
def test_an_unknown_tensor_is_refused(make):
    with pytest.raises(ValueError, match=r"^tensor: expected one of \['a', 'b'\], got 'c'$"):
        make({"a": HAND, "b": HAND}, tensor="c")


@every_explorer
@pytest.mark.parametrize(
    "bad, says",
    [
        ([1, np.nan, 3], "x: expected no NaN, got 1 of 3 values"),
        ([1, -np.inf], "x: expected finite values, got 1 infinite of 2"),
    ],
)
def test_a_bad_first_tensor_is_an_exception(make, bad, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        make({"bad": bad, "good": HAND})


@every_explorer
def test_tensors_are_not_written_to(make):
    explorer = start(make)
    assert list(explorer.tensors) == list(TENSORS) == list(ORIGINAL)
    for name, x in TENSORS.items():
        assert explorer.tensors[name].base is x.base and not explorer.tensors[name].flags.writeable
        np.testing.assert_array_equal(x, ORIGINAL[name])


# ------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "make, settings, expected",
    [
        # Errors 0, 0.5, 0.25, 0: mse 0.3125 / 4; SQNR 10 log10(20.3125 / 0.3125) = 10 log10(65).
        (
            BitWidthExplorer,
            {},
            {"codes": "-4 to 3", "step": "1", "mse": "0.07812", "max |error|": "0.5", "SQNR": "18.13 dB"},
        ),
        # Affine: 6 / 7 is the step, and rint(-4 + 3.5) = rint(-0.5) = 0 the zero point.
        # Codes rint(-3.5) = -4, rint(-1.75) = -2, 0, rint(3.5) = 4 -> 3: errors 3/7, 3/14, 1/4, 3/7.
        (
            BitWidthExplorer,
            {"scheme": "affine"},
            {"codes": "-4 to 3", "step": "0.8571", "mse": "0.1189", "max |error|": "0.4286", "SQNR": "16.30 dB"},
        ),
        # Step 1 clips nothing.
        (
            StepExplorer,
            {"relative": 1.0},
            {"step": "1", "rounding": "0.07812", "clipping": "0", "total mse": "0.07812", "Δ²/12": "0.08333"},
        ),
        # Step 0.5 reaches -2 … 1.5: -3 misses by 1 and 3 by 1.5, 0.25 -> 0.
        (
            StepExplorer,
            {"relative": 0.5},
            {"step": "0.5", "rounding": "0.01562", "clipping": "0.8125", "total mse": "0.8281", "Δ²/12": "0.02083"},
        ),
        # Step 2 reaches -8 … 6: -3 -> -4 (half to even), -1.5 -> -2, 0.25 -> 0, 3 -> 4.
        (
            StepExplorer,
            {"relative": 2.0},
            {"step": "2", "rounding": "0.5781", "clipping": "0", "total mse": "0.5781", "Δ²/12": "0.3333"},
        ),
        # T = 1.5 is step 0.5, so the same again: -3 and 3 of four values are clipped.
        (
            ThresholdExplorer,
            {"fraction": 0.5},
            {
                "codes": "-4 to 3",
                "T": "1.5",
                "clipped": "50.00% of the values",
                "rounding": "0.01562",
                "clipping": "0.8125",
                "total mse": "0.8281",
                "minmax T": "3 (mse 0.07812)",
            },
        ),
        (ThresholdExplorer, {"fraction": 1.0}, {"T": "3", "clipped": "0.00% of the values", "clipping": "0"}),
    ],
)
def test_numbers_by_hand(make, settings, expected):
    explorer = start(make, "hand", num_bits=3, **settings)
    assert {name: explorer.numbers[name] for name in expected} == expected
    for name, value in expected.items():
        assert f"{name} <b>{value}</b>" in explorer.text.value
        assert f"{name} {value}" in explorer.alt and f"{name} {value}" in repr(explorer)


@pytest.mark.parametrize("tensor", ["normal", "relu"])
@pytest.mark.parametrize("granularity", ["per-tensor", "per-channel"])
def test_bit_width_numbers(granularity, tensor):
    explorer = start(BitWidthExplorer, tensor, granularity=granularity)
    for scheme, num_bits in itertools.product(["symmetric", "affine"], [2, 4, 8, 16]):
        put(explorer, scheme=scheme, num_bits=num_bits)
        x = TENSORS[tensor].astype(np.float64)
        qmin, qmax = (-(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1) if tensor == "normal" else (0, 2**num_bits - 1)
        axes = 0 if granularity == "per-channel" else None  # the last axis is the one that is kept
        rmin, rmax = np.minimum(x.min(axes), 0), np.maximum(x.max(axes), 0)
        scale = np.maximum(-rmin, rmax) / qmax if scheme == "symmetric" else (rmax - rmin) / (qmax - qmin)
        zero_point = 0 if scheme == "symmetric" else np.rint(qmin - rmin / scale)
        error = x - scale * (np.clip(np.rint(x / scale) + zero_point, qmin, qmax) - zero_point)
        numbers = explorer.numbers
        assert numbers["codes"] == f"{qmin} to {qmax}"
        assert number(numbers["mse"]) == pytest.approx(np.mean(error**2), rel=2e-3)
        assert number(numbers["max |error|"]) == pytest.approx(np.abs(error).max(), rel=2e-3)
        assert number(numbers["SQNR"]) == pytest.approx(10 * np.log10(np.mean(x**2) / np.mean(error**2)), abs=0.02)
        steps = [number(step) for step in numbers["step"].split(" to ")]
        assert steps == pytest.approx([scale.min(), scale.max()] if axes == 0 else [scale], rel=1e-3)
        ring = explorer.here.get_xydata()
        np.testing.assert_allclose(ring, [[num_bits, np.mean(error**2)]], rtol=2e-3)  # it sits on the curve


def parts_by_hand(x, scale, qmin, qmax):
    error = (x - scale * np.clip(np.rint(x / scale), qmin, qmax)) ** 2
    outside = (x < qmin * scale) | (x > qmax * scale)
    return np.sum(error, where=~outside) / x.size, np.sum(error, where=outside) / x.size


@pytest.mark.parametrize("tensor, num_bits, relative", [("normal", 4, 0.25), ("relu", 2, 0.125), ("uniform", 8, 4.0)])
def test_step_numbers(tensor, num_bits, relative):
    explorer = start(StepExplorer, tensor, num_bits=num_bits, relative=relative)
    x = TENSORS[tensor].astype(np.float64)
    qmin, qmax = (0, 2**num_bits - 1) if tensor == "relu" else (-(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1)
    step = relative * np.abs(x).max() / qmax
    rounding, clipping = parts_by_hand(x, step, qmin, qmax)
    expected = [step, rounding, clipping, rounding + clipping, step**2 / 12]
    names = ("step", "rounding", "clipping", "total mse", "Δ²/12")
    assert [number(explorer.numbers[name]) for name in names] == pytest.approx(expected, rel=1e-3)
    assert explorer.numbers["codes"] == f"{qmin} to {qmax}"
    np.testing.assert_allclose(explorer.here.get_xydata(), [[step, rounding + clipping]], rtol=1e-4)


@pytest.mark.parametrize("tensor, num_bits, fraction", [("normal", 4, 0.5), ("relu", 2, 0.3), ("uniform", 8, 0.9)])
def test_threshold_numbers(tensor, num_bits, fraction):
    explorer = start(ThresholdExplorer, tensor, num_bits=num_bits, fraction=fraction)
    x = TENSORS[tensor].astype(np.float64)
    qmin, qmax = (0, 2**num_bits - 1) if tensor == "relu" else (-(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1)
    threshold = fraction * np.abs(x).max()
    lowest = qmin * threshold / qmax
    rounding, clipping = parts_by_hand(x, threshold / qmax, qmin, qmax)
    names = ("T", "clipped", "rounding", "clipping", "total mse")
    expected = [threshold, 100 * np.mean((x < lowest) | (x > threshold)), rounding, clipping, rounding + clipping]
    assert [number(explorer.numbers[name]) for name in names] == pytest.approx(expected, rel=1e-3, abs=1e-9)
    cuts = [cut.get_xdata()[0] for cut in explorer.cuts]
    assert cuts == pytest.approx([lowest, threshold], rel=1e-6)
    largest = float(np.abs(x).max())
    assert number(explorer.numbers["minmax T"]) == pytest.approx(largest, rel=1e-3)
    assert number(explorer.numbers["percentile T"]) == pytest.approx(np.percentile(np.abs(x), 99.9), rel=1e-3)
    errors = [sum(parts_by_hand(x, largest * k / 100 / qmax, qmin, qmax)) for k in range(1, 101)]
    assert number(explorer.numbers["mse T"]) == pytest.approx(largest * (1 + np.argmin(errors)) / 100, rel=1e-3)


# ------------------------------------------------------------------- the picture follows the settings


def test_both_ends_of_every_control_work(explorer, stop):
    make, tensor = stop
    for name, control in explorer.controls.items():
        if name != "tensor" and not (name == "granularity" and TENSORS[tensor].ndim < 2):
            for value in ENDS.get((make, name)) or control.options:
                put(explorer, **{name: value})
                assert explorer.numbers and "nan" not in repr(explorer)


@every_explorer
def test_the_ends_above_are_the_ends(make):
    for name, control in start(make).controls.items():
        if (make, name) in ENDS:
            base = getattr(control, "base", None)
            ends = (control.min, control.max)
            assert ENDS[make, name] == (tuple(base**end for end in ends) if base else ends)


@every_explorer
def test_the_settings_above_are_those_at_first(make):
    settings = "; ".join(
        f"{name} {value:g}" if value == 1.0 else f"{name} {value}" for name, value in START[make].items()
    )
    assert made(make, "normal")[1][0].startswith(f"tensor normal; {settings}; codes ")
    assert list(start(make).controls) == ["tensor", *START[make]]


@every_explorer
def test_moving_a_slider_changes_what_is_shown(make):
    explorer = start(make)
    for name in explorer.controls:
        if (make, name) in ENDS:
            lowest, highest = ENDS[make, name]
            put(explorer, **{name: lowest})
            before, png = shown(explorer), explorer.png
            put(explorer, **{name: highest})
            assert all(one != other for one, other in zip(before[:5], shown(explorer), strict=False))
            assert explorer.png != png


@every_explorer
def test_the_picture_carries_the_png_the_alt_text_and_the_script(make):
    explorer = put(make({'<b> & "w"': HAND}), num_bits=3)
    tag, attributes = only_tag(explorer.picture.value)
    assert tag == "img" and set(attributes) == {"alt", "width", "height", "style", "onload", "src"}
    kind, data = attributes["src"].split(",")
    assert kind == "data:image/png;base64" and base64.b64decode(data, validate=True) == explorer.png
    assert attributes["alt"] == explorer.alt
    assert explorer.alt.startswith(f'{make.title}. tensor <b> & "w"; ') and "codes -4 to 3" in explorer.alt
    assert attributes["onload"] == base.ACCESSIBLE
    assert explorer.picture.value.count('"') == 2 * len(attributes)  # no quote but those around them


@every_explorer
def test_the_picture_is_what_stands_in_the_canvas_and_says_its_size(make):
    explorer = start(make)
    for value in (*ENDS[make, SLIDERS[make]], START[make][SLIDERS[make]]):
        put(explorer, **{SLIDERS[make]: value})
        _, attributes = only_tag(explorer.picture.value)
        picture = decoded(base64.b64decode(attributes["src"].partition(",")[2]))
        np.testing.assert_array_equal(picture, pixels(explorer.figure))
        height, width, _ = picture.shape
        assert (attributes["width"], attributes["height"]) == (str(width), str(height))
        assert explorer.figure.canvas.get_width_height() == (width, height)


@every_explorer
def test_the_numbers_are_plain_text(make):
    explorer = start(make)
    tags, words = read(explorer.text.value)
    assert [tag for tag, _ in tags] == ["p"] + ["b"] * len(explorer.numbers)
    assert set(tags[0][1]) <= {"style"}  # all of them, read aloud at each move, would be too many
    assert words == "; ".join(f"{name} {value}" for name, value in explorer.numbers.items())
    assert repr(explorer).endswith(words)


@every_explorer
def test_one_number_is_spoken_at_each_move(make):
    explorer, slider = start(make), SLIDERS[make]
    region, heard = explorer.status, []
    region.observe(lambda change: heard.append(spoken(explorer)), "value")
    lowest, highest = ENDS[make, slider]
    places = range(2, 17) if slider == "num_bits" else np.linspace(lowest, highest, 15).round(2).tolist()
    said = []
    for value in places:
        if value != explorer.controls[slider].value:
            explorer.controls[slider].value = value
            number = explorer.numbers[make.spoken]
            assert f"{make.spoken} <b>{number}</b>" in explorer.text.value
            said.append(f"{make.spoken} {number}")
    region.unobserve_all()
    assert heard == said and len(said) >= 14 and len(set(said)) == len(said)  # each of them once, and no two are equal
    assert explorer.status is explorer.children[-1] is region
    # How the script in the page finds them.
    assert "qlib-spoken" in region._dom_classes and "qlib-explorer" in explorer._dom_classes
    assert ".qlib-spoken" in base.ACCESSIBLE and ".qlib-explorer" in base.ACCESSIBLE


def test_numbers_of_the_controls_are_rounded():
    explorer = start(StepExplorer, relative=2**0.125)
    assert "; relative 1.091; " in explorer.alt and repr(explorer).startswith(
        "tensor normal; num_bits 4; relative 1.091;"
    )
    assert "; relative 0.01562; " in put(explorer, relative=2.0**-6).alt
    explorer = start(ThresholdExplorer, fraction=0.1 + 0.2)
    assert "; fraction 0.3; " in explorer.alt


@every_explorer
def test_controls_say_their_name_when_pointed_at(make):
    for control in start(make).controls.values():
        assert control.tooltip == control.description


TOURS = {  # in brackets: of the BitWidthExplorer alone
    "num_bits": [("num_bits", 2), ("num_bits", 4)],
    "slider": [("slider", "lowest"), ("slider", "highest"), ("slider", "start")],
    "far and back": [("num_bits", 2), ("tensor", "relu"), ("num_bits", 4), ("tensor", "normal")],
    "painted at 2 bits": [("tensor", "relu"), ("num_bits", 2), ("tensor", "normal"), ("num_bits", 4)],
    "(scheme)": [("scheme", "affine"), ("scheme", "symmetric")],
    "(granularity)": [("granularity", "per-channel"), ("granularity", "per-tensor")],
}


@pytest.mark.parametrize(
    "make, tour",
    [(make, tour) for make in EXPLORERS for tour in TOURS if tour[0] != "(" or make is BitWidthExplorer],
)
def test_the_picture_does_not_depend_on_the_way_there(make, tour):
    explorer, slider = start(make), SLIDERS[make]
    ends = dict(zip(("lowest", "highest"), ENDS[make, slider], strict=True)) | {"start": START[make][slider]}
    for name, value in TOURS[tour]:
        put(explorer, **({slider: ends[value]} if name == "slider" else {name: value}))
    assert shown(explorer) == made(make, "normal")[1]


@every_explorer
@pytest.mark.parametrize("there, back", [("normal", "constant"), ("uniform", "constant")])
def test_the_picture_does_not_depend_on_the_tensor_before(make, there, back):
    explorer, before, places = made(make, there)
    put(start(make, there), tensor=back)
    assert shown(explorer)[4] != before[4]
    put(explorer, tensor=there)
    np.testing.assert_allclose(positions(explorer.figure), places, rtol=1e-12)
    assert shown(explorer) == before


@every_explorer
def test_the_axes_do_not_depend_on_the_bit_width_at_which_they_were_drawn(make):
    explorer, before, _ = made(make, "outlier")
    put(explorer, tensor="normal"), put(explorer, num_bits=2), put(explorer, tensor="outlier")
    assert shown(start(make, "outlier")) == before


@every_explorer
def test_no_artists_are_left_behind(make, monkeypatch):
    explorer, slider = start(make), SLIDERS[make]
    lowest, highest = ENDS[make, slider]

    def artists():
        return [len(ax.get_children()) for ax in explorer.axes], len(explorer.axes[0].figure.get_children())

    before, moves = artists(), []
    monkeypatch.setattr(explorer, "move", counted(explorer.move, moves))
    for k in range(30):
        explorer.controls[slider].value = [lowest, highest][k % 2]
    assert len(moves) == 30 and artists() == before
    put(explorer, tensor="relu"), put(explorer, tensor="normal")
    assert len(moves) == 32 and artists() == before


# ------------------------------------------------------------------- the axes stay


def limits(explorer):
    return [(ax.get_xlim(), ax.get_ylim(), ax.get_xscale(), ax.get_yscale()) for ax in explorer.axes]


def inside(ax, x, y):
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return left <= np.min(x) <= np.max(x) <= right and bottom <= np.min(y) <= np.max(y) <= top


def total_curves(explorer, tensor):
    """Each curve of total errors that this explorer can show of the tensor."""
    if isinstance(explorer, BitWidthExplorer):
        return {scheme: (range(2, 17), errors) for scheme, errors in explorer.curves.items()}
    x = explorer.steps if isinstance(explorer, StepExplorer) else explorer.largest * explorer.fractions
    return {num_bits: (x, explorer.curve(tensor, num_bits).sum(axis=1)) for num_bits in range(2, 9)}


def test_the_axes_stay_where_they_are(explorer, stop):
    """Whatever moves. And the ring is to be seen: it is what says where the slider stands."""
    (make, tensor), right, before = stop, explorer.axes[1], limits(explorer)
    histogram = plots.plot_histogram(TENSORS[tensor])
    assert (before[0][0], before[0][1]) == (histogram.get_xlim(), histogram.get_ylim())  # levels and cuts make no room
    hidden = []
    for num_bits in (2, 3, 5, 8, 13, 16)[: 6 if make is BitWidthExplorer else 4]:
        for settings in {
            BitWidthExplorer: [{"scheme": "affine"}, {"scheme": "symmetric"}],
            StepExplorer: [{"relative": 2.0**k} for k in (-6, -1.5, 0, 2)],
            ThresholdExplorer: [{"fraction": k} for k in (0.02, 0.34, 1.0)],
        }[make]:
            put(explorer, num_bits=num_bits, **settings)
            assert limits(explorer) == before
            ((x, y),) = explorer.here.get_xydata()
            text, bottom = explorer.numbers[make.spoken], right.get_ylim()[0]
            assert agrees(text, y) or number(text) < y == bottom  # 0 has no place on a logarithmic axis: at its edge
            if not inside(right, x, y):
                hidden.append((num_bits, settings, float(y)))
    assert not hidden


def test_every_curve_fits_the_axes(explorer, stop):
    make, tensor = stop
    right, curves = explorer.axes[1], total_curves(explorer, tensor)
    assert len(curves) == {BitWidthExplorer: 2}.get(make, 7)
    for x, errors in curves.values():
        # What float32 makes of a step is no error to look at; at the step of an exact quantizer it is all there is.
        seen = np.asarray(errors) > 1e-12 * np.mean(np.square(TENSORS[tensor], dtype=np.float64))
        assert not seen.any() or inside(right, np.asarray(x)[seen], np.asarray(errors)[seen])


def test_what_is_drawn_are_the_curves(explorer, stop):
    make, tensor = stop
    for num_bits in range(2, 9) if make is not BitWidthExplorer else ():
        put(explorer, num_bits=num_bits)
        x, errors = total_curves(explorer, tensor)[num_bits]
        np.testing.assert_array_equal(explorer.lines["total"].get_xydata(), np.c_[x, errors])
        for k, name in enumerate(("rounding", "clipping")):
            part = explorer.curve(tensor, num_bits)[:, k]
            np.testing.assert_array_equal(explorer.lines[name].get_xydata(), np.c_[x, part])
    if make is ThresholdExplorer:
        points = {name: line.get_xydata().tolist() for name, line in explorer.marks.items()}
        assert points == {name: [list(point)] for name, point in plots.calibrated(TENSORS[tensor], 8).items()}
    if make is BitWidthExplorer:
        drawn = {line.get_label(): line for line in explorer.axes[1].lines}
        for scheme, (x, errors) in total_curves(explorer, tensor).items():
            np.testing.assert_array_equal(drawn[scheme].get_xydata(), np.c_[x, errors])


def levels(*qparams):
    return plots.mark_levels(QParams(*qparams), plots.figure()[0]).get_xydata()


@pytest.mark.parametrize("granularity", ["per-tensor", "per-channel"])
def test_the_levels_are_those_of_the_widest_channel(granularity):
    explorer, x = start(BitWidthExplorer, granularity=granularity), TENSORS["normal"]
    if granularity == "per-channel":
        widths = x.max(axis=0) - x.min(axis=0)
        x = x[:, [np.argmax(widths)]]
        assert len(set(widths)) == 6 and 0 < np.argmax(widths)
    for scheme, num_bits in itertools.product(["affine", "symmetric"], [3, 8, 12]):
        put(explorer, scheme=scheme, num_bits=num_bits)
        qparams = minmax(x, scheme, None, num_bits)
        expected = levels(qparams.scale, qparams.zero_point, qparams.qmin, qparams.qmax)
        np.testing.assert_array_equal(explorer.levels.get_xydata(), expected)


def test_the_levels_are_those_of_the_step():
    for tensor, num_bits, relative in (("normal", 3, 0.5), ("relu", 8, 2.0)):
        explorer = start(StepExplorer, tensor, num_bits=num_bits, relative=relative)
        step = np.float32(widest_step(TENSORS[tensor], num_bits) * relative)
        expected = levels(step, 0, *qrange(num_bits, signed=tensor == "normal"))
        np.testing.assert_array_equal(explorer.levels.get_xydata(), expected)


# ------------------------------------------------------------------- drawing over a backdrop


def drawn_as_a_whole(explorer, *, above):
    """The pixels of the figure, with what moves at its own place in the order of drawing, or above all that stays."""
    moves = [artist for ax in explorer.axes for artist in ax.get_children() if artist.get_animated()]
    order = [artist.get_zorder() for artist in moves]
    for artist, zorder in zip(moves, order, strict=True):
        artist.set(animated=False, zorder=zorder + 100 * above)
    try:
        explorer.figure.canvas.draw()
        return pixels(explorer.figure)
    finally:
        for artist, zorder in zip(moves, order, strict=True):
            artist.set(animated=True, zorder=zorder)


def corners(make):
    """All controls but tensor and granularity at one end, at the other, and as at first."""
    for end in (0, -1):
        yield {name: ENDS[make, name][end] for name in START[make] if (make, name) in ENDS}
    yield START[make] | ({"scheme": "affine"} if make is BitWidthExplorer else {"num_bits": 6})


def test_the_picture_is_that_of_drawing_all_of_it(explorer, stop):
    make, tensor = stop
    for settings in corners(make) if tensor in ("normal", "relu") else [{}]:
        put(explorer, **settings)
        np.testing.assert_array_equal(decoded(explorer.png), drawn_as_a_whole(explorer, above=True))


@every_explorer
def test_only_spines_and_the_approximation_lie_below_what_moves(make):
    """Drawn as a whole, these two would lie above curves and levels: nothing else would look different."""
    explorer = make(TENSORS)
    for ax in explorer.axes:
        for artist in [*ax.spines.values(), *ax.lines]:
            if artist in ax.spines.values() or artist.get_label() == "Δ²/12":
                artist.set_visible(False)
    explorer._backdrop = plots.backdrop(explorer.figure)
    for settings in corners(make):
        put(explorer, **settings)
        np.testing.assert_array_equal(decoded(explorer.png), drawn_as_a_whole(explorer, above=False))
        explorer.draw()


# ------------------------------------------------------------------- numbers as those of the plain functions


def agrees(text, value, form=".4g"):
    """Whether `text` is `value`, or one that differs from it by 1e-5 of it."""
    return text in {format(value * (1 + difference), form) for difference in (-1e-5, 0, 1e-5)}


def widest_step(x, num_bits):
    return float(np.abs(x).max()) / qrange(num_bits, signed=bool(x.min() < 0))[1]


def minmax(x, scheme, axis, num_bits):
    options = dict(symmetric=scheme == "symmetric", axis=axis)
    ends = CALIBRATORS["minmax"](x, **options)
    return choose_qparams(*ends, num_bits=num_bits, signed=bool(x.min() < 0), **options)


def exact(x, qparams):
    """x_hat in float64: fake_quantize rounds it to float32, which matters where a step is small beside x."""
    shape = [-1 if axis == qparams.axis else 1 for axis in range(x.ndim)]
    scale, zero_point = (np.reshape(part, shape) for part in (np.float64(qparams.scale), qparams.zero_point))
    return scale * (quantize(x, qparams).astype(np.float64) - zero_point)


def split(x, qparams):
    """As split_mse, in float64."""
    error, ends = np.square(x - exact(x, qparams)), qparams.scale * np.float32([qparams.qmin, qparams.qmax])
    clipped = (x < ends[0]) | (x > ends[1])
    return np.sum(error, where=~clipped) / x.size, np.sum(error, where=clipped) / x.size


def test_numbers_of_a_step(explorer, stop):
    make, tensor = stop
    x = TENSORS[tensor].astype(np.float64)
    for num_bits, place in itertools.product((2, 5, 8), (0.02, 0.3, 1.0)):
        qmin, qmax = qrange(num_bits, signed=bool(x.min() < 0))
        settings = {"num_bits": num_bits} if make is BitWidthExplorer else {"num_bits": num_bits, SLIDERS[make]: place}
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it would stand below the panel
            numbers = put(explorer, **settings).numbers
        assert numbers["codes"] == f"{qmin} to {qmax}"
        qparams = QParams(np.float32(widest_step(x, num_bits)), 0, qmin, qmax)
        if make is BitWidthExplorer:
            x_hat = exact(x, qparams)
            assert agrees(numbers["mse"], mse(x, x_hat)) and agrees(numbers["max |error|"], max_abs_error(x, x_hat))
            assert agrees(numbers["SQNR"].removesuffix(" dB"), sqnr_db(x, x_hat), ".2f")
            assert agrees(numbers["step"], float(qparams.scale))
            continue
        qparams = QParams(np.float32(widest_step(x, num_bits) * place), 0, qmin, qmax)
        rounding, clipping = split(x, qparams)
        assert agrees(numbers["rounding"], rounding) and agrees(numbers["clipping"], clipping)
        assert agrees(numbers["total mse"], rounding + clipping)
        step = float(qparams.scale)
        if make is StepExplorer:
            assert agrees(numbers["step"], step) and agrees(numbers["Δ²/12"], step**2 / 12)
        else:
            threshold = place * float(np.abs(x).max())
            assert agrees(numbers["T"], threshold)
            assert numbers["clipped"] == f"{np.mean((x < qmin * step) | (x > threshold)):.2%} of the values"


LAYER = np.random.default_rng(1)
REAL = {  # as many values as a layer has
    "weights": (LAYER.normal(size=(2000, 100)) * LAYER.uniform(0.01, 0.2, 100)).astype(np.float32),
    "activations": np.maximum(LAYER.laplace(size=(2000, 100)) - 0.5, 0).astype(np.float32),
    "heavy tails": (LAYER.normal(size=(2000, 100)) * np.exp(3 * LAYER.normal(size=(2000, 100)))).astype(np.float32),
}


@pytest.mark.parametrize("tensor", REAL)
def test_bit_width_numbers_of_a_real_tensor(tensor):
    explorer, x, schemes = BitWidthExplorer(REAL, tensor=tensor), REAL[tensor], ("symmetric", "affine")
    for granularity, axis in (("per-tensor", None), ("per-channel", 1)):
        put(explorer, granularity=granularity)
        for scheme, num_bits in itertools.product(schemes, [2, 3, 6, 8, 12, 16]):
            qparams = minmax(x, scheme, axis, num_bits)
            # Where a step is small beside x, rounding x_hat to float32 is an error as well.
            x_hat = fake_quantize(x, qparams) if num_bits <= 8 else exact(x, qparams)
            numbers = put(explorer, scheme=scheme, num_bits=num_bits).numbers
            assert explorer.curves[scheme][num_bits - 2] == pytest.approx(mse(x, x_hat), rel=1e-5)
            assert explorer.here.get_ydata() == pytest.approx([mse(x, x_hat)], rel=1e-5)
            assert agrees(numbers["mse"], mse(x, x_hat))
            assert number(numbers["SQNR"]) == pytest.approx(sqnr_db(x, x_hat), abs=0.005 + 1e-4)
            if num_bits <= 8:
                assert agrees(numbers["max |error|"], max_abs_error(x, x_hat))
            else:  # `quantize` rounds x / scale to float32 first: next to a threshold it chooses the wrong code
                rel = 5e-4 + 2.0 ** (num_bits - 24)
                assert number(numbers["max |error|"]) == pytest.approx(max_abs_error(x, x_hat), rel=rel)


@pytest.mark.parametrize(
    "make, tensor", [(StepExplorer, tensor) for tensor in REAL] + [(ThresholdExplorer, "activations")]
)
def test_split_of_a_real_tensor(make, tensor):
    explorer, x = make(REAL, tensor=tensor), REAL[tensor]
    for num_bits in (2, 4, 8):
        qmin, qmax = qrange(num_bits, signed=bool(x.min() < 0))
        steps = explorer.steps if make is StepExplorer else explorer.largest * explorer.fractions / qmax
        curve = explorer.curve(tensor, num_bits)
        assert curve.shape == (len(steps), 2)
        for k in range(0, len(steps), 9):
            expected = split_mse(x, QParams(np.float32(steps[k]), 0, qmin, qmax))
            np.testing.assert_allclose(curve[k], expected, rtol=1e-5, atol=1e-7 * sum(expected))
    for num_bits, place in itertools.product((2, 8) if make is StepExplorer else (4,), (0.06, 0.5, 1.0)):
        numbers = put(explorer, num_bits=num_bits, **{SLIDERS[make]: place}).numbers
        qparams = QParams(np.float32(widest_step(x, num_bits) * place), 0, *qrange(num_bits, signed=bool(x.min() < 0)))
        rounding, clipping = split_mse(x, qparams)
        assert agrees(numbers["rounding"], rounding) and agrees(numbers["clipping"], clipping)
        assert agrees(numbers["total mse"], rounding + clipping)
        assert explorer.here.get_ydata() == pytest.approx([mse(x, fake_quantize(x, qparams))], rel=1e-5)


# ------------------------------------------------------------------- what is done only once


@every_explorer
def test_the_background_is_drawn_only_for_controls_in_repaint(make, monkeypatch):
    calls = []
    monkeypatch.setattr(make, "background", counted(make.background, calls))
    explorer = make(TENSORS)
    assert len(calls) == 1 and set(make.repaint) <= set(explorer.controls)
    changes = {"tensor": "relu", "num_bits": 6, "scheme": "affine", "granularity": "per-channel"}
    for name in explorer.controls:
        calls.clear()
        put(explorer, **{name: changes.get(name, 0.5)})
        assert len(calls) == (name in make.repaint), name


@every_explorer
def test_curves_are_computed_once(make, monkeypatch):
    monkeypatch.setattr(plots, "backdrop", lambda fig: None)  # nothing is drawn here: this saves time
    monkeypatch.setattr(plots, "redraw", lambda fig, behind: None)
    monkeypatch.setattr(plots, "png", lambda fig: HEADER)
    calls = {name: [] for name in ("bits_curve", "step_curve", "calibrated", "max_abs_error", "profiles")}
    for name in ("bits_curve", "step_curve", "calibrated"):
        monkeypatch.setattr(plots, name, counted(getattr(plots, name), calls[name]))
    monkeypatch.setattr(base, "ErrorProfile", counted(ErrorProfile, calls["profiles"]))
    monkeypatch.setattr(ErrorProfile, "max_abs_error", counted(ErrorProfile.max_abs_error, calls["max_abs_error"]))

    def done(**expected):
        assert {name: len(made) for name, made in calls.items() if made} == expected

    two = {name: TENSORS[name] for name in ("normal", "relu")}
    explorer = make(two)
    profiles = {"normal": explorer.profile("normal")}
    if make is BitWidthExplorer:
        done(profiles=1, bits_curve=1, max_abs_error=1)
        for tensor in ("normal", "relu", "normal", "relu"):
            put(explorer, tensor=tensor)
            profiles[tensor] = explorer.profile(tensor)
            put(explorer, granularity="per-channel"), put(explorer, granularity="per-tensor")
        done(profiles=2, bits_curve=4, max_abs_error=4)
        put(explorer, scheme="affine"), put(explorer, num_bits=5), put(explorer, scheme="symmetric")
        put(explorer, num_bits=4)
        done(profiles=2, bits_curve=4, max_abs_error=7)
        axes = [options["axis"] for _, options in calls["bits_curve"]]
        assert axes == [None, 1, None, 1]
    else:  # all bit widths when a tensor is first shown; the calibrators when a bit width is
        points = {"calibrated": 1} if make is ThresholdExplorer else {}
        done(profiles=1, step_curve=7, **points)
        assert [args[2:] for args, _ in calls["step_curve"]] == [qrange(num_bits) for num_bits in range(2, 9)]
        put(explorer, num_bits=5), put(explorer, num_bits=4), put(explorer, num_bits=5)
        done(profiles=1, step_curve=7, **{name: 2 for name in points})
        for tensor in ("relu", "normal", "relu"):
            put(explorer, tensor=tensor), put(explorer, num_bits=4), put(explorer, num_bits=5)
            profiles[tensor] = explorer.profile(tensor)
        done(profiles=2, step_curve=14, **{name: 4 for name in points})
        asked = [(id(args[0]), args[1]) for args, _ in calls["calibrated"]]
        if points:
            assert sorted(asked) == sorted((id(x), num_bits) for x in explorer.tensors.values() for num_bits in (4, 5))
    curves = calls["bits_curve"] + calls["step_curve"]
    half = len(curves) // 2
    assert [args[0] for args, _ in curves] == [profiles["normal"]] * half + [profiles["relu"]] * half
    before = {name: len(made) for name, made in calls.items()}
    lowest, highest = ENDS[make, SLIDERS[make]]
    if make is not BitWidthExplorer:  # whose slider is the bit width: above
        put(explorer, **{SLIDERS[make]: lowest}), put(explorer, **{SLIDERS[make]: highest})
    assert {name: len(made) for name, made in calls.items()} == before


@every_explorer
def test_a_move_draws_only_what_moves(make, monkeypatch):
    explorer, whole, parts, drawn, encoded = start(make), [], [], [], []
    for owner, name in (
        (Figure, "draw"),
        (Figure, "draw_without_rendering"),
        (FigureCanvasAgg, "draw"),
        (ConstrainedLayoutEngine, "execute"),
        (Axes, "draw"),
        (plots, "backdrop"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name), whole))
    for owner in (Axis, Legend, Patch, Text):
        monkeypatch.setattr(owner, "draw", counted(owner.draw, parts))
    monkeypatch.setattr(Axes, "draw_artist", counted(Axes.draw_artist, drawn))
    monkeypatch.setattr(plots, "png", counted(plots.png, encoded))
    moves = [artist for ax in explorer.axes for artist in ax.get_children() if artist.get_animated()]
    words = {BitWidthExplorer: 2, StepExplorer: 5, ThresholdExplorer: 10}  # rings, levels, cuts, curves, calibrators
    assert len(moves) == words[make]
    sent = []
    for widget in (explorer.picture, explorer.text, explorer.status, explorer.error):
        widget.observe(sent.append, "value")
    for name in explorer.controls:
        if name not in make.repaint:
            values = ENDS.get((make, name)) or list(reversed(explorer.controls[name].options))
            for value in values:
                before = explorer.controls[name].value
                drawn.clear(), encoded.clear(), sent.clear()
                explorer.controls[name].value = value
                if before == value:
                    assert not drawn + encoded + sent
                    continue
                assert whole == parts == []
                artists = [args[1] for args, _ in drawn]
                assert sorted(map(id, artists)) == sorted(map(id, moves))
                assert all(args[0] is args[1].axes for args, _ in drawn)
                assert [artist.get_zorder() for artist in artists] == sorted(artist.get_zorder() for artist in moves)
                assert len(encoded) == 1
                # One message for each of picture, numbers and status, none for the error that there isn't.
                assert sorted(map(id, (change["owner"] for change in sent))) == sorted(
                    map(id, (explorer.picture, explorer.text, explorer.status))
                )
    for widget in (explorer.picture, explorer.text, explorer.status, explorer.error):
        widget.unobserve_all()
    put(explorer, tensor="relu")
    assert whole and parts  # these are the functions that a whole picture takes


def test_once_remembers_what_is_false():
    explorer, calls = BitWidthExplorer({"hand": HAND}), []
    for _ in range(2):
        assert explorer.once(("key",), lambda: calls.append(1)) is None
    assert calls == [1]


# ------------------------------------------------------------------- errors


def boom(*_, **__):
    raise ValueError("<i>x</i> & \"y\" 'z'")


@every_explorer
def test_an_error_while_moving_is_shown(make):
    explorer, slider = make(TENSORS), SLIDERS[make]
    lowest, highest = ENDS[make, slider]
    picture, png = explorer.picture.value, explorer.png
    explorer.move = boom
    explorer.controls[slider].value = lowest
    assert alert(explorer) == "ValueError: <i>x</i> & \"y\" 'z'"
    assert "&lt;i&gt;x&lt;/i&gt; &amp; " in explorer.error.value
    assert (explorer.picture.value, explorer.png, explorer.text.value, explorer.status.value) == (picture, png, "", "")
    assert repr(explorer) == f"{make.title}: failed"
    del explorer.move
    put(explorer, **{slider: highest})
    assert shown(explorer) == shown(start(make, **{slider: highest}))


@every_explorer
def test_an_error_halfway_through_the_background_is_mended(make, monkeypatch):
    """The axes were cleared already: the tensor that was shown before has to be drawn anew."""
    explorer = start(make)
    before = shown(explorer)
    with monkeypatch.context() as patch:
        patch.setattr(plots, "plot_histogram", boom)
        explorer.controls["tensor"].value = "relu"
        assert "ValueError" in alert(explorer) and digest(explorer.picture.value) == before[4]
    put(explorer, tensor="normal")
    assert shown(explorer) == before


@every_explorer
def test_a_tensor_with_nan_is_an_error_in_the_panel(make):
    explorer = make({**TENSORS, "broken": np.full(9, np.nan), "infinite": [np.inf, 1]})
    before = shown(explorer)
    explorer.controls["tensor"].value = "broken"
    assert alert(explorer) == "ValueError: x: expected no NaN, got 9 of 9 values"
    explorer.controls["tensor"].value = "infinite"
    assert alert(explorer) == "ValueError: x: expected finite values, got 1 infinite of 2"
    assert digest(explorer.picture.value) == before[4] and explorer.text.value == explorer.status.value == ""
    put(explorer, tensor="normal")
    assert shown(explorer) == before


def test_per_channel_needs_channels():
    explorer = start(BitWidthExplorer, granularity="per-channel")
    explorer.controls["tensor"].value = "uniform"
    says = "ValueError: granularity: per-channel expects a tensor with channels, got shape (300,)"
    assert alert(explorer) == says
    explorer.controls["num_bits"].value = 6  # still wrong
    assert alert(explorer) == says
    put(explorer, granularity="per-tensor")
    assert "codes -32 to 31" in repr(explorer)


@every_explorer
def test_a_tensor_of_zeros(make):
    explorer = make({**TENSORS, "zeros": np.zeros((3, 2))})
    before = shown(explorer)
    explorer.controls["tensor"].value = "zeros"
    if make is BitWidthExplorer:  # a range of zeros has scale 1
        assert explorer.numbers["step"] == "1" and explorer.numbers["mse"] == "0"
        assert explorer.numbers["SQNR"] == "inf dB" and explorer.error.value == ""
        put(explorer, scheme="affine", granularity="per-channel", num_bits=16)
        put(explorer, scheme="symmetric", granularity="per-tensor", num_bits=4)
    else:  # nothing to take a fraction of
        assert alert(explorer) == "ValueError: tensor: expected a value other than 0, got 6 zeros"
        assert digest(explorer.picture.value) == before[4] and explorer.text.value == explorer.status.value == ""
        with pytest.raises(ValueError, match=r"^tensor: expected a value other than 0, got 6 zeros$"):
            make({"zeros": np.zeros((3, 2))})
    put(explorer, tensor="normal")
    assert shown(explorer) == before


# ------------------------------------------------------------------- outside a kernel


@every_explorer
def test_the_mime_bundle_is_a_picture_and_its_numbers(make):
    explorer = start(make, num_bits=3)
    data, metadata = explorer._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert data["image/png"] == explorer.png
    assert metadata["image/png"]["alt"] == explorer.alt
    still = only_tag(data["text/html"])[1]  # no script: there is no panel that it could mend
    assert still == {name: value for name, value in only_tag(explorer.picture.value)[1].items() if name != "onload"}
    assert data["text/plain"] == f"{make.__name__}: {explorer}"
    assert all(len(digits) <= 5 for digits in re.findall(r"\.(\d+)", data["text/plain"]))


@every_explorer
def test_the_text_has_no_object_ids(make):
    one, other = start(make), make(TENSORS)
    assert one.model_id != other.model_id
    assert repr(one) == str(one) == repr(other)
    text = one._repr_mimebundle_()[0]["text/plain"]
    assert text == other._repr_mimebundle_()[0]["text/plain"]
    assert one.model_id not in text and " at 0x" not in text and "tensor normal; " in text


@every_explorer
def test_a_failed_explorer_does_not_pass_old_numbers_on(make):
    explorer = start(make)
    explorer.move = boom
    explorer.controls["num_bits"].value = 3
    data, _ = explorer._repr_mimebundle_()
    del explorer.move
    put(explorer, num_bits=4)
    assert data["text/plain"] == f"{make.__name__}: {make.title}: failed"


def test_every_control_has_a_label():
    for make in EXPLORERS:
        labels = [control.description for control in start(make).controls.values()]
        assert all(labels) and len(set(labels)) == len(labels)


# ------------------------------------------------------------------- the training bar


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(widgets.time, "monotonic", lambda: clock.now)
    return clock


def test_the_bar_is_drawn_at_most_ten_times_a_second(clock):
    bar, drawn = TrainingBar(1000), []
    bar.bar.observe(lambda change: drawn.append(change["new"]), "value")
    for batch in range(100):  # 100 batches in one second
        clock.now += 0.01
        bar.step(batch, {"loss": 1.0})
    assert 8 <= len(drawn) <= 10 and drawn[0] == 1


def test_a_batch_too_soon_leaves_bar_and_label_alone(clock):
    bar = TrainingBar(10)
    bar.step(0, {"loss": 2.3456, "accuracy": 0.5})
    assert bar.bar.value == 1 and bar.label.value == "batch 1 of 10: loss 2.346, accuracy 0.500"
    clock.now += 0.05
    bar.step(1, {"loss": 1.0})
    assert bar.bar.value == 1 and bar.label.value == "batch 1 of 10: loss 2.346, accuracy 0.500"
    clock.now += 0.06
    bar.step(2, {"loss": 1.0})
    assert bar.bar.value == 3 and bar.label.value == "batch 3 of 10: loss 1.000"


def test_the_last_batch_is_always_drawn(clock):
    bar = TrainingBar(3)
    for batch in range(3):  # all at the same moment
        bar.step(batch, {"loss": 1 / (batch + 1)})
    assert bar.bar.value == bar.bar.max == 3 and bar.label.value == "batch 3 of 3: loss 0.333"


def test_the_next_epoch_begins_at_the_left(clock):
    bar = TrainingBar(3)
    bar.step(2, {"loss": 1.0})
    clock.now += 1
    bar.step(0, {"loss": 0.5})
    assert bar.bar.value == 1 and bar.label.value == "batch 1 of 3: loss 0.500"


def test_the_bar_in_words():
    bar = TrainingBar(1875)
    assert repr(bar) == "a progress bar of 1875 batches"
    assert list(bar.children) == [bar.bar, bar.label] and bar.bar.value == 0 and bar.label.value == ""


@every_explorer
def test_the_axes_fill_the_figure(make):
    """What moves has no place yet when the layout is made, and must not take part in it."""
    for ax in start(make).axes:
        assert ax.get_position().width > 0.3 and ax.get_position().height > 0.6
