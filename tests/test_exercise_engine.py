"""The engine: outcomes, hints, solutions, progress; and the tools that checks are written with."""

import threading
import time
from collections import Counter

import ml_dtypes
import numpy as np
import pytest

from qlib.exercises import asking, engine
from qlib.exercises.asking import Wrong, ask, compare, number, same, same_form, shown
from qlib.exercises.engine import Exercise, check, hint, judge, progress, solution


class Lesson:
    """A lesson's module, as the engine sees it."""

    def __init__(self, exercises):
        self.EXERCISES = exercises


def my_double(x):
    return 2 * x


def my_sum(numbers):
    total = 0
    for x in numbers:
        total += x
    return total


def check_double(answer, rng):
    x = rng.normal(size=8)
    plus_two = {"2 is added, not multiplied.": lambda x: x + 2, "it is squared.": lambda x: x * x}
    compare(answer, my_double, [(np.array([0.0]),), (np.array([1.0]),), (x,)], plus_two, otherwise="it is no double.")


def check_sum(answer, rng, numbers):
    if number(answer) != sum(numbers):
        raise Wrong("something was left out.", expected=sum(numbers), got=answer)


@pytest.fixture(autouse=True)
def lesson(monkeypatch):
    exercises = {
        "9.1": Exercise("Double it.", check_double, "doubling is doubling.", ("Times two.", "`2 * x`."), my_double),
        "9.2": Exercise("Add them.", check_sum, "nothing is lost.", ("One by one.",), my_sum, kind="value"),
    }
    monkeypatch.setattr(engine, "_module", lambda lesson: Lesson(exercises))
    monkeypatch.setattr(engine, "_attempts", Counter())
    monkeypatch.setattr(engine, "_hints", Counter())
    monkeypatch.setattr(engine, "_outcomes", {})
    return exercises


# ------------------------------------------------------------------ outcomes


def test_an_untouched_stub_is_not_attempted():
    for answer in (..., lambda x: ..., (..., ...), [...], {"conv1": ...}):
        said = judge("9.1", answer)
        assert (said.outcome, said.text) == ("not attempted yet", "○ 9.1 not attempted yet")


def test_a_stub_filled_in_part_is_attempted():
    assert judge("9.2", (1, ...), numbers=[1]).outcome == "not yet"


def test_right_says_why_it_matters():
    assert judge("9.1", lambda x: x + x).text == "✓ 9.1 right: doubling is doubling."


def test_wrong_names_the_misconception_and_shows_the_smallest_input():
    said = judge("9.1", lambda x: x + 2)
    assert said.text.splitlines() == [
        "✗ 9.1 not yet: 2 is added, not multiplied.",
        "    given     x = [0.] float64",
        "    expected  [0.] float64",
        "    got       [2.] float64",
        '    help      hint("9.1")',
    ]


def test_a_later_case_tells_misconceptions_apart():
    """Both squaring and `x` give 1 for 1; the sentence is that of the one that agrees in all cases."""
    assert "it is squared" in judge("9.1", lambda x: x * x).text
    assert "it is no double" in judge("9.1", lambda x: 0 * x).text


def test_each_attempt_has_new_inputs():
    seen = []
    for _ in range(2):
        judge("9.1", lambda x: seen.append(x) or 2 * x)
    first, second = (x for x in seen if x.size == 8)
    assert not np.array_equal(first, second)


def test_the_context_reaches_the_check():
    assert judge("9.2", 6, numbers=[1, 2, 3]).outcome == "right"
    assert "something was left out" in judge("9.2", 5, numbers=[1, 2, 3]).text


# -------------------------------------------------- answers that misbehave


def say(answer):
    said = judge("9.1", answer)
    assert said.outcome == "not yet"
    return " ".join(said.text.split())


def test_an_answer_that_raises_gets_a_sentence_with_its_line():
    def broken(x):
        return undefined + x  # noqa: F821

    said = say(broken)
    assert "raised NameError: name 'undefined' is not defined" in said and "return undefined + x" in said
    assert "given x = [0.]" in said


