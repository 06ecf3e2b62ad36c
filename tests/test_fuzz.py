"""Thousands of damaged files: each is refused in one clear sentence, or answered, and answered as LiteRT answers it.

They are read in a process of its own, within 2 GB beyond what the imports take, and a watchdog ends it if one file
takes too long: so a crash, a hang or a hunger for memory is a failure that names the file. That process is this file,
run as a script; it prints a line of JSON before and after each file.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from damage import KINDS, damaged
from networks_by_hand import networks

from qlib.deploy import Interpreter
from qlib.fixedpoint import KERNELS
from qlib.integer import IntegerModel

FILES = 250  # of each kind
SECONDS = 20  # for one file, before it counts as hanging
MEMORY = 2 * 2**30  # bytes
IMAGES = 3
WEIGHTS_TOO = ("flipped", "cut")  # the kinds of damage that may change weights, which nothing can tell
CONTROLS = dict(  # what the watching itself must notice
    hangs=lambda: time.sleep(60),
    crashes=os.abort,
    hungers=lambda: np.ones(2 * MEMORY, np.uint8),
    breaks=lambda: [][0],
    mumbles=lambda: int("x"),
)


# ---------------------------------------------------------------- in the other process


def answers(data: bytes) -> tuple[np.ndarray, list[np.ndarray]]:
    """Images, and the answer of each kernel for them.

    What one image gets may not depend on the others, but for the last values of a batch in "no_delegate".
    """
    model, rng = IntegerModel.from_tflite(data), np.random.default_rng(0)
    shape, dtype = (IMAGES * model.input.shape[0], *model.input.shape[1:]), model.input.dtype
    images = (rng.normal(size=shape) if dtype.kind == "f" else rng.integers(-128, 128, shape)).astype(dtype)
    found = [model.predict(images, kernel=kernel) for kernel in KERNELS]
    for kernel, answer in zip(KERNELS, found, strict=True):
        assert answer.shape == (len(images), *model.output.shape[1:]), f"answered with shape {answer.shape}"
        assert answer.dtype == model.output.dtype and np.isfinite(answer).all(), "answered with another type, or NaN"
        alone = model.predict(images[:1], kernel=kernel)
        assert kernel == "no_delegate" or np.array_equal(alone, answer[:1]), "one image alone gets another answer"
    return images, found


def outcome(data: bytes | str) -> tuple[str, str]:
    """What becomes of a file, and in which words; a warning counts as an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            CONTROLS[data]() if data in CONTROLS else answers(data)
    except ValueError as error:
        clear = "expected " in str(error) and ", got " in str(error) and "\n" not in str(error)
        return "refused" if clear else "failed", str(error)
    except Exception as error:
        return "failed", repr(error)
    return "answered", ""


def comparison(data: bytes) -> tuple[str, str]:
    """How an answer compares with LiteRT's for as many images as the file's own batch has."""
    try:
        images, found = answers(data)
    except ValueError:
        return "refused", ""
    model = IntegerModel.from_tflite(data)
    images = images[: model.input.shape[0]]
    for kernel in KERNELS:
        ours = model.predict(images, kernel=kernel)
        try:
            (theirs,) = Interpreter(data, kernel=kernel).run(images)
        except Exception as error:
            intact = any(all(map(np.array_equal, found, answers(network)[1])) for network in networks())
            harmless = intact and "valid Flatbuffer" in str(
                error
            )  # a name, an alignment: nothing that is computed with
            return "harmless" if harmless else "different", f"{kernel}: LiteRT refuses it: {error}"
        if not np.array_equal(theirs, ours):
            return "different", f"{kernel}: {theirs.shape} and {ours.shape}, or other values"
    return "same", ""


