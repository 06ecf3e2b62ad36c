"""`import qlib` is light, every public name is there, and each file imports only what stands below it."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import qlib

HEAVY = {"matplotlib", "ipywidgets", "IPython", "tensorflow", "keras", "h5py", "ai_edge_litert", "anywidget"}
HEAVY |= {"torch", "torchao", "onnx", "onnxruntime", "tf_keras", "tensorflow_model_optimization", "scipy"}
QLIB = Path(qlib.__file__).parent


def fresh_python(code, cwd):
    """What `code` prints as JSON, run in a new interpreter."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_import_qlib_loads_numpy_and_nothing_heavier(tmp_path):
    loaded = fresh_python("import json, sys, qlib; print(json.dumps(sorted(sys.modules)))", tmp_path)
    packages = {module.split(".")[0] for module in loaded}
    assert "numpy" in packages and not packages & HEAVY
    assert {module for module in loaded if module.startswith("qlib.")} == {
        "qlib.affine",
        "qlib.arguments",
        "qlib.best",
        "qlib.calibrate",
        "qlib.divergence",
        "qlib.error",
        "qlib.exact",
        "qlib.qparams",
    }


def test_the_core_works_without_loading_anything_heavier(tmp_path):
    code = """
import json, sys, qlib
x_hat = qlib.fake_quantize([0.26, 9], qlib.choose_qparams(*qlib.CALIBRATORS["minmax"]([-1, 0.75]), num_bits=3))
print(json.dumps([x_hat.tolist(), sorted(sys.modules)]))
"""
    x_hat, loaded = fresh_python(code, tmp_path)
    assert x_hat == [0.25, 0.75]  # codes of 1.75 / 7 = 0.25 each
    assert not {module.split(".")[0] for module in loaded} & HEAVY


def test_load_mnist_needs_no_tensorflow(tmp_path):
    code = "import json, sys, qlib; qlib.load_mnist(); print(json.dumps(sorted(sys.modules)))"
    assert not {module.split(".")[0] for module in fresh_python(code, tmp_path)} & HEAVY


def test_every_public_name_arrives_on_first_use(tmp_path):
    code = """
import json, qlib
print(json.dumps({name: type(getattr(qlib, name)).__name__ for name in qlib.__all__}))
"""
    kinds = fresh_python(code, tmp_path)
    assert set(kinds) == set(qlib.__all__) and len(qlib.__all__) == len(set(qlib.__all__))
    modules = {name for name, kind in kinds.items() if kind == "module"}
    assert modules == {"deploy", "mnist", "plots", "widgets"}
    assert (
        kinds["CALIBRATORS"] == "dict" and kinds["QParams"] == kinds["ErrorProfile"] == kinds["IntegerModel"] == "type"
    )
    assert {
        kinds[name] for name in set(kinds) - modules - {"CALIBRATORS", "ErrorProfile", "IntegerModel", "QParams"}
    } == {"function"}


def test_the_functions_are_those_of_their_modules():
    assert qlib.load_mnist is qlib.mnist.load_mnist and qlib.quantize.__module__ == "qlib.affine"
    assert qlib.mse.__module__ == qlib.split_mse.__module__ == "qlib.error"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'qlib' has no attribute 'quantise'"):
        _ = qlib.quantise
    assert not hasattr(qlib, "tensorflow")


# ------------------------------------------------------------------- floors

