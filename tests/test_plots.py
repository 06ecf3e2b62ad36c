"""qlib.plots: the curves against direct sums, the pictures against what a reader without colour vision can tell."""

import json
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qlib import CALIBRATORS, QParams, plots

# Symmetric 3-bit codes -4 … 3 with step 1: -3 and 3 are exact, -1.5 -> -2, 0.25 -> 0.
HAND = np.float32([-3, -1.5, 0.25, 3])
SKEWED = np.float32([[-0.3, 0.1, 2.0], [0.45, 1.2, -0.7], [0.05, 0.9, 1.1], [-0.2, 0.33, 0.6]])
RELU = np.float32([0, 0, 0.4, 1.3, 2.2, 0.7, 0])
STEPS = np.array([0.5, 1.0, 2.0])
PARTS = plots.step_curve(HAND, STEPS, -4, 3)
POINTS = plots.calibrated(SKEWED, 4)
CURVES = plots.bits_curve(SKEWED, range(2, 9))
PLOTS = {
    "quantizer": (lambda **ax: plots.plot_quantizer(QParams(0.5, 1, -4, 3), **ax), ["x", "x_hat"]),
    "histogram": (lambda **ax: plots.plot_histogram(SKEWED, **ax), []),
    "bits": (
        lambda **ax: plots.plot_error_vs_bits(CURVES, range(2, 9), **ax),
        ["symmetric", "affine", "÷ 4 per bit"],
    ),
    "step": (
        lambda **ax: plots.plot_error_vs_step(STEPS, PARTS, **ax),
        ["total", "rounding", "clipping", "Δ²/12"],
    ),
    "threshold": (
        lambda **ax: plots.plot_error_vs_threshold(3 * STEPS, PARTS, POINTS, **ax),
        ["total", "rounding", "clipping", "minmax", "percentile", "mse", "entropy"],
    ),
}
every_plot = pytest.mark.parametrize("plot, words", PLOTS.values(), ids=PLOTS)


