"""qlib.frontier and its pictures: by hand, by properties, and against the notebooks and results that are shipped."""

import importlib.util
import json
import re
import shutil
from dataclasses import replace

import nbformat
import numpy as np
import pytest
from baseline import NOTEBOOKS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qlib import frontier as f
from qlib import results
from qlib.frontier import Point, clear_steps, clearly_dominated, collect, costs_of, dominated, frontier
from qlib.frontier_plots import MARKERS, linked, plot_points, runs
from qlib.frontier_widgets import FrontierExplorer
from qlib.mnist import DATA

POINTS = collect()
CELLS = {
    lesson: {cell.id: cell for cell in nbformat.read(NOTEBOOKS / name, as_version=4).cells}
    for lesson, name in f.NOTEBOOKS.items()
}
HERE = Point("04", "table-low", "small <2>", 1, 200.0, 100.0, 0.90, None, None)
SOME = [
    HERE,
    Point("06a", "table-summary", "large", 3, 300.0, 200.0, 0.97, 0.01, 0.5),
    Point("06", "deep-stages", "beaten", 1, 310.0, 150.0, 0.90, None, 0.8),
]
TABLES = st.integers(1, 3).flatmap(
    lambda k: arrays(np.int64, st.tuples(st.integers(0, 12), st.just(k)), elements=st.integers(0, 4))
)


# ------------------------------------------------------------------- the points


@pytest.mark.parametrize("lesson", f.NOTEBOOKS)
def test_every_cell_is_in_its_notebook(lesson):
    named = {point.cell for point in POINTS if point.lesson == lesson}
    assert named and named <= set(CELLS[lesson])
    assert all(CELLS[lesson][cell].cell_type == "code" for cell in named)


def test_no_lesson_and_no_rule_is_without_a_point():
    assert {point.lesson for point in POINTS} == set(f.NOTEBOOKS)
    rules = {(file.partition("-")[0], cell) for file, cells in f.CELLS.items() for cell in cells.values()}
    assert rules == {(point.lesson, point.cell) for point in POINTS}


@pytest.mark.parametrize(
    "point",
    [p for p in POINTS if p.cell in ("table", "table-summary", "deep-stages", "tiny-table")],
    ids=lambda p: p.method,
)
def test_the_table_of_a_lesson_shows_the_method_with_its_accuracy(point):
    lines = CELLS[point.lesson][point.cell].outputs[0].text.splitlines()
    (line,) = (line for line in lines if re.match(re.escape(point.method) + "  ", line))
    assert f"{point.accuracy:.2%}" in line


def test_the_tables_of_lesson_04_show_the_accuracies():
    names = ("table-high", "table-low")
    lines = [line.split() for name in names for line in CELLS["04"][name].outputs[0].text.splitlines()]
    table = {int(line[0]): line[1:] for line in lines if line[0].isdigit()}
    found = {point.method: point for point in POINTS if point.lesson == "04"}
    order = [f"{{}} bits, {how}, {axis}" for axis in ("per-tensor", "per-channel") for how in ("absmax", "mse")]
    for num_bits in range(2, 9):
        for name, shown in zip(order, table[num_bits], strict=True):
            assert abs(100 * found[name.format(num_bits)].accuracy - float(shown.rstrip("%"))) < 0.1 + 1e-6


def test_the_files_of_lesson_05_are_those_of_its_table():
    lines = CELLS["05"]["files-table"].outputs[0].text.splitlines()[1:7]
    table = {line.split()[0]: line.split()[1] for line in lines}
    assert table == {point.method: f"{point.bytes:,.0f}" for point in POINTS if point.lesson == "05"}


def test_a_method_comes_once_in_its_lesson():
    names = [(point.lesson, point.method) for point in POINTS]
    assert len(set(names)) == len(names) > 90


def test_the_shipped_picture_is_what_the_shipped_rows_give():
    assert f.read_points() == POINTS


