"""CONTRIBUTING.md: every file, test, name and make target that it mentions is there. And tests/kinds.py counts all."""

import re
from pathlib import Path

import pytest
from kinds import FILES, cells
from test_notebooks import LESSONS, code_cells

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"`([^`\n]+)`", PAGE)
PLACEHOLDER = re.compile(r"NN|NAME")  # of a lesson that isn't there yet


def paths():
    """What looks like a file of this repository, in its own quotes or within a command."""
    words = [word for quoted in QUOTED for word in re.split(r"[\s=\"]+|::\S*", quoted)]
    found = {word for word in words if re.fullmatch(r"[\w.]+/[\w./]*|[\w.]+\.(py|md|toml|txt)", word)}
    return sorted(path for path in found if not PLACEHOLDER.search(path) and not path.startswith(".venv/"))


@pytest.mark.parametrize("path", paths())
def test_the_files_are_there(path):
    assert (ROOT / path).exists()


def test_the_tests_are_there():
    named = [re.fullmatch(r"(tests/\w+\.py)::(\w+)", quoted) for quoted in QUOTED]
    named = [match.groups() for match in named if match]
    assert len(named) >= 10
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_the_make_targets_are_there():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {match.group(1) for match in map(re.compile(r"make (\w+)").match, QUOTED) if match}
    assert {"test", "baseline", "pins", "book"} <= named <= targets


def test_the_names_are_in_their_files():
    named = re.findall(r"`(\w+)`(?: \([^)]*\))? (?:in|of)\s+`([\w/]+\.py)`", PAGE)
    named += [(name, path) for name, path in re.findall(r"`(\w+)` \(`([\w/]+\.py)`\)", PAGE)]
    assert len(named) >= 10
    for name, path in named:
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8")), (name, path)


def test_it_adds_a_package_as_make_renews_them_but_upgrades_nothing():
    recipe = re.search(r"uv (pip compile.*?)\n\n", (ROOT / "Makefile").read_text(encoding="utf-8"), re.S).group(1)
    (command,) = [quoted for quoted in QUOTED if "uv pip compile" in quoted]
    assert command.split("uv ")[1].split() == [word for word in recipe.split() if word not in ("\\", "--upgrade")]


def test_it_is_short():
    assert len(PAGE.splitlines()) <= 150


def test_each_file_of_a_kind_is_there_and_each_cell_is_counted():
    assert all((ROOT / "tests" / f"{name}.py").exists() for name in FILES)
    for stem, counts in cells().items():
        tags = [set(cell.metadata.get("tags", [])) for cell in code_cells(LESSONS[f"{stem}.ipynb"])]
        assert counts["compared"] == sum("nbval-ignore-output" not in some for some in tags) > 0
        assert counts.total() == len(tags)
