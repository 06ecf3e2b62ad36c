"""The benchmark runs at tiny sizes, and refuses to time two sides that differ. Nothing here is about time."""

import math
import sys
from types import SimpleNamespace

import bench
import bench_calibrators
import numpy as np
import pytest

N = 5_000
SECTIONS = {
    "profile": lambda: bench.profile_rows(N, 3),
    "bits_curve": lambda: bench.bits_curve_rows(N, 1),
    "sweep": lambda: bench.sweep_rows(N, 1, thresholds=7),
    "best_threshold": lambda: bench.threshold_rows(N, 1),
    "quantize": lambda: bench.quantize_rows(N, 1),
    "explorers": lambda: bench.explorer_rows(N, 2),
    "integers": lambda: bench.integer_rows([100]),
    "import": lambda: bench.import_rows(1),
}
ROWS = {
    "profile": 7,
    "bits_curve": 1,
    "sweep": 1,
    "best_threshold": 4,
    "quantize": 6,
    "explorers": 3,
    "integers": 4,
    "import": 2,
}

pytestmark = pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_gives_complete_rows(section):
    rows = SECTIONS[section]()
    assert len(rows) == ROWS[section]
    for row in rows:
        assert row.what.strip()
        assert all(math.isfinite(value) and value > 0 for value in (row.plain, row.ours, row.ratio)), row
        ratios = row.plain / row.ours, row.ours / row.plain
        assert any(row.ratio == pytest.approx(ratio) for ratio in ratios), row
        assert row.goal == "" or row.goal.split()[0] in (">=", "<=")


def test_plain_is_the_formula():
    # scale 0.5, zero point 1: 0.6 -> 1.2 -> 1 + 1; 0.25 is a tie -> 0 + 1; -9 and 9 are clipped to -4 and 3
    x, p = np.float32([0.6, 0.25, -9, 9]), bench.QParams(0.5, 1, -4, 3)
    assert bench.plain_quantize(x, p).tolist() == [2, 1, -4, 3] and bench.plain_quantize(x, p).dtype == np.int8
    for function in (bench.plain_fake_quantize, bench.lean_fake_quantize):
        assert function(x, p).tolist() == [0.5, 0, -2.5, 1] and function(x, p).dtype == np.float32
    expected = 0.1**2 + 0.25**2 + 6.5**2 + 8**2
    assert bench.plain_sse(x, p) == pytest.approx(expected, rel=1e-6)
    assert bench.plain_sse_float64(x, p) == pytest.approx(expected, rel=1e-7)


def off_by_one(function):
    def wrong(x, p):
        result = function(x, p).copy()
        result[0] += 1
        return result

    return wrong


@pytest.mark.parametrize("function", ["quantize", "fake_quantize"])
def test_one_wrong_code_is_refused(monkeypatch, function):
    monkeypatch.setattr(bench, function, off_by_one(getattr(bench, function)))
    with pytest.raises(AssertionError, match="1 / 5000"):
        bench.quantize_rows(N, 1)


@pytest.mark.parametrize("section, method", [("profile", "sse"), ("sweep", "sse_by_step"), ("grid", "sse_by_step")])
def test_an_error_that_is_slightly_wrong_is_refused(monkeypatch, section, method):
    right = getattr(bench.ErrorProfile, method)
    monkeypatch.setattr(bench.ErrorProfile, method, lambda *arguments: right(*arguments) * (1 + 1e-4))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        {**SECTIONS, "grid": lambda: bench_calibrators.calibration_rows(N, 4, grid=50)}[section]()


def test_a_curve_that_is_slightly_wrong_is_refused(monkeypatch):
    right = bench.plots.bits_curve
    monkeypatch.setattr(
        bench.plots, "bits_curve", lambda x, bits: {key: np.multiply(v, 1 + 1e-4) for key, v in right(x, bits).items()}
    )
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        bench.bits_curve_rows(N, 1)


def test_a_threshold_that_misses_the_least_error_is_refused(monkeypatch):
    right = bench.ErrorProfile.best_threshold
    monkeypatch.setattr(bench.ErrorProfile, "best_threshold", lambda *arguments: 1.2 * right(*arguments))
    with pytest.raises(AssertionError):
        bench.threshold_rows(N, 1)


