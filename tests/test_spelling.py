"""Spelling of all text: pages, markdown cells, docstrings and comments, by codespell."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from baseline import lessons

pytest.importorskip("codespell_lib", reason="codespell is not installed: make test brings it")
ROOT = Path(__file__).resolve().parent.parent
# A format of sparse tensors; part of a staircase; "**p**runing" with one letter set in bold.
IGNORED = ("coo", "tread", "runing")


def pages():
    folders = (ROOT, ROOT / "notebooks", ROOT / "data", ROOT / "book")
    return sorted(path for folder in folders for path in folder.glob("*.md"))


def sources():
    return sorted(path for folder in ("qlib", "tests", "data", "book") for path in (ROOT / folder).rglob("*.py"))


def misspelt(paths):
    """The lines that codespell complains of: file:line: word ==> right word."""
    assert paths
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words-list", ",".join(IGNORED), *map(str, paths)]
    # away from the project: no setting of another tool is read
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=paths[0].parent)
    assert done.returncode in (0, 65), done.stderr
    return done.stdout.splitlines()


def test_pages_and_sources():
    assert misspelt([*pages(), *sources()]) == []


def test_markdown_cells(tmp_path):
    for path in lessons():
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                (tmp_path / f"{path.stem}.{cell.id}.md").write_text(cell.source, encoding="utf-8")
    assert misspelt(sorted(tmp_path.iterdir())) == []


def test_a_slip_is_seen(tmp_path):
    slip = "accommodation".replace("mm", "m")  # not written out: this file is read, too
    (tmp_path / "page.md").write_text(f"The {slip} is fine.\n", encoding="utf-8")
    (found,) = misspelt([tmp_path / "page.md"])
    assert found.endswith(f"page.md:1: {slip} ==> accommodation")
