"""Pictures of the points of `qlib.frontier`: a marker for each lesson, the frontier as steps, numbers on its points."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from qlib.frontier import NOTEBOOKS, Point, costs_of, frontier
from qlib.plots import figure

MARKERS = dict(zip(NOTEBOOKS, "X*s^oPD", strict=True))
LABELS = {
    "bytes": "bytes of the file (log scale)",
    "gzip": "bytes after gzip (log scale)",
    "time": "time ÷ time of float32 (log scale)",
    "wrong": "wrong answers (log scale)",
}
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
RATIOS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


def measured(points: Sequence[Point], cost: str) -> list[Point]:
    """The points that can be drawn: all, or where `cost` is "time" those whose time was measured."""
    return [point for point in points if cost != "time" or point.time is not None]


def plot_points(points: Sequence[Point], cost: str = "gzip", *, ax: Axes | None = None, numbers: bool = True) -> Axes:
    """Wrong answers against `cost`, both on a log scale: the nearer to the lower left corner the better.

    The step line is the frontier: the fewest wrong answers for at most that cost. Its points are filled, and numbered
    from the left if `numbers` is true. Bars: two standard errors in both directions, for the points of the frontier.

    Parameters
    ----------
    points : Points
        Those without a time are left out where `cost` is "time".
    cost : "gzip", "bytes" or "time"
    """
    ax = figure(width=8, height=5)[0] if ax is None else ax
    points = measured(points, cost)
    costs = costs_of(points, (cost, "wrong"))
    best = frontier(costs)
    lessons = np.array([point.lesson for point in points])
    for lesson, marker in MARKERS.items():
        for inside in (False, True):
            places = [i for i in np.flatnonzero(lessons == lesson) if (i in best) == inside]
            style = dict(ms=9, color="C0") if inside else dict(ms=6, color="0.75")
            ax.plot(*costs[places].T, marker, mec="black", mew=0.7, zorder=3 + inside, **style)
        if (lessons == lesson).any():
            ax.plot([], [], marker, color="0.75", mec="black", label=f"lesson {lesson}")
    _plot_frontier(ax, costs, best, [points[i].standard_error for i in best], numbers)
    _log_axes(ax, costs)
    ax.set(xlabel=LABELS[cost], ylabel=LABELS["wrong"])
    if cost == "time" and len(costs):
        ends = 0.8 * costs[:, 0].min(), 1.25 * costs[:, 0].max()
        ax.set_xticks([ratio for ratio in RATIOS if ends[0] <= ratio <= ends[1]], minor=False)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlim(ends)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return ax


def _plot_frontier(ax: Axes, costs: np.ndarray, places: np.ndarray, errors: Sequence[float], numbers: bool) -> None:
    """The frontier's steps, bars of two standard errors, and the number of each point."""
    if not len(places):
        return
    best = costs[places]
    ends = np.vstack([best, [1.1 * costs[:, 0].max(), best[-1, 1]]])
    ax.step(*ends.T, where="post", color="black", linewidth=1, zorder=2, label="frontier")
    errors = np.array(errors)
    low = np.minimum(2 * errors, 0.9 * best[:, 1])  # a bar must not reach 0 on a log scale
    ax.errorbar(*best.T, yerr=[low, 2 * errors], fmt="none", ecolor="black", elinewidth=1, zorder=2)
    for run in runs(np.log10(best[:, 0])) if numbers else ():
        place = np.exp(np.log(best[run, 0]).mean()), (best[:, 1] - low)[run].min()
        text = f"{run[0] + 1}–{run[-1] + 1}" if len(run) > 1 else f"{run[0] + 1}"
        ax.annotate(text, place, (0, -3), textcoords="offset points", ha="center", va="top")


def runs(x: np.ndarray, apart: float = 0.12) -> list[np.ndarray]:
    """Places of an ascending x, cut where two neighbours are further apart: one label serves a run.

    >>> [run.tolist() for run in runs([0.0, 1.0, 1.1, 1.2])]
    [[0], [1, 2, 3]]
    """
    return np.split(np.arange(len(x)), np.flatnonzero(np.diff(x) > apart) + 1)


def _log_axes(ax: Axes, costs: np.ndarray) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_yticks(SHARES, minor=False)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g} %"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    if len(costs):
        ax.set_ylim(0.5 * costs[:, 1].min(), 1.3 * costs[:, 1].max())


class linked:  # noqa: N801 -- reads as a verb in a lesson, as `plots.show` does
    """Points as a table, numbered from 1, each with a link to the cell that makes or shows it: a cell's last line.

    With a `summary` the table is folded away behind it, and the text is the summary alone.
    """

    HEAD = ("", "lesson", "method", "seeds", "bytes", "gzip", "right", "time", "cell")

    def __init__(self, points: Sequence[Point], *, summary: str = "") -> None:
        self.points, self.summary = list(points), summary
        self.rows = [
            (
                *(str(number), point.lesson, point.method, str(point.seeds)),
                *(f"{point.bytes:,.0f}", f"{point.gzip:,.0f}", f"{point.accuracy:.2%}"),
                *("–" if point.time is None else f"{point.time:.2f}", point.cell),
            )
            for number, point in enumerate(self.points, 1)
        ]

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in self.HEAD)
        rows = []
        for point, (*cells, cell) in zip(self.points, self.rows, strict=True):
            texts = "".join(f"<td>{html.escape(text)}</td>" for text in cells)
            rows.append(f'<tr>{texts}<td><a href="{point.link}">{html.escape(cell)}</a></td></tr>')
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        return f"<details><summary>{html.escape(self.summary)}</summary>{table}</details>" if self.summary else table

    def __repr__(self) -> str:
        if self.summary:
            return self.summary
        widths = [max(map(len, column)) for column in zip(self.HEAD, *self.rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in (self.HEAD, *self.rows))
        return "\n".join(lines)
