"""An explorer of what a network needs of a device, and a progress bar for work that counts what it has done."""

from __future__ import annotations

import time

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from qlib import budget
from qlib.budget import Device
from qlib.explorer import WIDE, Numbers, Panel, one_of
from qlib.tflite import Graph, read

PERCENT = (0.1, 100_000)  # ends of the axis that compares needs with limits
BYTES = (8, 4 * 2**20)  # and of the one that shows live memory: the same for all files, so that they compare


class BudgetExplorer(Panel):
    """Does a network fit into a device? Flash and RAM against the limits, and what lives in RAM at each operator.

    Parameters
    ----------
    files : dict of bytes
        `.tflite` files by name.
    devices : dict of Device
    file, device : str, optional
        Where the controls stand at first; else the first of each.

    Raises
    ------
    ValueError
        If there is no file or device, or none of that name; or if a file is damaged, or holds an operator that
        `budget.macs` doesn't know.
    """

    title = "Budget of a device"
    spoken = "in memory there"
    repaint = ("file", "device")

    def __init__(
        self,
        files: dict[str, bytes],
        devices: dict[str, Device] = budget.DEVICES,
        *,
        file: str | None = None,
        device: str | None = None,
    ) -> None:
        file, device = one_of("file", file, files), one_of("device", device, devices)
        self.graphs = {name: read(data) for name, data in files.items()}
        self.sizes = {name: len(data) for name, data in files.items()}
        self.devices = dict(devices)
        for graph in self.graphs.values():
            budget.macs(graph)  # refuse it now rather than when it is chosen
        live = budget.live_bytes(self.graphs[file])
        choice = ipw.Dropdown(options=list(files), value=file, description="file", style=WIDE)
        step = ipw.IntSlider(int(live.argmax()), 0, live.size - 1, description="operator", style=WIDE)
        choice.observe(self._shorten, "value")  # before anything is drawn for the new file
        super().__init__(
            file=choice,
            device=ipw.Dropdown(options=list(devices), value=device, description="device", style=WIDE),
            operator=step,
        )

    def background(self, file, device, **_) -> None:
        graph, limits = self.graphs[file], self.devices[device]
        needs = {"flash": (self.sizes[file], limits.flash), "RAM": (budget.arena_bytes(graph), limits.ram)}
        _plot_needs(self.axes[0], needs, f"{file} on {device}")
        _plot_live(self.axes[1], graph, limits.ram)
        self.here = self.moving(
            self.axes[1].plot([], [], "o", ms=13, mfc="none", mec="C3", mew=2.5, zorder=5, clip_on=False)[0]
        )

    def move(self, file, device, operator) -> Numbers:
        graph, limits = self.graphs[file], self.devices[device]
        live = budget.live_bytes(graph)
        self.here.set_data([operator], [np.clip(live[operator], *BYTES)])
        return self.once((file, device), lambda: _needed(graph, self.sizes[file], limits)) | {
            "runs": graph.operators[operator].name,
            "in memory there": f"{live[operator]:,} bytes ({_alive(graph, operator)})",
        }

    def _shorten(self, change) -> None:
        """As many places on the slider as the file has operators."""
        self.controls["operator"].max = len(self.graphs[change["new"]].operators) - 1


class ProgressBar(ipw.HBox):
    """A progress bar that is a function of how much is done: the `progress` of `qlib.deploy`."""

    def __init__(self, total: int, unit: str) -> None:
        self.bar, self.label, self.unit = ipw.IntProgress(0, 0, total), ipw.Label(), unit
        self._drawn = -1.0
        super().__init__([self.bar, self.label])

    def __call__(self, done: int) -> None:
        """Show `done` of the total; at most ten times a second, and the last one always."""
        if done >= self.bar.max or time.monotonic() - self._drawn > 0.1:
            self._drawn = time.monotonic()
            self.bar.value = done
            self.label.value = f"{done:,} of {self.bar.max:,} {self.unit}"

    def __repr__(self) -> str:
        return f"a progress bar of {self.bar.max:,} {self.unit}"


