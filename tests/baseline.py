"""Run the lessons and store their outputs as the baseline that nbval compares: `make baseline`.

    python tests/baseline.py [NOTEBOOK …]

What a run stores depends on the lesson alone: no timestamps, no versions, no widget ids, so that a diff shows what
changed in the lesson.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


def lessons() -> list[Path]:
    return sorted(NOTEBOOKS.glob("0*.ipynb"))


def normalise(notebook: nbformat.NotebookNode) -> None:
    """Take out, in place, what differs from run to run: ids of widgets, times, versions of the interpreter.

    Without the id of a widget that no longer lives, JupyterLab shows the static picture that stands beside it.
    """
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)


def run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)

    def report(cell, cell_index, execute_reply) -> None:
        print(f"\r{path.name}: {cell.execution_count} of {code_cells} cells", end="", flush=True)

    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
        on_cell_executed=report,
    )
    client.execute()
    normalise(notebook)
    nbformat.write(notebook, path)
    print()


if __name__ == "__main__":
    for lesson in map(Path, sys.argv[1:]) if sys.argv[1:] else lessons():
        run(lesson.resolve())
