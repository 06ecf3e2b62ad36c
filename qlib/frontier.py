"""What lessons 04 to 06d measured, as points of one picture, and which of them no other beats: the Pareto frontier.

`collect` makes the points from the rows that the lessons' scripts wrote (`qlib.results`). `python
data/collect_results.py` writes them to `data/results/frontier.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from qlib.arguments import as_reals
from qlib.results import RESULTS, Summary, read, read_latency, summary

NOTEBOOKS = {
    "04": "04_mnist.ipynb",
    "05": "05_applications.ipynb",
    "06": "06_tools.ipynb",
    "06a": "06a_tfmot.ipynb",
    "06b": "06b_pytorch.ipynb",
    "06c": "06c_pruning.ipynb",
    "06d": "06d_distillation.ipynb",
}
# For each file of results: how a method's name begins, and the id of the cell that makes or shows it. First match wins.
CELLS = {
    "04": {
        "float32": "shipped",
        "[678] bits": "table-high",
        "[2345] bits": "table-low",
        "greedy": "mixed-search",
        "int8": "whole-images",
        "one more epoch|QAT": "qat-table",
    },
    "05": {"": "files-table"},
    "06": {"": "deep-stages"},
    "06-tiny": {"": "tiny-table"},
    "06a": {"": "table-summary"},
    "06b": {"": "table"},
    "06c": {
        "half": "filters-table",
        "one-shot 2:4, fine-tuned": "nm-read",
        "gradual|no pruning|one-shot 9.%, fine-tuned": "gradual-table",
        "one-shot 9": "retrain-table",
        "": "table",
    },
    "06d": {"no image of a 3": "threes", "": "table"},
}
COSTS = ("gzip", "bytes", "wrong", "time")  # of each, less is better


@dataclass(frozen=True)
class Point:
    """One method: where it comes from, and the means over its seeds.

    lesson, cell : which lesson made it, and the id of the cell that makes or shows it.
    bytes, gzip : of the file that would be deployed, and of the same after `gzip -9`.
    accuracy : share of the 10,000 test images, 0 to 1. spread : standard deviation over the seeds; None for one seed.
    time : of one image, divided by that of the float32 file in the same engine; None if it was not measured.
    """

    lesson: str
    cell: str
    method: str
    seeds: int
    bytes: float
    gzip: float
    accuracy: float
    spread: float | None
    time: float | None

    @property
    def wrong(self) -> float:
        """The share of wrong answers, 0 to 1."""
        return 1 - self.accuracy

    @property
    def standard_error(self) -> float:
        """Of the accuracy: `qlib.results.Summary.standard_error`."""
        spread = float("nan") if self.spread is None else self.spread
        return Summary(self.seeds, self.bytes, self.gzip, self.accuracy, spread, 0.0).standard_error

    @property
    def link(self) -> str:
        """The address of its cell, from another lesson."""
        return f"{NOTEBOOKS[self.lesson]}#cell-id={self.cell}"


def cell_of(file: str, method: str) -> str:
    """The id of the cell that makes or shows a method of a file of results.

    >>> cell_of("04", "3 bits, mse, per-channel")
    'table-low'
    """
    if file not in CELLS:
        raise ValueError(f"file: expected one of {list(CELLS)}, got {file!r}")
    for begins, cell in CELLS[file].items():
        if re.match(begins, method):
            return cell
    raise ValueError(f"method: expected a name that begins like one of {list(CELLS[file])}, got {method!r}")


def collect(*, folder: Path = RESULTS) -> list[Point]:
    """A point for each method, from the rows and the times that the lessons' scripts wrote."""
    times, points = read_latency(folder=folder), []
    for file in CELLS:
        lesson = file.partition("-")[0]
        for method, s in summary(read(file, folder=folder)).items():
            spread = s.spread if s.seeds > 1 else None
            time = times.get(lesson, {}).get(method)
            measured = (s.seeds, s.bytes, s.gzip, s.accuracy, spread, time)
            points.append(Point(lesson, cell_of(file, method), method, *measured))
    return points


def write_points(points: Sequence[Point], *, folder: Path = RESULTS) -> Path:
    """Write `frontier.json`, one point a line."""
    rows = ",\n ".join(json.dumps(asdict(point), ensure_ascii=False) for point in points)
    path = folder / "frontier.json"
    path.write_text(f"[\n {rows}\n]\n", encoding="utf-8")
    return path


def read_points(*, folder: Path = RESULTS) -> list[Point]:
    """What `write_points` wrote."""
    return [Point(**row) for row in json.loads((folder / "frontier.json").read_text(encoding="utf-8"))]


