"""Small `.tflite` files made by hand, one operator each, and LiteRT's answers for them."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlib.deploy import Interpreter
from qlib.operators import OPERATORS
from qlib.tflite import read

ABSENT = -1
TYPES = {"int8": 9, "int32": 2, "float32": 0, "int16": 7, "uint8": 3}


class File:
    """A file under construction: `tensor` and `operator` append, `bytes` packs."""

    def __init__(self):
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.description = 3, b"test"
        self.model.subgraphs, self.model.operatorCodes, self.model.buffers = [self.graph], [], [schema.BufferT()]
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []
        self.graph.name = b"main"

    def tensor(self, shape, dtype="int8", *, scale=None, zero_point=0, axis=0, data=None):
        """Append a tensor, a constant if it has data; returns its index."""
        tensor = schema.TensorT()
        tensor.shape, tensor.type = np.array(shape, np.int32), TYPES[dtype]
        tensor.name = f"tensor{len(self.graph.tensors)}".encode()
        if scale is not None:
            quantization = schema.QuantizationParametersT()
            quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
            quantization.zeroPoint = np.broadcast_to(np.int64(zero_point), quantization.scale.shape).copy()
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, name, inputs, outputs, options=None, version=1, **fields):
        """Append an operator; `options` is the name of its table in the schema, `fields` its fields."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, options + "T")()
            for field, value in fields.items():
                assert hasattr(operator.builtinOptions, field), field
                setattr(operator.builtinOptions, field, value)
        self.graph.operators.append(operator)

    def bytes(self, inputs, outputs):
        self.graph.inputs, self.graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        return pack(self.model)


def pack(model) -> bytes:
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def one_operator(name, inputs, output, options=None, version=1, **fields) -> bytes:
    """A file of one operator; `inputs` and `output` are arguments of `File.tensor`.

    Constants are those with data; None stands for an optional input that is absent.
    """
    file = File()
    indices = [ABSENT if arguments is None else file.tensor(**arguments) for arguments in inputs]
    out = file.tensor(**output)
    file.operator(name, indices, [out], options, version, **fields)
    computed = [i for i, a in zip(indices, inputs, strict=True) if a is not None and a.get("data") is None]
    return file.bytes(computed, [out])


def litert(tflite, *inputs, kernel):
    """LiteRT's output of a file with any number of inputs."""
    interpreter = Interpreter(tflite, kernel=kernel)._interpreter
    for details, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def computed(tflite, *inputs, kernel):
    """The output of the first operator of a file, by qlib: IntegerModel takes one input, ADD has two."""
    graph = read(tflite)
    operator = graph.operators[0]
    tensors = [None if i == ABSENT else graph.tensors[i] for i in operator.inputs]
    run = OPERATORS[operator.name](operator, *tensors, graph.tensors[operator.outputs[0]])
    return run(*inputs, kernel=kernel)
