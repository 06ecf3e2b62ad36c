"""An explorer of size: parameters × bits × machine, and what follows for memory, time and energy."""

from __future__ import annotations

import math

import ipywidgets as ipw
import numpy as np
from matplotlib.ticker import FuncFormatter

from qlib import background, budget
from qlib.background import Machine, Network
from qlib.explorer import WIDE, Numbers, Panel, one_of

BITS = (2, 3, 4, 5, 6, 8, 16, 32)
OWN = "as the slider says"
EXPONENTS = (4, 12)  # of the slider: 10⁴ to 10¹² parameters
PER_DECADE = 20  # its places; the page moves it to the nearest one by itself
PERCENT = (0.1, 100_000)  # ends of the axes: the same for all, so that they compare. What lies outside is at the end
SECONDS = (1e-4, 1e2)


class ModelSizeExplorer(Panel):
    """Do the weights of a network fit into a machine, and how often can it read them in a second?

    Parameters
    ----------
    networks : dict of Network
    machines : dict of Machine
    network, machine : str, optional
        Where the controls stand at first; else the first of each.

    Raises
    ------
    ValueError
        If there is no network or machine, or none of that name.
    """

    title = "Size of a model"
    spoken = "bytes"
    repaint = ("machine",)

    def __init__(
        self,
        networks: dict[str, Network] = background.NETWORKS,
        machines: dict[str, Machine] = background.MACHINES,
        *,
        network: str | None = None,
        machine: str | None = None,
    ) -> None:
        network, machine = one_of("network", network, networks), one_of("machine", machine, machines)
        self.networks, self.machines = dict(networks), dict(machines)
        choice = ipw.Dropdown(options=[*networks, OWN], value=network, description="network", style=WIDE)
        slider = ipw.FloatLogSlider(
            _at(_place(networks[network].parameters)),
            min=EXPONENTS[0],
            max=EXPONENTS[1],
            step=1 / PER_DECADE,
            description="parameters ≈",
            readout_format=".3s",
            style=WIDE,
        )
        choice.observe(self._put, "value")  # before anything is drawn for the new network
        slider.observe(self._own, "value")
        super().__init__(
            network=choice,
            parameters=slider,
            bits=ipw.SelectionSlider(options=BITS, value=8, description="bits", style=WIDE),
            machine=ipw.Dropdown(options=list(machines), value=machine, description="machine", style=WIDE),
        )

    def background(self, machine, **_) -> None:
        limits, (left, right) = self.machines[machine], self.axes
        places = np.arange(len(BITS))
        self.bars = [self.moving(bar) for bar in left.bar(places, 1.0, 0.7, bottom=PERCENT[0])]
        left.axhline(100, color="black", linestyle="--", label=f"its memory: {_bytes(limits.memory)}")
        left.set(yscale="log", ylim=PERCENT, ylabel="weights in % of memory (log scale)", title=machine)
        (line,) = right.plot(places, np.ones(len(BITS)), "o-", color="C0")
        (ring,) = right.plot([], [], "o", ms=13, mfc="none", mec="C3", mew=2.5, clip_on=False, zorder=5)
        self.line, self.ring = self.moving(line), self.moving(ring)
        right.axhline(0.1, color="0.4", linestyle=":", label="0.1 s: ten passes a second")
        right.set(yscale="log", ylim=SECONDS, ylabel="seconds to read them once (log scale)")
        right.set_title(f"{limits.bandwidth / background.GB:g} GB per second")
        for ax in self.axes:
            ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))
            ax.set(xlim=(-0.6, len(BITS) - 0.4), xticks=places, xticklabels=BITS, xlabel="bits of one weight")
            ax.minorticks_off()
            ax.legend(loc="upper left", fontsize=8)

    def move(self, network, parameters, bits, machine) -> Numbers:
        limits, chosen = self.machines[machine], BITS.index(bits)
        count = round(float(f"{parameters:.3g}")) if network == OWN else self.networks[network].parameters
        sizes = [background.weight_bytes(count, b) for b in BITS]
        seconds = [background.read_seconds(size, limits.bandwidth) for size in sizes]
        for place, (bar, size) in enumerate(zip(self.bars, sizes, strict=True)):
            bar.set_height(np.clip(100 * size / limits.memory, 1.05 * PERCENT[0], PERCENT[1]) - PERCENT[0])
            bar.set(facecolor="C3" if size > limits.memory else "C0", alpha=0.85 if place == chosen else 0.35)
            bar.set(hatch="//" if place == chosen else "", edgecolor="black")
        shown = np.clip(seconds, *SECONDS)
        self.line.set_ydata(shown)
        self.ring.set_data([chosen], [shown[chosen]])
        return _numbers(count, sizes[chosen], seconds[chosen], limits.memory)

    def _put(self, change) -> None:
        """The slider goes near the chosen network; the network, not the slider, has the exact number."""
        if change["new"] != OWN:
            self.controls["parameters"].value = _at(_place(self.networks[change["new"]].parameters))

    def _own(self, change) -> None:
        """A slider that was moved to another place is no known network any more."""
        network = self.controls["network"].value
        if network != OWN and _place(change["new"]) != _place(self.networks[network].parameters):
            self.controls["network"].value = OWN


def _place(parameters: float) -> int:
    """The slider's place that is nearest to so many parameters; beyond its ends, the end."""
    return round(PER_DECADE * min(max(math.log10(parameters), EXPONENTS[0]), EXPONENTS[1]))


def _at(place: int) -> float:
    return 10 ** (place / PER_DECADE)


def _numbers(count: int, size: int, seconds: float, memory: int) -> Numbers:
    least, most = (pj / 1e12 for pj in budget.read_energy(size, "DRAM"))
    share = size / memory
    percent = "under 1" if share < 0.01 else f"{100 * share:.0f}"
    over = f"{_plain(share)} times" if share >= 1.005 else "a little more than"
    fits = f"yes, in {percent} % of the memory" if share <= 1 else f"no, they need {over} the memory"
    return {
        "weights": f"{count:,}",
        "bytes": _bytes(size),
        "fits": fits,
        "to read them once": f"{_plain(seconds)} s" if seconds >= 1 else f"{_si(seconds)}s",
        "passes per second": f"at most {_plain(1 / seconds)}",
        "energy, if from DRAM": f"{_si(least)}J to {_si(most)}J",
    }


def _bytes(size: int) -> str:
    return f"{size:,} bytes" if size < 10_000 else f"{_si(size)}B"


def _plain(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{float(f'{value:.3g}'):,.15g}"


def _si(value: float) -> str:
    """Three digits and a prefix: 7.00e9 is "7 G"."""
    power = max(-4, min(4, math.floor(math.log10(value) / 3 + 1e-9)))
    number = float(f"{value / 1000.0**power:.3g}")
    if number >= 1000 and power < 4:
        number, power = number / 1000, power + 1
    return f"{number:g} {'pnµm kMGT'[power + 4].strip()}"
