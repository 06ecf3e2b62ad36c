"""Write copies of the lessons with the solutions filled in: `make solved`.

    python tests/solved.py [NOTEBOOK …]

The copies go to the folder `solved`, without outputs: run them as the lessons are run.
"""

import sys
from importlib import import_module
from pathlib import Path

import nbformat
from baseline import NOTEBOOKS, lessons

from qlib.exercises.engine import solution_source

SOLVED = NOTEBOOKS.parent / "solved"


def solve(path: Path) -> nbformat.NotebookNode:
    """The lesson with each stub replaced by the solution of its exercise, and no outputs."""
    notebook = nbformat.read(path, as_version=4)
    exercises = import_module(f"qlib.exercises.lesson{path.stem.split('_')[0]}").EXERCISES
    stubs = {f"stub-{exercise_id.replace('.', '-')}": exercise for exercise_id, exercise in exercises.items()}
    for cell in notebook.cells:
        if cell.id in stubs:
            cell.source = solution_source(stubs.pop(cell.id))
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    if stubs:
        raise ValueError(f"{path.name}: no cell {', '.join(stubs)}")
    return notebook


if __name__ == "__main__":
    SOLVED.mkdir(exist_ok=True)
    for lesson in map(Path, sys.argv[1:]) if sys.argv[1:] else lessons():
        nbformat.write(solve(lesson), SOLVED / lesson.name)
        print(f"{SOLVED.name}/{lesson.name}")
