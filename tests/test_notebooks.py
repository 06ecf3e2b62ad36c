"""The stored lessons: executed, reproducible, readable without a kernel. nbval itself compares the outputs."""

import ast
import copy
import os
import re
import statistics
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from baseline import METADATA, NOTEBOOKS, lessons, normalise

ROOT = NOTEBOOKS.parent
LESSONS = {path.name: nbformat.read(path, as_version=4) for path in lessons()}
TAGS = {"nbval-ignore-output", "raises-exception"}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def unexecuted(notebook):
    """Ids of code cells without an execution count. nbval passes these whatever they store."""
    return [cell.id for cell in code_cells(notebook) if cell.execution_count is None]


def html_outputs(notebook):
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]


def test_there_are_lessons():
    assert list(LESSONS) == sorted(LESSONS)
    assert [name[:2] for name in LESSONS][:5] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("name", LESSONS)
def test_every_code_cell_was_executed_once_in_order(name):
    assert unexecuted(LESSONS[name]) == []
    counts = [cell.execution_count for cell in code_cells(LESSONS[name])]
    assert counts == list(range(1, len(counts) + 1))


def test_the_guard_sees_an_unexecuted_cell():
    notebook = copy.deepcopy(LESSONS["03_formulas.ipynb"])
    code_cells(notebook)[3].execution_count = None
    assert unexecuted(notebook) == [code_cells(notebook)[3].id]


@pytest.mark.parametrize("name", LESSONS)
def test_nothing_volatile_is_stored(name):
    notebook = copy.deepcopy(LESSONS[name])
    normalise(notebook)
    assert notebook == LESSONS[name]
    assert notebook.metadata == METADATA
    text = (NOTEBOOKS / name).read_text(encoding="utf-8")
    assert "Software" not in text and "widget-view" not in text and str(ROOT) not in text


@pytest.mark.parametrize("name", LESSONS)
def test_errors_are_announced_and_stderr_is_empty(name):
    for cell in code_cells(LESSONS[name]):
        announced = "raises-exception" in cell.metadata.get("tags", [])
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == announced, cell.id
        assert not any(output.get("name") == "stderr" for output in cell.outputs), cell.id


TIME = "it prints times"
TRAINING = "it trains live, or shows what was trained live"
SUMS = "it counts single images, and another processor rounds sums of floats in another order"
COMPILER = "it says whether this computer has a C compiler"
IGNORED = {  # what differs from run to run or from machine to machine, and why
    "01_background.ipynb": {"roof-measure": TIME, "roof-figure": TIME, "expand": TIME},
    "02_concepts.ipynb": {"aims-faster-time": TIME},
    "04_mnist.ipynb": {"train": TRAINING, "qat-table": TRAINING, "qat-paired": TRAINING},
    "05_applications.ipynb": {
        **dict.fromkeys(("predict-slowest", "latency", "latency-figure", "predict-loops", "kernels"), TIME),
        **dict.fromkeys(("small-times", "predict-small", "small-table", "predict-dynamic", "dynamic"), TIME),
        "c-compile": COMPILER,
    },
    "06a_tfmot.ipynb": {"latency": TIME},
    "06b_pytorch.ipynb": {"torchao-time": TIME, "pt2e-time": TIME, "onnx-time": TIME},
    "06c_pruning.ipynb": {
        **{"predict-time": TIME, "zeros-ratio": TIME, "live-result": TRAINING, "filters-time": TIME},
        "paired-counts": SUMS,
    },
    "06d_distillation.ipynb": {"student-live-share": TRAINING, "same-images-counts": SUMS, "latency": TIME},
    "07_outlook.ipynb": {"equalize-table": SUMS},
    "08_faq.ipynb": {"rise-counts": SUMS, "slower-live": TIME, "four-live": TIME},
}


@pytest.mark.parametrize("name", LESSONS)
def test_only_what_cannot_be_compared_is_ignored(name):
    tags = {cell.id: set(cell.metadata.get("tags", [])) for cell in LESSONS[name].cells}
    assert set().union(*tags.values()) <= TAGS
    ignored = [cell_id for cell_id, tag in tags.items() if "nbval-ignore-output" in tag]
    assert ignored == list(IGNORED.get(name, {}))
    assert set(IGNORED.get(name, {}).values()) <= {TIME, TRAINING, SUMS, COMPILER}


