"""Read a `.tflite` file: the tensors with their quantization, and the operators in the order in which they run.

The file is a FlatBuffer. Its schema comes with ai-edge-litert as generated classes; here stands only what makes of them
a small frozen graph, and what refuses a damaged file before any number is computed from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from os import PathLike
from pathlib import Path

import numpy as np

IDENTIFIER = b"TFL3"  # bytes 4 to 8 of every file
MOST = 2**24  # elements of one tensor: a damaged shape may claim any number
ABSENT = -1  # index of an optional input that is absent
DTYPES = {
    name: np.dtype(name.lower()) for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "FLOAT16", "FLOAT32", "BOOL")
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the file.

    index, name : its place in the file and its name there.
    shape : as stored, with 1 for the batch.
    dtype : NumPy dtype, or None where NumPy has none for it.
    scale, zero_point : float32 and int64, one value or one per index of `axis`; empty if the tensor isn't quantized.
    data : a constant's values, read-only; None for what is computed.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype | None
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int
    data: np.ndarray | None = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes at batch 1."""
        return math.prod(self.shape) * (self.dtype.itemsize if self.dtype else 0)


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
    """The main subgraph of a file: tensors, operators in running order, indices of the inputs and outputs."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def expect(condition: object, expected: str, got: object) -> None:
    """Refuse what the file says."""
    if not condition:
        raise ValueError(f"expected {expected}, got {got}")


@cache
def _schema():
    """The generated classes, loaded when first a file is read."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


@cache
def _names(enum: str) -> dict[int, str]:
    """Name by number of an enumeration of the schema, such as "BuiltinOperator"."""
    return {value: name for name, value in vars(getattr(_schema(), enum)).items() if isinstance(value, int)}


def read(source: str | PathLike | bytes) -> Graph:
    """The graph of a `.tflite` file.

    Parameters
    ----------
    source : path or bytes

    Raises
    ------
    ValueError
        If the source is no `.tflite` file, or a damaged one: with an index, shape, buffer or scale that cannot be.

    References
    ----------
    TensorFlow Lite schema, version 3 (`schema.fbs`).
    """
    data = bytes(source) if isinstance(source, (bytes, bytearray, memoryview)) else Path(source).read_bytes()
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise ValueError(f"source: expected a .tflite file (bytes 4 to 8 are TFL3), got {data[4:8]!r}")
    try:
        model = _schema().ModelT.InitFromPackedBuf(data, 0)
        return _graph(model, data)
    except ValueError:
        raise
    except Exception as error:  # the generated code follows every offset, wherever it leads
        raise ValueError(
            f"source: expected an intact .tflite file, got a damaged one ({type(error).__name__})"
        ) from error


def _graph(model, data: bytes) -> Graph:
    if not model.subgraphs:
        raise ValueError("source: expected a graph in the file, got none")
    subgraph = model.subgraphs[0]
    tensors = tuple(_tensor(i, tensor, model.buffers, data) for i, tensor in enumerate(subgraph.tensors))
    operators = tuple(_operator(i, operator, model.operatorCodes) for i, operator in enumerate(subgraph.operators))
    graph = Graph(tensors, operators, _indices(subgraph.inputs), _indices(subgraph.outputs))
    _check_wires(graph)
    return graph


def _tensor(index: int, tensor, buffers, data: bytes) -> Tensor:
    name = (tensor.name or b"").decode(errors="replace")
    where = f"tensor {index} ({name})"
    shape = _indices(tensor.shape)
    if any(n < 1 for n in shape) or math.prod(shape) > MOST:
        raise ValueError(f"{where}: expected a shape of positive numbers, up to {MOST:,} elements, got {shape}")
    dtype = DTYPES.get(_names("TensorType").get(tensor.type))
    stored, values = buffers[tensor.buffer], None
    if stored.offset > 1:  # a large file keeps its buffers behind the FlatBuffer
        content = data[stored.offset : stored.offset + stored.size]
    else:
        content = b"" if stored.data is None else bytes(stored.data)
    if content:
        if dtype is None or len(content) != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{where}: expected {shape} values of {dtype}, got {len(content)} bytes")
        values = np.frombuffer(content, dtype).reshape(shape)
    scale, zero_point, axis = _quantization(where, tensor.quantization, shape)
    return Tensor(index, name, shape, dtype, scale, zero_point, axis, values)


def _quantization(where: str, quantization, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, int]:
    """Scales, zero points and their axis: one each, or one per index of the axis; all finite and positive."""
    if quantization is None or quantization.scale is None or len(quantization.scale) == 0:
        return np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    scale, axis = np.array(quantization.scale, np.float32), quantization.quantizedDimension
    zero_point = np.array(quantization.zeroPoint if quantization.zeroPoint is not None else [], np.int64)
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"{where}: expected finite scales above 0, got {scale}")
    channels = shape[axis] if 0 <= axis < len(shape) else 1
    if scale.size not in (1, channels) or zero_point.size != scale.size:
        raise ValueError(
            f"{where}: expected 1 or {channels} scales and zero points, got {scale.size} and {zero_point.size}"
        )
    return scale, zero_point, axis


def _operator(index: int, operator, codes) -> Operator:
    code = codes[_index(operator.opcodeIndex, len(codes), f"operator {index}: operator code")]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)  # files from before 2020 have only the second
    name = _names("BuiltinOperator").get(number, f"number {number}")
    # The options of another operator would be read as this one's.
    options = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
    return Operator(index, name, _indices(operator.inputs), _indices(operator.outputs), options)


def _indices(vector) -> tuple[int, ...]:
    return () if vector is None else tuple(int(i) for i in vector)


def _index(i: int, size: int, what: str) -> int:
    if not 0 <= i < size:
        raise ValueError(f"{what}: expected 0 to {size - 1}, got {i}")
    return i


def _check_wires(graph: Graph) -> None:
    """Each tensor that an operator reads is a constant, an input, or what an earlier operator wrote, once."""
    known = {tensor.index for tensor in graph.tensors if tensor.data is not None}
    for i in graph.inputs:
        known.add(_index(i, len(graph.tensors), "input of the graph"))
    for operator in graph.operators:
        where = f"operator {operator.index} ({operator.name})"
        for i in operator.inputs:
            if i != ABSENT and _index(i, len(graph.tensors), f"{where}: input") not in known:
                raise ValueError(f"{where}: expected inputs that are computed before it, got tensor {i}")
        for i in operator.outputs:
            if _index(i, len(graph.tensors), f"{where}: output") in known:
                raise ValueError(f"{where}: expected an output that nothing else writes, got tensor {i}")
            known.add(i)
    if not graph.outputs or not set(graph.outputs) <= known:
        raise ValueError(f"outputs of the graph: expected computed tensors, got {graph.outputs}")
