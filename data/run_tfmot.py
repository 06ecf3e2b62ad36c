"""Train what lesson 06a compares, and write data/results/06a.json and data/tools/06a_*.tflite.gz.

    python data/run_tfmot.py                  # three seeds: about 25 minutes on one core
    (cd data && sha256sum mnist.npz mnist_cnn.keras tools/* > SHA256SUMS)

Every training starts at the shipped weights. A stage is 234 batches of 128 images, with a rate that falls from 0.001
to 0. The controls are trained as floats for one stage and for three; pruning, clustering and quantization-aware
training take one stage each; the combination takes three, one after the other. The seed decides the order of the
images. The files of seed 0 are shipped.
"""

import argparse
import gzip
import time

import numpy as np

from qlib import tfmot
from qlib.deploy import run, to_tflite
from qlib.mnist import DATA, import_tensorflow, load_mnist
from qlib.results import measure, write
from qlib.tfmot_files import aware_file, shared_step_file

SHIPPED = {"pruned 80 %": "pruned", "clustered, 16": "clustered", "QAT": "qat", "PCQAT": "pcqat"}
CALIBRATION = 300  # training images


def trained(x, y, seed: int, steps: int):
    """Yield each method's name and its file."""
    samples, shipped = x[:CALIBRATION], tfmot.twin()
    options = dict(steps=steps, seed=seed)

    control = tfmot.twin()
    for stage in range(3):
        tfmot.train(control, x, y, steps=steps, seed=seed + 10 * stage)
        if stage != 1:
            yield f"control, {stage + 1} stage{'s' * (stage > 0)}", to_tflite(control, "int8", samples=samples)

    pruned = tfmot.pruned(shipped, x, y, **options)
    yield "pruned 80 %", to_tflite(pruned, "int8", samples=samples)
    clustered = tfmot.clustered(shipped, x, y, **options)
    yield "clustered, 16", shared_step_file(clustered, samples)

    aware = tfmot.aware(shipped)
    tfmot.calibrate(aware, shipped, samples)
    tfmot.train(aware, x, y, **options)
    yield "QAT", aware_file(aware)

    both = tfmot.clustered(pruned, x, y, preserve_sparsity=True, steps=steps, seed=seed + 10)
    aware = tfmot.aware(both, preserve=True)
    tfmot.calibrate(aware, both, samples)
    tfmot.train(aware, x, y, steps=steps, seed=seed + 20)
    yield "PCQAT", aware_file(tfmot.finished(aware))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=tfmot.STAGE)
    arguments = parser.parse_args()
    threading = import_tensorflow().config.threading
    threading.set_intra_op_parallelism_threads(1)
    threading.set_inter_op_parallelism_threads(1)
    (x, y), (x_test, labels) = load_mnist()
    x, x_test = (images[..., None].astype(np.float32) / 255 for images in (x, x_test))

    float_file = to_tflite(tfmot.twin(), "float32")
    float_answers = run(float_file, x_test).argmax(axis=1)
    int8_file = to_tflite(tfmot.twin(), "int8", samples=x[:CALIBRATION])

    def row_of(name: str, seed: int, file: bytes):
        return measure(name, seed, file, run(file, x_test).argmax(axis=1), labels, float_answers)

    rows, start = [row_of("float32", 0, float_file), row_of("int8", 0, int8_file)], time.time()
    for seed in range(arguments.seeds):
        for name, file in trained(x, y, seed, arguments.steps):
            rows.append(row_of(name, seed, file))
            print(f"{time.time() - start:6.0f} s  {rows[-1]}", flush=True)
            if seed == 0 and name in SHIPPED and arguments.steps == tfmot.STAGE:
                packed = gzip.compress(file, 9, mtime=0)
                (DATA / "tools" / f"06a_{SHIPPED[name]}.tflite.gz").write_bytes(packed)
        if arguments.steps == tfmot.STAGE:
            write("06a", "python data/run_tfmot.py", rows)


if __name__ == "__main__":
    main()
