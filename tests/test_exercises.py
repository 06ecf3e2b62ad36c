"""Every exercise: the right answer passes, each named wrong answer is told its own misconception.

The wrong answers are in `wrong_01.py` … (one file for each lesson): `WRONG` maps an exercise to names of wrong answers,
each with a piece of the sentence it must get. `RIGHT` holds other right answers, `CONTEXT` what a notebook passes.
"""

import inspect
from functools import cache
from importlib import import_module

import nbformat
import numpy as np
import pytest
from baseline import lessons

from qlib.exercises import asking, engine
from qlib.exercises.asking import Wrong

NUMBERS = [path.stem.split("_")[0].lstrip("0") for path in lessons()]
NOTEBOOKS = dict(zip(NUMBERS, (nbformat.read(path, as_version=4) for path in lessons()), strict=True))
MODULES = {number: import_module(f"qlib.exercises.lesson0{number}") for number in NUMBERS}
ANSWERS = {number: import_module(f"wrong_0{number}") for number in NUMBERS}
EXERCISES = {i: exercise for module in MODULES.values() for i, exercise in module.EXERCISES.items()}
FUNCTIONS = [i for i, exercise in EXERCISES.items() if exercise.kind == "function"]
WRONG = [(i, name) for answers in ANSWERS.values() for i, wrongs in answers.WRONG.items() for name in wrongs]
LEAST = {"1": 3, "2": 4, "3": 9, "4": 6, "5": 4, "6": 4, "6a": 4, "6b": 4, "6c": 5, "6d": 4, "7": 10, "8": 4}
_contexts = {}


def answers_of(exercise_id):
    return ANSWERS[exercise_id.partition(".")[0]]


def context_of(exercise_id):
    if exercise_id not in _contexts:
        make = getattr(answers_of(exercise_id), "CONTEXT", {}).get(exercise_id, dict)
        _contexts[exercise_id] = make()
    return _contexts[exercise_id]


def solved(exercise_id):
    exercise, context = EXERCISES[exercise_id], context_of(exercise_id)
    if exercise.kind == "function":
        return exercise.solution
    return exercise.solution(**{name: context[name] for name in inspect.signature(exercise.solution).parameters})


def sentence(exercise_id, answer, seed=0):
    """What the check says of an answer, or "" if it is right."""
    try:
        EXERCISES[exercise_id].check(answer, np.random.default_rng(seed), **context_of(exercise_id))
    except Wrong as wrong:
        return str(wrong)
    return ""


@cache
def wrong_sentence(exercise_id, name, seed):
    """What the check says of a wrong answer; kept, since two tests ask."""
    return sentence(exercise_id, answers_of(exercise_id).WRONG[exercise_id][name][0], seed)


def test_there_are_enough_and_all_are_tested():
    for number, module in MODULES.items():
        ids = list(module.EXERCISES)
        assert len(ids) >= LEAST.get(number, 1)
        assert ids == [f"{number}.{i + 1}" for i in range(len(ids))]
        assert set(ANSWERS[number].WRONG) == set(ids)
    assert min(len(wrongs) for answers in ANSWERS.values() for wrongs in answers.WRONG.values()) >= 3


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_the_solution_is_right_twice_with_other_inputs(exercise_id):
    for seed in (0, 1, 2):
        assert sentence(exercise_id, solved(exercise_id), seed) == ""
    said = engine.judge(exercise_id, solved(exercise_id), **context_of(exercise_id))
    assert said.outcome == "right" and len(EXERCISES[exercise_id].right) > 20


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_other_right_answers_are_right(exercise_id):
    for answer in getattr(answers_of(exercise_id), "RIGHT", {}).get(exercise_id, []):
        for seed in (0, 1):
            assert sentence(exercise_id, answer, seed) == ""


@pytest.mark.parametrize(("exercise_id", "name"), WRONG)
def test_a_wrong_answer_is_told_why(exercise_id, name):
    _, fragment = answers_of(exercise_id).WRONG[exercise_id][name]
    for seed in (0, 1):
        said = wrong_sentence(exercise_id, name, seed)
        assert any(part in said for part in ([fragment] if isinstance(fragment, str) else fragment))


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_three_wrong_answers_have_three_sentences(exercise_id):
    wrongs = answers_of(exercise_id).WRONG[exercise_id]
    assert len({wrong_sentence(exercise_id, name, 0) for name in wrongs}) >= 3
    answer, _ = next(iter(wrongs.values()))
    assert engine.judge(exercise_id, answer, **context_of(exercise_id)).outcome == "not yet"


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_what_is_no_answer_is_told_so(exercise_id):
    context = context_of(exercise_id)
    for answer in (None, "a", "12", [], {}, np.nan, np.array([1.0, 2.0]), (1, 2, 3, 4, 5), object(), print, int):
        said = engine.judge(exercise_id, answer, **context)
        assert said.outcome == "not yet" and "help" in said.text
    assert engine.judge(exercise_id, ..., **context).outcome == "not attempted yet"