ARGUMENTS = "qlib.arguments"
CORE = {"qlib.affine", "qlib.error", "qlib.calibrate"}
EXERCISES = {"qlib.exercises.asking", "qlib.exercises.engine", "qlib.exercises.prediction"}
LESSON = EXERCISES | {
    f"qlib.{name}"
    for name in (
        *("background", "budget", "fixedpoint", "formats", "mixed", "tflite"),
        *("choose", "clusters", "distillation", "frontier", "huffman", "parity", "pruning", "results", "sparse"),
        *("compensate", "equalize"),
        *("groups", "mx", "nf4", "small_floats", "smooth"),
    )
}
# file: (what of qlib it may import, what else at its top, what else inside its functions)
FLOORS = {
    "arguments": (set(), {"numpy"}, set()),
    "qparams": ({ARGUMENTS}, {"numpy"}, set()),
    "affine": ({ARGUMENTS, "qlib.qparams"}, {"numpy"}, set()),
    "exact": (set(), {"numpy"}, set()),
    "best": ({"qlib.exact", "qlib.qparams"}, {"numpy"}, set()),
    "error": ({ARGUMENTS, "qlib.affine", "qlib.best", "qlib.exact", "qlib.qparams"}, {"numpy"}, set()),
    "divergence": (set(), {"numpy"}, set()),
    "calibrate": ({ARGUMENTS, "qlib.affine", "qlib.divergence", "qlib.error"}, {"numpy"}, set()),
    "flatbuffer": (set(), {"numpy"}, set()),
    "tflite": ({"qlib.flatbuffer"}, {"numpy"}, {"ai_edge_litert"}),
    "fixedpoint": (set(), {"numpy"}, set()),
    "softmax": ({"qlib.fixedpoint"}, {"numpy"}, set()),
    "windows": ({"qlib.tflite"}, {"numpy"}, set()),
    "codes": ({ARGUMENTS, "qlib.affine", "qlib.fixedpoint", "qlib.qparams", "qlib.tflite"}, {"numpy"}, set()),
    "weighted": ({"qlib.codes", "qlib.fixedpoint", "qlib.tflite", "qlib.windows"}, {"numpy"}, set()),
    "operators": (
        {"qlib.codes", "qlib.fixedpoint", "qlib.softmax", "qlib.tflite", "qlib.weighted", "qlib.windows"},
        {"numpy"},
        set(),
    ),
    "integer": (
        {"qlib.codes", "qlib.fixedpoint", "qlib.operators", "qlib.tflite"},
        {"numpy"},
        set(),
    ),
    "mnist": ({ARGUMENTS, "qlib.affine"}, {"numpy"}, {"tensorflow", "keras"}),
    "deploy": (
        {ARGUMENTS, "qlib.codes", "qlib.mnist", "qlib.tflite"},
        {"numpy"},
        {"tensorflow", "keras", "ai_edge_litert", "flatbuffers"},
    ),
    "transformer": ({ARGUMENTS, "qlib.mnist"}, {"numpy"}, set()),
    "smooth": ({ARGUMENTS, "qlib.affine", "qlib.transformer"}, {"numpy"}, set()),
    "mixed": ({ARGUMENTS, "qlib.affine", "qlib.calibrate"}, {"numpy"}, set()),
    "results": ({ARGUMENTS, "qlib.mnist"}, {"numpy"}, set()),
    "distillation": ({ARGUMENTS, "qlib.mixed"}, {"numpy"}, set()),
    "students": ({ARGUMENTS, "qlib.distillation", "qlib.mnist"}, {"numpy"}, {"tensorflow", "keras"}),
    "fakequant": ({ARGUMENTS}, {"numpy"}, set()),
    "tfmot": ({ARGUMENTS, "qlib.mnist"}, {"numpy"}, {"tensorflow", "tf_keras", "tensorflow_model_optimization"}),
    "tfmot_files": (
        {ARGUMENTS, "qlib.deploy", "qlib.mnist", "qlib.tflite"},
        {"numpy"},
        {"tensorflow", "tf_keras"},
    ),
    "parity": ({ARGUMENTS}, {"numpy"}, set()),
    "torch_cnn": ({ARGUMENTS, "qlib.mnist"}, {"numpy"}, {"torch", "torchao"}),
    "onnx_cnn": ({ARGUMENTS, "qlib.mnist", "qlib.torch_cnn"}, {"numpy"}, {"onnx", "onnxruntime"}),
    "huffman": ({ARGUMENTS}, {"numpy"}, set()),
    "sparse": ({ARGUMENTS}, {"numpy"}, set()),
    "pruning": ({ARGUMENTS}, {"numpy"}, set()),
    "pruned": ({ARGUMENTS, "qlib.mixed", "qlib.mnist", "qlib.pruning", "qlib.sparse"}, {"numpy"}, {"keras"}),
    "clusters": ({ARGUMENTS}, {"numpy"}, set()),
    "packed": ({ARGUMENTS, "qlib.huffman", "qlib.sparse"}, {"numpy"}, set()),
    "layer_inputs": ({ARGUMENTS, "qlib.mixed"}, {"numpy"}, set()),
    "compensate": ({ARGUMENTS, "qlib.affine", "qlib.qparams"}, {"numpy"}, set()),
    "adaround": ({ARGUMENTS, "qlib.compensate", "qlib.qparams"}, {"numpy"}, set()),
    "equalize": ({ARGUMENTS}, {"numpy"}, set()),
    "groups": ({ARGUMENTS, "qlib.affine"}, {"numpy"}, set()),
    "nf4": ({ARGUMENTS, "qlib.clusters", "qlib.groups"}, {"numpy"}, set()),
    "small_floats": ({ARGUMENTS}, {"numpy"}, set()),
    "mx": ({"qlib.groups", "qlib.small_floats"}, {"numpy"}, set()),
    "aware": ({ARGUMENTS, "qlib.mnist"}, {"numpy"}, {"keras", "tensorflow"}),
    "tiny": ({ARGUMENTS, "qlib.aware", "qlib.mnist", "qlib.packed"}, {"numpy"}, {"keras"}),
    "deep_compression": (
        {"qlib.aware", "qlib.clusters", "qlib.mnist", "qlib.packed", "qlib.pruning", "qlib.sparse"},
        {"numpy"},
        {"keras"},
    ),
    "budget": ({ARGUMENTS, "qlib.tflite"}, {"numpy"}, set()),
    "background": ({ARGUMENTS, "qlib.budget"}, set(), set()),
    "formats": ({ARGUMENTS}, {"numpy", "ml_dtypes"}, set()),
    "frontier": ({ARGUMENTS, "qlib.results"}, {"numpy"}, set()),
    "choose": ({ARGUMENTS, "qlib.results"}, set(), set()),
    "plots": (CORE, {"numpy", "matplotlib"}, set()),
    "frontier_plots": ({"qlib.frontier", "qlib.plots"}, {"numpy", "matplotlib"}, set()),
    "drawing": ({ARGUMENTS, "qlib.plots"}, {"numpy", "anywidget", "traitlets"}, set()),
    "explorer": (CORE | {"qlib.plots"}, {"numpy", "ipywidgets", "matplotlib"}, set()),
    "widgets": (CORE | {"qlib.plots", "qlib.explorer"}, {"numpy", "ipywidgets", "matplotlib"}, set()),
    "network_widgets": ({ARGUMENTS, "qlib.explorer", "qlib.mixed"}, {"numpy", "ipywidgets", "matplotlib"}, set()),
    "device_widgets": (
        {"qlib.budget", "qlib.explorer", "qlib.tflite"},
        {"numpy", "ipywidgets", "matplotlib"},
        set(),
    ),
    "background_widgets": (
        {"qlib.background", "qlib.budget", "qlib.explorer"},
        {"numpy", "ipywidgets", "matplotlib"},
        set(),
    ),
    "format_widgets": (
        {"qlib.explorer", "qlib.formats", "qlib.plots"},
        {"numpy", "ipywidgets", "matplotlib"},
        set(),
    ),
    "pruning_widgets": (
        {"qlib.explorer", "qlib.mixed", "qlib.pruned"},
        {"numpy", "ipywidgets", "matplotlib"},
        set(),
    ),
    "distillation_widgets": (
        {ARGUMENTS, "qlib.distillation", "qlib.explorer"},
        {"numpy", "ipywidgets", "matplotlib"},
        set(),
    ),
    "sharing_widgets": (
        {ARGUMENTS, "qlib.clusters", "qlib.error", "qlib.explorer", "qlib.huffman", "qlib.packed", "qlib.sparse"},
        {"numpy", "ipywidgets", "matplotlib"},
        set(),
    ),
    "frontier_widgets": (
        {"qlib.explorer", "qlib.frontier", "qlib.frontier_plots"},
        {"numpy", "ipywidgets"},
        set(),
    ),
    "smooth_widgets": ({ARGUMENTS, "qlib.explorer", "qlib.smooth"}, {"numpy", "ipywidgets"}, set()),
    "choose_widgets": ({"qlib.choose", "qlib.explorer"}, {"numpy", "ipywidgets", "matplotlib"}, set()),
    "block_widgets": (
        {ARGUMENTS, "qlib.error", "qlib.explorer", "qlib.groups", "qlib.mx", "qlib.nf4"},
        {"numpy", "ipywidgets"},
        set(),
    ),
    "exercises.asking": (set(), {"numpy"}, set()),
    "exercises.engine": ({"qlib.exercises.asking"}, {"numpy"}, set()),
    "exercises.prediction": ({"qlib.exercises.engine"}, {"ipywidgets"}, set()),
    "exercises.lesson": (CORE | LESSON, {"numpy"}, {"tensorflow"}),  # lesson01 … each, and what they ask for
    "exercises": (EXERCISES, set(), set()),
    "__init__": (CORE, {"numpy"}, set()),
}
FILES = sorted(QLIB.rglob("*.py"))


