"""The solved copies: run to the end, every exercise is right."""

import nbformat
import pytest
from baseline import lessons
from nbclient import NotebookClient
from solved import solve


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_every_exercise_of_the_solved_copy_is_right(path, tmp_path):
    notebook = solve(path)
    kept = nbformat.read(path, as_version=4)
    stubs = [cell.id for cell in kept.cells if cell.id.startswith("stub-")]
    assert [cell.id for cell in kept.cells] == [cell.id for cell in notebook.cells] and stubs
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", coalesce_streams=True, resources={"metadata": {"path": tmp_path}}
    ).execute()
    said = {cell.id: printed(cell) for cell in notebook.cells if cell.id.startswith("check-")}
    assert len(said) == len(stubs) and {text.split()[0] for text in said.values()} == {"✓"}, said
    (progress,) = [printed(cell) for cell in notebook.cells if cell.id == "progress"]
    assert f"{'✓' * len(stubs)} {len(stubs)} of {len(stubs)} right" in progress


def test_a_lesson_without_a_stub_is_refused(tmp_path):
    path = lessons()[0]
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith("stub-")]
    nbformat.write(notebook, tmp_path / path.name)
    with pytest.raises(ValueError, match="no cell stub-"):
        solve(tmp_path / path.name)
