"""What becomes of the networks of `qlib.tfmot`: int8 `.tflite` files, and what they store for each layer.

TensorFlow is imported inside the functions that need it.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import as_float32
from qlib.deploy import to_tflite
from qlib.mnist import import_tensorflow, quiet, verified
from qlib.tflite import Tensor, read

if TYPE_CHECKING:
    import tf_keras

LAYERS = ("conv1", "conv2", "dense1", "dense2")


def aware_file(network: tf_keras.Model) -> bytes:
    """An `aware` network as an int8 `.tflite` file that takes and gives float32, by its own ranges.

    No samples are needed: the scales are those with which the network was trained.
    """
    return to_tflite(network, "dynamic")


def shared_step_file(model: tf_keras.Model, samples: np.ndarray) -> bytes:
    """An int8 file as `to_tflite(model, "int8")`, but with one scale for each dense layer, so that 16 stay 16."""
    tf = import_tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in as_float32("samples", samples))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with quiet():
        return bytes(converter.convert())


def shipped_file(name: str) -> bytes:
    """The `.tflite` file that `data/run_tfmot.py` made with seed 0: "pruned", "clustered", "qat" or "pcqat"."""
    return gzip.decompress(verified(f"tools/06a_{name}.tflite.gz").read_bytes())


def stored_kernels(tflite: bytes) -> dict[str, Tensor]:
    """The int8 kernel of each layer, as an int8 file of the chapter's network stores it: outputs first."""
    graph = read(tflite)
    with_weights = [o for o in graph.operators if o.name in ("CONV_2D", "FULLY_CONNECTED")]
    return {name: graph.tensors[o.inputs[1]] for name, o in zip(LAYERS, with_weights, strict=True)}


def file_weights(tflite: bytes) -> list[np.ndarray]:
    """The reals that an int8 file's kernels and biases stand for, in the order and shape of `twin`."""
    graph, weights = read(tflite), []
    for operator in graph.operators:
        if operator.name in ("CONV_2D", "FULLY_CONNECTED"):
            w, bias = (graph.tensors[i] for i in operator.inputs[1:])
            kernel = w.data * w.scale.reshape(-1, *[1] * (w.data.ndim - 1))
            weights += [np.moveaxis(kernel, 0, -1).astype(np.float32), (bias.data * bias.scale).astype(np.float32)]
    return weights
