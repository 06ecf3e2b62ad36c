"""The rows of lessons 06a to 06d: written, read back, summed up; and how times are compared."""

import gzip
import json
import time
from dataclasses import asdict

import numpy as np
import pytest

from qlib import results
from qlib.results import Result, measure, paired_difference, read, summary, time_ratios, write

ROWS = [
    Result("pruned, ½", 0, 100, 60, 9_800, 9_850),
    Result("pruned, ½", 1, 100, 64, 9_860, 9_870),
    Result("clustered", 0, 50, 40, 9_900, 9_950),
]


def test_what_is_written_is_read_back(tmp_path):
    path = write("06a", "python data/run_x.py", ROWS, folder=tmp_path / "new")
    assert read("06a", folder=tmp_path / "new") == ROWS
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["command"] == "python data/run_x.py" and stored["results"][2] == asdict(ROWS[2])
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2 + len(ROWS)  # a row a line, for a readable diff


def test_the_same_rows_give_the_same_bytes(tmp_path):
    first = write("a", "c", ROWS, folder=tmp_path).read_bytes()
    assert write("a", "c", ROWS, folder=tmp_path).read_bytes() == first


def test_a_lesson_without_results_is_refused(tmp_path):
    write("06a", "c", ROWS, folder=tmp_path)
    with pytest.raises(ValueError, match=r"lesson: expected one of \['06a'\], got '06z'"):
        read("06z", folder=tmp_path)


def test_latencies_are_read_back(tmp_path):
    results.write_latency({"06a": {"QAT": 0.41, "pruned, ½": 1.0}}, folder=tmp_path)
    assert results.read_latency(folder=tmp_path) == {"06a": {"QAT": 0.41, "pruned, ½": 1.0}}
    with pytest.raises(ValueError, match=r"expected one of \[\]"):  # it is no lesson
        read("latency", folder=tmp_path.parent)


def test_summary_by_hand():
    found = summary(ROWS)
    assert list(found) == ["pruned, ½", "clustered"]
    both, one = found.values()
    assert (both.seeds, both.bytes, both.gzip) == (2, 100, 62)
    assert both.accuracy == pytest.approx(0.983) and both.agreement == pytest.approx(0.986)
    assert both.spread == pytest.approx(0.006 / np.sqrt(2))  # two values 0.006 apart, n − 1
    assert one.seeds == 1 and one.accuracy == 0.99 and np.isnan(one.spread)


def test_equal_counts_give_equal_accuracies():
    """A mean of shares would differ in its last bit, and one of two equals would beat the other."""
    rows = [Result("a", seed, 1, 1, right, 0) for seed, right in enumerate((9_894, 9_897, 9_895))]
    rows += [Result("b", seed, 1, 1, right, 0) for seed, right in enumerate((9_897, 9_893, 9_896))]
    found = summary(rows)
    assert found["a"].accuracy == found["b"].accuracy == 29_686 / 30_000


def test_paired_differences_by_hand():
    # 1, 2 and 6: mean 3, squares 4 + 1 + 9 = 14, variance 14 / 2 = 7, of the mean 7 / 3
    ones, others = np.array([2.0, 0.0, 9.0]), np.array([1.0, -2.0, 3.0])
    assert paired_difference(ones, others) == pytest.approx((3.0, np.sqrt(7 / 3)))
    assert paired_difference(others, ones) == pytest.approx((-3.0, np.sqrt(7 / 3)))
    seed = np.array([100.0, -50.0, 7.0])  # what a seed does to both of a pair cancels
    assert paired_difference(ones + seed, others + seed) == pytest.approx((3.0, np.sqrt(7 / 3)))


def test_paired_differences_refuse_what_is_no_pair():
    with pytest.raises(ValueError, match=r"ones: expected shape \(n,\), n at least 2, got \(1,\)"):
        paired_difference([1.0], [2.0])
    with pytest.raises(ValueError, match=r"others: expected shape \(3,\), got \(2,\)"):
        paired_difference([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="others: expected no NaN, got 1"):
        paired_difference([1.0, 2.0], [1.0, np.nan])


def test_the_standard_error_has_a_part_that_more_seeds_do_not_lessen():
    both, one = summary(ROWS).values()
    assert one.standard_error == pytest.approx(np.sqrt(0.99 * 0.01 / 10_000))
    assert both.standard_error == pytest.approx(np.sqrt(0.983 * 0.017 / 10_000 + 0.006**2 / 2 / 2))


def test_measure_counts():
    row = measure("a", 3, b"x" * 1000, np.array([1, 2, 3, 4]), np.array([1, 2, 0, 0]), np.array([1, 0, 3, 4]))
    assert row == Result("a", 3, 1000, results.gzip_bytes(b"x" * 1000), right=2, agree=3)
    assert json.loads(json.dumps(asdict(row))) == asdict(row)  # plain Python integers


@pytest.mark.parametrize(
    "answers", [np.array([[0.1, 0.9]] * 4), np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 2, 3])], ids=str
)
def test_measure_refuses_what_is_no_answer(answers):
    with pytest.raises(ValueError, match="answers: expected 4 integers, got"):
        measure("a", 0, b"", answers, np.arange(4), np.arange(4))


def test_gzip_bytes_are_those_of_a_real_file():
    file = np.random.default_rng(0).integers(0, 3, 5000, np.uint8).tobytes()
    packed = gzip.compress(file, 9)
    assert results.gzip_bytes(file) == len(packed) and gzip.decompress(packed) == file


def test_time_ratios_tell_a_slow_call_and_take_turns():
    order = []

    def call(name, seconds):
        return lambda: (order.append(name), time.sleep(seconds))

    ratios = time_ratios([call("a", 0.001), call("b", 0.02)], rounds=5)
    assert ratios[0] == 1 and ratios[1] > 2
    assert order == ["a", "b"] * 5
    with pytest.raises(ValueError, match="rounds: expected an integer from 1 on, got 0"):
        time_ratios([], rounds=0)
