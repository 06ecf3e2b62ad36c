"""Predictions of lesson 07, outlook: the frontier. What is true is computed from the points of the notebook."""

from __future__ import annotations

import numpy as np

from qlib.exercises.prediction import Prediction
from qlib.frontier import clear_steps, costs_of, frontier


def _frontier(points):
    found = len(frontier(costs_of(points)))
    place = 2 - int(np.digitize(found / len(points), (0.07, 0.15)))
    return place, f"{found} of {len(points)} methods lie on it, {found / len(points):.0%}."


def _noise(points):
    best = [points[i] for i in frontier(costs_of(points))]
    columns = ([getattr(p, name) for p in best] for name in ("gzip", "accuracy", "standard_error"))
    on, left = len(best), [best[i] for i in clear_steps(*columns)]
    names = " and ".join(f"“{p.method}” (lesson {p.lesson})" for p in left)
    place = 0 if len(left) == on else 2 if len(left) == 1 else 1
    return place, f"Of {on} on the frontier, {len(left)} are left: {names}."


def _time(points):
    timed = [point for point in points if point.time is not None]
    two, three = (len(frontier(costs_of(timed, ("gzip", "wrong", *more)))) for more in ((), ("time",)))
    return int(np.sign(three - two)) + 1, f"Of {len(timed)} methods with a time, {two} lie on it before, {three} after."


PREDICTIONS: dict[str, Prediction] = {
    "7.frontier": Prediction(
        question="What share of all these methods lies on the frontier: no other has fewer wrong answers with as few "
        "bytes?",
        options=("more than 20 %", "about 10 %", "less than 5 %"),
        truth=_frontier,
        most="Each method came from a lesson that had a reason for it, so one expects a place for each. But a method "
        "lies on the frontier only if not a single one of all the others dominates it.",
    ),
    "7.noise": Prediction(
        question="Walk along the frontier from the smallest file on, and keep a file only if it is better than the "
        "last one kept by more than two standard errors. How many of the frontier's points are left?",
        options=("all of them", "some of them", "only the first"),
        truth=_noise,
        most="A point on the frontier looks like a winner. But a frontier takes the best of many, and among many some "
        "are best by luck.",
    ),
    "7.time": Prediction(
        question="Now the time of an inference counts as a third cost. What becomes of the frontier?",
        options=("it gets shorter", "it stays as it is", "it gets longer"),
        truth=_time,
        most="A third demand sounds as if fewer could meet it. But a point is beaten only by one that is no worse in "
        "*all* costs. Each further cost is one more reason to stay.",
    ),
}
