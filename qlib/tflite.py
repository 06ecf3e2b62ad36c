"""Read a `.tflite` file: the tensors with their quantization, and the operators in the order in which they run.

The file is a FlatBuffer. Its schema comes with ai-edge-litert as generated classes; here stands only what makes of them
a small frozen graph, and what refuses a damaged file before any number is computed from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from os import PathLike
from pathlib import Path

import numpy as np

from qlib.flatbuffer import FlatBuffer, reading

IDENTIFIER, VERSION = b"TFL3", 3  # bytes 4 to 8 of every file, and its schema
CONSTANT, COMPUTED = 2**24, 2**23  # elements of one constant, of all computed tensors: damage may claim any number
NAME, CUSTOM_CODE = 3, 1  # numbers of these fields in the tables of a tensor and of an operator's code
ABSENT = -1  # index of an optional input that is absent
DTYPES = {
    name: np.dtype(name.lower()) for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "FLOAT16", "FLOAT32", "BOOL")
}
OPTIONS = {  # by operator: the table of its options in the schema, and the newest version that all kernels know
    "CONV_2D": ("Conv2DOptions", 8),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", 6),
    "FULLY_CONNECTED": ("FullyConnectedOptions", 14),
    "MAX_POOL_2D": ("Pool2DOptions", 3),
    "AVERAGE_POOL_2D": ("Pool2DOptions", 3),
    "MEAN": ("ReducerOptions", 3),
    "ADD": ("AddOptions", 5),
    "SOFTMAX": ("SoftmaxOptions", 3),
    "QUANTIZE": ("QuantizeOptions", 6),
    "DEQUANTIZE": ("DequantizeOptions", 9),
    "PAD": ("PadOptions", 6),
    "RESHAPE": ("ReshapeOptions", 1),
    "SHAPE": ("ShapeOptions", 1),
    "STRIDED_SLICE": ("StridedSliceOptions", 4),
    "PACK": ("PackOptions", 5),
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the file.

    index, name : its place in the file and its name there.
    shape : as stored, with 1 for the batch.
    scale, zero_point : float32 and int64, one value or one per index of `axis`; empty if the tensor isn't quantized.
    data : a constant's values, read-only; None for what is computed.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int
    data: np.ndarray | None = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes at batch 1."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Operator:
    """One operator: its place in the graph, its name in the schema, indices of tensors, options by field name."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, object]


@dataclass(frozen=True)
class Graph:
    """The graph of a file: tensors, operators in running order, indices of the inputs and outputs."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def expect(condition: object, expected: str, got: object) -> None:
    """Refuse what the file says, in one line even where an array came."""
    if not condition:
        with np.printoptions(threshold=8, edgeitems=3):
            raise ValueError(" ".join(f"expected {expected}, got {got}".split()))


@cache
def _schema():
    """The generated classes, loaded when first a file is read."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


@cache
def _names(enum: str) -> dict[int, str]:
    """Name by number of an enumeration of the schema, such as "BuiltinOperator"."""
    return {value: name for name, value in vars(getattr(_schema(), enum)).items() if isinstance(value, int)}


def _name(enum: str, number: int) -> str:
    return _names(enum).get(number, f"number {number}")


def read(source: str | PathLike | bytes) -> Graph:
    """The graph of a `.tflite` file.

    Parameters
    ----------
    source : path or bytes

    Raises
    ------
    ValueError
        If the source is missing, no `.tflite` file, or a damaged one: with an offset, index, shape, buffer or scale
        that cannot be. It says where.

    References
    ----------
    TensorFlow Lite schema, version 3 (`schema.fbs`).
    """
    try:
        data = bytes(source) if isinstance(source, (bytes, bytearray, memoryview)) else Path(source).read_bytes()
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"source: expected the path of a file, or its bytes, got {source!r} ({error})") from error
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise ValueError(f"source: expected a .tflite file (bytes 4 to 8 are TFL3), got {data[4:8]!r}")
    file = FlatBuffer(data)
    with reading("source"):
        model = file.table(_schema().Model.GetRootAs(data))
        version, subgraphs = model.Version(), file.vector(model, "Subgraphs")
        codes, buffers = file.vector(model, "OperatorCodes"), file.vector(model, "Buffers")
    with _at("source"):
        expect(version == VERSION, f"schema version {VERSION}", version)
        expect(len(subgraphs) == 1, "one graph in the file", len(subgraphs))
    contents = [_content(i, buffer, file) for i, buffer in enumerate(buffers)]
    with reading("graph"):
        tensors, operators = file.vector(subgraphs[0], "Tensors"), file.vector(subgraphs[0], "Operators")
        inputs, outputs = file.indices(subgraphs[0], "Inputs"), file.indices(subgraphs[0], "Outputs")
    tensors = tuple(_tensor(i, tensor, contents, file) for i, tensor in enumerate(tensors))
    operators = tuple(_operator(i, operator, codes, file) for i, operator in enumerate(operators))
    graph = Graph(tensors, operators, inputs, outputs)
    _check_wires(graph)
    computed = sum(math.prod(tensor.shape) for tensor in tensors if tensor.data is None)
    with _at("graph"):
        expect(computed <= COMPUTED, f"at most {COMPUTED:,} elements in its computed tensors", f"{computed:,}")
    return graph


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Begin each refusal with its place."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _content(index: int, buffer, file: FlatBuffer) -> np.ndarray | None:
    """The bytes of a buffer, None if nothing is stored; a large file keeps them behind the FlatBuffer."""
    with reading(f"buffer {index}"):
        content = None if buffer.DataIsNone() else file.vector(buffer, "Data")
        start, size = buffer.Offset(), buffer.Size()
    if content is not None or start <= 1 or size <= 1:
        return content
    with _at(f"buffer {index}"):
        expect(start + size <= len(file.data), f"its end within {len(file.data)} bytes", start + size)
    return np.frombuffer(file.data, np.uint8, size, start)


