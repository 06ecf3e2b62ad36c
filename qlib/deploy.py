"""From Keras to a `.tflite` file in each format, and LiteRT's interpreter with a chosen kernel.

TensorFlow and ai-edge-litert are imported inside the functions that need them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import as_float32, check_count, refuse_unmeasurable
from qlib.codes import as_input
from qlib.mnist import import_tensorflow, quiet
from qlib.tflite import read

if TYPE_CHECKING:
    import keras

# What each format stores, and computes with.
FORMATS = {
    "float32": "float32 throughout",
    "float16": "weights float16, computed in float32",
    "dynamic": "large weights int8; activations quantized while it runs, each by its own range",
    "int8": "weights int8 per-channel, activations int8, calibrated",
    "int8_per_tensor": "weights int8 per-tensor, activations int8, calibrated",
    "int16x8": "weights int8 per-channel, activations int16, calibrated",
}
RESOLVERS = {"reference": "BUILTIN_REF", "no_delegate": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "xnnpack": "AUTO"}
Progress = Callable[[int], object]
C_KEYWORDS = set(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main".split()
)


def to_tflite(
    model: keras.Model, format: str, *, samples: np.ndarray | None = None, progress: Progress | None = None
) -> bytes:
    """A Keras model as the bytes of a `.tflite` file.

    Parameters
    ----------
    model : keras.Model
    format : one of FORMATS
        The two int8 formats also take and return int8 codes; the others take and return float32.
    samples : float32, shape (n, …) as the model's input, for the calibrated formats
        From the training set. LiteRT takes each activation's least and largest value on them as its range.
    progress : function of the number of samples done so far

    Raises
    ------
    ValueError
        If the format is unknown, or `samples` is missing, not needed, empty or of another shape.
    """
    if not isinstance(format, str) or format not in FORMATS:
        raise ValueError(f"format: expected one of {list(FORMATS)}, got {format!r}")
    tf, calibrated = import_tensorflow(), format.startswith("int")
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if format != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if format == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if calibrated:
        samples = _samples(model, samples)
        converter.representative_dataset = lambda: _one_by_one(samples, progress)
        sets = tf.lite.OpsSet
        int16 = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [int16 if format == "int16x8" else sets.TFLITE_BUILTINS_INT8]
    elif samples is not None:
        raise ValueError(f"samples: expected None, since format {format!r} needs no calibration, got an array")
    if format.startswith("int8"):
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if format == "int8_per_tensor":
        converter._experimental_disable_per_channel = True
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with quiet():
        return bytes(converter.convert())


def _samples(model: keras.Model, samples: np.ndarray | None) -> np.ndarray:
    shape = tuple(model.input_shape[1:])
    if samples is None:
        raise ValueError(f"samples: expected training images of shape (n, {', '.join(map(str, shape))}), got None")
    samples = as_float32("samples", samples)
    if samples.ndim != len(shape) + 1 or samples.shape[1:] != shape or len(samples) == 0:
        raise ValueError(f"samples: expected shape (n, {', '.join(map(str, shape))}), n >= 1, got {samples.shape}")
    refuse_unmeasurable("samples", samples)  # the converter would crash on an infinity, not raise
    return samples


def _one_by_one(samples: np.ndarray, progress: Progress | None):
    for i in range(len(samples)):
        yield [samples[i : i + 1]]
        if progress:
            progress(i + 1)


class Interpreter:
    """LiteRT's interpreter of one file with one kernel: `run` as often as you like, in batches of any size.

    Parameters
    ----------
    tflite : bytes
    kernel : "reference", "no_delegate" or "xnnpack"
        LiteRT's plain C++ loops; its optimized kernels; or those with XNNPACK, which is its default.
    num_threads : int
    """

    def __init__(self, tflite: bytes, *, kernel: str = "xnnpack", num_threads: int = 1) -> None:
        from ai_edge_litert import interpreter as litert

        if not isinstance(kernel, str) or kernel not in RESOLVERS:
            raise ValueError(f"kernel: expected one of {list(RESOLVERS)}, got {kernel!r}")
        check_count("num_threads", num_threads)
        resolver = litert.OpResolverType[RESOLVERS[kernel]]
        with quiet():
            self._interpreter = litert.Interpreter(
                model_content=tflite, experimental_op_resolver_type=resolver, num_threads=num_threads
            )
            self._interpreter.allocate_tensors()
        self.input, self.outputs = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()
        self._shape = tuple(self.input["shape"])

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """All outputs for one batch of codes (or of float32, where the file takes it)."""
        if self._shape != images.shape:
            self._shape = ()  # unknown, if what follows fails
            self._interpreter.resize_tensor_input(self.input["index"], images.shape)
            with quiet():
                self._interpreter.allocate_tensors()
            self._shape = images.shape
        self._interpreter.set_tensor(self.input["index"], images)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output["index"]) for output in self.outputs]


def run(
    tflite: bytes,
    images: np.ndarray,
    *,
    kernel: str = "xnnpack",
    batch: int = 100,
    num_threads: int = 1,
    progress: Progress | None = None,
) -> np.ndarray:
    """The first output of a file for images, by LiteRT.

    Parameters
    ----------
    tflite : bytes
    images : shape (n, …) as the file's input
        Codes of the input's own dtype, or reals; where the file takes int8, they are quantized first.
    kernel, num_threads : as for `Interpreter`
    batch : images at once
    progress : function of the number of images done so far

    Returns
    -------
    array, shape (n, …), as the file's output: int8 codes or float32

    Raises
    ------
    ValueError
        If the kernel is unknown, a count is not an integer from 1 on, or the images have another shape or type, or NaN.
    """
    interpreter = Interpreter(tflite, kernel=kernel, num_threads=num_threads)
    codes = input_codes(interpreter.input, images)
    check_count("batch", batch)
    outputs = []
    for start in range(0, len(codes), batch):
        outputs.append(interpreter.run(codes[start : start + batch])[0])
        if progress:
            progress(min(start + batch, len(codes)))
    return np.concatenate(outputs)


def input_codes(details: dict, images: np.ndarray) -> np.ndarray:
    """Images as an interpreter's input takes them (`Interpreter.input`); at least one."""
    shape = tuple(int(n) for n in details["shape"])
    return as_input(images, shape, details["dtype"], *details["quantization"], at_least=1)


