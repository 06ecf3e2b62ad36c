"""Which cells of a lesson a few of its cells need: so that a test can run these without the long trainings."""

import ast
import symtable
from collections.abc import Callable

import nbformat


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def names(cell: nbformat.NotebookNode) -> tuple[set[str], set[str]]:
    """(what a cell binds or changes, what it reads of other cells): a statement `x.f(…)` may change x."""
    return of_statements(ast.parse(cell.source).body)


def of_statements(statements: list[ast.stmt]) -> tuple[set[str], set[str]]:
    """The same of some statements, one after the other: a loop gives its variable a value before its body reads it."""
    bound, read = set(), set()
    for statement in statements:
        inner = (set(), set())
        if isinstance(statement, ast.For):
            inner = of_statements(statement.body + statement.orelse)
            head = ast.Assign([statement.target], statement.iter)
            statement = ast.fix_missing_locations(ast.copy_location(head, statement))
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        read |= globals_read(table) - bound
        bound |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            bound |= set(filter(None, map(changed, ast.walk(statement))))
        read |= inner[1] - bound
        bound |= inner[0]
    return bound, read


def made_anew(cell: nbformat.NotebookNode) -> set[str]:
    """The names to which a cell gives a value in any case: what they were before doesn't matter."""
    targets = [t for statement in ast.parse(cell.source).body for t in getattr(statement, "targets", [])]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def globals_read(table: symtable.SymbolTable) -> set[str]:
    """The names that a piece of code reads from outside, also within its functions and comprehensions."""
    top = table.get_type() == "module"
    own = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return own.union(*map(globals_read, table.get_children()))


def changed(node: ast.AST) -> str | None:
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


def keep_needed(notebook: nbformat.NotebookNode, asked: Callable[[str], bool]) -> None:
    """Drop all cells but those whose id is asked for, and those before them that bind or change what they read."""
    wanted, kept = set(), set()
    for cell in reversed(code_cells(notebook)):
        bound, read = names(cell)
        if asked(cell.id) or bound & wanted:
            kept.add(cell.id)
            wanted = wanted - made_anew(cell) | read
    notebook.cells = [cell for cell in notebook.cells if cell.id in kept]
