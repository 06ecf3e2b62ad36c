"""qlib.plots: the curves against direct sums, the pictures against what a reader without colour vision can tell.

What our own PNG writer writes, Pillow reads; what is drawn over a backdrop is compared with drawing all of it.
"""

import base64
import io
import json
import struct
import subprocess
import sys
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from PIL import Image

from qlib import CALIBRATORS, QParams, plots
from qlib.error import ErrorProfile

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


@pytest.mark.parametrize("x", [HAND, SKEWED, RELU], ids=["hand", "skewed", "relu"])
def test_curves_take_an_error_profile_for_x(x):
    profile = ErrorProfile(x)
    assert plots.bits_curve(profile, range(2, 9)) == plots.bits_curve(x, range(2, 9))
    np.testing.assert_array_equal(plots.step_curve(profile, STEPS, -4, 3), plots.step_curve(x, STEPS, -4, 3))
    if x.ndim == 2:
        assert plots.bits_curve(profile, [3, 5], axis=1) == plots.bits_curve(x, [3, 5], axis=1)


def test_an_error_profile_that_was_given_is_the_one_that_is_asked(monkeypatch):
    profile, made = ErrorProfile(SKEWED), []
    monkeypatch.setattr(ErrorProfile, "__init__", lambda self, x: made.append(x))
    plots.bits_curve(profile, [4], axis=1), plots.step_curve(profile, STEPS, -8, 7)
    assert made == []


def test_parts_by_hand():
    found = plots.parts(np.array([[1.0, 2.0], [0.5, 0.25]]))
    assert {name: part.tolist() for name, part in found.items()} == {
        "total": [3.0, 0.75],
        "rounding": [1.0, 0.5],
        "clipping": [2.0, 0.25],
    }


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
    assert plots.show(first, alt="").html == plots.show(second, alt="").html


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


@pytest.mark.parametrize("x", [[1, 1.00001], [-1e38, 3.4e38]])
def test_the_histogram_of_values_close_together_and_far_apart(x):
    heights = plots.plot_histogram(np.float32(x)).patches[0].get_path().vertices[:, 1]
    assert heights.max() == 1


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
    """Where the ticks stand: each is a vertical stroke, and the pen is lifted after it."""
    foot, head, lifted = levels.get_xydata().reshape(-1, 3, 2).swapaxes(0, 1)
    np.testing.assert_array_equal(foot[:, 0], head[:, 0])
    assert set(foot[:, 1]) == {0.02} and set(head[:, 1]) == {0.08} and np.isnan(lifted[:, 1]).all()
    return foot[:, 0]


