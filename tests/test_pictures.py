"""README's map: a picture and the minutes of each lesson, both as the lessons have them now."""

import re

import nbformat
import numpy as np
import pytest
from baseline import NOTEBOOKS, lessons
from pictures import CELLS, IMAGES, WIDTH, pictures, small, stored
from PIL import Image

README = (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
LESSONS = {path.stem.split("_")[0]: nbformat.read(path, as_version=4) for path in lessons()}


def row(lesson):
    """The lesson's cells in README's map."""
    (line,) = re.findall(rf"^\| \[{lesson} .*\|$", README, re.M)
    return [cell.strip() for cell in line.strip("|").split("|")]


def minutes(notebook):
    """The minutes of the first sentence after **Time**, as README writes them: 40 + 20."""
    (sentence,) = re.findall(r"\*\*Time\*\*: (.*?\.)(?:\s|$)", notebook.cells[0].source)
    return " + ".join(re.findall(r"\d+(?= minutes| for )", sentence))


def difference(picture, other):
    """Mean difference of two pictures of the same size, in steps of 255."""
    one, two = (np.asarray(p.convert("RGB"), float) for p in (picture, other))
    return float(np.mean(np.abs(one - two))) if one.shape == two.shape else np.inf


def test_every_lesson_has_a_picture():
    assert CELLS.keys() == LESSONS.keys()
    assert {path.stem for path in IMAGES.glob("0*.png")} == CELLS.keys()


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_map_has_the_lessons_minutes_and_its_picture(lesson):
    *_, what, told = row(lesson)
    assert told == minutes(LESSONS[lesson])
    (alt,) = re.findall(rf"<br>!\[(.*)\]\(notebooks/images/{lesson}\.png\)$", what)
    assert len(alt) >= 30


def test_the_pictures_are_those_that_the_lessons_store_now():
    for lesson, picture in pictures().items():
        path = IMAGES / f"{lesson}.png"
        assert path.stat().st_size < 30_000 and picture.width == WIDTH
        # fonts and another Pillow may move single pixels
        assert difference(picture, Image.open(path)) < 1, f"{lesson}: run `python tests/pictures.py`"


def test_another_picture_is_seen():
    notebook = LESSONS["03"]
    assert difference(small(stored(notebook, "threshold-figure")), small(stored(notebook, "step-figure"))) > 2


def test_a_cell_without_a_picture_is_named():
    with pytest.raises(ValueError, match="cell imports: expected a stored picture"):
        stored(LESSONS["03"], "imports")
