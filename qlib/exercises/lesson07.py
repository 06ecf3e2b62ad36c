"""Exercises of lesson 07, outlook: tasks, hints and solutions, from one module for each part of the lesson."""

from __future__ import annotations

from qlib.exercises import exercises07_formats as formats
from qlib.exercises import exercises07_frontier as frontier
from qlib.exercises import exercises07_outliers as outliers
from qlib.exercises import exercises07_rounding as rounding
from qlib.exercises.predictions07_formats import PREDICTIONS as ABOUT_FORMATS
from qlib.exercises.predictions07_frontier import PREDICTIONS as ABOUT_THE_FRONTIER
from qlib.exercises.predictions07_outliers import PREDICTIONS as ABOUT_OUTLIERS
from qlib.exercises.predictions07_rounding import PREDICTIONS as ABOUT_ROUNDING

__all__ = ["EXERCISES", "PREDICTIONS"]

EXERCISES = frontier.EXERCISES | formats.EXERCISES | outliers.EXERCISES | rounding.EXERCISES
PREDICTIONS = ABOUT_THE_FRONTIER | ABOUT_FORMATS | ABOUT_OUTLIERS | ABOUT_ROUNDING
