"""qlib.widgets without a browser: set a control's value in Python, look at what the panel would show."""

import base64
import hashlib
import html
import itertools
import re
from types import SimpleNamespace

import numpy as np
import pytest

from qlib import plots, widgets
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
}
EXPLORERS = (BitWidthExplorer, StepExplorer, ThresholdExplorer)
SLIDERS = {BitWidthExplorer: "num_bits", StepExplorer: "relative", ThresholdExplorer: "fraction"}  # no repaint
ENDS = {
    (BitWidthExplorer, "num_bits"): (2, 16),
    (StepExplorer, "num_bits"): (2, 8),
    (StepExplorer, "relative"): (2.0**-6, 2.0**2),
    (ThresholdExplorer, "num_bits"): (2, 8),
    (ThresholdExplorer, "fraction"): (0.02, 1.0),
}
every_explorer = pytest.mark.parametrize("make", EXPLORERS)


def put(explorer, **settings):
    """Set controls, and see that the panel is content."""
    for name, value in settings.items():
        explorer.controls[name].value = value
        assert explorer.controls[name].value == value and explorer.error.value == ""
    return explorer


def number(text):
    return float(re.match(r"[-+.\de]+|inf", text).group())


def alert(explorer):
    """The message in the panel, as a person reads it."""
    found = re.fullmatch(r'<p role="alert"><b>This setting failed\.</b> (.*)</p>', explorer.error.value)
    assert found and "<" not in found.group(1)
    return html.unescape(found.group(1))


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def shown(explorer):
    """All that the panel shows; the picture as a hash, because nobody wants to read it in a failed assertion."""
    return repr(explorer), explorer.alt, explorer.text.value, digest(explorer.picture.value), explorer.error.value


def counted(function, calls):
    def count(*args, **kwargs):
        calls.append((args, kwargs))
        return function(*args, **kwargs)

    return count


# ------------------------------------------------------------------- construction


@every_explorer
@pytest.mark.parametrize("tensor", TENSORS)
def test_every_tensor_can_be_explored(make, tensor):
    explorer = make(TENSORS, tensor=tensor)
    assert explorer.controls["tensor"].value == tensor and explorer.error.value == ""
    assert list(explorer.controls["tensor"].options) == list(TENSORS)
    assert explorer.png.startswith(b"\x89PNG") and explorer.numbers
    children = [*explorer.controls.values(), explorer.error, explorer.picture, explorer.text]
    assert list(explorer.children) == children


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
    tensors = {name: x.copy() for name, x in TENSORS.items()}
    for x in tensors.values():
        x.flags.writeable = False
    explorer = make(tensors)
    for name in tensors:
        put(explorer, tensor=name, num_bits=3)
    assert list(tensors) == list(TENSORS)
    for name, x in tensors.items():
        np.testing.assert_array_equal(x, TENSORS[name])


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
    explorer = put(make({"hand": HAND}), num_bits=3, **settings)
    assert {name: explorer.numbers[name] for name in expected} == expected
    for name, value in expected.items():
        assert f"{name} <b>{value}</b>" in explorer.text.value
        assert f"{name} {value}" in explorer.alt and f"{name} {value}" in repr(explorer)


@pytest.mark.parametrize("tensor", ["normal", "relu"])
@pytest.mark.parametrize("granularity", ["per-tensor", "per-channel"])
def test_bit_width_numbers(granularity, tensor):
    explorer = put(BitWidthExplorer(TENSORS, tensor=tensor), granularity=granularity)
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
    explorer = put(StepExplorer(TENSORS), tensor=tensor, num_bits=num_bits, relative=relative)
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
    explorer = put(ThresholdExplorer(TENSORS), tensor=tensor, num_bits=num_bits, fraction=fraction)
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