@pytest.fixture
def folder(tmp_path):
    for path in results.RESULTS.glob("*.json"):
        shutil.copy(path, tmp_path)
    return tmp_path


def script_of(name):
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.parametrize("row", [r for r in results.read("04") if " bits, " in r.method], ids=lambda r: r.method)
def test_the_bytes_of_lesson_04_are_codes_scales_and_biases(row):
    # four kernels of 288, 18,432, 204,800 and 1,280 weights; 32 + 64 + 128 + 10 outputs; float32 scales and biases
    num_bits = int(re.search(r"(\d) bits, ", row.method).group(1))
    codes = sum(-(-n * num_bits // 8) for n in (288, 18_432, 204_800, 1_280))
    assert row.bytes == codes + 4 * (234 if "per-channel" in row.method else 4) + 4 * 234


def test_what_is_trained_has_three_seeds_and_the_rest_one():
    seeds = {method: s.seeds for method, s in results.summary(results.read("04")).items()}
    assert all(n == (3 if method.startswith(("QAT", "one more")) else 1) for method, n in seeds.items())


def test_the_script_packs_as_lesson_04_does():
    script = script_of("run_quantization")
    packed = script.pack(np.array([-4, 3, 0]), 3, qmin=-4)  # 0, 7, 4 from qmin, lowest bit first: 000 111 001
    assert [f"{byte:08b}" for byte in packed] == ["00011100", "10000000"]
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in ((5, 3), (3,), (3, 2), (2,))]
    qparams = script.qparams_of(weights[::2], 4, "absmax", True)
    file, restored = script.coded(weights, qparams, (4, 4))
    assert len(file) == 8 + 3 + 4 * (3 + 2) + 4 * (3 + 2)  # codes, scales, biases
    assert np.array_equal(restored[1], weights[1]) and np.array_equal(restored[3], weights[3])
    for w, w_hat, p in zip(weights[::2], restored[::2], qparams, strict=True):
        assert np.all(np.abs(w - w_hat) <= p.scale / 2 * (1 + 1e-6))


def test_the_command_writes_the_shipped_bytes(folder, monkeypatch, capsys):
    script = script_of("collect_results")
    monkeypatch.setattr(script.frontier, "collect", lambda: collect(folder=folder))
    write = f.write_points
    monkeypatch.setattr(script.frontier, "write_points", lambda points: write(points, folder=folder))
    (folder / "frontier.json").unlink()
    script.main()
    assert (folder / "frontier.json").read_bytes() == (results.RESULTS / "frontier.json").read_bytes()
    assert f"{len(POINTS)} methods" in capsys.readouterr().out


def test_a_changed_result_changes_the_points_and_the_frontier(folder):
    rows = results.read("05", folder=folder)
    rows[3] = replace(rows[3], right=9_999, gzip=1_000)
    results.write("05", "c", rows, folder=folder)
    changed = collect(folder=folder)
    assert [one for one, other in zip(changed, POINTS, strict=True) if one != other] == [
        replace(next(p for p in POINTS if (p.lesson, p.method) == ("05", "int8")), accuracy=0.9999, gzip=1000.0)
    ]
    (best,) = frontier(costs_of(changed))
    assert changed[best].method == "int8" and len(frontier(costs_of(POINTS))) > 1


def test_a_changed_time_changes_a_point(folder):
    times = json.loads((folder / "latency.json").read_text(encoding="utf-8"))
    times["06a"]["QAT"] = 7.5
    results.write_latency(times, folder=folder)
    assert [p.method for p in collect(folder=folder) if p.time == 7.5] == ["QAT"]


def test_every_measured_time_has_its_point():
    times = {(lesson, method) for lesson, methods in results.read_latency().items() for method in methods}
    assert times == {(point.lesson, point.method) for point in POINTS if point.time is not None}


def test_a_method_or_file_that_nobody_knows_is_refused(folder):
    with pytest.raises(ValueError, match=r"file: expected one of .*, got '03'"):
        f.cell_of("03", "x")
    with pytest.raises(ValueError, match=r"method: expected a name that begins like one of .*, got 'new'"):
        f.cell_of("04", "new")
    results.write("04", "c", [results.Result("new", 0, 1, 1, 1, 1)], folder=folder)
    with pytest.raises(ValueError, match="got 'new'"):
        collect(folder=folder)


def test_points_are_read_back(tmp_path):
    path = f.write_points(SOME, folder=tmp_path)
    assert f.read_points(folder=tmp_path) == SOME
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2 + len(SOME) and "NaN" not in path.read_text("utf-8")


def test_a_point_by_hand():
    assert HERE.link == "04_mnist.ipynb#cell-id=table-low" and HERE.wrong == pytest.approx(0.1)
    assert HERE.standard_error == pytest.approx(0.003)  # √(0.9 · 0.1 / 10,000)
    assert SOME[1].standard_error == pytest.approx(np.sqrt(0.97 * 0.03 / 10_000 + 0.01**2 / 3))


def test_costs():
    assert costs_of(SOME).tolist() == [[p.gzip, p.wrong] for p in SOME] and costs_of([], ("gzip", "wrong")).shape == (
        0,
        2,
    )
    assert costs_of(SOME[1:], ("bytes", "time")).tolist() == [[300, 0.5], [310, 0.8]]
    with pytest.raises(ValueError, match=r"names: expected some of .*, got 'accuracy'"):
        costs_of(SOME, ("accuracy",))
    with pytest.raises(ValueError, match="points: expected measured times, got none of 04 'small <2>'"):
        costs_of(SOME, ("time", "wrong"))


# ------------------------------------------------------------------- the frontier


def test_dominated_by_hand():
    # C costs what A costs in the first and more in the second; D and E are equal; F is beaten in both by B
    table = [[1, 9], [4, 4], [1, 10], [9, 1], [9, 1], [5, 5]]
    assert dominated(table).tolist() == [False, False, True, False, False, True]
    assert frontier(table).tolist() == [0, 1, 3, 4]
    assert dominated([[1, 2, 3], [1, 3, 2], [2, 3, 3]]).tolist() == [False, False, True]


@given(TABLES)
def test_dominated_is_its_definition(table):
    def beats(a, b):
        return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))

    assert dominated(table).tolist() == [any(beats(a, b) for a in table.tolist()) for b in table.tolist()]