def naive_mse(x, scheme, num_bits, signed):
    """Mean squared error of the min-max quantizer: the formulas of lesson 3, one after the other."""
    symmetric = scheme == "symmetric"
    qmin, qmax = (-(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1) if signed else (0, 2**num_bits - 1)
    rmin, rmax = min(float(x.min()), 0), max(float(x.max()), 0)
    scale = max(-rmin, rmax) / qmax if symmetric else (rmax - rmin) / (qmax - qmin)
    zero_point = 0 if symmetric else round(qmin - rmin / scale)
    q = np.clip(np.rint(x / np.float32(scale)) + zero_point, qmin, qmax)
    return np.mean((x - scale * (q - zero_point)) ** 2, dtype=np.float64)


# ------------------------------------------------------------------- curves


@pytest.mark.parametrize(
    "x, signed", [([-1, 2], True), ([0, 2], False), ([-0.0], False), ([[1], [-1e-30]], True), (np.uint8([3]), False)]
)
def test_needs_signed(x, signed):
    assert plots.needs_signed(np.asarray(x)) is signed


@pytest.mark.parametrize("x", [HAND, SKEWED, RELU], ids=["hand", "skewed", "relu"])
def test_bits_curve(x):
    curves, signed = plots.bits_curve(x, range(2, 9)), x is not RELU
    assert list(curves) == ["symmetric", "affine"]
    for scheme, errors in curves.items():
        expected = [naive_mse(x, scheme, b, signed) for b in range(2, 9)]
        assert errors == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_bits_curve_by_hand():
    # 3 bits, symmetric, step 1: errors 0, 0.5, 0.25, 0.
    assert plots.bits_curve(HAND, [3])["symmetric"] == [(0.25 + 0.0625) / 4]


def test_bits_curve_per_channel():
    # Each column has a quantizer of its own, all of them signed because one column has negative values. The columns
    # are equally long: the mean of their errors is the error of the whole.
    for scheme, errors in plots.bits_curve(SKEWED, [3, 5], axis=1).items():
        expected = [np.mean([naive_mse(column, scheme, b, signed=True) for column in SKEWED.T]) for b in (3, 5)]
        assert errors == pytest.approx(expected, rel=1e-4)


def test_bits_curve_takes_any_iterable():
    assert plots.bits_curve(HAND, iter([2, 3])) == plots.bits_curve(HAND, [2, 3])


def test_step_curve_by_hand():
    # Codes -4 … 3. Step 0.5 reaches -2 … 1.5: -3 misses by 1 and 3 by 1.5, -1.5 is exact, 0.25 -> 0.
    # Step 1 clips nothing. Step 2 reaches -8 … 6: -3 -> -4 (half to even), -1.5 -> -2, 0.25 -> 0, 3 -> 4.
    expected = [[0.0625 / 4, (1 + 2.25) / 4], [0.3125 / 4, 0], [(1 + 0.25 + 0.0625 + 1) / 4, 0]]
    np.testing.assert_array_equal(plots.step_curve(HAND, STEPS, -4, 3), expected)
    assert plots.step_curve(HAND, [1.0], 0, 7).tolist() == [
        [0.0625 / 4, (9 + 2.25) / 4]
    ]  # unsigned: below 0 is clipped


@pytest.mark.parametrize("x", [SKEWED, RELU], ids=["signed", "unsigned"])
def test_calibrated(x):
    points = plots.calibrated(x, 4)
    assert list(points) == ["minmax", "percentile", "mse", "entropy"]
    qmin, qmax = (-8, 7) if x.min() < 0 else (0, 15)

    def error(threshold):
        scale = np.float32(threshold / qmax)
        return np.mean((x - scale * np.clip(np.rint(x / scale), qmin, qmax)) ** 2, dtype=np.float64)

    largest = float(np.abs(x).max())
    assert points["minmax"][0] == largest
    assert points["percentile"][0] == pytest.approx(np.percentile(np.abs(x), 99.9), rel=1e-6)
    assert points["mse"][1] == pytest.approx(min(error(largest * k / 100) for k in range(1, 101)), rel=1e-4)
    codes = dict(num_bits=4, symmetric=True, signed=bool(x.min() < 0))
    for name, (threshold, reached) in points.items():
        assert threshold == CALIBRATORS[name](x, **codes)[1]
        assert reached == pytest.approx(error(threshold), rel=1e-4, abs=1e-12)


def test_curves_leave_x_alone():
    x = SKEWED.copy()
    x.flags.writeable = False
    plots.bits_curve(x, [4], axis=1), plots.step_curve(x, STEPS, -8, 7), plots.calibrated(x, 4)
    np.testing.assert_array_equal(x, SKEWED)


# ------------------------------------------------------------------- pictures


@every_plot
def test_a_plot_draws_in_the_axes_it_was_given(plot, words):
    left, right = plots.figure(2)
    assert plot(ax=right) is right
    assert right.get_children() and not left.lines and not left.patches and not left.get_xlabel()


@every_plot
def test_a_plot_makes_a_figure_of_its_own(plot, words):
    first, second = plot(), plot()
    assert first.figure is not second.figure and first.figure.axes == [first]
    assert plots.png(first.figure) == plots.png(second.figure)


@every_plot
def test_axes_have_labels_and_lines_have_names(plot, words):
    ax = plot()
    assert ax.get_xlabel() and ax.get_ylabel()
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == words if words else legend is None
    assert [line.get_label() for line in ax.lines] == words


@every_plot
def test_lines_differ_without_colour(plot, words):
    styles = [(line.get_linestyle(), line.get_marker()) for line in plot().lines]
    assert len(set(styles)) == len(styles) == len(words)
    assert ("None", "None") not in styles


def line(ax, name) -> Line2D:
    return next(line for line in ax.lines if line.get_label() == name)


def test_the_staircase_is_the_quantizer():
    x, x_hat = line(plots.plot_quantizer(QParams(0.5, 1, -4, 3)), "x_hat").get_data()
    # Codes -4 … 3 at zero point 1 stand for -2.5 … 1.
    np.testing.assert_allclose(x_hat, np.clip(np.rint(x * 2) / 2, -2.5, 1))
    assert (x[0], x[-1]) == (-3.5, 2) and set(x_hat) == {-2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1}


def test_the_histogram_counts_every_value():
    ax = plots.plot_histogram(np.float32([0, 0, 0, 1]))
    assert ax.get_yscale() == "log"
    heights = ax.patches[0].get_path().vertices[:, 1]
    assert heights.max() == 3 and ax.get_xlim()[0] <= 0 and ax.get_xlim()[1] >= 1


def test_error_vs_bits_draws_the_curves_and_a_guide():
    ax = plots.plot_error_vs_bits(CURVES, range(2, 9))
    for scheme, errors in CURVES.items():
        np.testing.assert_array_equal(line(ax, scheme).get_xydata(), np.c_[range(2, 9), errors])
    guide = line(ax, "÷ 4 per bit").get_ydata()
    np.testing.assert_allclose(guide[:-1] / guide[1:], 4)
    assert guide[3] == CURVES["affine"][3] and ax.get_yscale() == "log"


def test_an_error_of_zero_has_no_logarithm():
    none = np.zeros((3, 2))
    assert plots.plot_error_vs_bits({"symmetric": [0, 0], "affine": [0, 0]}, [2, 3]).get_yscale() == "linear"
    assert plots.plot_error_vs_step(STEPS, none).get_yscale() == "linear"
    assert plots.plot_error_vs_threshold(STEPS, none, {}).get_yscale() == "linear"


def test_error_vs_step_draws_the_parts_and_the_approximation():
    ax = plots.plot_error_vs_step(STEPS, PARTS)
    for name, errors in (("rounding", PARTS[:, 0]), ("clipping", PARTS[:, 1]), ("total", PARTS[:, 0] + PARTS[:, 1])):
        np.testing.assert_array_equal(line(ax, name).get_xydata(), np.c_[STEPS, errors])
    np.testing.assert_allclose(line(ax, "Δ²/12").get_ydata(), [0.25 / 12, 1 / 12, 4 / 12])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    lowest, highest = ax.get_ylim()
    assert lowest < 0.3125 / 4 and highest > (0.0625 + 1 + 2.25) / 4  # the smallest and the largest total


def test_error_vs_threshold_marks_the_calibrators():
    ax = plots.plot_error_vs_threshold(3 * STEPS, PARTS, POINTS)
    for name, point in POINTS.items():
        np.testing.assert_array_equal(line(ax, name).get_xydata(), [point])
        assert line(ax, name).get_marker() not in (None, "None", "")


# ------------------------------------------------------------------- levels


def ticks(levels):
    return np.array([segment[0, 0] for segment in levels.get_segments()])


def test_mark_levels_draws_every_x_hat():
    ax = plots.plot_histogram(SKEWED)
    levels = plots.mark_levels(QParams(0.25, -3, -4, 3), ax)
    assert ticks(levels).tolist() == [-0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    assert levels in ax.collections
    assert {tuple(segment[:, 1]) for segment in levels.get_segments()} == {(0.02, 0.08)}
    bottom = levels.get_transform().transform((0, 0.02))[1]
    assert bottom == pytest.approx(ax.transAxes.transform((0, 0.02))[1])  # whatever the y scale is


@pytest.mark.parametrize("num_bits", range(2, 17))
def test_mark_levels_thins_out_what_nobody_could_tell_apart(num_bits):
    qmin, qmax = -(2 ** (num_bits - 1)), 2 ** (num_bits - 1) - 1
    drawn = ticks(plots.mark_levels(QParams(2.0**-15, 0, qmin, qmax), plots.figure()[0]))
    assert min(2**num_bits, 512) <= drawn.size <= 1024
    every = np.arange(qmin, qmax + 1) * 2.0**-15
    assert np.isin(drawn, every).all() and (np.diff(drawn) > 0).all()
    assert drawn[0] == every[0] and drawn[-1] >= every[-1] - (every[-1] - every[0]) / 256


# ------------------------------------------------------------------- figures and images


def test_figure_makes_axes_side_by_side():
    axes = plots.figure(3, width=2, height=1)
    fig = axes[0].figure
    assert isinstance(fig, Figure) and fig.axes == axes and len(axes) == 3
    assert fig.get_size_inches().tolist() == [6, 1]


def test_pyplot_is_never_imported(tmp_path):
    code = """
import json, sys
from qlib import plots, widgets, QParams
x = [[-1.0, 0.5], [0.2, 0.7]]
ax = plots.plot_quantizer(QParams(0.5, 1, -4, 3))
plots.mark_levels(QParams(0.5, 1, -4, 3), ax)
plots.fix_layout(ax.figure)
plots.show(ax, alt="")
widgets.BitWidthExplorer({"x": x})
print(json.dumps(sorted(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert run.returncode == 0, run.stderr
    loaded = json.loads(run.stdout)
    assert "matplotlib.figure" in loaded and "matplotlib.pyplot" not in loaded


def test_fix_layout_keeps_positions():
    def positions(ax):
        return [other.get_position().bounds for other in ax.figure.axes]

    left, right = plots.figure(2)
    before = positions(left)
    left.set_ylabel("error")
    plots.fix_layout(left.figure)
    fixed = positions(left)
    assert fixed != before  # room was made for the label
    right.set_ylabel("three\nlines\nhigh"), right.set_title("and\na title")
    plots.png(left.figure)
    assert positions(left) == fixed
    plots.fix_layout(left.figure)
    assert positions(left) != fixed  # asked again, it makes room for the new ones


def chunks(png):
    """The chunks of a PNG as (kind, content), after its signature and each check sum were compared."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, []
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + content),)
        found.append((kind, content))
        at += 12 + length
    return found


