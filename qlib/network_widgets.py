"""An explorer of a whole network: a slider for the bit width of each layer, beside the accuracy and the bytes."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from qlib.arguments import is_integer
from qlib.explorer import WIDE, Numbers, Panel
from qlib.mixed import FLOAT, LAYERS, WIDTHS, Bits, MixedPrecision, standard_error


class LayerBitsExplorer(Panel):
    """Accuracy against bytes, with a bit width of its own for each layer.

    Left, a ring shows where the sliders stand, between a path through mixed widths and the same width for all layers.
    The grey band is the accuracy of the float32 network ± its standard error: differences much smaller than that may
    be chance. Right, the bytes of each layer, in front of those at 8 bits.

    Parameters
    ----------
    network : MixedPrecision
        On test images. Two thousand of MNIST answer in about a tenth of a second on two cores, at the slowest.
    path : sequence of four bit widths each
        What `greedy` found on *training* images.
    names : sequence of 4 str
        The names of the layers.
    bits : four bit widths
        Where the sliders stand at first.

    Raises
    ------
    ValueError
        If a width is not 2 … 8, the path is empty, the names are not four different ones, or the network is another.
    """

    title = "Bits for each layer"
    spoken = "accuracy"

    def __init__(
        self, network: MixedPrecision, path: Sequence[Bits], names: Sequence[str], *, bits: Bits = (8, 8, 8, 8)
    ) -> None:
        if not isinstance(network, MixedPrecision):
            raise ValueError(f"network: expected a MixedPrecision, got {type(network).__name__}")
        names = list(names)
        if len(names) != LAYERS or len({name for name in names if isinstance(name, str)}) != LAYERS:
            raise ValueError(f"names: expected {LAYERS} different names of layers, got {names}")
        self.network, self.path, self.names = network, [_slid("path", widths) for widths in path], names
        if not self.path:
            raise ValueError("path: expected at least one choice of bit widths, got none")
        ends = dict(min=min(WIDTHS), max=max(WIDTHS), style=WIDE)
        start = zip(names, _slid("bits", bits), strict=True)
        super().__init__(**{name: ipw.IntSlider(b, description=f"{name} bits", **ends) for name, b in start})

    def background(self, **_) -> None:
        left, right = self.axes
        uniform = [(b,) * LAYERS for b in WIDTHS]
        self._plot_points(left, uniform)
        self.here = self.moving(
            left.plot([], [], "o", ms=13, mfc="none", mec="C3", mew=2.5, zorder=5, clip_on=False)[0]
        )
        self._plot_layers(right, self.network.weights.layer_sizes(uniform[-1]))

    def move(self, **bits) -> Numbers:
        widths = tuple(bits[name] for name in self.names)
        weights, n = self.network.weights, len(self.network.images)
        sizes, float_size = weights.layer_sizes(widths), weights.size((FLOAT,) * LAYERS)
        accuracy, float_accuracy = self.network.accuracy(widths), self.network.accuracy((FLOAT,) * LAYERS)
        bottom, top = self.axes[0].get_ylim()
        self.here.set_data([sum(sizes)], [min(max(accuracy, bottom), top)])  # at the edge, if it lies beyond
        for bar, label, num_bits, size in zip(self.bars, self.labels, widths, sizes, strict=True):
            bar.set_width(size)
            label.set_text(f"{num_bits} bits: {size:,} bytes")
        change = round(100 * (accuracy - float_accuracy), 1) + 0.0  # no -0.0
        return {
            "size": f"{sum(sizes):,} bytes",
            "times smaller than float32": f"{float_size / sum(sizes):.1f}",
            "accuracy": f"{accuracy:.1%} ± {standard_error(accuracy, n):.1%} of {n:,} images",
            "change from float32": f"{change:+.1f} points",
        }

    def points(self, choices: Sequence[Bits]) -> np.ndarray:
        """Bytes and accuracy of each choice of widths: shape (choices, 2)."""
        return np.array([(self.network.weights.size(bits), self.network.accuracy(bits)) for bits in choices])

    def _plot_points(self, ax: Axes, uniform: list[Bits]) -> None:
        """What the ring moves among."""
        exact, n = self.network.accuracy((FLOAT,) * LAYERS), len(self.network.images)
        error = standard_error(exact, n)
        ax.axhspan(exact - error, exact + error, color="0.88", label="float32 ± standard error")
        path, same = self.points(self.path), self.points(uniform)
        ax.plot(*path.T, "--o", color="C0", ms=4, label="greedy: one bit less at each step")
        ax.plot(*same.T, "s", color="C1", mec="black", ms=6, label="the same bits in all layers")
        for (size, accuracy), bits in zip(same, uniform, strict=True):
            ax.annotate(str(bits[0]), (size, accuracy), (0, -10), textcoords="offset points", ha="center", va="top")
        shown = np.array([*path[:, 1], *same[:, 1], exact - error, exact + error])
        room = 0.15 * np.ptp(shown) + 0.001  # for the numbers below the points, and for the ring
        ax.set(xlabel="bytes", ylabel=f"accuracy on {n:,} images", ylim=(shown.min() - room, shown.max() + room))
        _count_bytes(ax)
        ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
        ax.legend(loc="lower right", frameon=False)

    def _plot_layers(self, ax: Axes, widest: list[int]) -> None:
        """A bar for each layer, which will move, in front of the outline of its widest."""
        places = np.arange(LAYERS)
        ax.barh(places, widest, height=0.4, fill=False, edgecolor="0.5", linestyle=":")
        self.bars = [self.moving(bar) for bar in ax.barh(places, widest, height=0.4, color="0.6", edgecolor="black")]
        above = dict(textcoords="offset points", va="bottom")
        self.labels = [self.moving(ax.annotate("", (0, place - 0.2), (3, 2), **above)) for place in places]
        ax.set(xlabel="bytes of the layer", yticks=places, yticklabels=self.names, ylim=(LAYERS - 0.6, -0.7))
        _count_bytes(ax)


def _count_bytes(ax: Axes) -> None:
    """Few and readable ticks on the axis of bytes."""
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _slid(name: str, bits: Bits) -> tuple[int, ...]:
    """Four widths that the sliders have."""
    bits = tuple(bits)
    if len(bits) != LAYERS or not all(is_integer(b) and b in WIDTHS for b in bits):
        raise ValueError(f"{name}: expected {LAYERS} integers from {min(WIDTHS)} to {max(WIDTHS)}, got {bits}")
    return tuple(map(int, bits))