@given(TABLES)
def test_the_frontier_beats_all_the_others_and_is_in_order(table):
    best = frontier(table)
    assert not dominated(table[best]).any() and best.size >= min(1, len(table))
    for row in np.flatnonzero(dominated(table)):
        assert any(np.all(table[i] <= table[row]) for i in best)
    assert table[best].tolist() == sorted(table[best].tolist())


@given(TABLES)
def test_a_further_cost_takes_nothing_away_but_equal_points(table):
    fewer, distinct = table[:, :-1], len(np.unique(table[:, :-1], axis=0)) == len(table)
    if table.shape[1] > 1 and distinct:
        assert set(frontier(fewer)) <= set(frontier(table))


def test_two_costs_that_rise_and_fall_all_stay():
    x = np.arange(1, 30)
    assert frontier(np.stack([x, 30 - x], axis=1)).tolist() == list(range(29))


@pytest.mark.parametrize("table", [[1, 2], [[[1]]], np.empty((3, 0))])
def test_what_is_no_table_is_refused(table):
    for function in (dominated, frontier):
        with pytest.raises(ValueError, match=r"costs: expected shape \(n, costs\), got"):
            function(table)


def test_clear_differences_by_hand():
    # errors 0.03 and 0.04: of a difference 0.05, twice that 0.1
    size, errors = [1, 2, 2], [0.03, 0.04, 0.04]
    assert clearly_dominated(size, [0.9, 0.79, 0.81], errors).tolist() == [False, True, False]
    assert clear_steps([1, 2], [0.80, 0.91], [0.03, 0.04]) == [0, 1] and clear_steps(
        [1, 2], [0.80, 0.89], [0.03, 0.04]
    ) == [0]
    assert clear_steps([2, 1], [0.95, 0.80], [0.01, 0.01]) == [1, 0]  # from the smallest on
    assert clear_steps([1, 1], [0.80, 0.95], [0.01, 0.01]) == [1]  # equally large: the more accurate one
    assert clear_steps([], [], []) == []
    # two steps that are noise each, and clear together
    assert clear_steps([1, 2, 3], [0.90, 0.92, 0.94], [0.01, 0.01, 0.01]) == [0, 2]
    assert clear_steps([1, 2, 3], [0.90, 0.92, 0.94], [0.01, 0.01, 0.01], factor=1.0) == [0, 1, 2]


