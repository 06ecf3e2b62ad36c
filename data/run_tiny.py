"""The smallest file, for lesson 06: writes data/results/06-tiny.json and data/tools/06_tiny.qp, the file of seed 0.

    python data/run_tiny.py
    (cd data && sha256sum mnist.npz mnist_cnn.keras tools/* > SHA256SUMS)

Three seeds, each trained in float32, then with kernels of 3 bits and biases of 8. Some 10 minutes on two cores; it
shows its progress. The size was chosen on the last 5,000 training images, which are then trained on as well: with 6, 8
and 12 filters 98.5 % of them were right in float32 after 16 epochs, with 8, 12 and 16 filters 98.8 % after 8.
"""

import sys
import time

import numpy as np

from qlib import results, tiny
from qlib.mnist import DATA, import_tensorflow, load_cnn, load_mnist
from qlib.packed import dumps, loads

WIDTHS = (8, 12, 16)
NUM_BITS = 3
EPOCHS = (16, 14)  # in float32, in few bits
SEEDS = range(3)


def progress(step: int, steps: int, loss: float) -> None:
    if step % 100 == 0 or step == steps:
        print(f"\r    step {step} of {steps}, loss {loss:.3f} ", end="", file=sys.stderr, flush=True)


def main() -> None:
    import_tensorflow().config.threading.set_intra_op_parallelism_threads(1)
    (x_train, y_train), (x_test, y_test) = load_mnist()
    x_train, x_test = (x[..., None].astype(np.float32) / 255 for x in (x_train, x_test))
    y_train = y_train.astype(np.int32)
    float_answers = load_cnn().predict(x_test, batch_size=500, verbose=0).argmax(axis=1)
    rows, begin = [], time.time()

    def report(method: str, seed: int, file: bytes, model) -> None:
        answers = model.predict(x_test, batch_size=500, verbose=0).argmax(axis=1)
        rows.append(results.measure(method, seed, file, answers, y_test, float_answers))
        print(f"\r{method}, seed {seed}: {len(file):,} bytes, {rows[-1].right} right, {time.time() - begin:.0f} s")

    model = tiny.build_tiny(WIDTHS)
    for seed in SEEDS:
        weights = tiny.train_float(WIDTHS, x_train, y_train, epochs=EPOCHS[0], seed=seed, progress=progress)
        model.set_weights(weights)
        report("tiny, float32", seed, b"".join(w.astype("<f4").tobytes() for w in weights), model)
        tensors = tiny.train_few_bits(
            weights, NUM_BITS, x_train, y_train, epochs=EPOCHS[1], seed=seed + 100, progress=progress
        )
        file = dumps(tensors)
        model.set_weights([tensor.restored() for tensor in loads(file, [w.shape for w in weights])])
        report(f"tiny, {NUM_BITS} bits", seed, file, model)
        if seed == 0:
            (DATA / "tools" / "06_tiny.qp").write_bytes(file)
        results.write("06-tiny", "python data/run_tiny.py", rows)


if __name__ == "__main__":
    main()