def costs_of(points: Sequence[Point], names: Sequence[str] = ("gzip", "wrong")) -> np.ndarray:
    """The costs of points, shape (points, names): each one of "gzip", "bytes", "wrong" and "time".

    A ValueError names an unknown cost, or a point whose time was not measured.
    """
    for name in names:
        if name not in COSTS:
            raise ValueError(f"names: expected some of {COSTS}, got {name!r}")
    for point in points:
        if "time" in names and point.time is None:
            raise ValueError(f"points: expected measured times, got none of {point.lesson} {point.method!r}")
    return np.array([[getattr(point, name) for name in names] for point in points]).reshape(len(points), len(names))


def dominated(costs: np.ndarray) -> np.ndarray:
    """Which points another one beats: it costs no more in anything, and less in something.

    Equal points don't beat each other. What is not dominated is the *frontier*, also called Pareto-optimal.

    Parameters
    ----------
    costs : real, shape (n, costs)
        Of each, less is better.

    Returns
    -------
    bool array, shape (n,)

    Examples
    --------
    >>> dominated([[1, 9], [2, 9], [3, 5]])
    array([False,  True, False])
    """
    costs = _table(costs)
    no_more = np.all(costs[:, None] <= costs, axis=2)  # [i, j]: i costs no more than j in anything
    less = np.any(costs[:, None] < costs, axis=2)
    return np.any(no_more & less, axis=0)


def frontier(costs: np.ndarray) -> np.ndarray:
    """The places of the points that are not dominated, the one with the least first cost first.

    >>> frontier([[3, 5], [1, 9], [2, 9]])
    array([1, 0])
    """
    costs = _table(costs)
    places = np.flatnonzero(~dominated(costs))
    return places[np.lexsort(costs[places].T[::-1])]


def clearly_dominated(size: np.ndarray, accuracy: np.ndarray, errors: np.ndarray, factor: float = 2.0) -> np.ndarray:
    """Which points another one beats beyond noise: no larger, and clearly more accurate.

    Clearly: by more than `factor` times √(e₁² + e₂²), the standard error of the difference of two accuracies with the
    standard errors e₁ and e₂, if they are independent. (Networks that saw the same test images are not quite: the
    true error is rather smaller, so that this is careful.)

    Parameters
    ----------
    size, accuracy, errors : real, shape (n,)
        `errors` are the standard errors of the accuracies.

    Examples
    --------
    >>> clearly_dominated([1, 2, 2], [0.99, 0.98, 0.9], [0.005, 0.005, 0.005])
    array([False, False,  True])
    """
    size, accuracy, errors = _three(size, accuracy, errors)
    ahead = accuracy[:, None] - accuracy  # [i, j]: how far i is ahead of j
    clear = ahead > factor * np.hypot(errors[:, None], errors)
    return np.any(clear & (size[:, None] <= size), axis=0)


def clear_steps(size: np.ndarray, accuracy: np.ndarray, errors: np.ndarray, factor: float = 2.0) -> list[int]:
    """From the smallest file upwards: the places of those that are clearly better than the last one kept.

    Parameters as for `clearly_dominated`. Of equally large files the more accurate comes first.

    Examples
    --------
    >>> clear_steps([1, 2, 3], [0.90, 0.91, 0.95], [0.01, 0.01, 0.01])
    [0, 2]
    """
    size, accuracy, errors = _three(size, accuracy, errors)
    kept: list[int] = []
    for i in np.lexsort([-accuracy, size]).tolist():
        if not kept or accuracy[i] - accuracy[kept[-1]] > factor * np.hypot(errors[i], errors[kept[-1]]):
            kept.append(i)
    return kept


def _table(costs: np.ndarray) -> np.ndarray:
    costs = as_reals("costs", costs)
    if costs.ndim != 2 or costs.shape[1] < 1:
        raise ValueError(f"costs: expected shape (n, costs), got {costs.shape}")
    return costs


def _three(size: np.ndarray, accuracy: np.ndarray, errors: np.ndarray) -> list[np.ndarray]:
    arrays = [as_reals(name, array) for name, array in dict(size=size, accuracy=accuracy, errors=errors).items()]
    for name, array in zip(("accuracy", "errors"), arrays[1:], strict=True):
        if arrays[0].ndim != 1 or array.shape != arrays[0].shape:
            raise ValueError(f"{name}: expected shape (n,), as of size, {arrays[0].shape}, got {array.shape}")
    return arrays
