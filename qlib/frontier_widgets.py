"""An explorer of all results: which lessons, which bytes, and how accurate at least; then the smallest file."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as ipw
import numpy as np

from qlib.explorer import WIDE, Numbers, Panel
from qlib.frontier import NOTEBOOKS, Point, costs_of, frontier
from qlib.frontier_plots import LABELS, measured, plot_points

ALL = "all"
BYTES = {"after gzip": "gzip", "of the file": "bytes"}
LEAST, MOST, STEP = 95.0, 99.5, 0.1  # the slider, in percent of right answers


class FrontierExplorer(Panel):
    """Left, wrong answers against bytes; right, against time. A line at the accuracy wanted, a ring at the best.

    The best is the smallest file that is at least as accurate as wanted; of equally small ones the most accurate.

    Parameters
    ----------
    points : at least one Point
        As `qlib.frontier.collect` gives them.
    accuracy : where the slider stands at first, in percent: 95 to 99.5

    Raises
    ------
    ValueError
        If there are no points, or the slider cannot start there.
    """

    title = "All results: bytes, time and wrong answers"
    spoken = "smallest file"
    repaint = ("lesson", "bytes")

    def __init__(self, points: Sequence[Point], *, accuracy: float = 98.8) -> None:
        if not points:
            raise ValueError("points: expected at least one, got none")
        if not LEAST <= accuracy <= MOST:
            raise ValueError(f"accuracy: expected {LEAST:g} to {MOST:g}, got {accuracy!r}")
        self.points = list(points)
        lessons = [ALL, *(lesson for lesson in NOTEBOOKS if any(p.lesson == lesson for p in points))]
        ends = dict(min=LEAST, max=MOST, step=STEP, readout_format=".1f", style=WIDE)
        super().__init__(
            lesson=ipw.Dropdown(options=lessons, description="lesson", style=WIDE),
            bytes=ipw.Dropdown(options=list(BYTES), description="bytes", style=WIDE),
            accuracy=ipw.FloatSlider(accuracy, description="right, % at least", **ends),
        )

    def background(self, lesson: str, bytes: str, **_) -> None:
        self.shown = [point for point in self.points if lesson in (ALL, point.lesson)]
        self.lines, self.rings = [], []
        for ax, cost in zip(self.axes, (BYTES[bytes], "time"), strict=True):
            some = measured(self.shown, cost)
            if some:
                plot_points(some, cost, ax=ax, numbers=False)
                ax.get_legend().remove()
            else:
                ax.set(xlabel=LABELS[cost], xticks=[], yticks=[], title="no time was measured")
            style = dict(ms=15, mfc="none", mec="C3", mew=2.5, zorder=9)
            self.rings.append(self.moving(ax.plot([], [], "o", **style)[0]))
            self.lines.append(self.moving(ax.axhline(1, color="C3", linestyle="--", linewidth=1.5)))
        self.axes[1].set_ylabel("")

    def move(self, lesson: str, bytes: str, accuracy: float) -> Numbers:
        cost = BYTES[bytes]
        enough = [point for point in self.shown if 100 * point.accuracy >= accuracy - 1e-9]
        best = min(enough, key=lambda point: (getattr(point, cost), point.wrong), default=None)
        for line in self.lines:
            line.set_ydata([1 - accuracy / 100] * 2)
        for ring, name in zip(self.rings, (cost, "time"), strict=True):
            place = None if best is None else getattr(best, name)
            ring.set_data(([], []) if place is None else ([place], [best.wrong]))
        places = frontier(costs_of(self.shown, (cost, "wrong")))
        on = sum(100 * self.shown[i].accuracy >= accuracy - 1e-9 for i in np.atleast_1d(places))
        numbers = {
            "accurate enough": f"{len(enough)} of {len(self.shown)} methods, {on} of {len(places)} on the frontier",
            "smallest file": "none" if best is None else f"{best.method}, {getattr(best, cost):,.0f} bytes {bytes}",
        }
        return numbers if best is None else numbers | _about(best)


def _about(point: Point) -> Numbers:
    return {
        "right": f"{point.accuracy:.2%}, standard error {point.standard_error:.2%}",
        "time ÷ float32": "not measured" if point.time is None else f"{point.time:.2f}",
        "made in": f"lesson {point.lesson}, cell {point.cell}",
    }
