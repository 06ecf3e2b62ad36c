"""Deep Compression of the chapter's network: prune, share, write in Huffman's code (Han, Mao, Dally, ICLR 2016).

The training is done with TensorFlow, imported inside the functions; what it trains is explained in `qlib.aware`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qlib.aware import Progress, train
from qlib.clusters import assign, kmeans, linear_centroids
from qlib.mnist import import_tensorflow
from qlib.packed import Floats, Shared, Tensor, dumps, pack_bits
from qlib.pruning import gradual_sparsity, magnitude_mask
from qlib.sparse import encode_relative

if TYPE_CHECKING:
    import keras

Arrays = Sequence[np.ndarray]
RISING = 0.6  # of the training: so long the sparsity rises; then what is left is tuned
MASKS = 100  # so often the masks are made anew while it rises


def prune(
    network: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    keep: Sequence[float],
    *,
    epochs: float,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[np.ndarray]:
    """Stage 1: the weights of `network` with the share `keep` of each kernel left, the rest 0, trained meanwhile.

    The smallest weights go, more and more of them by the schedule of lesson 06c; a weight that is gone stays 0.

    Parameters
    ----------
    network : the chapter's, or one of kernels and biases in turn
    keep : for each kernel the share of its weights that stays, 0 to 1
    """
    tf = import_tensorflow()
    variables = [tf.Variable(w) for w in network.get_weights()]
    masks = [tf.Variable(np.ones(w.shape, np.float32)) for w in variables[::2]]
    last = [-1]

    def rebuild() -> list:
        kernels = [w * mask for w, mask in zip(variables[::2], masks, strict=True)]
        return [array for pair in zip(kernels, variables[1::2], strict=True) for array in pair]

    def schedule(done: float) -> None:
        step = int(min(done / RISING, 1) * MASKS)
        if step == last[0]:
            return
        last[0] = step
        for w, mask, share in zip(variables[::2], masks, keep, strict=True):
            sparsity = gradual_sparsity(step, steps=MASKS, final=1 - share)
            mask.assign(magnitude_mask((w * mask).numpy(), sparsity).astype(np.float32))

    train(
        network, rebuild, variables, images, labels, epochs=epochs, seed=seed, before_step=schedule, progress=progress
    )
    return [np.asarray(w) for w in rebuild()]


def share(weights: Arrays, k: int, index_bits: Sequence[int]) -> list[Tensor]:
    """Stage 2, before it is tuned: in each kernel the weights that are left take one of k values; biases in float16."""
    tensors: list[Tensor] = []
    for kernel, bias, bits in zip(weights[::2], weights[1::2], index_bits, strict=True):
        left = kernel[kernel != 0]
        centroids = kmeans(left, linear_centroids(left, k))
        codes = np.where(kernel != 0, assign(kernel, centroids) + 1, 0)
        tensors += [Shared(codes, centroids, bits), Floats(bias)]
    return tensors


def tune_shared(
    network: keras.Model,
    tensors: Sequence[Tensor],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: float,
    rate: float = 3e-4,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Tensor]:
    """Stage 2, tuned: the codes stay, their centroids and the biases are trained.

    The gradient of a centroid is the sum of those of its weights (section 3.3 of the paper): this is what
    `tf.gather` gives.
    """
    tf = import_tensorflow()
    centroids = [tf.Variable(tensor.centroids) for tensor in tensors[::2]]
    biases = [tf.Variable(tensor.restored()) for tensor in tensors[1::2]]
    codes = [tensor.codes for tensor in tensors[::2]]

    def rebuild() -> list:
        kernels = [tf.gather(tf.concat([[0.0], c], 0), q) for c, q in zip(centroids, codes, strict=True)]
        return [array for pair in zip(kernels, biases, strict=True) for array in pair]

    train(network, rebuild, centroids + biases, images, labels, epochs=epochs, rate=rate, seed=seed, progress=progress)
    tuned: list[Tensor] = []
    for tensor, c, bias in zip(tensors[::2], centroids, biases, strict=True):
        tuned += [Shared(tensor.codes, c.numpy(), tensor.index_bits), Floats(bias.numpy())]
    return tuned


def stage_files(pruned: Arrays, tensors: Sequence[Tensor]) -> dict[str, bytes]:
    """The network as bytes after each stage: dense float32, P, P+Q and P+Q+H, as in the paper's table 3.

    P: float32 values and gaps of `index_bits` bits. P+Q: codes, gaps, and centroids in float16. A code has as many bits
    as k takes, 4 for k = 15: with the filler there are k + 1 of them. P+Q+H: what `qlib.packed.dumps` writes.

    Parameters
    ----------
    pruned : kernels and biases after stage 1
    tensors : the same after stage 2
    """
    dense = b"".join(w.astype("<f4").tobytes() for w in pruned)
    stage_p = stage_q = b""
    for w, tensor in zip(pruned, tensors, strict=True):
        if isinstance(tensor, Floats):
            stage_p, stage_q = stage_p + w.astype("<f4").tobytes(), stage_q + tensor.x.astype("<f2").tobytes()
            continue
        gaps, values = encode_relative(w.ravel(), tensor.index_bits)
        stage_p += values.astype("<f4").tobytes() + pack_bits(gaps, tensor.index_bits)
        gaps, codes = encode_relative(tensor.codes.ravel(), tensor.index_bits)
        k = tensor.centroids.size
        stage_q += pack_bits(codes, k.bit_length()) + pack_bits(gaps, tensor.index_bits)
        stage_q += tensor.centroids.astype("<f2").tobytes()
    return {"float32": dense, "P": stage_p, "P+Q": stage_q, "P+Q+H": dumps(tensors)}
