"""Predictions: choose, reveal, and what a page without a kernel shows."""

from importlib import import_module

import numpy as np
import pytest

from qlib.exercises.prediction import Prediction, predict


def largest(x):
    options = (1, 2, 3)
    return options.index(int(x.max())), f"The largest of {x.size} numbers is {x.max()}."


PREDICTIONS = {"9.largest": Prediction("How large?", ("one", "two", "three"), largest, "Most people look at the last.")}


@pytest.fixture(autouse=True)
def lesson(monkeypatch):
    class Lesson:
        pass

    Lesson.PREDICTIONS = PREDICTIONS
    monkeypatch.setattr(import_module("qlib.exercises.prediction"), "_module", lambda lesson: Lesson)


@pytest.fixture
def asked():
    return predict("9.largest", x=np.array([1, 3, 2]))


def test_nothing_is_revealed_before_a_choice(asked):
    assert asked.choice.value is None and asked.button.disabled and asked.answer.value == ""
    assert "How large?" in asked.children[0].value
    asked.choice.value = "two"
    assert not asked.button.disabled and asked.answer.value == ""


def test_the_reveal_computes_and_compares(asked):
    asked.choice.value = "two"
    asked.button.click()
    assert asked.answer.value.endswith(
        ' role="status">✗ The answer is “three”. You chose “two”. The largest of 3 numbers is 3. '
        "Most people look at the last.</p>"
    )
    asked.choice.value = "three"
    assert asked.answer.value == ""  # a new choice hides it again
    asked.button.click()
    assert "✓ You chose “three”." in asked.answer.value


def test_the_truth_is_that_of_the_data_at_hand():
    other = predict("9.largest", x=np.array([1, 2]))
    other.choice.value = "two"
    other.button.click()
    assert "✓ You chose “two”. The largest of 2 numbers is 2." in other.answer.value


def test_an_error_is_shown_in_the_widget():
    broken = predict("9.largest", x=np.array([7]))
    broken.choice.value = "one"
    broken.button.click()
    assert 'role="alert"' in broken.answer.value and "ValueError" in broken.answer.value
    bundle = broken._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Predict 9.largest. This could not be computed. ValueError")
    assert "How large?" in bundle["text/html"] and "could not be computed" in bundle["text/html"]


def test_a_run_without_a_reader_chooses_the_first_option(asked):
    bundle = asked._repr_mimebundle_()
    assert bundle["text/plain"] == (
        "Predict 9.largest. A run without a reader chose the first option. ✗ The answer is “three”. You chose “one”. "
        "The largest of 3 numbers is 3. Most people look at the last."
    )
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_page_without_a_kernel_folds_the_answer_away(asked):
    page = asked._repr_mimebundle_()["text/html"]
    question, answer = page.split("<details>")
    assert "<li>one</li><li>two</li><li>three</li>" in question and "largest of" not in question
    assert "“three”. The largest of 3 numbers is 3." in answer


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"name: expected one of \['9.largest'\], got '9.x'"):
        predict("9.x")