def trace(tflite: bytes, images: np.ndarray, *, kernel: str = "xnnpack", batch: int = 100) -> list[np.ndarray]:
    """What LiteRT computes in each operator of an int8 file, in running order (but for shapes).

    XNNPACK keeps its tensors to itself, so this makes every int8 tensor an output of the file. Compare with
    `IntegerModel.trace`.
    """
    interpreter = Interpreter(with_all_outputs(tflite), kernel=kernel)
    codes = input_codes(interpreter.input, images)
    check_count("batch", batch)
    parts = [interpreter.run(codes[start : start + batch]) for start in range(0, len(codes), batch)]
    return [np.concatenate(layer) for layer in zip(*parts, strict=True)]


def with_all_outputs(tflite: bytes) -> bytes:
    """The same file with everything that an operator computes as an output, but for int32 shapes."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    read(tflite)  # refuses a damaged file
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    graph, model.signatureDefs = model.subgraphs[0], None  # a signature would name the old outputs
    computed = [i for operator in graph.operators for i in operator.outputs]
    graph.outputs = np.array([i for i in computed if graph.tensors[i].type != schema.TensorType.INT32], np.int32)
    builder = flatbuffers.Builder(len(tflite) + 4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def c_array(tflite: bytes, name: str = "model") -> str:
    """The file as C11 source, an aligned array and its length, as a microcontroller's firmware links it in.

    A C++ program declares it: `extern "C" const unsigned char model[];`.

    Raises
    ------
    ValueError
        If the file is empty, or `name` is no identifier of C.
    """
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii() or name in C_KEYWORDS:
        raise ValueError(f"name: expected a C identifier, got {name!r}")
    if len(tflite) == 0:
        raise ValueError("tflite: expected the bytes of a file, got none")
    rows = [", ".join(f"0x{byte:02x}" for byte in tflite[i : i + 12]) for i in range(0, len(tflite), 12)]
    body = ",\n    ".join(rows)
    return (
        f"_Alignas(16) const unsigned char {name}[] = {{\n    {body}\n}};\n"
        f"const unsigned int {name}_len = {len(tflite)};\n"
    )
