"""Integer inference against LiteRT and Keras, all on one thread: `python tests/bench_integer.py [IMAGES …]`.

The number of threads has to be set before NumPy loads, so this runs in a process of its own; `make bench`
starts it. Each line of its output is JSON: [what, ms of the other side, ms of qlib, ratio, goal].
"""

import os

os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

import qlib
from qlib import deploy
from qlib.mnist import import_tensorflow

GOALS = {"reference": ">= 8", "no_delegate": ">= 1", "xnnpack": ""}


def main(sizes: list[int], repeats: int) -> None:
    (x_train, _), (x_test, _) = qlib.load_mnist()
    threading = import_tensorflow().config.threading
    threading.set_intra_op_parallelism_threads(1)
    threading.set_inter_op_parallelism_threads(1)
    model = qlib.load_cnn()
    tflite = deploy.to_tflite(model, "int8", samples=x_train[:300, ..., None].astype(np.float32) / 255)
    engine = qlib.IntegerModel.from_tflite(tflite)
    interpreters = {kernel: deploy.Interpreter(tflite, kernel=kernel) for kernel in GOALS}
    for n in sizes:
        reals = x_test[:n, ..., None].astype(np.float32) / 255
        codes = deploy.input_codes(interpreters["reference"].input, reals)
        measure(
            f"Keras predict / reference, {n:,} images",
            partial(model.predict, reals, batch_size=100, verbose=0),
            partial(engine.predict, reals),
            repeats,
            ">= 1.5",
        )
        for kernel, goal in GOALS.items():
            other, ours = partial(litert, interpreters[kernel], codes), partial(engine.predict, codes, kernel=kernel)
            measure(f"LiteRT {kernel}, {n:,} images", other, ours, repeats, goal)


def measure(what: str, other: Callable, ours: Callable, repeats: int, goal: str) -> None:
    """Both sides by turns, median; they must have given the same codes, or to floats nearly always the same answer."""
    theirs, codes = other(), ours()
    if theirs.dtype == np.int8:
        assert np.array_equal(theirs, codes), what
    assert np.mean(theirs.argmax(axis=1) == codes.argmax(axis=1)) > 0.98, what
    times = [(timed(other), timed(ours)) for _ in range(repeats)]
    left, right = (1000 * statistics.median(side) for side in zip(*times, strict=True))
    print(json.dumps([what, left, right, left / right, goal]), flush=True)


def litert(interpreter: deploy.Interpreter, codes: np.ndarray) -> np.ndarray:
    return np.concatenate([interpreter.run(codes[i : i + 100])[0] for i in range(0, len(codes), 100)])


def timed(side) -> float:
    start = time.perf_counter()
    side()
    return time.perf_counter() - start


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(arguments or [100, 1000, 10_000], 3 if arguments else 7)
