"""Text measures of the lessons, and the table of exercises and wrong answers: `python tests/measures.py`."""

import re
from importlib import import_module

import nbformat
from baseline import lessons

from qlib.exercises import engine


def measures(notebook: nbformat.NotebookNode) -> dict[str, object]:
    """Words (without code, tables and formulas), minutes, code cells, lines of the longest one, and what there is."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = re.sub(r"\$\$[^$]*\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|^\|.*\|$", " ", text, flags=re.M)
    html = [
        output.data["text/html"] for cell in code for output in cell.outputs if "text/html" in output.get("data", {})
    ]
    images = [image for page in html for image in re.findall(r"<img[^>]*>", page)]
    return {
        "words": len(re.findall(r"[A-Za-z][A-Za-z'’-]*", prose)),
        "minutes": re.search(r"\*\*Time\*\*:? *([^\n]*?)(?:\. |\.?\n|$)", text).group(1),
        "code cells": len(code),
        "longest code cell": max(sum(map(bool, map(str.strip, cell.source.splitlines()))) for cell in code),
        "exercises": sum(cell.id.startswith("check-") for cell in code),
        "predictions": sum(cell.source.startswith("predict(") for cell in code),
        "figures": len(images),
        "with alt text": sum('alt="' in image for image in images),
    }


def caught(number: str) -> list[str]:
    """A row for each exercise of a lesson: wrong answers tried, and told why."""
    from test_exercises import sentence

    rows = []
    for exercise_id, wrongs in import_module(f"wrong_0{number}").WRONG.items():
        told = sum(bool(sentence(exercise_id, answer)) for answer, _ in wrongs.values())
        kinds = len({sentence(exercise_id, answer) for answer, _ in wrongs.values()})
        name = engine.find(exercise_id).solution.__name__
        rows.append(f"| {exercise_id} | {name} | {len(wrongs)} | {told} | {kinds} |")
    return rows


if __name__ == "__main__":
    for path in lessons():
        print(path.stem, measures(nbformat.read(path, as_version=4)))
    print("| exercise | answer | wrong answers | told why | different sentences |\n|---|---|---|---|---|")
    for path in lessons():
        print(*caught(path.stem.split("_")[0].lstrip("0")), sep="\n")