FEW = arrays(np.float64, 8, elements=st.floats(0, 1, width=32))


@given(FEW, FEW, st.floats(0, 0.1))
def test_without_noise_clear_is_dominated(size, accuracy, error):
    exact = dominated(np.stack([size, -accuracy], axis=1))
    clear = clearly_dominated(size, accuracy, np.full(8, error))
    assert not np.any(clear & ~exact)  # what is beaten clearly is beaten
    zero = clearly_dominated(size, accuracy, np.zeros(8))
    assert not np.any(zero & ~exact)
    kept = clear_steps(size, accuracy, np.full(8, error))
    assert sorted(kept, key=lambda i: size[i]) == kept and np.all(np.diff(accuracy[kept]) > 2.8 * error - 1e-9)
    assert not set(kept) & set(np.flatnonzero(zero)) or error > 0


def test_noise_refuses_what_does_not_fit():
    for function in (clearly_dominated, clear_steps):
        with pytest.raises(ValueError, match=r"accuracy: expected shape \(n,\), as of size, \(2,\), got \(1,\)"):
            function([1, 2], [0.5], [0.1])
        with pytest.raises(ValueError, match="errors: expected no NaN"):
            function([1], [0.5], [np.nan])


# ------------------------------------------------------------------- pictures


def test_the_picture_has_a_marker_for_each_lesson_and_the_frontier_as_steps():
    ax = plot_points(POINTS)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [*(f"lesson {lesson}" for lesson in f.NOTEBOOKS), "frontier"]
    assert len(set(MARKERS.values())) == len(MARKERS) == len(f.NOTEBOOKS)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    drawn = sum(
        len(line.get_xdata()) for line in ax.lines if line.get_marker() in MARKERS.values() and line.get_ls() == "None"
    )
    (steps,) = (line for line in ax.lines if line.get_label() == "frontier")
    best = costs_of(POINTS)[frontier(costs_of(POINTS))]
    assert steps.get_drawstyle() == "steps-post" and np.allclose(steps.get_xydata()[:-1], best)
    assert drawn >= len(POINTS)


def test_the_numbers_do_not_overlap():
    ax = plot_points(POINTS)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) > 2
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(ax.get_window_extent().contains(box.x0, box.y0) for box in boxes)
    named = "".join(f"{text.get_text()} " for text in ax.texts)
    assert named.startswith("1") and named.split()[-1].endswith(str(len(frontier(costs_of(POINTS)))))


def test_points_without_a_time_are_left_out_of_its_picture():
    ax = plot_points(SOME, "time")
    (steps,) = (line for line in ax.lines if line.get_label() == "frontier")
    assert steps.get_xydata()[0].tolist() == pytest.approx([0.5, 0.03])
    assert not any(text.get_text() == "lesson 04" for text in ax.get_legend().get_texts())


def test_runs_by_hand():
    assert [run.tolist() for run in runs(np.array([0.0, 0.1, 0.5]), apart=0.2)] == [[0, 1], [2]]