@pytest.mark.parametrize("exercise_id", FUNCTIONS)
def test_functions_that_misbehave_are_told_so(exercise_id, monkeypatch):
    def raises(*args):
        return 1 / 0

    def loops(*args):
        while True:
            pass

    assert "ZeroDivisionError" in sentence(exercise_id, raises)
    with monkeypatch.context() as patch:
        patch.setattr(asking, "SECONDS", 0.2)
        assert "Does every loop end?" in sentence(exercise_id, loops)
    for answer in (lambda *_: None, lambda *_: "x", lambda *_: np.zeros((3, 1, 2)), lambda *_: [], lambda: 0):
        assert engine.judge(exercise_id, answer, **context_of(exercise_id)).outcome == "not yet"
    assert engine.judge(exercise_id, lambda *_: ..., **context_of(exercise_id)).outcome == "not attempted yet"


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_hints_are_graded_and_do_not_repeat(exercise_id):
    exercise = EXERCISES[exercise_id]
    assert len(exercise.hints) >= 2 and len(set(exercise.hints)) == len(exercise.hints)
    assert exercise.task.endswith((".", "?")) and exercise.kind in ("function", "value")


@pytest.mark.parametrize("number", NUMBERS)
def test_each_exercise_has_its_cells(number):
    cells = {cell.id: cell.source for cell in NOTEBOOKS[number].cells}
    order = [cell.id for cell in NOTEBOOKS[number].cells]
    for exercise_id, exercise in MODULES[number].EXERCISES.items():
        place, name = exercise_id.replace(".", "-"), exercise.solution.__name__
        text, stub, check = (f"exercise-{place}-text", f"stub-{place}", f"check-{place}")
        assert order.index(text) + 2 == order.index(stub) + 1 == order.index(check)
        assert cells[text].startswith(f"**Exercise {exercise_id}.**")
        start = f"def {name}(" if exercise.kind == "function" else f"{name} = ..."
        assert cells[stub].startswith(start) and cells[stub].rstrip().endswith("...")
        assert cells[check].startswith(f'check("{exercise_id}", {name}')
        assert f'# hint("{exercise_id}")' in cells[check] and f'# solution("{exercise_id}")' in cells[check]
    assert cells["progress"] == (f"progress({number})" if number.isdigit() else f'progress("{number}")')
    placed = [i for i in order if i.startswith("check-")]
    assert placed == [f"check-{i.replace('.', '-')}" for i in MODULES[number].EXERCISES]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_untouched_lesson_says_not_attempted_yet(number):
    stored = {cell.id: cell.outputs for cell in NOTEBOOKS[number].cells if cell.cell_type == "code"}
    for exercise_id in MODULES[number].EXERCISES:
        (output,) = stored[f"check-{exercise_id.replace('.', '-')}"]
        assert output.text == f"○ {exercise_id} not attempted yet\n"
    (output,) = stored["progress"]
    count = len(MODULES[number].EXERCISES)
    assert output.text.startswith(f"lesson {number}: {'○' * count} 0 of {count} right")


@pytest.mark.parametrize("number", NUMBERS)
def test_each_prediction_is_asked_once_and_says_what_is_true(number):
    predictions, asked = MODULES[number].PREDICTIONS, []
    for cell in NOTEBOOKS[number].cells:
        if cell.cell_type == "code" and cell.source.startswith("predict("):
            asked.append(cell.source.split('"')[1])
            (output,) = cell.outputs
            assert output.data["text/plain"].startswith(f"Predict {asked[-1]}. ")
            assert "<details>" in output.data["text/html"]
    assert sorted(asked) == sorted(predictions)
    for prediction in predictions.values():
        assert 2 <= len(prediction.options) == len(set(prediction.options)) <= 6
        assert prediction.question.endswith(("?", ".")) and len(prediction.most) > 20
