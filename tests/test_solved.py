"""The solved copies: every exercise is right, and no other cell can tell that it was solved.

nbval runs each lesson as it is. A solved copy differs in its stubs alone, and a stub's name stands in its own check and
nowhere else: so all other cells do in the copy what they do in the lesson. What is left to run are the checks, and the
cells that these need. That spares the trainings.
"""

import ast
import symtable

import nbformat
import pytest
from baseline import lessons
from nbclient import NotebookClient
from solved import solve

FREE = ("check-", "stub-", "progress")  # cells that are about exercises


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def names(cell):
    """(what a cell binds or changes, what it reads of other cells): a statement `x.f(…)` may change x."""
    bound, read = set(), set()
    for statement in ast.parse(cell.source).body:
        table = symtable.symtable(ast.unparse(statement), cell.id, "exec")
        target = statement.target if isinstance(statement, ast.For) else ast.Pass()  # its values come from the loop
        own = {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
        read |= globals_read(table) - own - bound
        bound |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            bound |= set(filter(None, map(changed, ast.walk(statement))))
    return bound, read


def made_anew(cell):
    """The names to which a cell gives a value in any case: what they were before doesn't matter."""
    targets = [t for statement in ast.parse(cell.source).body for t in getattr(statement, "targets", [])]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def globals_read(table):
    """The names that a piece of code reads from outside, also within its functions and comprehensions."""
    top = table.get_type() == "module"
    own = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return own.union(*map(globals_read, table.get_children()))


def changed(node):
    """The x that a node x.f(…), standing alone, or x[…] = … may change; else None."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node = node.value.func
        if isinstance(node, ast.Name):  # print(…) changes nothing of its own
            return None
    elif not (isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store)):
        return None
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def needed(notebook):
    """The ids of the checks, and of the cells before them that bind or change what they read, and so on."""
    wanted, kept = set(), set()
    for cell in reversed(code_cells(notebook)):
        bound, read = names(cell)
        if cell.id.startswith(FREE) or bound & wanted:
            kept.add(cell.id)
            wanted = wanted - made_anew(cell) | read
    return kept


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_every_exercise_of_the_solved_copy_is_right(path, tmp_path):
    notebook = solve(path)
    stored = nbformat.read(path, as_version=4)
    stubs = [cell.id for cell in stored.cells if cell.id.startswith("stub-")]
    assert [cell.id for cell in stored.cells] == [cell.id for cell in notebook.cells] and stubs
    keep = needed(notebook)
    notebook.cells = [cell for cell in notebook.cells if cell.id in keep]
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
        "unused": "y = np.zeros(3)",
        "loop": "for i in y:\n    print(i, [x for x in y])",
        "made": "x = [np.pi]",
        "changed": "x.append(2)",
        "stored": "x[0] = 1",
        "read": "z = x.index(2)",
        "stub-1-1": "def my_f(y):\n    i = y\n    return g(i)",
        "late": "def g(a):\n    return a + n\n\n\nn = 1",
        "check-1-1": "check('1.1', my_f, x=x)",
        "after": "x = None",
    }
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s, id=i) for i, s in cells.items()])
    assert needed(notebook) == {"imports", "made", "changed", "stored", "stub-1-1", "check-1-1"}


def test_a_lesson_without_a_stub_is_refused(tmp_path):
    path = lessons()[0]
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith("stub-")]
    nbformat.write(notebook, tmp_path / path.name)
    with pytest.raises(ValueError, match="no cell stub-"):
        solve(tmp_path / path.name)
