"""Prune the chapter's network in the ways of lesson 06c, and write data/results/06c.json and data/tools/06c_*.npz.

    python data/run_pruning.py
    (cd data && sha256sum mnist.npz mnist_cnn.keras tools/* > SHA256SUMS)

Each method trains one epoch from data/mnist_cnn.keras, with seeds 0, 1 and 2; "no pruning" is the control, which trains
as long. The small network from random weights trains six epochs. Takes about 13 minutes on one core. Training differs
a little between computers, so a new run gives other rows.
"""

from __future__ import annotations

import sys

import numpy as np

from qlib.deploy import run, to_tflite
from qlib.mnist import DATA, import_tensorflow, load_cnn, load_mnist
from qlib.pruned import apply_masks, cnn_with, fine_tune, hold, kernels_of, prune_gradually
from qlib.pruning import encode_nm, global_masks, largest_filters, nm_mask, remove_filters
from qlib.results import measure, write
from qlib.sparse import encode_bitmap

SEEDS = (0, 1, 2)
RAMP = 300  # of the 469 steps: over so many the gradual sparsity rises


def two_of_four(kernels: list[np.ndarray]) -> list[np.ndarray]:
    """2:4 along the inputs; conv1 has one input only, and stays dense."""
    first, *others = kernels
    return [np.ones(first.shape, bool), *(nm_mask(w, 2, 4, axis=w.ndim - 2) for w in others)]


def networks(x: np.ndarray, y: np.ndarray, seed: int):
    """Yield (method, model) of one seed; what needs no training comes with seed 0 only."""
    weights = load_cnn().get_weights()
    kernels = weights[::2]
    masks = {f"{s:.0%}": global_masks(kernels, s) for s in (0.5, 0.8, 0.9, 0.95)} | {"2:4": two_of_four(kernels)}
    small = remove_filters(weights, [largest_filters(w, 0.5) for w in kernels[:3]])
    if seed == 0:
        yield "float32, as shipped", load_cnn()
        for name, some in masks.items():
            model = load_cnn()
            apply_masks(model, some)
            yield f"one-shot {name}", model
        yield "half the filters", cnn_with(small)
    model = load_cnn()
    fine_tune(model, x, y, seed=seed)
    yield "no pruning, fine-tuned", model
    for name in ("90%", "95%", "2:4"):
        model = load_cnn()
        apply_masks(model, masks[name])
        fine_tune(model, x, y, hold(model, masks[name]), seed=seed)
        yield f"one-shot {name}, fine-tuned", model
    for final in (0.9, 0.95):
        model = load_cnn()
        fine_tune(model, x, y, prune_gradually(model, final, RAMP), seed=seed)
        yield f"gradual {final:.0%}", model
    model = cnn_with(small)
    fine_tune(model, x, y, seed=seed)
    yield "half the filters, fine-tuned", model
    import_tensorflow().keras.utils.set_random_seed(seed)
    model = cnn_with([np.zeros_like(array) for array in small])
    fresh = import_tensorflow().keras.models.clone_model(model)  # the same shape with random weights
    fine_tune(fresh, x, y, seed=seed, epochs=6)  # five for the shipped network, and one
    yield "half the filters, random, 6 epochs", fresh


def save(method: str, model) -> None:
    """The weights of seed 0 that the lesson loads, in the form that is smallest for each."""
    weights = model.get_weights()
    stored = {f"bias{i}": bias for i, bias in enumerate(weights[1::2])}
    for i, kernel in enumerate(weights[::2]):
        if "2:4" in method and i > 0:
            values, places = encode_nm(kernel, 2, 4, axis=kernel.ndim - 2)
            pairs = places.reshape(-1, 4).astype(np.uint8) << np.array([6, 4, 2, 0], np.uint8)
            stored |= {f"values{i}": values.astype(np.float16), f"places{i}": pairs.sum(axis=1, dtype=np.uint8)}
        else:
            bits, values = encode_bitmap(kernel)
            stored |= {f"bits{i}": bits, f"values{i}": values}
    np.savez(DATA / f"tools/06c_{SAVED[method]}.npz", **stored)


SAVED = {
    "one-shot 90%, fine-tuned": "oneshot90",
    "one-shot 95%, fine-tuned": "oneshot95",
    "gradual 90%": "gradual90",
    "gradual 95%": "gradual95",
    "half the filters, fine-tuned": "half",
    "one-shot 2:4, fine-tuned": "two_of_four",
}


def main() -> None:
    (x_train, y_train), (x_test, y_test) = load_mnist()
    x_train, x_test = (x[..., None].astype(np.float32) / 255 for x in (x_train, x_test))
    exact = run(to_tflite(load_cnn(), "float32"), x_test).argmax(axis=1)
    rows = []
    for seed in SEEDS:
        for method, model in networks(x_train, y_train, seed):
            file = to_tflite(model, "float32")
            row = measure(method, seed, file, run(file, x_test).argmax(axis=1), y_test, exact)
            zeros = sum(np.count_nonzero(k.numpy() == 0) for k in kernels_of(model))
            print(f"{method:38} seed {seed}: {row.right / 1e4:.2%} right, {row.bytes:,} bytes, {zeros:,} zeros")
            sys.stdout.flush()
            rows.append(row)
            if seed == 0 and method in SAVED:
                save(method, model)
        write("06c", "python data/run_pruning.py", rows)


if __name__ == "__main__":
    main()
