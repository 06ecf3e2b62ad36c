"""Build the reading edition: the lessons as stored, as web pages. No cell is run, and nothing is fetched.

    python book/build.py [FOLDER [SPHINX_OPTION …]]

Sphinx reads a copy of what the pages are made of, laid out as in the repository, so that every link holds.
"""

import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx.cmd.build import build_main

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
COPIED = ["notebooks/0*.ipynb", "notebooks/*.md", "notebooks/images/*", "data/README.md", "README.md"]
COPIED += ["LICENSE*", "book/_static/mathjax/LICENSE"]  # the README links to them


def lesson_titles(notebooks: list[Path]) -> list[str]:
    """An entry of the table of contents for each lesson, with the short title that it has in the README."""
    short = re.findall(r"\[(0[^\]]+)\]\(notebooks/(0\w+)\.ipynb\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    titles = {name: title for title, name in short}
    return [f"{titles.get(path.stem, path.stem)} <notebooks/{path.stem}>" for path in notebooks]


def copy_sources(source: Path) -> None:
    for path in (path for pattern in COPIED for path in ROOT.glob(pattern)):
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    front = (BOOK / "index.md").read_text(encoding="utf-8")
    titles = "\n".join(lesson_titles(sorted(source.glob("notebooks/0*.ipynb"))))
    (source / "index.md").write_text(front.replace("LESSONS", titles), encoding="utf-8")


def build(folder: Path, *options: str) -> int:
    """The pages in `folder`, in place of a book that is there; 0 if Sphinx had nothing to complain of.

    A ValueError refuses a folder with anything else in it: it would be lost.
    """
    if folder.exists() and not (folder / ".buildinfo").is_file() and any(folder.iterdir()):
        raise ValueError(f"folder: expected an empty one, or a book, got {folder}")
    with TemporaryDirectory() as work:
        source, doctrees, pages = (Path(work) / part for part in ("source", "doctrees", "pages"))
        copy_sources(source)
        paths = map(str, ("-c", BOOK, "-d", doctrees, source, pages))
        failed = build_main(["-b", "html", "-j", "2", "-q", "-W", "--keep-going", *options, *paths])
        if not failed:
            if folder.exists():
                shutil.rmtree(folder)
            shutil.move(pages, folder)
    return failed


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve() if sys.argv[1:] else BOOK / "_build"
    failed = build(folder, *sys.argv[2:])
    if not failed:
        print(f"The book is there: open {folder / 'index.html'}")
    sys.exit(failed)
