"""An explorer of a pruned network: a slider for the sparsity of each layer, beside the accuracy and the bytes."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from qlib.explorer import WIDE, Numbers, Panel
from qlib.mixed import LAYERS, standard_error
from qlib.pruned import MOST, Percents, PrunedNetwork, check_percents, sensitivity

SAMPLED = (0, 20, 40, 50, 60, 70, 80, 85, 90, 95, 99)  # percent, where the curves are computed
STYLES = (("-", "o"), ("--", "s"), ("-.", "^"), (":", "D"))
FORMATS = ("dense", "bitmap", "CSR")


class SparsityExplorer(Panel):
    """Accuracy and bytes, with a sparsity of its own for each layer (weights of the smallest magnitude are zero).

    Left, a curve for each layer: the accuracy when it alone is pruned. A ring stands on each curve where its slider
    does; the grey band is the accuracy of all four together ± its standard error. Right, the bytes of all weights in
    three ways to store them; the dotted line is the dense network.

    Parameters
    ----------
    network : PrunedNetwork
        On test images. Two thousand of MNIST answer in one or two tenths of a second, at the slowest.
    names : sequence of 4 str
        The names of the layers.
    percents : four integers from 0 to 99
        Where the sliders stand at first.

    Raises
    ------
    ValueError
        If the network is another, the names are not four different ones, or a sparsity is not 0 … 99.
    """

    title = "Sparsity of each layer"
    spoken = "accuracy"

    def __init__(self, network: PrunedNetwork, names: Sequence[str], *, percents: Percents = (0, 0, 0, 0)) -> None:
        if not isinstance(network, PrunedNetwork):
            raise ValueError(f"network: expected a PrunedNetwork, got {type(network).__name__}")
        names = list(names)
        if len(names) != LAYERS or len({name for name in names if isinstance(name, str)}) != LAYERS:
            raise ValueError(f"names: expected {LAYERS} different names of layers, got {names}")
        self.network, self.names = network, names
        self.curves = sensitivity(network, SAMPLED)
        start = zip(names, check_percents(percents), strict=True)
        ends = dict(min=0, max=MOST, style=WIDE)
        super().__init__(**{name: ipw.IntSlider(p, description=f"{name} % zeros", **ends) for name, p in start})

    def background(self, **_) -> None:
        left, right = self.axes
        self._plot_curves(left)
        self._plot_bytes(right)

    def move(self, **percents) -> Numbers:
        chosen = tuple(percents[name] for name in self.names)
        network, n = self.network, len(self.network.images)
        accuracy, whole = network.accuracy(chosen), network.accuracy((0,) * LAYERS)
        error = standard_error(accuracy, n)
        self.band.set_y(accuracy - error)
        self.band.set_height(2 * error)
        self.line.set_ydata([accuracy, accuracy])
        for ring, percent, curve in zip(self.rings, chosen, self.curves, strict=True):
            ring.set_data([percent], [np.interp(percent, SAMPLED, curve)])
        sizes = {name: sum(layers) for name, layers in network.weights.stored(chosen).items()}
        for bar, label, name in zip(self.bars, self.labels, FORMATS, strict=True):
            bar.set_width(sizes[name])
            label.set_text(f"{sizes[name]:,} bytes")
        weights = [kernel.size for kernel in network.weights.kernels]
        zeros = sum(round(p / 100 * size) for p, size in zip(chosen, weights, strict=True))
        change = round(100 * (accuracy - whole), 1) + 0.0  # no -0.0
        return {
            "zeros": f"{zeros:,} of {sum(weights):,} weights, {zeros / sum(weights):.1%}",
            "accuracy": f"{accuracy:.1%} ± {error:.1%} of {n:,} images",
            "change from dense": f"{change:+.1f} points",
        } | {name: f"{sizes[name]:,} bytes" for name in FORMATS}

    def _plot_curves(self, ax: Axes) -> None:
        """The accuracy against the sparsity of each layer alone, and what will move over it."""
        for name, curve, (dash, marker) in zip(self.names, self.curves, STYLES, strict=True):
            ax.plot(SAMPLED, curve, dash, marker=marker, ms=4, label=f"{name} alone")
        self.band = self.moving(ax.axhspan(0, 1, color="0.5", alpha=0.35, zorder=1))
        self.line = self.moving(ax.axhline(1, color="black", linewidth=1, zorder=1))
        rings = dict(ms=12, mfc="none", mec="C3", mew=2.5, zorder=5, clip_on=False)
        self.rings = [self.moving(ax.plot([], [], "o", **rings)[0]) for _ in self.names]
        ax.plot([], [], color="black", linewidth=1, label="all four as set")
        ax.set(xlabel="zeros in the layer (%)", ylabel=f"accuracy on {len(self.network.images):,} images")
        ax.set(xlim=(-3, 102), ylim=(0, 1.05))
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.legend(loc="center left", frameon=False)

    def _plot_bytes(self, ax: Axes) -> None:
        """A bar for each format, which will move, beside a line at the dense network."""
        most = {name: sum(layers) for name, layers in self.network.weights.stored((0,) * LAYERS).items()}
        places = np.arange(len(FORMATS))
        ax.axvline(most["dense"], color="0.5", linestyle=":")
        self.bars = [self.moving(bar) for bar in ax.barh(places, [0] * 3, height=0.4, color="0.6", edgecolor="black")]
        above = dict(textcoords="offset points", va="bottom")
        self.labels = [self.moving(ax.annotate("", (0, place - 0.2), (3, 2), **above)) for place in places]
        ax.set(xlabel="bytes of all weights and biases", yticks=places, yticklabels=FORMATS)
        ax.set(xlim=(0, 1.05 * max(most.values())), ylim=(len(FORMATS) - 0.6, -0.7))
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
