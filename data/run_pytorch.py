"""Train the networks of lesson 06b and write data/results/06b.json, and the files of seed 0 in data/tools/.

    python data/run_pytorch.py
    (cd data && sha256sum mnist.npz mnist_cnn.keras tools/* > SHA256SUMS)

From the shipped weights, for each of five seeds: one more epoch in float (the control, then quantized by PT2E's static
flow), and one more epoch with PT2E's fake quantization in the network. Everything else in the table has no seed. Takes
about 12 minutes on one core. Needs the extra `pytorch`. Another processor may give other networks of about the same
accuracy.
"""

from __future__ import annotations

import copy
import sys

import numpy as np

import qlib
from qlib import onnx_cnn, results, torch_cnn
from qlib.mnist import DATA, quiet

SEEDS = range(5)


def main() -> None:
    torch = torch_cnn.import_torch()
    torch.set_num_threads(1)
    (x_train, y_train), (x_test, y_test) = qlib.load_mnist()
    images, test = torch_cnn.as_images(x_train), torch_cnn.as_images(x_test)
    samples = images[:300]
    network = torch_cnn.from_keras(qlib.load_cnn().get_weights())
    float_answers = torch_cnn.logits(network, test).argmax(axis=1)
    rows = []

    def row(method: str, seed: int, file: bytes, logits: np.ndarray) -> None:
        answers = logits.argmax(axis=1)
        rows.append(results.measure(method, seed, file, answers, y_test, float_answers))
        print(f"\r{rows[-1]}")

    def epoch(one, seed: int, what: str) -> None:
        def shown(step: int) -> None:
            print(f"\rseed {seed}, {what}: batch {step} of {len(images) // torch_cnn.BATCH}", end="", flush=True)

        torch_cnn.train(one, images, y_train, seed=seed, progress=shown)

    onnx_file = onnx_cnn.to_onnx(network)
    row("float32, ONNX", 0, onnx_file, onnx_cnn.run(onnx_file, test.numpy()))
    for method, one in torch_cnn.torchao_networks(network).items():
        with quiet():
            answers = torch_cnn.logits(one, test)
        row(method, 0, torch_cnn.save_state(one), answers)
    one = torch_cnn.static(network, samples)
    row("PT2E static", 0, torch_cnn.save_program(one), torch_cnn.logits(one, test))
    for per_channel in (True, False):
        file = onnx_cnn.static_int8(onnx_file, samples.numpy(), per_channel=per_channel)
        kind = "per-channel" if per_channel else "per-tensor"
        row(f"ONNX Runtime static, {kind}", 0, file, onnx_cnn.run(file, test.numpy()))
    (DATA / "tools").mkdir(exist_ok=True)
    for seed in SEEDS:
        control = copy.deepcopy(network)
        epoch(control, seed, "control")
        row("one more epoch, float32", seed, torch_cnn.save_program(control), torch_cnn.logits(control, test))
        one = torch_cnn.static(control, samples)
        files = {"one more epoch, PT2E static": one}
        aware = torch_cnn.prepared(network, aware=True)
        epoch(aware, seed, "aware")
        files["one more epoch, PT2E aware"] = torch_cnn.converted(aware)
        for method, one in files.items():
            file = torch_cnn.save_program(one)
            row(method, seed, file, torch_cnn.logits(one, test))
            if seed == 0:
                (DATA / "tools" / f"06b_{method.split()[-1]}.pt2").write_bytes(file)
    order = list(dict.fromkeys(result.method for result in rows))
    rows.sort(key=lambda result: order.index(result.method))
    print(results.write("06b", "python data/run_pytorch.py", rows))


if __name__ == "__main__":
    sys.exit(main())
