"""Quantize the chapter's network as lessons 04 and 05 do: writes data/results/04.json and data/results/05.json.

    python data/run_quantization.py

Lesson 04: the weights at 2 to 8 bits with four choices of the scale; the path of the greedy search, every third point;
int8 throughout; one more epoch with the codes in mind, and its control, three seeds each. Each row is the file that
section 6 of the lesson writes (packed codes, scales, biases), but for int8 throughout, which is a `.tflite`. Lesson 05:
its six files. (Lesson 03 is about errors of tensors: it has no network to measure.) Some ten minutes; it shows its
progress.
"""

import sys
import time
from itertools import product

import numpy as np

from qlib import IntegerModel, choose_qparams, deploy, dequantize, quantize, results
from qlib.aware import rint, train
from qlib.calibrate import CALIBRATORS
from qlib.mixed import MixedPrecision, MixedWeights, greedy
from qlib.mnist import import_tensorflow, load_cnn, load_mnist

SEEDS = range(3)
CALIBRATORS_OF = {"absmax": "minmax", "mse": "mse"}
TRAINED = ((3, "mse", True), (2, "mse", True), (2, "absmax", False))  # bits, calibrator, per-channel: lesson 04, 13
COMMAND = "python data/run_quantization.py"


def progress(step: int, steps: int, loss: float) -> None:
    if step % 100 == 0 or step == steps:
        print(f"\r    step {step} of {steps}, loss {loss:.3f} ", end="", file=sys.stderr, flush=True)


def name_of(num_bits: int, calibrator: str, per_channel: bool) -> str:
    return f"{num_bits} bits, {calibrator}, {'per-channel' if per_channel else 'per-tensor'}"


def qparams_of(kernels, num_bits: int, calibrator: str, per_channel: bool):
    """Of each kernel, symmetric, as in lesson 04."""
    found = []
    for w in kernels:
        options = dict(num_bits=num_bits, symmetric=True, axis=w.ndim - 1 if per_channel else None)
        found.append(choose_qparams(*CALIBRATORS[CALIBRATORS_OF[calibrator]](w, **options), **options))
    return found


def pack(q: np.ndarray, num_bits: int, qmin: int) -> bytes:
    """Codes as one row of bits, lowest first, cut into bytes: lesson 04, section 6."""
    bits = (q.ravel()[:, None].astype(np.int32) - qmin) >> np.arange(num_bits) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def coded(weights, qparams, widths):
    """The file of a network with these kernels as codes, and the weights that it gives back."""
    kernels, biases = weights[::2], weights[1::2]
    codes = [quantize(w, p) for w, p in zip(kernels, qparams, strict=True)]
    parts = [pack(q, b, p.qmin) for q, b, p in zip(codes, widths, qparams, strict=True)]
    parts += [np.float32(p.scale).tobytes() for p in qparams] + [b.tobytes() for b in biases]
    restored = [dequantize(q, p) for q, p in zip(codes, qparams, strict=True)]
    return b"".join(parts), [array for pair in zip(restored, biases, strict=True) for array in pair]


def train_aware(network, weights, qparams, images, labels, seed: int):
    """One more epoch, its forward pass with codes (`qparams`), or with floats (None): the weights behind."""
    tf = import_tensorflow()
    variables = [tf.Variable(w) for w in weights]

    def rebuild():
        if qparams is None:
            return variables
        kernels = [
            p.scale * tf.clip_by_value(rint(w / p.scale), p.qmin, p.qmax)
            for w, p in zip(variables[::2], qparams, strict=True)
        ]
        return [array for pair in zip(kernels, variables[1::2], strict=True) for array in pair]

    train(network, rebuild, variables, images, labels, epochs=1, seed=seed, progress=progress)
    return [v.numpy() for v in variables]


class Rows(list):
    """Rows of one lesson, each printed as it comes."""

    def __init__(self, labels: np.ndarray, float_answers: np.ndarray) -> None:
        self.labels, self.float_answers, self.begin = labels, float_answers, time.time()

    def add(self, method: str, seed: int, file: bytes, answers: np.ndarray) -> None:
        self.append(row := results.measure(method, seed, file, answers, self.labels, self.float_answers))
        print(f"\r{method}, seed {seed}: {row.bytes:,} bytes, {row.right} right, {time.time() - self.begin:.0f} s")


def main() -> None:
    (x_train, y_train), (x_test, y_test) = load_mnist()
    x_train, x_test = (x[..., None].astype(np.float32) / 255 for x in (x_train, x_test))
    y_train, network = y_train.astype(np.int32), load_cnn()
    shipped = network.get_weights()

    def answers(weights) -> np.ndarray:
        network.set_weights(weights)
        return network.predict(x_test, batch_size=1000, verbose=0).argmax(axis=1)

    rows = Rows(y_test, answers(shipped))
    rows.add("float32", 0, b"".join(w.tobytes() for w in shipped), rows.float_answers)

    def add(method: str, seed: int, weights, qparams, widths) -> None:
        file, restored = coded(weights, qparams, widths)
        rows.add(method, seed, file, answers(restored))

    for setting in product(range(8, 1, -1), CALIBRATORS_OF, (False, True)):
        add(name_of(*setting), 0, shipped, qparams_of(shipped[::2], *setting), setting[:1] * 4)
    weights = MixedWeights(shipped)
    for bits in greedy(MixedPrecision(weights, x_train[::120], y_train[::120]))[::3]:
        qparams = [qparams_of([w], b, "mse", True)[0] for w, b in zip(shipped[::2], bits, strict=True)]
        add(f"greedy, bits {' '.join(map(str, bits))}", 0, shipped, qparams, bits)
        assert rows[-1].bytes == weights.size(bits)
    network.set_weights(shipped)
    int8 = deploy.to_tflite(network, "int8", samples=x_train[:300])
    said = IntegerModel.from_tflite(int8).predict(x_test).argmax(axis=1)
    rows.add("int8, all in integers", 0, int8, said)
    sixfold = Rows(y_test, rows.float_answers)
    for format in deploy.FORMATS:
        file = deploy.to_tflite(network, format, samples=x_train[:300] if format.startswith("int") else None)
        sixfold.add(format, 0, file, deploy.run(file, x_test).argmax(axis=1))
    results.write("05", COMMAND, sixfold)
    for seed in SEEDS:
        control = train_aware(network, shipped, None, x_train, y_train, seed)
        rows.add("one more epoch, float32", seed, b"".join(w.tobytes() for w in control), answers(control))
        for setting in TRAINED:
            name, widths = name_of(*setting), setting[:1] * 4
            add(f"one more epoch, then {name}", seed, control, qparams_of(control[::2], *setting), widths)
            start = qparams_of(shipped[::2], *setting)
            aware = train_aware(network, shipped, start, x_train, y_train, seed)
            add(f"QAT, {name}", seed, aware, start, widths)
        results.write("04", COMMAND, rows)


if __name__ == "__main__":
    main()
