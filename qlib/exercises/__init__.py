"""Exercises and predictions of the lessons: `check`, `hint`, `solution`, `progress` and `predict`."""

from qlib.exercises.engine import check, hint, progress, solution
from qlib.exercises.prediction import predict

__all__ = ["check", "hint", "predict", "progress", "solution"]