def test_mark_levels_draws_every_x_hat():
    ax = plots.plot_histogram(SKEWED)
    levels = plots.mark_levels(QParams(0.25, -3, -4, 3), ax)
    assert ticks(levels).tolist() == [-0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    assert levels in ax.get_children()
    bottom = levels.get_transform().transform((0, 0.02))[1]
    assert bottom == pytest.approx(ax.transAxes.transform((0, 0.02))[1])  # whatever the y scale is


def test_levels_dont_change_the_limits():
    ax = plots.plot_histogram(SKEWED)
    before = ax.get_xlim(), ax.get_ylim()
    levels = plots.mark_levels(QParams(100.0, 0, -4, 3), ax)
    assert (ax.get_xlim(), ax.get_ylim()) == before
    plots.move_levels(QParams(1000.0, 0, -4, 3), levels)
    assert (ax.get_xlim(), ax.get_ylim()) == before


@pytest.mark.parametrize("num_bits", [2, 8, 16])
def test_levels_that_were_moved_are_those_that_would_be_marked(num_bits):
    there = QParams(0.125, 1, 0, 2**num_bits - 1)
    marked = plots.mark_levels(there, plots.plot_histogram(SKEWED))
    moved = plots.mark_levels(QParams(3.0, 0, -128, 127), plots.plot_histogram(SKEWED))
    assert plots.move_levels(there, moved) is None
    np.testing.assert_array_equal(moved.get_xydata(), marked.get_xydata())
    assert ticks(moved)[0] == -0.125


def test_levels_are_seen_where_they_are():
    ax = plots.figure()[0]
    ax.set_xlim(-1.2, 1.7)
    plots.mark_levels(QParams(0.25, -3, -4, 3), ax)
    ax.figure.canvas.draw()
    height = ax.figure.canvas.get_width_height()[1]
    row = pixels(ax.figure)[height - round(ax.transAxes.transform((0, 0.05))[1])].astype(int)
    blue = np.flatnonzero(row[:, 2] - row[:, 0] > 60)  # C0 on white
    strokes = np.split(blue, np.flatnonzero(np.diff(blue) > 1) + 1)
    expected = ax.transData.transform([(level, 0) for level in (-0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)])[:, 0]
    assert [stroke.mean() + 0.5 for stroke in strokes] == pytest.approx(expected.tolist(), abs=1)


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
plots.redraw(ax.figure, plots.backdrop(ax.figure))
plots.png(ax.figure)
plots.show(ax, alt="")
widgets.BitWidthExplorer({"x": x})
print(json.dumps(sorted(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert run.returncode == 0, run.stderr
    loaded = json.loads(run.stdout)
    assert "matplotlib.figure" in loaded and "matplotlib.pyplot" not in loaded


# ------------------------------------------------------------------- backdrop and redraw


def pixels(fig):
    """A copy of what stands in the canvas."""
    return np.array(fig.canvas.buffer_rgba())


def scene():
    """Two axes with something that stays and something that moves in each: `(figure, stays, moves)`."""
    left, right = plots.figure(2, width=2, height=1.5)
    plots.plot_histogram(SKEWED, ax=left)
    stays = right.plot([0, 1], [0, 1], "k-", lw=3)
    # The upper one of the two that cross is made first: it is the z-order that counts.
    moves = right.plot([0, 1], [0.9, 0.2], "C1-", lw=6, zorder=4) + right.plot(
        [0, 1], [0.2, 0.9], "C0-", lw=6, zorder=3
    )
    moves += [plots.mark_levels(QParams(0.5, 0, -4, 3), left)]
    for artist in moves:
        artist.set_animated(True)
    return left.figure, stays, moves


def test_the_backdrop_is_all_but_what_moves():
    backdrops = []
    for how in ({}, {"visible": False}, {"animated": False}):
        fig, _, moves = scene()
        for artist in moves:
            artist.set(**how)
        plots.backdrop(fig)
        backdrops.append(pixels(fig))
    without, invisible, drawn = backdrops
    np.testing.assert_array_equal(without, invisible)
    assert (without != drawn).any()


def test_redraw_over_a_backdrop_is_drawing_all_of_it():
    fig, _, moves = scene()
    behind = plots.backdrop(fig)
    assert plots.redraw(fig, behind) is None
    drawn = pixels(fig)
    for artist in moves:
        artist.set_animated(False)
        artist.set_zorder(artist.get_zorder() + 10)  # what moves lies above all that stays
    fig.canvas.draw()
    np.testing.assert_array_equal(drawn, pixels(fig))


def test_redraw_leaves_nothing_behind():
    fig, _, moves = scene()
    behind = plots.backdrop(fig)
    plots.redraw(fig, behind)
    first = pixels(fig)
    plots.redraw(fig, behind)
    np.testing.assert_array_equal(pixels(fig), first)
    moves[0].set_ydata([0.1, 0.1])
    plots.redraw(fig, behind)
    assert (pixels(fig) != first).any()
    moves[0].set_ydata([0.9, 0.2])
    plots.redraw(fig, behind)
    np.testing.assert_array_equal(pixels(fig), first)


def test_redraw_draws_what_moves_and_nothing_else(monkeypatch):
    fig, stays, moves = scene()
    behind, drawn = plots.backdrop(fig), []
    draw = Axes.draw_artist
    monkeypatch.setattr(Axes, "draw_artist", lambda ax, artist: (drawn.append((ax, artist)), draw(ax, artist)))
    for owner, name in (
        (Figure, "draw"),
        (FigureCanvasAgg, "draw"),
        (Axes, "draw"),
        (ConstrainedLayoutEngine, "execute"),
    ):
        monkeypatch.setattr(owner, name, lambda *_, **__: pytest.fail("drawn, or laid out, as a whole"))
    stays[0].set_ydata([1, 0])  # too late: it stays
    plots.redraw(fig, behind)
    upper, lower, levels = moves
    assert drawn == [(levels.axes, levels), (lower.axes, lower), (upper.axes, upper)]


def positions(fig):
    return [ax.get_position().bounds for ax in fig.axes]


def test_backdrop_keeps_positions():
    left, right = plots.figure(2)
    fig = left.figure
    before = positions(fig)
    left.set_ylabel("error")
    behind = plots.backdrop(fig)
    fixed = positions(fig)
    assert fixed != before  # room was made for the label
    right.set_ylabel("three\nlines\nhigh"), right.set_title("and\na title")
    plots.redraw(fig, behind)
    fig.canvas.draw()
    assert positions(fig) == fixed
    plots.backdrop(fig)
    assert positions(fig) != fixed  # asked again, it makes room for the new ones


def test_backdrop_lays_out_once_and_draws_what_it_laid_out(monkeypatch):
    left, _ = plots.figure(2)
    fig, layouts, execute = left.figure, [], ConstrainedLayoutEngine.execute
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *args: (layouts.append(args), execute(*args)))
    plots.backdrop(fig)
    drawn = pixels(fig)
    fig.canvas.draw()
    np.testing.assert_array_equal(pixels(fig), drawn)
    assert len(layouts) == 1


# ------------------------------------------------------------------- the PNG writer


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
    assert at == len(png)
    return found


def decoded(png):
    """The pixels of a PNG as Pillow reads them, after it has found nothing wrong with the file."""
    Image.open(io.BytesIO(png)).verify()
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        return np.asarray(image)


def blank(width, height):
    """A figure of so many pixels, with nothing in it."""
    fig = Figure(figsize=(width / 90, height / 90), dpi=90)
    FigureCanvasAgg(fig).draw()
    assert fig.canvas.get_width_height() == (width, height)
    return fig


SIZES = [(1, 1), (1, 7), (9, 1), (2, 2), (33, 17), (101, 203), (990, 306)]


@pytest.mark.parametrize("width, height", SIZES)
def test_png_is_what_stands_in_the_canvas(width, height):
    fig = blank(width, height)
    # Noise meets every difference of two bytes, and shows each pixel that changed its place or its transparency.
    noise = np.random.default_rng(width).integers(0, 256, (height, width, 4), np.uint8)
    np.asarray(fig.canvas.buffer_rgba())[:] = noise
    png = plots.png(fig)
    np.testing.assert_array_equal(decoded(png), noise)
    np.testing.assert_array_equal(pixels(fig), noise)  # and it stays there
    assert [kind for kind, _ in chunks(png)] == [b"IHDR", b"IDAT", b"IEND"]


@pytest.mark.parametrize("width, height", [(6.0, 3.4), (2.345, 1.234), (1.01, 2.02)])
@pytest.mark.parametrize("columns", [1, 2])
def test_png_of_a_plot_is_what_stands_in_the_canvas(columns, width, height):
    ax = plots.figure(columns, width=width, height=height)[-1]
    plots.plot_histogram(SKEWED, ax=ax)
    plots.backdrop(ax.figure)
    png = plots.png(ax.figure)
    np.testing.assert_array_equal(decoded(png), pixels(ax.figure))
    assert decoded(png).shape == (int(height * 90), int(columns * width * 90), 4)  # 90 dots per inch


def test_png_is_one_without_a_software_stamp():
    ax = plots.figure(2, width=3, height=2)[0]
    plots.plot_histogram(SKEWED, ax=ax)
    ax.figure.canvas.draw()
    found = chunks(plots.png(ax.figure))
    assert [found[0][0], found[-1][0]] == [b"IHDR", b"IEND"]
    assert struct.unpack(">II", found[0][1][:8]) == (6 * 90, 2 * 90)  # 90 dots per inch
    assert tuple(found[0][1][8:]) == (8, 6, 0, 0, 0)  # eight bits, colour and alpha, deflate, not interlaced
    data = zlib.decompress(b"".join(content for kind, content in found if kind == b"IDAT"))
    assert len(data) == 180 * (1 + 4 * 540)  # a filter byte before each row of RGBA
    assert set(data[:: 1 + 4 * 540]) <= set(range(5))
    assert not [content for kind, content in found if b"Software" in content or kind in (b"tEXt", b"iTXt", b"tIME")]


def test_png_is_the_same_twice():
    def bits():
        ax = plots.plot_error_vs_bits(CURVES, range(2, 9))
        plots.backdrop(ax.figure)
        return ax

    ax = bits()
    first = plots.png(ax.figure)
    assert plots.png(ax.figure) == plots.png(bits().figure) == first
    ax.set_xlabel("changed")
    assert plots.png(ax.figure) == first  # it doesn't draw
    ax.figure.canvas.draw()
    assert plots.png(ax.figure) != first


# ------------------------------------------------------------------- images


def only_tag(text):
    """The one tag that `text` is, as a browser reads it: `(name, attributes)`."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, attributes))
    parser.handle_endtag = parser.handle_data = parser.handle_comment = lambda text: pytest.fail(f"unexpected {text!r}")
    parser.feed(text)
    parser.close()
    ((tag, attributes),) = found
    assert len(dict(attributes)) == len(attributes)  # none twice
    return tag, dict(attributes)


AWKWARD = "x < 1 & \"y\" > 'z' &amp; &quot;\n\tΔ²/12 --> <b>"
HEADER = bytes(16) + struct.pack(">II", 70, 30) + b"\x00\xff"  # so much of a PNG as an image element is made of


def test_img_escapes_its_alt_text():
    element = plots.img(HEADER, "x < 1 & \"y\" > 'z'")
    assert 'alt="x &lt; 1 &amp; &quot;y&quot; &gt; &#x27;z&#x27;"' in element
    assert element.startswith("<img ") and element.count("<") == element.count(">") == 1
    tag, attributes = only_tag(plots.img(HEADER, AWKWARD))
    assert tag == "img" and set(attributes) == {"alt", "width", "height", "style", "src"}
    assert attributes["alt"] == AWKWARD
    assert (attributes["width"], attributes["height"]) == ("70", "30")
    # Narrower in a narrow page, and not out of shape.
    assert {"max-width: 100%", "height: auto"} <= set(attributes["style"].split("; "))
    kind, data = attributes["src"].split(",")
    assert kind == "data:image/png;base64" and base64.b64decode(data, validate=True) == HEADER


def test_img_escapes_its_script():
    script = "if (a < b && c > \"d\") {\n  e('&lt;');\n}"
    element = plots.img(HEADER, AWKWARD, onload=script)
    tag, attributes = only_tag(element)
    assert tag == "img" and attributes["onload"] == script and attributes["alt"] == AWKWARD
    del attributes["onload"]
    assert attributes == only_tag(plots.img(HEADER, AWKWARD))[1]
    assert element.count('"') == 2 * 6  # no quote but those around six attributes


@pytest.mark.parametrize("width, height", SIZES)
def test_img_has_the_size_of_the_picture(width, height):
    _, attributes = only_tag(plots.img(plots.png(blank(width, height)), ""))
    assert (attributes["width"], attributes["height"]) == (str(width), str(height))


def test_show_has_alt_text():
    ax = plots.plot_histogram(SKEWED)
    shown = plots.show(ax, alt='a histogram of "x"')
    assert shown._repr_html_() == plots.img(plots.png(ax.figure), 'a histogram of "x"')
    _, attributes = only_tag(shown._repr_html_())
    picture = decoded(base64.b64decode(attributes["src"].partition(",")[2]))
    np.testing.assert_array_equal(picture, pixels(ax.figure))
    assert (attributes["width"], attributes["height"]) == ("540", "306")  # 6 by 3.4 inches
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
    assert plots.show(ax, alt="before")._repr_html_() != before  # it draws first


def test_every_calibrator_has_a_marker_of_its_own():
    assert set(plots.CALIBRATOR_MARKERS) == set(CALIBRATORS)
    assert len(set(plots.CALIBRATOR_MARKERS.values())) == len(CALIBRATORS)