def _needed(graph: Graph, size: int, device: Device) -> Numbers:
    """What the file needs, beside what the device has. Energies in µJ."""
    arena, weights, count = budget.arena_bytes(graph), budget.constant_bytes(graph), int(budget.macs(graph).sum())
    needs = {"flash": size / device.flash, "RAM": arena / device.ram}
    over = [f"{_times(share)} the {name} it has" for name, share in needs.items() if share > 1]
    near, (least, most) = (budget.read_energy(weights, memory) for memory in ("1 MB cache", "DRAM"))
    try:
        compute = f"{budget.energy(graph) / 1e6:.2f} µJ"
    except ValueError:  # types that the table doesn't have
        compute = "not in the table"
    return {
        "fits": "no, it needs " + " and ".join(over) if over else "yes",
        "flash": f"{size:,} of {device.flash:,} bytes",
        "RAM": f"{arena:,} of {device.ram:,} bytes",
        "MACs": f"{count:,}",
        "at one per cycle": f"{1000 * count / device.clock:.1f} ms",
        "arithmetic": compute,
        "weights from 1 MB cache": f"{near[0] / 1e6:.1f} µJ",
        "from DRAM": f"{least / 1e6:.0f} to {most / 1e6:.0f} µJ",
    }


def _times(share: float) -> str:
    return f"{share:.0f} times" if share >= 10 else f"{share:.1f} times" if share >= 1.05 else f"{share:.1%} of"


def _alive(graph: Graph, operator: int) -> str:
    """The tensors that live at an operator, in words."""
    lives = budget.lifetimes(graph).items()
    alive = [graph.tensors[i] for i, (first, last) in lives if first <= operator <= last]
    return " + ".join(f"{'×'.join(map(str, t.shape)) or '1'} {t.dtype}" for t in alive)


def _plot_needs(ax: Axes, needs: dict[str, tuple[int, int]], title: str) -> None:
    """A bar for each need, in percent of its limit."""
    places, label = np.arange(len(needs)), dict(facecolor="white", edgecolor="none", pad=1)
    for place, ((need, limit), hatch) in enumerate(zip(needs.values(), ("//", ".."), strict=True)):
        share = 100 * need / limit
        color = "C3" if need > limit else "C0"
        ax.barh(place, share - PERCENT[0], 0.45, PERCENT[0], color=color, alpha=0.4, hatch=hatch, edgecolor="black")
        verdict = "too large" if need > limit else "fits"
        ax.text(PERCENT[0] * 1.3, place - 0.28, f"{need:,} of {limit:,} bytes: {verdict}", va="bottom", bbox=label)
    ax.axvline(100, color="black", linestyle="--")
    ax.set(xscale="log", xlim=PERCENT, ylim=(len(needs) - 0.6, -0.7), yticks=places, yticklabels=list(needs))
    ax.set(xlabel="percent of what the device has (log scale)", title=title)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.minorticks_off()


def _plot_live(ax: Axes, graph: Graph, ram: int) -> None:
    """Live memory at each operator, its peak, and the device's RAM."""
    live = budget.live_bytes(graph)
    places, peak = np.arange(live.size), int(live.argmax())
    ax.step(places, live, where="mid", color="C0")
    ax.plot(places, live, "o", color="C0", ms=4, label="live memory")
    ax.plot(peak, live[peak], "D", color="C1", mec="black", ms=8, label=f"peak: {live[peak]:,} bytes")
    ax.axhline(ram, color="black", linestyle="--", label="RAM of the device")
    ax.set(yscale="log", ylim=BYTES, ylabel="bytes (log scale)", xticks=places)
    ax.set_xticklabels([operator.name.lower() for operator in graph.operators], rotation=90, fontsize=7)
    ax.minorticks_off()
    ax.legend(loc="lower left", fontsize=8)
