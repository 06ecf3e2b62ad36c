"""From PyTorch to ONNX, and ONNX Runtime: static int8 quantization, inference, and its QuantizeLinear alone.

onnx and onnxruntime are imported inside the functions: they belong to the extra `pytorch`, with torch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import as_float32, check_count
from qlib.mnist import quiet
from qlib.torch_cnn import import_torch

if TYPE_CHECKING:
    import onnxruntime
    import torch

OPSET = 18  # what PyTorch's exporter writes


def to_onnx(network: torch.nn.Module) -> bytes:
    """The network as the bytes of an ONNX file: input `image` (n, 1, 28, 28), output `logits` (n, 10).

    PyTorch notes at each operator which lines of which files it came from. That goes: it names this computer's folders,
    and the file's size would depend on them.
    """
    torch = import_torch()
    with quiet():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 1, 28, 28),),
            dynamo=True,
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: "n"},),
            opset_version=OPSET,
        )
    model = program.model_proto
    for node in model.graph.node:
        for i in reversed(range(len(node.metadata_props))):
            if node.metadata_props[i].key.endswith("stack_trace"):
                del node.metadata_props[i]
    return model.SerializeToString()


def static_int8(file: bytes, samples: np.ndarray, *, per_channel: bool = True) -> bytes:
    """A float32 file quantized by ONNX Runtime: QuantizeLinear/DequantizeLinear pairs, ranges least to largest.

    Parameters
    ----------
    file : bytes of an ONNX file with the input `image`
    samples : float32, shape (n, 1, 28, 28)
        For the ranges of the activations.
    per_channel : bool
        A scale for each output channel of a weight; else one for the tensor.
    """
    import_torch()
    from onnxruntime import quantization as q

    samples = as_float32("samples", samples)

    class Reader(q.CalibrationDataReader):
        def __init__(self) -> None:
            self.images: Iterator[np.ndarray] = iter(samples)

        def get_next(self) -> dict | None:
            image = next(self.images, None)
            return None if image is None else {"image": image[None]}

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(file)
        options = dict(quant_format=q.QuantFormat.QDQ, per_channel=per_channel)
        with quiet():
            q.quantize_static(
                source, target, Reader(), activation_type=q.QuantType.QInt8, weight_type=q.QuantType.QInt8, **options
            )
        return target.read_bytes()


def session(file: bytes, *, num_threads: int = 1) -> onnxruntime.InferenceSession:
    """A file, loaded by ONNX Runtime for the CPU."""
    import_torch()
    import onnxruntime

    check_count("num_threads", num_threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def run(file: bytes, images: np.ndarray, *, batch: int = 100) -> np.ndarray:
    """The logits of images (n, 1, 28, 28), by ONNX Runtime: float32, shape (n, 10)."""
    check_count("batch", batch)
    images, loaded = as_float32("images", images), session(file)
    parts = [loaded.run(None, {"image": images[i : i + batch]})[0] for i in range(0, len(images), batch)]
    return np.concatenate(parts)


def constants(file: bytes) -> dict[str, np.ndarray]:
    """The constant tensors of an ONNX file by name."""
    import_torch()
    import onnx

    model = onnx.load_from_string(file)
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def operators(file: bytes) -> list[str]:
    """The operators of an ONNX file, in running order."""
    import_torch()
    import onnx

    return [node.op_type for node in onnx.load_from_string(file).graph.node]


def quantize_linear(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """int8 codes of x by ONNX Runtime's operator QuantizeLinear alone."""
    import_torch()
    from onnx import TensorProto, helper

    x = as_float32("x", x)
    inputs = [("x", TensorProto.FLOAT, [None]), ("scale", TensorProto.FLOAT, []), ("zero", TensorProto.INT8, [])]
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", [name for name, *_ in inputs], ["codes"])],
        "quantize",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info("codes", TensorProto.INT8, [None])],
    )
    opset = [helper.make_opsetid("", OPSET)]
    file = helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
    feed = {"x": x.ravel(), "scale": np.array(scale, np.float32), "zero": np.array(zero_point, np.int8)}
    return session(file).run(None, feed)[0].reshape(x.shape)
