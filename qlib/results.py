"""What lessons 04 to 06d found: a row for each trained network, in `data/results/LESSON.json`, and what may be noise.

A script in `data/` trains and writes the rows; the lessons read them, and lesson 06 puts them into one table.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from qlib.arguments import as_array, as_reals, check_count
from qlib.mnist import DATA

RESULTS = DATA / "results"
IMAGES = 10_000  # of the test set, on which every network is measured


@dataclass(frozen=True)
class Result:
    """One trained network, measured.

    method : what was done, as in the table of the lesson.
    seed : of its training; 0 where nothing is random.
    bytes : size of the file that would be deployed.
    gzip : bytes of that file after `gzip -9`.
    right : how many of the 10,000 test images it names rightly.
    agree : on how many it says the same as the float32 network that the workbook ships.
    """

    method: str
    seed: int
    bytes: int
    gzip: int
    right: int
    agree: int


@dataclass(frozen=True)
class Summary:
    """The networks of one method together: how many, and mean and spread over their seeds.

    `accuracy`, `agreement` : mean shares, 0 to 1. `spread` : standard deviation of the accuracy over seeds (n − 1 in
    the denominator), NaN for one seed. `bytes`, `gzip` : means.
    """

    seeds: int
    bytes: float
    gzip: float
    accuracy: float
    spread: float
    agreement: float

    @property
    def standard_error(self) -> float:
        """How far `accuracy` may be from that on other images and seeds, typically.

        The error of 10,000 images, √(p(1 − p)/10000), which more seeds don't make smaller, and that of the mean over
        the seeds, spread/√n.
        """
        images = self.accuracy * (1 - self.accuracy) / IMAGES
        seeds = self.spread**2 / self.seeds if self.seeds > 1 else 0.0
        return float(np.sqrt(images + seeds))


def gzip_bytes(file: bytes) -> int:
    """Bytes of a file after `gzip -9`: what a download or an app store makes of it.

    >>> gzip_bytes(bytes(100_000)) < 200
    True
    """
    return len(gzip.compress(file, 9, mtime=0))


def measure(
    method: str, seed: int, file: bytes, answers: np.ndarray, labels: np.ndarray, float_answers: np.ndarray
) -> Result:
    """The row of one network.

    Parameters
    ----------
    file : bytes
        What would be deployed.
    answers, labels, float_answers : arrays of integers, shape (n,)
        What this network says, what is true, and what the shipped float32 network says.

    Raises
    ------
    ValueError
        If the three have not the same shape (n,), or are not integers: probabilities are no answers.
    """
    arrays = {"answers": answers, "labels": labels, "float_answers": float_answers}
    arrays = {name: as_array(name, array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.shape != (len(labels),) or array.dtype.kind not in "iu":
            raise ValueError(f"{name}: expected {len(labels)} integers, got {array.dtype} of shape {array.shape}")
    answers, labels, float_answers = arrays.values()
    right, agree = int(np.sum(answers == labels)), int(np.sum(answers == float_answers))
    return Result(method, seed, len(file), gzip_bytes(file), right, agree)


def write(lesson: str, command: str, results: Sequence[Result], *, folder: Path = RESULTS) -> Path:
    """Write the rows of a lesson, one a line, and the command that made them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ",\n  ".join(json.dumps(asdict(result), ensure_ascii=False) for result in results)
    path = folder / f"{lesson}.json"
    path.write_text(f'{{"command": {json.dumps(command)}, "results": [\n  {rows}\n]}}\n', encoding="utf-8")
    return path


def read(lesson: str, *, folder: Path = RESULTS) -> list[Result]:
    """The rows of a lesson, as its script wrote them; a ValueError says if there are none."""
    path = folder / f"{lesson}.json"
    if not path.is_file():
        there = sorted(file.stem for file in folder.glob("0*.json"))
        raise ValueError(f"lesson: expected one of {there}, got {lesson!r}")
    return [Result(**row) for row in json.loads(path.read_text(encoding="utf-8"))["results"]]


def write_latency(ratios: dict[str, dict[str, float]], *, folder: Path = RESULTS) -> None:
    """Write how long one image takes by lesson and method, divided by the float32 file in the same engine."""
    text = json.dumps(ratios, ensure_ascii=False, indent=1)
    (folder / "latency.json").write_text(text + "\n", encoding="utf-8")


def read_latency(*, folder: Path = RESULTS) -> dict[str, dict[str, float]]:
    """What `write_latency` wrote: `python data/measure_latency.py` measures it."""
    return json.loads((folder / "latency.json").read_text(encoding="utf-8"))


def summary(results: Sequence[Result]) -> dict[str, Summary]:
    """Each method's networks together, in the order in which the methods come.

    >>> rows = [Result("a", seed, 9, 5, right, 9_900) for seed, right in enumerate((9_800, 9_900))]
    >>> summary(rows)["a"].accuracy
    0.985
    """
    found = {}
    for method in dict.fromkeys(result.method for result in results):
        rows = [result for result in results if result.method == method]
        shares = np.array([row.right for row in rows]) / IMAGES
        found[method] = Summary(
            seeds=len(rows),
            bytes=float(np.mean([row.bytes for row in rows])),
            gzip=float(np.mean([row.gzip for row in rows])),
            accuracy=float(np.mean([row.right for row in rows])) / IMAGES,  # of counts: equal ones stay equal
            spread=float(shares.std(ddof=1)) if len(rows) > 1 else float("nan"),
            agreement=float(np.mean([row.agree for row in rows])) / IMAGES,
        )
    return found


def paired_difference(ones: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """The mean of ones − others, and its standard error: what may be noise of the seeds.

    The standard error is the standard deviation of the n differences (n − 1 in the denominator), divided by √n. What a
    seed does to both of a pair cancels in the differences.

    Parameters
    ----------
    ones, others : real, shape (n,)
        Accuracies, for instance, of n seeds in the same order; n is at least 2.

    Examples
    --------
    >>> paired_difference([3.0, 6.0], [1.0, 2.0])  # differences 2 and 4: standard deviation √2, divided by √2
    (3.0, 1.0)
    """
    ones, others = as_reals("ones", ones), as_reals("others", others)
    if ones.ndim != 1 or len(ones) < 2:
        raise ValueError(f"ones: expected shape (n,), n at least 2, got {ones.shape}")
    if others.shape != ones.shape:
        raise ValueError(f"others: expected shape {ones.shape}, got {others.shape}")
    differences = ones - others
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))


def time_ratios(calls: Sequence[Callable[[], object]], rounds: int = 40) -> np.ndarray:
    """Each call's time divided by that of the first: the median of the rounds, in which all take turns.

    A busy moment hits all of them, and a few bad rounds hardly move a median (lesson 05, section 1).
    """
    check_count("rounds", rounds)
    seconds = np.empty((rounds, len(calls)))
    for i, j in np.ndindex(*seconds.shape):
        start = time.perf_counter()
        calls[j]()
        seconds[i, j] = time.perf_counter() - start
    return np.median(seconds / seconds[:, :1], axis=0)