def test_links_are_of_the_form_that_jupyterlab_follows():
    page = linked(POINTS)._repr_html_()
    links = re.findall(r'<a href="([^"]+)">', page)
    assert links == [point.link for point in POINTS]
    assert all(re.fullmatch(r"0[4-6][a-d]?_[a-z]+\.ipynb#cell-id=[a-z0-9-]+", link) for link in links)
    assert "small &lt;2&gt;" in linked([HERE])._repr_html_()


def test_a_folded_table():
    page, text = linked(SOME, summary="a < b")._repr_html_(), repr(linked(SOME, summary="a < b"))
    assert page.startswith("<details><summary>a &lt; b</summary><table>") and page.endswith("</table></details>")
    assert page.count("<a href=") == len(SOME) and text == "a < b"


def test_the_table_as_text():
    lines = repr(linked(SOME)).splitlines()
    assert lines[0].split() == ["lesson", "method", "seeds", "bytes", "gzip", "right", "time", "cell"]
    assert lines[2].split() == ["2", "06a", "large", "3", "300", "200", "97.00%", "0.50", "table-summary"]
    assert len(lines) == 4 and "–" in lines[1]


# ------------------------------------------------------------------- the explorer


def put(explorer, **settings):
    for name, value in settings.items():
        explorer.controls[name].value = value
        assert explorer.error.value == ""
    return explorer.numbers


def test_the_explorer_by_hand():
    explorer = FrontierExplorer(SOME, accuracy=96.0)
    assert explorer.numbers == {
        "accurate enough": "1 of 3 methods, 1 of 2 on the frontier",
        "smallest file": "large, 200 bytes after gzip",
        "right": "97.00%, standard error 0.60%",
        "time ÷ float32": "0.50",
        "made in": "lesson 06a, cell table-summary",
    }
    assert put(explorer, bytes="of the file")["smallest file"] == "large, 300 bytes of the file"
    assert put(explorer, accuracy=98.0) == {
        "accurate enough": "0 of 3 methods, 0 of 2 on the frontier",
        "smallest file": "none",
    }
    assert [len(ring.get_xdata()) for ring in explorer.rings] == [0, 0]


def test_the_explorer_of_one_lesson_without_times():
    explorer = FrontierExplorer(SOME, accuracy=95.0)
    assert put(explorer, lesson="04")["accurate enough"] == "0 of 1 methods, 0 of 1 on the frontier"
    assert explorer.axes[1].get_title() == "no time was measured"
    assert put(explorer, lesson="06a")["made in"] == "lesson 06a, cell table-summary"
    assert explorer.axes[1].get_title() == ""
    assert [ring.get_xdata()[0] for ring in explorer.rings] == [200, 0.5]


def test_the_slider_alone_needs_no_repaint(monkeypatch):
    explorer = FrontierExplorer(POINTS)
    monkeypatch.setattr(FrontierExplorer, "background", None)  # would fail
    first = explorer.png
    put(explorer, accuracy=99.2)
    assert explorer.png != first and explorer.lines[0].get_ydata()[0] == pytest.approx(0.008)


def test_the_way_to_a_state_does_not_show():
    explorer = FrontierExplorer(POINTS)
    put(explorer, lesson="06c", bytes="of the file", accuracy=99.0)
    put(explorer, lesson="all", bytes="after gzip", accuracy=98.8)
    other = FrontierExplorer(POINTS)
    assert repr(explorer) == repr(other) and explorer.png == other.png


def test_the_explorer_says_all_in_words():
    explorer = FrontierExplorer(SOME, accuracy=96.0)
    assert explorer.alt.startswith(
        "All results: bytes, time and wrong answers. lesson all; bytes after gzip; accuracy 96;"
    )
    assert "large" in explorer.status.value


def test_bad_arguments_of_the_explorer_are_refused():
    with pytest.raises(ValueError, match=r"points: expected at least one, got none"):
        FrontierExplorer([])
    with pytest.raises(ValueError, match=r"accuracy: expected 95 to 99\.5, got 12"):
        FrontierExplorer(SOME, accuracy=12)