@every_explorer
@pytest.mark.parametrize("tensor", TENSORS)
def test_both_ends_of_every_control_work(make, tensor):
    explorer = make(TENSORS, tensor=tensor)
    for name, control in explorer.controls.items():
        if name != "tensor" and not (name == "granularity" and TENSORS[tensor].ndim < 2):
            for value in ENDS.get((make, name)) or control.options:
                put(explorer, **{name: value})
                assert explorer.numbers and "nan" not in repr(explorer)


@every_explorer
def test_the_ends_above_are_the_ends(make):
    for name, control in make({"hand": HAND}).controls.items():
        if (make, name) in ENDS:
            base = getattr(control, "base", None)
            ends = (control.min, control.max)
            assert ENDS[make, name] == (tuple(base**end for end in ends) if base else ends)


@every_explorer
def test_moving_a_slider_changes_what_is_shown(make):
    explorer = make(TENSORS)
    for name in explorer.controls:
        if (make, name) in ENDS:
            lowest, highest = ENDS[make, name]
            put(explorer, **{name: lowest})
            before, png = shown(explorer), explorer.png
            put(explorer, **{name: highest})
            assert all(one != other for one, other in zip(before[:4], shown(explorer), strict=False))
            assert explorer.png != png


@every_explorer
def test_the_picture_carries_the_png_and_the_alt_text(make):
    explorer = put(make({'<b> & "w"': HAND}), num_bits=3)
    found = re.fullmatch(r'<img alt="([^"<>]*)" src="data:image/png;base64,([^"]*)"[^<>]*>', explorer.picture.value)
    assert base64.b64decode(found.group(2)) == explorer.png
    assert html.unescape(found.group(1)) == explorer.alt
    assert explorer.alt.startswith(f'{make.title}. tensor <b> & "w"; ') and "codes -4 to 3" in explorer.alt
    assert explorer.text.value.startswith('<p aria-live="polite">')


TOURS = {  # in brackets: of the BitWidthExplorer alone
    "num_bits": [("num_bits", 2), ("num_bits", 4)],
    "slider": [("slider", "lowest"), ("slider", "highest"), ("slider", "start")],
    "far and back": [("num_bits", 2), ("tensor", "relu"), ("num_bits", 4), ("tensor", "normal")],
    "(scheme)": [("scheme", "affine"), ("scheme", "symmetric")],
    "(granularity)": [("granularity", "per-channel"), ("granularity", "per-tensor")],
}


@pytest.mark.parametrize(
    "make, tour",
    [(make, tour) for make in EXPLORERS for tour in TOURS if tour[0] != "(" or make is BitWidthExplorer],
)
def test_the_picture_does_not_depend_on_the_way_there(make, tour):
    explorer, slider = make(TENSORS, tensor="normal"), SLIDERS[make]
    before, start = shown(explorer), explorer.controls[slider].value
    ends = {"lowest": ENDS[make, slider][0], "highest": ENDS[make, slider][1], "start": start}
    for name, value in TOURS[tour]:
        put(explorer, **({slider: ends[value]} if name == "slider" else {name: value}))
    assert shown(explorer) == before


@every_explorer
@pytest.mark.parametrize("there, back", [("normal", "constant"), ("uniform", "constant")])
def test_the_picture_does_not_depend_on_the_tensor_before(make, there, back):
    explorer = make(TENSORS, tensor=there)
    before = shown(explorer)
    places = [ax.get_position().bounds for ax in explorer.axes]
    put(explorer, tensor=back)
    assert shown(explorer)[3] != before[3]
    put(explorer, tensor=there)
    np.testing.assert_allclose([ax.get_position().bounds for ax in explorer.axes], places, rtol=1e-12)
    assert shown(explorer) == before


