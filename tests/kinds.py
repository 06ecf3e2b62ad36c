"""How many tests there are of each kind, and how the cells of the lessons are tested: `python tests/kinds.py`.

The suite is collected, not run. A test that hypothesis runs is a *property*; else its file says what it is.
"""

import contextlib
import io
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from baseline import lessons
from test_notebooks import IGNORED, LESSONS, code_cells

ROOT = Path(__file__).resolve().parent.parent
PROPERTY, NOTEBOOK, DOCTEST = "property, by hypothesis", "notebook cell, by nbval", "doctest"
BROWSER, ENGINE, EXERCISE = "browser", "in a file with an engine as referee", "exercise and prediction"
DAMAGE, PICTURE = "bad input and damage", "explorer and picture"
FORM, UNIT = "form: imports, texts, pins, CI", "values worked out by hand, and other units"
FILES = {
    "test_browser": BROWSER,
    **dict.fromkeys(("test_exercises", "test_exercise_engine", "test_predict", "test_solved"), EXERCISE),
    **dict.fromkeys(("test_bad_input", "test_fuzz"), DAMAGE),
    **dict.fromkeys(("test_import", "test_notebooks", "test_setup", "test_teaching", "test_ci_guard"), FORM),
    **dict.fromkeys(("test_contributing", "test_bench", "test_data_scripts"), FORM),
    **dict.fromkeys(("test_pictures", "test_spelling", "test_book"), FORM),
}
# A file that imports one of these, itself or through qlib, compares with it.
ENGINES = r"(ai_edge_litert|keras|ml_dtypes|onnx\w*|scipy|tensorflow\w*|tf_keras|torch\w*)"
IMPORTS = rf"^\s*(import|from) {ENGINES}|importorskip\(.{ENGINES}|load_cnn|"
IMPORTS += r"import_(tensorflow|torch|tfmot)|onnx_cnn|deploy\.(run|trace)"


def kind(item: pytest.Item) -> str:
    """The kind of one collected test."""
    if item.path.suffix == ".ipynb":
        return NOTEBOOK
    if "tests" not in item.path.relative_to(ROOT).parts:
        return DOCTEST
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        return PROPERTY
    if item.path.stem in FILES:
        return FILES[item.path.stem]
    if re.search("widgets|plots|drawing", item.path.stem):
        return PICTURE
    return ENGINE if re.search(IMPORTS, item.path.read_text(encoding="utf-8"), re.M) else UNIT


class Collector:
    """A pytest plugin that keeps what was collected."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = session.items


def collected(*arguments: str) -> list[pytest.Item]:
    """The tests that `pytest` would run, none of them run."""
    collector = Collector()
    options = ["--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={ROOT}"]
    listing = io.StringIO()
    with contextlib.redirect_stdout(listing):
        code = pytest.main([*options, *arguments], plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(listing.getvalue())
    return collector.items


def cells() -> dict[str, Counter]:
    """For each lesson its code cells: how many are compared, and why the others are not."""
    counts = {}
    for path in lessons():
        why = Counter(IGNORED.get(path.name, {}).values())
        counts[path.stem] = Counter(compared=len(code_cells(LESSONS[path.name])) - why.total()) + why
    return counts


if __name__ == "__main__":
    items = collected(*sys.argv[1:])
    counts = Counter(map(kind, items))
    print("\n| kind | tests |\n|---|---|")
    for name, count in counts.most_common():
        print(f"| {name} | {count:,} |")
    print(f"| all | {len(items):,} |")
    print("\n| lesson | cells compared | run, not compared |\n|---|---|---|")
    for lesson, found in cells().items():
        others = "; ".join(f"{count}: {why}" for why, count in found.items() if why != "compared")
        print(f"| {lesson} | {found['compared']} | {others or '–'} |")