def imported_names(tree):
    """The modules that a syntax tree imports; `from qlib import plots` counts as qlib.plots."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, ["qlib" if node.level else "", node.module]))
            inside = {f"qlib.{alias.name}" for alias in node.names if (QLIB / f"{alias.name}.py").exists()}
            names |= inside if module == "qlib" and inside else {module}
    return names


def imports(source):
    """(at the top, inside functions, for the type checker only), without the standard library."""
    tree = ast.parse(source)
    places = {"top": set(), "functions": set(), "types": set()}

    def visit(node, place):
        if isinstance(node, ast.Import | ast.ImportFrom):
            places[place] |= imported_names(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            place = "functions"
        for field, children in ast.iter_fields(node):
            checked = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and field == "body"
            for child in children if isinstance(children, list) else [children]:
                if isinstance(child, ast.AST):
                    visit(child, "types" if checked else place)

    visit(tree, "top")
    return [{name for name in names if name.split(".")[0] not in sys.stdlib_module_names} for names in places.values()]


def split_own(names):
    own = {name for name in names if name.split(".")[0] == "qlib"}
    return own, {name.split(".")[0] for name in names - own}


def floor_of(path):
    name = ".".join(path.relative_to(QLIB).with_suffix("").parts).removesuffix(".__init__")
    return re.sub(r"^(exercises\.)[a-z]+\d\d\w*$", r"\1lesson", name)


def lesson_of(path):
    return re.search(r"\d\d[a-d]?", path.stem).group()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(QLIB).as_posix())
def test_a_file_imports_only_what_stands_below_it(path):
    floor = floor_of(path)
    assert floor in FLOORS, f"{path.name} has no floor: give it one here"
    own, at_the_top, in_functions = FLOORS[floor]
    if floor == "exercises.lesson":  # the files of one lesson may import each other
        own = (
            own
            | {"qlib.exercises"}
            | {f"qlib.exercises.{file.stem}" for file in path.parent.glob(f"*{lesson_of(path)}*")}
        )
    top, functions, _ = imports(path.read_text(encoding="utf-8"))
    top_own, top_others = split_own(top)
    functions_own, functions_others = split_own(functions)
    assert top_own | functions_own <= own
    assert top_others <= at_the_top
    assert functions_others <= at_the_top | in_functions


# The table of floors in DESIGN.md, which isn't part of this repository: a file's floor, what of these it may import.
DESIGN = {
    "affine": (1, set()),
    "fixedpoint": (2, set()),
    "tflite": (2, set()),
    "error": (2, {"affine"}),
    "calibrate": (3, {"affine", "error"}),
    "mnist": (4, {"affine"}),
    "deploy": (4, {"affine"}),
    "integer": (4, {"fixedpoint", "tflite"}),
    "plots": (5, {"affine", "calibrate", "error"}),
    "exercises.lesson": (6, {"affine", "calibrate", "error"}),
    "widgets": (6, {"plots"}),
}
BEYOND = {  # what a file may import although its line of the table doesn't name it, and why
    "deploy": {"mnist": "it loads TensorFlow by the same function", "tflite": "it reads what the converter wrote"},
    "exercises.lesson": {
        "fixedpoint": "it asks for requantization (lesson 04)",
        "tflite": "it asks what a file holds (lessons 02 and 05)",
    },
    "widgets": dict.fromkeys(("affine", "calibrate", "error"), "plots stands on them"),
}


def below(name):
    """The files that a file may import, by their names in FLOORS."""
    return {own.removeprefix("qlib.") for own in FLOORS[name][0]}


def reached(name):
    """All files below a file: what it may import, and what that may import in turn."""
    return below(name).union(*map(reached, below(name)))


def height(name):
    """The floor of a file, counted from the ground: one above the highest that it may import."""
    return 1 + max(map(height, below(name)), default=0)


@pytest.mark.parametrize("name", DESIGN)
def test_the_floors_are_those_of_the_design(name):
    floor, allowed = DESIGN[name]
    assert below(name) & set(DESIGN) <= allowed | set(BEYOND.get(name, {}))
    assert all(DESIGN[other][0] <= floor for other in reached(name) & set(DESIGN))
    assert FLOORS[name][1] <= {"numpy"} | ({"matplotlib", "ipywidgets"} if floor >= 5 else set())


def test_what_goes_beyond_the_design_is_needed():
    for name, more in BEYOND.items():
        assert set(more) <= below(name) and not set(more) & DESIGN[name][1]


def test_every_import_goes_strictly_down():
    """Formulas at the bottom, pictures above them, what moves on top. (The package itself is no floor.)"""
    heights = {name: height(name) for name in list(FLOORS)[:-1]}
    for name in heights:
        assert all(heights[other] < heights[name] for other in below(name))
    drawing = {name for name in heights if FLOORS[name][1] & {"matplotlib", "ipywidgets", "anywidget"}}
    panels = {name for name in drawing if "ipywidgets" in FLOORS[name][1] and not name.startswith("exercises")}
    assert heights["affine"] < heights["error"] < heights["calibrate"] < heights["plots"] < heights["explorer"]
    assert all(heights[name] > heights["explorer"] for name in panels - {"explorer"})
    for name in set(heights) - drawing - {"exercises", "exercises.lesson"}:
        assert not reached(name) & drawing, f"{name} holds formulas, and may not import what draws"


def test_no_floor_imports_one_above_it():
    order = list(FLOORS)[:-1]
    for name in order:
        assert all(order.index(below.removeprefix("qlib.")) < order.index(name) for below in FLOORS[name][0])


def test_the_reader_of_imports_tells_places_apart():
    source = """
import os, numpy as np
from typing import TYPE_CHECKING
from qlib import plots
from qlib.affine import quantize
if TYPE_CHECKING:
    import keras
class A:
    import h5py
def f():
    import tensorflow as tf
    from .error import mse
"""
    top, functions, types = imports(source)
    assert top == {"numpy", "qlib.plots", "qlib.affine", "h5py"}
    assert functions == {"tensorflow", "qlib.error"} and types == {"keras"}


def test_there_is_no_file_without_a_subject():
    stems = {path.stem for path in FILES}
    assert FILES and not stems & {"utils", "util", "config", "base", "common", "helpers"}