@pytest.mark.parametrize("name", LESSONS)
def test_every_picture_has_alt_text(name):
    images = [image for html in html_outputs(LESSONS[name]) for image in re.findall(r"<img[^>]*>", html)]
    assert images and all(re.search(r'alt="[^"]{30,}"', image) for image in images)
    for cell in LESSONS[name].cells:
        if cell.cell_type == "markdown":
            assert "![](" not in cell.source
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):  # an explorer's static picture
                assert len(output.metadata["image/png"]["alt"]) > 30


@pytest.mark.parametrize("name", LESSONS)
def test_form_of_a_lesson(name):
    notebook = LESSONS[name]
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert notebook.cells[0].source.startswith("# ") and len(re.findall(r"^# ", text, re.M)) == 1
    parts = ("You will be able to", "**Time**", "**Know first**", "## Exercises", "What to take away", "## References")
    assert [part for part in parts if part not in text] == []
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert max(len(line) for cell in code_cells(notebook) for line in cell.source.splitlines()) <= 100
    lines = [sum(map(bool, map(str.strip, cell.source.splitlines()))) for cell in code_cells(notebook)]
    assert max(lines) <= 18 and statistics.median(lines) <= 6.5 and np.mean(np.array(lines) > 12) < 0.1


def sections_without(kind, notebook):
    """The numbered sections in which no code cell begins with `kind`."""
    missing, title = [], None
    for cell in notebook.cells:
        headings = re.findall(r"^## (.*)", cell.source, re.M) if cell.cell_type == "markdown" else []
        if headings:
            missing += [title] if title else []
            missing += [heading for heading in headings[:-1] if heading[0].isdigit()]
            title = headings[-1] if headings[-1][0].isdigit() else None
        elif cell.cell_type == "code" and cell.source.startswith(kind):
            title = None
    return missing + ([title] if title else [])


@pytest.mark.parametrize("name", LESSONS)
def test_every_section_asks_for_a_prediction(name):
    assert sections_without("predict(", LESSONS[name]) == []


def test_a_section_without_a_prediction_is_seen():
    notebook = copy.deepcopy(LESSONS["03_formulas.ipynb"])
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith("predict(")]
    assert [title[0] for title in sections_without("predict(", notebook)] == list("12345")


@pytest.mark.parametrize("name", LESSONS)
def test_links_lead_somewhere(name):
    text = "\n".join(cell.source for cell in LESSONS[name].cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (NOTEBOOKS / target).is_file(), target


# What `make lab` does not install.
EXTRA = {
    "torch",
    "torchao",
    "onnx",
    "onnxruntime",
    "qlib.torch_cnn",
    "qlib.onnx_cnn",
}


@pytest.mark.parametrize("name", LESSONS)
def test_only_lesson_06b_needs_the_extra(name):
    """In qlib only torch_cnn and onnx_cnn import any of it: tests/test_import.py holds that."""
    used = set()
    for cell in code_cells(LESSONS[name]):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                used |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used |= {node.module, node.module.partition(".")[0], *(f"{node.module}.{a.name}" for a in node.names)}
    assert bool(used & EXTRA) == name.startswith("06b"), used & EXTRA


def test_a_changed_number_fails(tmp_path):
    """nbval with our options, on three cells of a lesson: as stored they pass, with one digit changed they don't."""
    notebook = copy.deepcopy(LESSONS["03_formulas.ipynb"])
    notebook.cells = [cell for cell in notebook.cells if cell.id in ("imports", "type-naive", "type-table")]
    assert len(notebook.cells) == 3
    assert run_nbval(notebook, tmp_path / "as_stored.ipynb").returncode == 0
    (printed,) = notebook.cells[2].outputs
    printed.text = printed.text.replace("65535", "65536", 1)
    changed = run_nbval(notebook, tmp_path / "changed.ipynb")
    assert changed.returncode == 1 and "65536" in changed.stdout


def run_nbval(notebook, path):
    nbformat.write(notebook, path)
    options = ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={ROOT}/tests/nbval_sanitize.cfg"]
    options += ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={path.parent}"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", *options, str(path)]
    return subprocess.run(command, capture_output=True, text=True, cwd=path.parent, env=environment)