def test_a_picture_that_differs_is_refused(monkeypatch):
    right = bench.plots.png
    stale = []

    def first_picture_again(figure):
        stale.append(right(figure))
        return stale[0]

    monkeypatch.setattr(bench.plots, "png", first_picture_again)
    with pytest.raises(AssertionError):
        bench.explorer_rows(N, 2)


@pytest.mark.parametrize("num_bits", [2, 4, 8])
def test_no_calibrator_and_no_grid_beats_the_least_error(num_bits):
    rows = bench_calibrators.calibration_rows(N, num_bits, grid=500)
    assert [row["values"] for row in rows] == list(bench_calibrators.DISTRIBUTIONS)
    for row in rows:
        assert row["bits"] == num_bits and 0 < row["least MSE"] < math.inf
        assert float(row["best ÷ grid"]) <= 1.0005
        choices = {name: float(row[name]) for name in [*bench.CALIBRATORS, "torch histogram"]}
        assert all(1 / 1.0005 <= ratio < math.inf for ratio in choices.values()), choices


@pytest.mark.parametrize(
    "row, expected",
    [
        (bench.Row("faster", 30, 2, 15.0, ">= 15"), ">= 15"),
        (bench.Row("faster", 29, 2, 14.5, ">= 15"), ">= 15 short"),
        (bench.Row("at most", 100, 125, 1.25, "<= 1.25"), "<= 1.25"),
        (bench.Row("at most", 100, 126, 1.26, "<= 1.25"), "<= 1.25 short"),
        (bench.Row("a time", 100, 2.0, 50, "<= 2 ms"), "<= 2 ms"),
        (bench.Row("a time", 100, 2.1, 47.6, "<= 2 ms"), "<= 2 ms short"),
        (bench.Row("no goal", 1, 1, 1), ""),
    ],
)
def test_a_goal_says_when_it_is_missed(row, expected):
    assert bench.verdict(row) == expected


def test_medians_take_turns_and_divide_by_the_calls():
    order = []
    plain, ours = bench.medians([lambda s: order.append(("plain", s)), lambda s: order.append(("ours", s))], "ab", 2)
    assert order == [(side, s) for s in "ab" for side in ("plain", "ours") for _ in range(2)]
    assert plain > 0 and ours > 0


def test_the_table_is_aligned():
    lines = bench.table(("what", "ms"), [("one", 1234.5), ("three", 0.012345)]).splitlines()
    assert lines == ["what       ms", "one      1234", "three  0.0123"]
    assert [bench.said(n) for n in (1_000, 5 * 10**7)] == ["n=1e3", "n=5e7"]


def test_main_prints_every_part(monkeypatch, capsys):
    monkeypatch.setattr(bench, "sections", lambda quick: {"quantize": SECTIONS["quantize"]})
    monkeypatch.setattr(bench, "calibration_rows", lambda n, bits: bench_calibrators.calibration_rows(N, bits, grid=50))
    bench.main(quick=True)
    printed = capsys.readouterr()
    assert "quantize, n=5e3: plain" in printed.out and "torch histogram" in printed.out
    assert "measuring quantize" in printed.err


def test_all_sections_are_in_both_modes():
    for quick in (False, True):
        names = " ".join(bench.sections(quick))
        assert all(section in names for section in SECTIONS)


def test_browser_rows_are_shown_with_their_verdict(monkeypatch):
    measured = [("a time", 2.5, "<= 2"), ("a count", 40, 40), ("another", 39, 40), ("no goal", 7.0, None)]
    fake = SimpleNamespace(measure=lambda: {"rows": measured, "complaints": []})
    monkeypatch.setattr(bench.shutil, "which", lambda name: "/somewhere/chromium")
    monkeypatch.setitem(sys.modules, "bench_browser", fake)
    verdicts = ["<= 2 short", "40", "40 short", ""]
    assert bench.browser_lines() == [(*row[:2], said) for row, said in zip(measured, verdicts, strict=True)]


def test_without_chromium_the_browser_is_left_out_with_a_note(monkeypatch):
    monkeypatch.setattr(bench.shutil, "which", lambda name: None)
    assert bench.browser_lines() == [("skipped: no `chromium` on the PATH", "", "")]
