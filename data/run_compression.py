"""Deep Compression of the chapter's network, for lesson 06: writes data/results/06.json and the files of seed 0.

    python data/run_compression.py
    (cd data && sha256sum mnist.npz mnist_cnn.keras tools/* > SHA256SUMS)

Two settings, "as in the paper" and "further", with three seeds each; a control is trained as long as they are, without
zeros or shared weights. Some 20 minutes on two cores; it shows its progress.
The shares that stay were chosen on the last 5,000 training images, which are then trained on as well.
"""

import sys
import time

import numpy as np

from qlib import deep_compression as dc
from qlib import results
from qlib.aware import train
from qlib.mnist import DATA, import_tensorflow, load_cnn, load_mnist
from qlib.packed import loads

# Shares that stay in conv1, conv2, dense1 and dense2; centroids; bits of a gap; epochs of pruning and of tuning.
SETTINGS = {
    "as in the paper": dict(keep=(0.66, 0.12, 0.08, 0.19), k=31, index_bits=(5, 5, 5, 5), epochs=(4, 1)),
    "further": dict(keep=(0.5, 0.1, 0.018, 0.3), k=15, index_bits=(3, 5, 7, 4), epochs=(5, 1)),
}
FILES = {"as in the paper": "06_deep_paper.qp", "further": "06_deep_further.qp"}
SEEDS = range(3)


def progress(step: int, steps: int, loss: float) -> None:
    if step % 100 == 0 or step == steps:
        print(f"\r    step {step} of {steps}, loss {loss:.3f} ", end="", file=sys.stderr, flush=True)


def main() -> None:
    tf = import_tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    (x_train, y_train), (x_test, y_test) = load_mnist()
    x_train, x_test = (x[..., None].astype(np.float32) / 255 for x in (x_train, x_test))
    y_train, network = y_train.astype(np.int32), load_cnn()
    shapes = [w.shape for w in network.get_weights()]

    def answers(weights) -> np.ndarray:
        network.set_weights(weights)
        found = network.predict(x_test, batch_size=500, verbose=0).argmax(axis=1)
        network.set_weights(shipped)
        return found

    shipped = network.get_weights()
    float_answers, rows = answers(shipped), []

    def report(method: str, seed: int, file: bytes, weights) -> None:
        rows.append(results.measure(method, seed, file, answers(weights), y_test, float_answers))
        print(f"\r{method}, seed {seed}: {len(file):,} bytes, {rows[-1].right} right, {time.time() - begin:.0f} s")

    begin = time.time()
    report("float32", 0, b"".join(w.tobytes() for w in shipped), shipped)
    for seed in SEEDS:
        variables = [tf.Variable(w) for w in shipped]
        train(network, lambda v=variables: v, variables, x_train, y_train, epochs=5, seed=seed, progress=progress)
        weights = [v.numpy() for v in variables]
        report("control, float32", seed, b"".join(w.tobytes() for w in weights), weights)
    for name, setting in SETTINGS.items():
        for seed in SEEDS:
            first, then = setting["epochs"]
            pruned = dc.prune(network, x_train, y_train, setting["keep"], epochs=first, seed=seed, progress=progress)
            before = dc.share(pruned, setting["k"], setting["index_bits"])
            tuned = dc.tune_shared(network, before, x_train, y_train, epochs=then, seed=seed, progress=progress)
            files = dc.stage_files(pruned, tuned)
            report(f"{name}: P", seed, files["P"], pruned)
            report(f"{name}: P+Q, not tuned", seed, files["P+Q"], [t.restored() for t in before])
            report(f"{name}: P+Q", seed, files["P+Q"], [t.restored() for t in tuned])
            read_back = loads(files["P+Q+H"], shapes)
            report(f"{name}: P+Q+H", seed, files["P+Q+H"], [t.restored() for t in read_back])
            if seed == 0:
                (DATA / "tools" / FILES[name]).write_bytes(files["P+Q+H"])
                np.savez_compressed(
                    DATA / "tools" / FILES[name].replace(".qp", "_pruned.npz"),
                    *[w.astype(np.float16) for w in pruned],
                )
    results.write("06", "python data/run_compression.py", rows)


if __name__ == "__main__":
    main()