def test_an_answer_that_catches_what_ends_it_is_stopped_too(monkeypatch):
    def stubborn(x):
        for _ in range(2):
            try:
                while True:
                    pass
            except BaseException:
                continue

    monkeypatch.setattr(asking, "SECONDS", 0.3)
    assert "Does every loop end?" in say(stubborn)


def test_a_wrong_answer_that_loops_elsewhere_is_asked_once_for_each_case(monkeypatch):
    """Looking for the misconception must not take a timeout for each of them."""
    calls = []

    def loops_for_one(x):
        calls.append(x)
        while x.size == 1 and x[0] == 1:
            pass
        return x + 2

    monkeypatch.setattr(asking, "SECONDS", 0.3)
    assert "2 is added" in say(loops_for_one)
    assert len(calls) <= 5


def test_an_answer_without_a_text_of_its_own():
    class Nameless:
        def __repr__(self):
            raise RuntimeError

    for answer in (Nameless(), 10**5000):
        assert judge("9.2", answer, numbers=[6]).outcome == "not yet"
    assert len(judge("9.2", [0.1] * 1000, numbers=[6]).text) < 600


def test_a_context_that_the_check_does_not_ask_for_is_refused():
    with pytest.raises(ValueError, match=r"context: missing a required argument: 'numbers' of 9\.2"):
        judge("9.2", 6)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RecursionError])
def test_whatever_it_raises(error):
    def broken(x):
        raise error("so")

    assert f"raised {error.__name__}: so" in say(broken)


def test_an_answer_that_loops_is_stopped(monkeypatch):
    def loops(x):
        while True:
            pass

    monkeypatch.setattr(asking, "SECONDS", 0.3)
    assert "Does every loop end?" in say(loops)
    deadline = time.monotonic() + 20  # the thread ends at its next step; a busy machine may take a while
    while any(thread.name == "qlib-answer" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(thread.name == "qlib-answer" for thread in threading.enumerate())


def test_an_answer_that_writes_to_its_input_is_told_and_harms_nothing():
    x = np.array([1.0, 2.0])

    def writes(x):
        x *= 2
        return x

    with pytest.raises(Wrong, match="changes its input"):
        ask(writes, x)
    assert x.tolist() == [1.0, 2.0]
    with pytest.raises(Wrong, match="changes its input"):
        ask(lambda numbers: numbers.append(3) or numbers, [1, 2])


def test_nan_in_an_input_is_no_change():
    assert ask(lambda x: 1, np.array([np.nan])) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x: None, "Is a `return` missing"),
        (lambda x: "2", "a number is wanted"),
        (lambda x: (x, x), "the shape (1,) is wanted, not (2, 1)"),
        (lambda x: x[:, None], "the shape (1,) is wanted, not (1, 1)"),
        (lambda x: x > 0, "a number is wanted"),
        (lambda: 1, "raised TypeError"),
        (5, "a function is wanted"),
        (None, "a function is wanted"),
        ("x * 2", "a function is wanted"),
        (lambda x: [object()], "a number is wanted"),
        (lambda x: [[1], [1, 2]], "cannot read this answer"),
    ],
)
def test_the_wrong_kind_of_thing(answer, sentence):
    assert sentence in say(answer)


@pytest.mark.parametrize("answer", [None, "6", [6, 6], np.nan, np.inf, True, {"a": 1}, object()])
def test_the_wrong_kind_of_value(answer):
    said = judge("9.2", answer, numbers=[6])
    assert said.outcome == "not yet" and "one number is wanted" in said.text


@pytest.mark.parametrize("answer", [6, 6.0, np.float32(6), np.int64(6), np.array(6)])
def test_any_number_will_do(answer):
    assert judge("9.2", answer, numbers=[6]).outcome == "right"


def test_small_floats_are_numbers():
    same_form(ml_dtypes.bfloat16(1.5), 1.5)
    assert same(ml_dtypes.bfloat16(1.5), 1.5) and not same(ml_dtypes.bfloat16(1.5), 1.25)


