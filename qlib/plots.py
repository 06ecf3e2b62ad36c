"""Pictures of quantizers: `plot_*(…, ax=None) -> Axes`, the curves they draw, and the fast redraw of the explorers.

Every line has its own dash and every point its own marker, so that a picture works without colour. `show` gives a
picture its alt text.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from qlib.affine import QParams, choose_qparams, dequantize, fake_quantize
from qlib.calibrate import CALIBRATORS
from qlib.error import ErrorProfile, mse

# One style per word, the same in every picture.
STYLE = {
    "symmetric": dict(color="C0", linestyle="-", marker="o"),
    "affine": dict(color="C1", linestyle="--", marker="s"),
    "total": dict(color="black", linestyle="-"),
    "rounding": dict(color="C0", linestyle="--"),
    "clipping": dict(color="C3", linestyle=":"),
    "approximation": dict(color="0.5", linestyle="-.", linewidth=1),
}
CALIBRATOR_MARKERS = dict(zip(CALIBRATORS, "sD^v", strict=True))
DENSEST = 512  # more levels than this in one picture are one grey band anyway


def needs_signed(x: np.ndarray) -> bool:
    """Whether x has negative values: the `signed` of every quantizer that a picture makes for it."""
    return bool(np.min(x) < 0)


def bits_curve(x: np.ndarray | ErrorProfile, bits: Iterable[int], *, axis: int | None = None) -> dict[str, list[float]]:
    """MSE of the min-max quantizer of x at each bit width, for the keys "symmetric" and "affine"."""
    profile = x if isinstance(x, ErrorProfile) else ErrorProfile(x)
    bits, ends, signed = list(bits), profile.minmax(axis), profile.lowest < 0
    curves: dict[str, list[float]] = {}
    for scheme in ("symmetric", "affine"):
        choose = dict(symmetric=scheme == "symmetric", signed=signed, axis=axis)
        curves[scheme] = [profile.mse(choose_qparams(*ends, num_bits=b, **choose)) for b in bits]
    return curves


def step_curve(x: np.ndarray | ErrorProfile, steps: Iterable[float], qmin: int, qmax: int) -> np.ndarray:
    """Rounding and clipping MSE of x with zero point 0 and the codes [qmin, qmax], for each step: shape (steps, 2)."""
    profile = x if isinstance(x, ErrorProfile) else ErrorProfile(x)
    return np.array([profile.split(QParams(step, 0, qmin, qmax)) for step in steps]) / profile.size


def calibrated(x: np.ndarray, num_bits: int) -> dict[str, tuple[float, float]]:
    """For each calibrator the symmetric threshold it chooses for x, and the MSE it reaches: `(threshold, mse)`."""
    points = {}
    for name, calibrator in CALIBRATORS.items():
        codes = dict(num_bits=num_bits, symmetric=True, signed=needs_signed(x))
        rmin, rmax = calibrator(x, **codes)
        qparams = choose_qparams(rmin, rmax, **codes)
        points[name] = (rmax, mse(x, fake_quantize(x, qparams)))
    return points


def plot_quantizer(qparams: QParams, *, ax: Axes | None = None) -> Axes:
    """The staircase x → x̂ of one per-tensor quantizer over its range and a little beyond."""
    ax = _axes(ax)
    lowest, highest = dequantize([qparams.qmin, qparams.qmax], qparams)
    x = np.linspace(lowest - 2 * qparams.scale, highest + 2 * qparams.scale, 4001, dtype=np.float32)
    ax.plot(x, x, label="x", **STYLE["approximation"])
    ax.plot(x, fake_quantize(x, qparams), label="x_hat", **STYLE["total"])
    ax.set(xlabel="x", ylabel="x_hat")
    ax.legend()
    return ax


def plot_histogram(x: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """How many values of x lie where, on a logarithmic scale: rare values far out stay visible."""
    ax = _axes(ax)
    ax.hist(np.ravel(x).astype(np.float64), bins=100, color="0.75", edgecolor="0.4", histtype="stepfilled")
    ax.set(xlabel="x", ylabel="values (log scale)", yscale="log")
    return ax


def mark_levels(qparams: QParams, ax: Axes) -> Line2D:
    """The x̂ of a per-tensor quantizer as ticks at the foot of `ax` (a selection where they are too many to see)."""
    foot = blended_transform_factory(ax.transData, ax.transAxes)
    ticks = Line2D([], [], color="C0", linewidth=1.5, solid_capstyle="butt", transform=foot)
    ax.add_artist(ticks)  # not a line of the plot, whose limits would follow it
    move_levels(qparams, ticks)
    return ticks


def move_levels(qparams: QParams, ticks: Line2D) -> None:
    """Let the ticks of `mark_levels` show another quantizer."""
    codes = np.arange(qparams.qmin, qparams.qmax + 1)
    levels = dequantize(codes[:: max(1, codes.size // DENSEST)], qparams)
    # One broken line is drawn far faster than many lines.
    ticks.set_data(np.repeat(levels, 3), np.tile([0.02, 0.08, np.nan], levels.size))


def plot_error_vs_bits(curves: dict[str, list[float]], bits: Iterable[int], *, ax: Axes | None = None) -> Axes:
    """MSE against bit width from `bits_curve`, beside a line that falls by 6.02 dB, a factor of 4, per bit."""
    ax, bits = _axes(ax), np.array(list(bits))
    for scheme, errors in curves.items():
        ax.plot(bits, errors, label=scheme, markersize=4, **STYLE[scheme])
    # Anchored where no scheme is special: in the middle of the affine curve.
    anchor = len(bits) // 2
    guide = curves["affine"][anchor] * 4.0 ** (bits[anchor] - bits)
    ax.plot(bits, guide, label="÷ 4 per bit", **STYLE["approximation"])
    ax.set(xlabel="num_bits", ylabel="mean squared error")
    if guide.any():
        ax.set_yscale("log")
    _legend_beside(ax)
    return ax


def plot_error_vs_step(steps: np.ndarray, curve: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """MSE against step from `step_curve`, split in rounding and clipping, beside the approximation Δ²/12."""
    ax = _axes(ax)
    _plot_split(ax, steps, curve)
    ax.plot(steps, np.square(steps) / 12, label="Δ²/12", **STYLE["approximation"])
    ax.set(xlabel="step Δ (log scale)", ylabel="mean squared error", xscale="log")
    log_from_best(ax, curve)
    _legend_beside(ax)
    return ax


def plot_error_vs_threshold(
    thresholds: np.ndarray, curve: np.ndarray, points: dict[str, tuple[float, float]], *, ax: Axes | None = None
) -> Axes:
    """MSE against threshold from `step_curve`, split, with the thresholds of the calibrators (`calibrated`) marked."""
    ax = _axes(ax)
    _plot_split(ax, thresholds, curve)
    for name, (threshold, error) in points.items():
        ax.plot(threshold, error, CALIBRATOR_MARKERS[name], color="C2", mec="black", ms=8, label=name)
    ax.set(xlabel="threshold T", ylabel="mean squared error")
    log_from_best(ax, curve)
    _legend_beside(ax)
    return ax


def parts(curve: np.ndarray) -> dict[str, np.ndarray]:
    """What the columns of a `step_curve` stand for, and their sum."""
    return {"total": curve.sum(axis=1), "rounding": curve[:, 0], "clipping": curve[:, 1]}


def log_from_best(ax: Axes, curve: np.ndarray) -> None:
    """Logarithmic y from a tenth of the smallest total upwards: parts far below it are not what one looks at.

    A total of 10⁻¹² of the largest is that of an exact quantizer, whatever the rounding of its step makes of it.
    """
    total = curve.sum(axis=1)
    seen = total[total > 1e-12 * total.max()]
    if seen.size:
        ax.set(yscale="log", ylim=(seen.min() / 10, seen.max() * 2))


def figure(columns: int = 1, *, width: float = 6.0, height: float = 3.4) -> list[Axes]:
    """Axes side by side in one new figure (inches for each). The figure is nobody's but the caller's: no pyplot."""
    fig = Figure(figsize=(columns * width, height), dpi=90, layout="constrained")
    FigureCanvasAgg(fig)
    return list(np.ravel(fig.subplots(1, columns)))


def backdrop(fig: Figure) -> object:
    """The picture without what moves (artists with `animated=True`), laid out and drawn once, for `redraw`."""
    fig.set_layout_engine("constrained")
    fig.draw_without_rendering()
    fig.set_layout_engine("none")  # laying out again costs more than drawing
    fig.canvas.draw()
    return fig.canvas.copy_from_bbox(fig.bbox)


def redraw(fig: Figure, behind: object) -> None:
    """Draw what moves over the `backdrop`: all that a slider's new position needs."""
    fig.canvas.restore_region(behind)
    moving = [artist for ax in fig.axes for artist in ax.get_children() if artist.get_animated()]
    for artist in sorted(moving, key=Artist.get_zorder):
        artist.axes.draw_artist(artist)