def test_png_is_one_without_a_software_stamp():
    ax = plots.figure(2, width=3, height=2)[0]
    plots.plot_histogram(SKEWED, ax=ax)
    found = chunks(plots.png(ax.figure))
    assert [found[0][0], found[-1][0]] == [b"IHDR", b"IEND"]
    assert struct.unpack(">II", found[0][1][:8]) == (6 * 90, 2 * 90)  # 90 dots per inch
    pixels = zlib.decompress(b"".join(content for kind, content in found if kind == b"IDAT"))
    assert len(pixels) == 180 * (1 + 4 * 540)  # a filter byte before each row of RGBA
    assert not [content for kind, content in found if b"Software" in content or kind in (b"tEXt", b"iTXt", b"tIME")]


def test_png_is_the_same_twice():
    ax = plots.plot_error_vs_bits(CURVES, range(2, 9))
    plots.fix_layout(ax.figure)  # as the explorers do: Matplotlib 3.10 lays a figure out a little differently each time
    first = plots.png(ax.figure)
    assert plots.png(ax.figure) == first
    ax.set_xlabel("changed")  # where the layout left room: a title now would fall outside
    assert plots.png(ax.figure) != first


def test_img_escapes_its_alt_text():
    element = plots.img(b"\x00\xff", "x < 1 & \"y\" > 'z'")
    alt = re.search(r'alt="([^"]*)"', element).group(1)
    assert alt == "x &lt; 1 &amp; &quot;y&quot; &gt; &#x27;z&#x27;"
    assert 'src="data:image/png;base64,AP8="' in element
    assert element.startswith("<img ") and element.count("<") == element.count(">") == 1


def test_show_has_alt_text():
    ax = plots.plot_histogram(SKEWED)
    shown = plots.show(ax, alt='a histogram of "x"')
    assert shown._repr_html_() == plots.img(plots.png(ax.figure), 'a histogram of "x"')
    assert 'alt="a histogram of &quot;x&quot;"' in shown._repr_html_()
    assert repr(shown) == 'a histogram of "x"'
    with pytest.raises(TypeError, match="alt"):
        plots.show(ax)


def test_show_keeps_the_picture_of_its_moment():
    ax = plots.plot_histogram(SKEWED)
    shown = plots.show(ax, alt="before")
    before = shown._repr_html_()
    ax.set_title("after")
    assert shown._repr_html_() == before


def test_every_calibrator_has_a_marker_of_its_own():
    assert set(plots.CALIBRATOR_MARKERS) == set(CALIBRATORS)
    assert len(set(plots.CALIBRATOR_MARKERS.values())) == len(CALIBRATORS)