def main(task: str, seconds: str, *jobs: str) -> None:
    """Do the task for the files of each job, "kind first count"."""
    import resource

    outcome(networks()[0])
    if task == "outcome":
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for job in jobs:
        kind, first, count = job.split()
        for seed in range(int(first), int(first) + int(count)):
            print(json.dumps(dict(kind=kind, seed=seed)), flush=True)
            data = kind if kind in CONTROLS else damaged(kind, seed)
            faulthandler.dump_traceback_later(int(seconds), exit=True)
            start = time.perf_counter()
            became, words = globals()[task](data)
            found = dict(kind=kind, seed=seed, became=became, words=words, seconds=time.perf_counter() - start)
            faulthandler.cancel_dump_traceback_later()
            print(json.dumps(found | dict(peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)), flush=True)


# ---------------------------------------------------------------- the tests


def run(task: str, *jobs: str, seconds: int = SECONDS) -> tuple[list[dict], dict | None]:
    """The files that were read, and the one at which the process ended, if it ended early."""
    command = [sys.executable, __file__, task, str(seconds), *jobs]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each thread would take address space
    process = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1200)
    lines = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
    done = [line for line in lines if "became" in line]
    assert lines, process.stderr
    ended = None if process.returncode == 0 else lines[-1] | dict(words=process.stderr[-2000:])
    return done, ended


@pytest.fixture(scope="module")
def files():
    return run("outcome", *[f"{kind} 0 {FILES}" for kind in KINDS])


def test_each_damaged_file_is_refused_in_one_sentence_or_answered(files):
    done, ended = files
    assert ended is None, f"the process ended at {ended}"
    assert [file for file in done if file["became"] == "failed"] == []
    assert len(done) == FILES * len(KINDS) >= 2000
    counts = Counter((file["kind"], file["became"]) for file in done)
    for kind in KINDS:
        print(f"{kind:14}{counts[kind, 'refused']:5} refused {counts[kind, 'answered']:5} answered")
    slowest = max(done, key=lambda file: file["seconds"])
    print(f"slowest: {slowest['kind']} {slowest['seed']}, {slowest['seconds']:.2f} s")
    print(f"peak: {done[-1]['peak'] / 1024:.0f} MB")


def test_each_kind_of_damage_is_refused_and_most_kinds_leave_files_that_can_be_answered(files):
    kinds = {
        became: {file["kind"] for file in files[0] if file["became"] == became} for became in ("refused", "answered")
    }
    assert kinds["refused"] == set(KINDS)
    assert len(kinds["answered"]) >= len(KINDS) - 2


def test_what_is_answered_is_what_litert_answers():
    counts = Counter()
    for kind in (kind for kind in KINDS if kind not in WEIGHTS_TOO):
        first, last = 0, FILES // 2
        while first < last:
            done, ended = run("comparison", f"{kind} {first} {last - first}")
            assert [file for file in done if file["became"] == "different"] == []
            counts.update(file["became"] for file in done)
            counts["crashes LiteRT"] += ended is not None
            first = last if ended is None else ended["seed"] + 1
    print(dict(counts))
    assert counts["same"] >= 100


@pytest.mark.parametrize("network", [0, 1])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_intact_networks_answer_as_litert(network, kernel):
    data = networks()[network]
    model, litert, images = IntegerModel.from_tflite(data), Interpreter(data, kernel=kernel), answers(data)[0]
    for image in images:
        found = model.predict(image[None], kernel=kernel)
        np.testing.assert_array_equal(found, litert.run(image[None])[0])
        assert len(np.unique(found)) >= 3


@pytest.mark.parametrize("control", ["hangs", "crashes"])
def test_the_watching_notices_a_process_that_ends(control):
    done, ended = run("outcome", "shapes 0 1", f"{control} 7 1", seconds=2)
    assert len(done) == 1
    assert (ended["kind"], ended["seed"]) == (control, 7)


def test_the_watching_notices_hunger_other_errors_and_unclear_words():
    done, ended = run("outcome", "hungers 0 1", "breaks 0 1", "mumbles 0 1")
    assert ended is None
    assert [file["became"] for file in done] == ["failed"] * 3
    for file, words in zip(done, ("MemoryError", "IndexError", "invalid literal"), strict=True):
        assert words in file["words"]


if __name__ == "__main__":
    main(*sys.argv[1:])