def _tensor(index: int, table, contents: list[np.ndarray | None], file: FlatBuffer) -> Tensor:
    with reading(f"tensor {index}"):
        name, shape = file.text(table, NAME), file.indices(table, "Shape")
        dtype, buffer = _name("TensorType", table.Type()), table.Buffer()
        special = table.IsVariable() or table.Sparsity() or table.ExternalBuffer() or table.VariantTensorsLength()
        quantization, scale, zero_point, axis = table.Quantization(), np.zeros(0), np.zeros(0), 0
        if quantization is not None:
            file.table(quantization)
            scale, zero_point = file.vector(quantization, "Scale"), file.vector(quantization, "ZeroPoint")
            axis, special = quantization.QuantizedDimension(), special or quantization.DetailsType()
    with _at(f"tensor {index} ({name[:80]!r})"):
        expect(dtype in DTYPES, f"one of the types {', '.join(DTYPES)}", dtype)
        expect(not special, "a plain tensor", "a variable, sparse, external or specially quantized one")
        possible = all(n >= 1 for n in shape) and math.prod(shape) <= CONSTANT
        expect(possible, f"a shape of positive numbers, up to {CONSTANT:,} elements", shape)
        expect(0 <= buffer < len(contents), f"a buffer from 0 to {len(contents) - 1}", buffer)
        content, data = contents[buffer] if buffer else None, None  # buffer 0 is that of no constant
        if content is not None:
            size = math.prod(shape) * DTYPES[dtype].itemsize
            expect(content.size == size, f"{size} bytes for {dtype} {shape}", content.size)
            data = np.frombuffer(content, DTYPES[dtype]).reshape(shape)
        _check_scales(scale, zero_point, axis, shape)
    return Tensor(index, name, shape, DTYPES[dtype], scale.astype(np.float32), zero_point.astype(np.int64), axis, data)


def _check_scales(scale: np.ndarray, zero_point: np.ndarray, axis: int, shape: tuple[int, ...]) -> None:
    """Scales, zero points and their axis: none, one each, or one per index of the axis; all finite and positive."""
    expect(0 <= axis < max(len(shape), 1) or not scale.size, f"an axis from 0 to {len(shape) - 1}", axis)
    channels = shape[axis] if axis in range(len(shape)) else 1
    fitting = scale.size in (0, 1, channels) and zero_point.size == scale.size
    expect(fitting, f"1 or {channels} scales and zero points", f"{scale.size} and {zero_point.size}")
    expect((np.isfinite(scale) & (scale > 0)).all(), "finite scales above 0", scale)


def _operator(index: int, table, codes: list, file: FlatBuffer) -> Operator:
    with reading(f"operator {index}"):
        place = table.OpcodeIndex()
    with _at(f"operator {index}"):
        expect(place < len(codes), f"an operator code from 0 to {len(codes) - 1}", place)
    with reading(f"operator {index}"):
        code = codes[place]
        # A file from before 2020 has only the deprecated number.
        name, version = _name("BuiltinOperator", max(code.BuiltinCode(), code.DeprecatedBuiltinCode())), code.Version()
        if name == "CUSTOM":
            name = f"CUSTOM {file.text(code, CUSTOM_CODE)[:80]!r}"
        inputs, outputs = file.indices(table, "Inputs"), file.indices(table, "Outputs")
        kind, options = _name("BuiltinOptions", table.BuiltinOptionsType()), table.BuiltinOptions()
    if name not in OPTIONS:
        return Operator(index, name, inputs, outputs, {})
    with _at(f"operator {index} ({name})"):
        wanted, newest = OPTIONS[name]
        expect(1 <= version <= newest, f"a version from 1 to {newest}", version)
        expect(kind in (wanted, "NONE"), f"its options in a table {wanted}", kind)
        expect(kind == "NONE" or options is not None, f"a table {wanted}", "none")
    with reading(f"operator {index} ({name})"):
        if kind == "NONE":
            return Operator(index, name, inputs, outputs, {})
        fields = vars(_schema().BuiltinOptionsCreator(table.BuiltinOptionsType(), file.table(options)))
        return Operator(index, name, inputs, outputs, fields)


def _check_wires(graph: Graph) -> None:
    """Each tensor that an operator reads is a constant, an input, or what an earlier operator wrote, once."""
    places = range(len(graph.tensors))
    known = {tensor.index for tensor in graph.tensors if tensor.data is not None}
    with _at("inputs of the graph"):
        fitting = len(set(graph.inputs)) == len(graph.inputs) and all(i in places for i in graph.inputs)
        expect(fitting and not known & set(graph.inputs), "tensors that aren't constants, each once", graph.inputs)
    known.update(graph.inputs)
    computed = set()
    for operator in graph.operators:
        with _at(f"operator {operator.index} ({operator.name})"):
            for i in operator.inputs:
                expect(i == ABSENT or i in known or i in computed, "inputs that are computed before it", f"tensor {i}")
            for i in operator.outputs:
                free = i in places and i not in known and i not in computed
                expect(free, "an output that nothing else writes", f"tensor {i}")
                computed.add(i)
    with _at("outputs of the graph"):
        expect(graph.outputs and set(graph.outputs) <= computed, "what operators compute", graph.outputs)
