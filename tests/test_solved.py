"""The solved copies: every exercise is right, and no other cell can tell that it was solved.

nbval runs each lesson as it is. A solved copy differs in its stubs alone, and a stub's name stands in its own check and
nowhere else: so all other cells do in the copy what they do in the lesson. What is left to run are the checks, and the
cells that these need. That spares the trainings.
"""

import nbformat
import pytest
from baseline import lessons
from cells import code_cells, keep_needed, names
from nbclient import NotebookClient
from solved import solve

FREE = ("check-", "stub-", "progress")  # cells that are about exercises


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_every_exercise_of_the_solved_copy_is_right(path, tmp_path):
    notebook = solve(path)
    stored = nbformat.read(path, as_version=4)
    stubs = [cell.id for cell in stored.cells if cell.id.startswith("stub-")]
    assert [cell.id for cell in stored.cells] == [cell.id for cell in notebook.cells] and stubs
    keep_needed(notebook, lambda cell_id: cell_id.startswith(FREE))
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", coalesce_streams=True, resources={"metadata": {"path": tmp_path}}
    ).execute()
    said = {cell.id: printed(cell) for cell in notebook.cells if cell.id.startswith("check-")}
    assert len(said) == len(stubs) and {text.split()[0] for text in said.values()} == {"✓"}, said
    (progress,) = [printed(cell) for cell in notebook.cells if cell.id == "progress"]
    assert f"{'✓' * len(stubs)} {len(stubs)} of {len(stubs)} right" in progress


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_a_stub_is_read_by_its_own_check_alone(path):
    cells = {cell.id: cell for cell in code_cells(nbformat.read(path, as_version=4))}
    for place in [cell_id.removeprefix("stub-") for cell_id in cells if cell_id.startswith("stub-")]:
        (name,) = names(cells[f"stub-{place}"])[0]
        there = {cell_id for cell_id, cell in cells.items() if name in set.union(*names(cell))}
        assert name.startswith("my_") and there == {f"stub-{place}", f"check-{place}"}


def test_the_cells_that_a_check_needs():
    cells = {
        "imports": "import numpy as np",
        "before": "x = [1]\nx.append(3)",
        "unused": "y = np.zeros(3)\nj = k = 1",
        "loop": "for i in y:\n    print(i, [x for x in y])",
        "made": "x = [np.pi]\nfor i in x:\n    for j in x:\n        k = j\n        print(k)",
        "changed": "x.append(2)",
        "stored": "x[0] = 1",
        "read": "z = x.index(2)",
        "stub-1-1": "def my_f(y):\n    i = y\n    return g(i)",
        "late": "def g(a):\n    return a + n\n\n\nn = 1",
        "check-1-1": "check('1.1', my_f, x=x)",
        "after": "x = None",
    }
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s, id=i) for i, s in cells.items()])
    keep_needed(notebook, lambda cell_id: cell_id.startswith(FREE))
    assert [cell.id for cell in notebook.cells] == ["imports", "made", "changed", "stored", "stub-1-1", "check-1-1"]


def test_a_lesson_without_a_stub_is_refused(tmp_path):
    path = lessons()[0]
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith("stub-")]
    nbformat.write(notebook, tmp_path / path.name)
    with pytest.raises(ValueError, match="no cell stub-"):
        solve(tmp_path / path.name)