@every_explorer
def test_no_artists_are_left_behind(make):
    explorer, slider = make(TENSORS), SLIDERS[make]
    lowest, highest = ENDS[make, slider]

    def artists():
        return [len(ax.get_children()) for ax in explorer.axes], len(explorer.axes[0].figure.get_children())

    before, moves = artists(), []
    explorer.move = counted(explorer.move, moves)
    for k in range(30):
        explorer.controls[slider].value = [lowest, highest][k % 2]
    assert len(moves) == 30 and artists() == before
    put(explorer, tensor="relu"), put(explorer, tensor="normal")
    assert len(moves) == 32 and artists() == before


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
    calls = []
    for name in ("bits_curve", "step_curve", "calibrated"):
        monkeypatch.setattr(plots, name, counted(getattr(plots, name), calls))
    explorer = make(TENSORS)
    expected = {BitWidthExplorer: 1, StepExplorer: 1, ThresholdExplorer: 2}[make]
    assert len(calls) == len(explorer.remembered) == expected
    again = "granularity" if make is BitWidthExplorer else "num_bits"
    other = {"granularity": "per-channel", "num_bits": 5}[again]
    for tensor in ("normal", "relu", "normal"):  # two tensors, two values: four keys
        start = explorer.controls[again].value
        put(explorer, tensor=tensor), put(explorer, **{again: other}), put(explorer, **{again: start})
    assert len(calls) == len(explorer.remembered) == 4 * expected


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
    assert (explorer.picture.value, explorer.png, explorer.text.value) == (picture, png, "")
    assert repr(explorer) == f"{make.title}: failed"
    del explorer.move
    put(explorer, **{slider: highest})
    assert shown(explorer) == shown(put(make(TENSORS), **{slider: highest}))


@every_explorer
def test_an_error_halfway_through_the_background_is_mended(make, monkeypatch):
    """The axes were cleared already: the tensor that was shown before has to be drawn anew."""
    explorer = make(TENSORS)
    before = shown(explorer)
    with monkeypatch.context() as patch:
        patch.setattr(plots, "plot_histogram", boom)
        explorer.controls["tensor"].value = "relu"
        assert "ValueError" in alert(explorer) and digest(explorer.picture.value) == before[3]
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
    assert digest(explorer.picture.value) == before[3] and explorer.text.value == ""
    put(explorer, tensor="normal")
    assert shown(explorer) == before


def test_per_channel_needs_channels():
    explorer = BitWidthExplorer(TENSORS)
    put(explorer, granularity="per-channel")
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
        assert alert(explorer).startswith("ValueError: scale: expected finite values > 0")
        assert digest(explorer.picture.value) == before[3]
    put(explorer, tensor="normal")
    assert shown(explorer)[:3] == before[:3]  # the picture has tests of its own, above


# ------------------------------------------------------------------- outside a kernel


@every_explorer
def test_the_mime_bundle_is_a_picture_and_its_numbers(make):
    explorer = put(make(TENSORS), num_bits=3)
    data, metadata = explorer._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert data["image/png"] == explorer.png
    assert metadata["image/png"]["alt"] == explorer.alt
    assert data["text/plain"] == f"{make.__name__}: {explorer}"
    assert all(len(digits) <= 5 for digits in re.findall(r"\.(\d+)", data["text/plain"]))


@every_explorer
def test_the_text_has_no_object_ids(make):
    one, other = make(TENSORS), make(TENSORS)
    assert one.model_id != other.model_id
    assert repr(one) == str(one) == repr(other)
    text = one._repr_mimebundle_()[0]["text/plain"]
    assert text == other._repr_mimebundle_()[0]["text/plain"]
    assert one.model_id not in text and " at 0x" not in text and "tensor normal; " in text


@every_explorer
def test_a_failed_explorer_does_not_pass_old_numbers_on(make):
    explorer = make({"hand": HAND, "broken": [np.nan]})
    explorer.controls["tensor"].value = "broken"
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == f"{make.__name__}: {make.title}: failed"


def test_every_control_has_a_label():
    for make in EXPLORERS:
        labels = [control.description for control in make({"hand": HAND}).controls.values()]
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
