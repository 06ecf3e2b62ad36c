"""The engine of the exercises: find one, check an answer, say what was found.

A lesson's module holds `EXERCISES`, a dict from an id ("3.4") to an `Exercise`. Its check raises `Wrong`, or returns.
Tools for writing checks are in `qlib.exercises.asking`.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qlib.exercises.asking import NotAttempted, Wrong, shown, untouched

UNTRIED, WRONG, RIGHT = "not attempted yet", "not yet", "right"
MARKS = {UNTRIED: "○", WRONG: "✗", RIGHT: "✓"}


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    `check(answer, rng, **context)` raises `Wrong`; `rng` is new at each attempt, `context` is what the notebook passes.
    `solution` is a function of the answer's name. It *is* the answer if `kind` is "function"; if it is "value", it
    returns the answer, and its parameters are names of the notebook.
    """

    task: str
    check: Callable[..., None]
    right: str
    hints: tuple[str, ...]
    solution: Callable
    kind: str = "function"


class Verdict(NamedTuple):
    """What was found: one of UNTRIED, WRONG and RIGHT, and the text that the student reads."""

    outcome: str
    text: str


_attempts: Counter[str] = Counter()
_hints: Counter[str] = Counter()
_outcomes: dict[str, str] = {}


def check(exercise_id: str, answer: object, **context) -> None:
    """Check an answer and print the verdict. (Printed, so that a hint below it in the same cell doesn't hide it.)"""
    print(judge(exercise_id, answer, **context).text)


def judge(exercise_id: str, answer: object, **context) -> Verdict:
    """The verdict on an answer. Nothing is raised, whatever the answer is or does.

    A ValueError says that there is no such exercise, or that `context` is not what its check asks for.
    """
    exercise = find(exercise_id)
    try:
        inspect.signature(exercise.check).bind(answer, None, **context)
    except TypeError as error:
        raise ValueError(f"context: {error} of {exercise_id}, got {list(context)}") from None
    _attempts[exercise_id] += 1
    rng = np.random.default_rng(_attempts[exercise_id])
    rows: dict[str, str] = {}
    try:
        if untouched(answer):
            raise NotAttempted
        exercise.check(answer, rng, **context)
        outcome, sentence = RIGHT, exercise.right
    except NotAttempted:
        outcome, sentence = UNTRIED, ""
    except Wrong as wrong:
        outcome, sentence, rows = WRONG, str(wrong), wrong.rows
    except Exception as error:  # an answer of a form that nobody thought of
        outcome, sentence = WRONG, f"the check cannot read this answer ({type(error).__name__}: {error})."
        rows = {"got": shown(answer)}
    if _outcomes.get(exercise_id) != RIGHT:  # what was solved once stays so
        _outcomes[exercise_id] = outcome
    return Verdict(outcome, _text(exercise_id, outcome, sentence, rows))


def hint(exercise_id: str) -> None:
    """Print the next hint, from a gentle one to a plain one; after the last, the last again."""
    hints = find(exercise_id).hints
    number = min(_hints[exercise_id], len(hints) - 1)
    _hints[exercise_id] += 1
    last = f' Then there is solution("{exercise_id}").' if number == len(hints) - 1 else ""
    print(_wrap(f"Hint {number + 1} of {len(hints)}: {hints[number]}{last}"))


def solution(exercise_id: str) -> None:
    """Print one right answer, as code for the stub's cell."""
    print(solution_source(find(exercise_id)))


def progress(lesson: int | str) -> None:
    """Print a line that says how far one is in a lesson: 3, or "6a"."""
    ids = list(_module(str(lesson)).EXERCISES)
    outcomes = [_outcomes.get(exercise_id, UNTRIED) for exercise_id in ids]
    text = f"lesson {lesson}: {''.join(map(MARKS.get, outcomes))} {outcomes.count(RIGHT)} of {len(ids)} right"
    for outcome in (WRONG, UNTRIED):
        some = [exercise_id for exercise_id, its in zip(ids, outcomes, strict=True) if its == outcome]
        text += f"; {outcome}: {', '.join(some)}" if some else ""
    print(_wrap(text))


def find(exercise_id: str) -> Exercise:
    """The exercise of this id; a ValueError names those there are."""
    exercises = _module(str(exercise_id).partition(".")[0]).EXERCISES
    if exercise_id not in exercises:
        raise ValueError(f"exercise_id: expected one of {list(exercises)}, got {exercise_id!r}")
    return exercises[exercise_id]


def solution_source(exercise: Exercise) -> str:
    """The solution's own source; of a value, its body, with the answer's name in place of `return`."""
    source = inspect.getsource(exercise.solution)
    if exercise.kind == "function":
        return source.rstrip()
    body = textwrap.dedent(source.partition(":\n")[2]).rstrip()
    return re.sub(r"^return ", f"{exercise.solution.__name__} = ", body, flags=re.M)


def _module(lesson: str):
    there = sorted(path.stem.removeprefix("lesson0") for path in Path(__file__).parent.glob("lesson0*.py"))
    if lesson not in there:
        raise ValueError(f"lesson: expected one of {', '.join(there)}, got {lesson!r}")
    return import_module(f"qlib.exercises.lesson0{lesson}")


def _text(exercise_id: str, outcome: str, sentence: str, rows: dict[str, str]) -> str:
    lines = [_wrap(f"{MARKS[outcome]} {exercise_id} {outcome}" + (f": {sentence}" if sentence else ""))]
    lines += [f"    {name:9} {row}" for name, row in rows.items()]
    return "\n".join(lines + ([f'    help      hint("{exercise_id}")'] if outcome == WRONG else []))


def _wrap(text: str) -> str:
    return textwrap.fill(text, 76, subsequent_indent="    ")
