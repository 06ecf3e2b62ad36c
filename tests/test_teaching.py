"""TEACHING.md: every lesson, every explorer, and to each prediction the answer that the lesson computes."""

import re

import nbformat
import pytest
from baseline import NOTEBOOKS, lessons

PAGE = (NOTEBOOKS / "TEACHING.md").read_text(encoding="utf-8")
WITHOUT_EXPLORER = ("06a", "06b")  # about tools: what they compute, an explorer of another lesson shows
LESSONS = {path.stem.split("_")[0]: nbformat.read(path, as_version=4) for path in lessons()}


def part(number):
    """What the page says of a lesson."""
    (text,) = re.findall(rf"^## Lesson {number}, .*?(?=^## Lesson|\Z)", PAGE, re.M | re.S)
    return text


def tags(cell):
    return cell.metadata.get("tags", []) if cell.source.startswith("predict(") else []


def answers(notebook):
    """The name of each prediction, and the answer that is stored with it."""
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith("predict("):
            text = cell.outputs[0].data["text/plain"]
            right = re.search(r"✗ The answer is “(.*?)”|✓ You chose “(.*?)”", text)
            found[cell.source.split('"')[1]] = right.group(1) or right.group(2)
    return found


@pytest.mark.parametrize("number", LESSONS)
def test_the_parts_of_a_lesson(number):
    text = part(number)
    for what in ("**On the board.**", "**The misconception to expect.**", "| level 1 |"):
        assert what in text, what
    assert re.search(r"\| minutes \| 45: .* \| 90: ", text)


@pytest.mark.parametrize("number", LESSONS)
def test_every_explorer_has_its_line(number):
    sources = [cell.source for cell in LESSONS[number].cells if cell.cell_type == "code"]
    explorers = {name for source in sources for name in re.findall(r"(\w+Explorer|DrawADigit)\(", source)}
    assert explorers or number in WITHOUT_EXPLORER
    assert all(f"- *{name}*: " in part(number) for name in explorers)
    assert ("**On the explorers.**" in part(number)) == bool(explorers)


@pytest.mark.parametrize("number", LESSONS)
def test_the_expected_answers_are_those_that_the_lesson_computes(number):
    rows = dict(re.findall(r"^\| `(\d[a-d]?\.[\w-]+)` \| (.*?) \|", part(number), re.M))
    expected = answers(LESSONS[number])
    assert rows.keys() == expected.keys()
    timed = {cell.source.split('"')[1] for cell in LESSONS[number].cells if "nbval-ignore-output" in tags(cell)}
    assert {name: row for name, row in rows.items() if name not in timed} == {
        name: answer
        for name, answer in expected.items()
        if name not in timed  # a time is another machine's, too
    }


@pytest.mark.parametrize("number", LESSONS)
def test_every_exercise_that_it_names_is_there(number):
    ids = {cell.id for notebook in LESSONS.values() for cell in notebook.cells}
    named = [match for match in re.findall(r"[Ee]xercises? ((?:\d[a-d]?\.\d+(?:, | and )?)+)", part(number))]
    for exercise in re.findall(r"\d[a-d]?\.\d+", " ".join(named)):
        assert f"check-{exercise.replace('.', '-')}" in ids