def png(fig: Figure) -> bytes:
    """The picture that stands in the figure's canvas, as PNG: compressed fast rather than small.

    Each row is stored as its difference from the row above (filter 2), which in a plot is mostly zero. See the W3C
    recommendation "Portable Network Graphics", third edition, sections 9 and 11.
    """
    pixels = np.asarray(fig.canvas.buffer_rgba())
    height, width, channels = pixels.shape
    pixels = pixels.reshape(height, width * channels)
    rows = np.full((height, 1 + width * channels), 2, np.uint8)
    rows[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits for each of red, green, blue, alpha
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def img(picture: bytes, alt: str, *, onload: str = "") -> str:
    """An HTML image that carries its bytes with it, and its size: a page leaves room for it before it is decoded."""
    width, height = struct.unpack(">II", picture[16:24])
    source = base64.b64encode(picture).decode("ascii")
    script = f' onload="{html.escape(onload)}"' if onload else ""
    style = "display: block; max-width: 100%; height: auto"
    size = f'width="{width}" height="{height}" style="{style}"'
    return f'<img alt="{html.escape(alt)}" {size}{script} src="data:image/png;base64,{source}">'


class show:  # noqa: N801 -- reads as a verb in a lesson
    """The figure of `ax`, with alt text, as the last line of a cell."""

    def __init__(self, ax: Axes, *, alt: str) -> None:
        ax.figure.canvas.draw()
        self.html, self.alt = img(png(ax.figure), alt), alt

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.alt


def _axes(ax: Axes | None) -> Axes:
    return figure()[0] if ax is None else ax


def _legend_beside(ax: Axes) -> None:
    """To the right of the axes, where it can't hide a curve."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _plot_split(ax: Axes, x: np.ndarray, curve: np.ndarray) -> None:
    for name, errors in parts(curve).items():
        ax.plot(x, errors, label=name, **STYLE[name])
