"""Train the chapter's CNN and write data/mnist_cnn.keras.

    python data/train_cnn.py
    (cd data && sha256sum mnist.npz mnist_cnn.keras tools/* > SHA256SUMS)

Adam, sparse categorical cross-entropy, 5 epochs, batches of 32, seed 0. Takes about a minute on two cores. Training
is not reproducible across thread counts and oneDNN settings: a new run gives another network of about the same
accuracy, and every number in the lessons moves with it (`make baseline`). That is why the trained file is shipped.
"""

import re
import sys
import tempfile
import zipfile
from pathlib import Path

from qlib.mnist import DATA, build_cnn, import_tensorflow, load_mnist


def save_reproducibly(model, target: Path) -> None:
    """Save a `.keras` file whose bytes depend on the network alone.

    Keras puts the time of day into two places, and memory addresses, as the ids of shared objects, into a third.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "saved.keras"))
        with zipfile.ZipFile(Path(folder, "saved.keras")) as saved, zipfile.ZipFile(target, "w") as clean:
            for name in sorted(saved.namelist()):
                content = saved.read(name)
                if name == "metadata.json":
                    content = re.sub(rb', "date_saved": "[^"]*"', b"", content)
                if name == "config.json":
                    addresses = sorted(set(re.findall(rb'"shared_object_id": (\d+)', content)))
                    for number, address in enumerate(addresses, start=1):
                        content = content.replace(b'"shared_object_id": ' + address, b'"shared_object_id": %d' % number)
                clean.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def main() -> None:
    keras = import_tensorflow().keras
    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = load_mnist()
    x_train, x_test = (x[..., None].astype("float32") / 255 for x in (x_train, x_test))
    model = build_cnn()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=5, batch_size=32, verbose=1)
    _, accuracy = model.evaluate(x_test, y_test, batch_size=500, verbose=0)
    print(f"test accuracy: {accuracy:.4f}")
    if accuracy < 0.987:
        sys.exit("below 98.7 %: nothing was written")
    trained = build_cnn()  # never compiled, so that the file holds no optimizer state
    trained.set_weights(model.get_weights())
    save_reproducibly(trained, DATA / "mnist_cnn.keras")


if __name__ == "__main__":
    main()