def test_a_whole_number():
    assert number(6.0, integer=True) == 6 and isinstance(number(6.0, integer=True), int)
    with pytest.raises(Wrong, match="a whole number"):
        number(6.5, integer=True)


# --------------------------------------------------------------- comparing


def test_integers_must_be_equal_and_reals_near():
    assert not same(np.array([100_001]), np.array([100_000]))
    assert same(np.array([1.000001]), np.array([1.0])) and not same(np.array([5.0]), np.array([6.0]))
    assert same((1, 2.0), (1, 2.0)) and not same((1, 2.0), (1, 2.1)) and not same((1,), (1, 2))


def test_the_type_of_codes_counts():
    with pytest.raises(Wrong, match="the type int8 is wanted, not int64"):
        same_form(np.array([1]), np.array([1], np.int8))
    with pytest.raises(Wrong, match="an integer is wanted"):
        same_form(4.0, 4)
    with pytest.raises(Wrong, match="2 values are wanted, in a tuple"):
        same_form(4.0, (4.0, 1))
    with pytest.raises(Wrong, match="an integer is wanted"):
        same_form((4.0, 1.0), (4.0, 1))
    same_form([4.0, 1], (4.0, 1))


def test_a_difference_is_cut_down_to_one_element():
    def wrong_above_100(x):
        return np.where(x > 100, 0, 2 * x)

    x = np.array([1.0, 5.0, 300.0, 7.0, 200.0])
    with pytest.raises(Wrong) as raised:
        compare(wrong_above_100, my_double, [(x,)])
    assert raised.value.rows["given"] == "x = [300.] float64" and raised.value.rows["expected"] == "[600.] float64"


def test_values_are_shown_short():
    assert shown(np.arange(100)) == "[0, 1, 2, ..., 97, 98, 99] int64"
    assert (shown(None), shown("a"), shown(3), shown(np.float32(0.1))) == ("None", "a", "3", "0.1")


# --------------------------------------------- hints, solutions, progress


@pytest.fixture
def printed(capsys):
    """What a call prints. Nothing is returned, or a notebook would show the last call of a cell alone."""

    def call(function, *args):
        assert function(*args) is None
        return capsys.readouterr().out

    return call


def test_the_verdict_is_printed(printed):
    assert printed(check, "9.1", my_double) == "✓ 9.1 right: doubling is doubling.\n"


def test_hints_are_graded_and_the_last_leads_to_the_solution(printed):
    said = [printed(hint, "9.1") for _ in range(3)]
    assert said[0] == "Hint 1 of 2: Times two.\n"
    assert said[1] == said[2] == 'Hint 2 of 2: `2 * x`. Then there is solution("9.1").\n'


def test_a_solution_is_the_source_that_is_tested(printed):
    assert printed(solution, "9.1") == "def my_double(x):\n    return 2 * x\n"
    source = printed(solution, "9.2")
    assert source.splitlines()[-1] == "my_sum = total" and "return" not in source
    scope = {"numbers": [1, 2, 3]}
    exec(source, scope)
    assert scope["my_sum"] == 6


def test_progress(printed):
    assert printed(progress, 9) == "lesson 9: ○○ 0 of 2 right; not attempted yet: 9.1, 9.2\n"
    judge("9.1", my_double)
    judge("9.2", 0, numbers=[6])
    assert printed(progress, 9) == "lesson 9: ✓✗ 1 of 2 right; not yet: 9.2\n"
    assert judge("9.1", abs).outcome == "not yet"
    assert printed(progress, 9).startswith("lesson 9: ✓✗")  # what was solved once stays so


def test_unknown_ids_are_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"exercise_id: expected one of \['9.1', '9.2'\], got '9.3'"):
        check("9.3", 1)
    monkeypatch.undo()
    for lesson in ("x", 9, "6z"):
        with pytest.raises(ValueError, match=r"lesson: expected one of 1, 2, 3, 4, 5, 6, 6a, 6b, 6c, 6d, 7, 8, got"):
            progress(lesson)
