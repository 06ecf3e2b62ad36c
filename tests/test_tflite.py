"""The reader of `.tflite` files: what it reads, field by field, and each refusal, word for word."""

import struct
import tracemalloc
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from networks_by_hand import networks
from tflite_files import File, one_operator, pack

from qlib.flatbuffer import FlatBuffer
from qlib.integer import IntegerModel
from qlib.operators import OPERATORS
from qlib.tflite import OPTIONS, read

SHARES, SCORES = range(2)  # the networks
TYPES = "INT8, INT16, INT32, INT64, UINT8, FLOAT16, FLOAT32, BOOL"
SUPPORTED = (
    "CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, MAX_POOL_2D, AVERAGE_POOL_2D, MEAN, ADD, SOFTMAX, QUANTIZE, "
    "DEQUANTIZE, PAD, RESHAPE, SHAPE, STRIDED_SLICE, PACK"
)
PLAIN = "expected a plain tensor, got a variable, sparse, external or specially quantized one"
CUT = "expected an intact file, got an offset or length that cannot be"


def row_by_row() -> bytes:
    """Four images of one row of two pixels, multiplied by 3 weights for each of 2 channels."""
    file = File()
    x = file.tensor((4, 1, 2, 3), scale=0.5, zero_point=-3)
    w = file.tensor((2, 1, 1, 3), scale=[0.25, 0.125], axis=0, data=[[[[1, -2, 3]]], [[[-4, 5, 127]]]])
    bias = file.tensor((2,), "int32", scale=[0.125, 0.0625], data=[1000, -1])
    y = file.tensor((4, 1, 2, 2), scale=2, zero_point=7)
    fields = dict(padding=1, strideH=1, strideW=1, fusedActivationFunction=3)
    file.operator("CONV_2D", [x, w, bias], [y], "Conv2DOptions", 3, **fields)
    out = file.tensor((4, 4), scale=2, zero_point=7)
    file.operator("RESHAPE", [y], [out], "ReshapeOptions", newShape=np.array([4, 4], np.int32))
    return file.bytes([x], [out])


# ---------------------------------------------------------------- what is read


def test_tensors_are_read_field_by_field():
    x, w, bias, y, out = read(row_by_row()).tensors
    assert [t.index for t in (x, w, bias, y, out)] == [0, 1, 2, 3, 4]
    assert [t.name for t in (x, w, bias, y, out)] == ["tensor0", "tensor1", "tensor2", "tensor3", "tensor4"]
    assert [t.shape for t in (x, w, bias, y, out)] == [(4, 1, 2, 3), (2, 1, 1, 3), (2,), (4, 1, 2, 2), (4, 4)]
    assert [t.dtype.name for t in (x, w, bias, y, out)] == ["int8", "int8", "int32", "int8", "int8"]
    assert [t.scale.tolist() for t in (x, w, bias, y, out)] == [[0.5], [0.25, 0.125], [0.125, 0.0625], [2], [2]]
    assert [t.zero_point.tolist() for t in (x, w, bias, y, out)] == [[-3], [0, 0], [0, 0], [7], [7]]
    assert {(t.scale.dtype.name, t.zero_point.dtype.name) for t in (x, w, bias)} == {("float32", "int64")}
    assert w.data.tolist() == [[[[1, -2, 3]]], [[[-4, 5, 127]]]]
    assert bias.data.tolist() == [1000, -1]
    assert x.data is y.data is out.data is None
    assert [t.nbytes for t in (x, w, bias, y, out)] == [24, 6, 8, 16, 16]


def test_the_axis_of_the_scales_is_read():
    weights = dict(shape=(1, 1, 1, 2), scale=[1, 2], axis=3, data=[[[[1, 1]]]])
    graph = read(one_operator("PAD", [dict(shape=(1,)), weights], dict(shape=(1,))))
    assert (graph.tensors[1].axis, graph.tensors[0].axis) == (3, 0)


def test_operators_are_read_in_order_with_their_options():
    graph = read(row_by_row())
    assert (graph.inputs, graph.outputs) == ((0,), (4,))
    first, second = graph.operators
    assert (first.index, first.name, first.inputs, first.outputs) == (0, "CONV_2D", (0, 1, 2), (3,))
    wanted = dict(padding=1, strideH=1, strideW=1, fusedActivationFunction=3, dilationHFactor=1, dilationWFactor=1)
    assert {name: first.options[name] for name in wanted} == wanted
    assert (second.index, second.name, second.inputs, second.outputs) == (1, "RESHAPE", (3,), (4,))
    assert second.options["newShape"].tolist() == [4, 4]


@pytest.mark.parametrize(("dtype", "values"), [("int8", [-128, 127]), ("int32", [-(2**31), 5]), ("float32", [0.5, -3])])
def test_constants_of_each_type(dtype, values):
    stored = dict(shape=(2,), dtype=dtype, data=values)
    data = read(one_operator("PAD", [dict(shape=(1,)), stored], dict(shape=(1,)))).tensors[1].data
    assert (data.dtype.name, data.tolist()) == (dtype, values)


def test_a_scalar_and_a_tensor_without_scales():
    tensor = read(one_operator("PAD", [dict(shape=(), dtype="int32", data=7)], dict(shape=(1,)))).tensors[0]
    assert (tensor.shape, tensor.data.tolist(), tensor.scale.size, tensor.zero_point.size) == ((), 7, 0, 0)


def test_constants_are_read_only():
    weights = read(row_by_row()).tensors[1].data
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 1


def test_paths_and_bytes_are_read_alike(tmp_path):
    path, data = tmp_path / "model.tflite", row_by_row()
    path.write_bytes(data)
    for source in (path, str(path), data, bytearray(data), memoryview(data)):
        graph = read(source)
        assert graph.operators[0].name == "CONV_2D"
        assert graph.tensors[1].data.tolist() == [[[[1, -2, 3]]], [[[-4, 5, 127]]]]


def test_a_constant_may_stand_behind_the_flatbuffer():
    model = schema.ModelT.InitFromPackedBuf(row_by_row())
    weights, buffer = model.buffers[1].data.tobytes(), model.buffers[1]
    buffer.data, buffer.offset, buffer.size = None, 2**20, len(weights)
    buffer.offset = len(pack(model))
    tensor = read(pack(model) + weights).tensors[1]
    assert tensor.data.tolist() == [[[[1, -2, 3]]], [[[-4, 5, 127]]]]
    with pytest.raises(ValueError, match=r"buffer 1: expected its end within \d+ bytes, got \d+"):
        read(pack(model) + weights[:-1])


@pytest.mark.parametrize(("code", "deprecated", "name"), [(0, 3, "CONV_2D"), (3, 0, "CONV_2D"), (128, 127, "CUMSUM")])
def test_the_number_of_an_operator_stands_in_one_of_two_fields(code, deprecated, name):
    model = schema.ModelT.InitFromPackedBuf(row_by_row())
    model.operatorCodes[0].builtinCode, model.operatorCodes[0].deprecatedBuiltinCode = code, deprecated
    assert read(pack(model)).operators[0].name == name


def test_the_options_of_each_supported_operator_are_known():
    assert set(OPTIONS) == set(OPERATORS)
    assert all(hasattr(schema, table + "T") for table, _ in OPTIONS.values())


# ---------------------------------------------------------------- sources that aren't files


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"source: expected the path of a file, or its bytes, got .*none\.tflite"):
        read(tmp_path / "none.tflite")


@pytest.mark.parametrize("source", [3, None, Path(__file__).parent, "a\0b"], ids=["number", "None", "folder", "zero"])
def test_what_is_no_file_is_refused(source):
    with pytest.raises(ValueError, match="source: expected the path of a file, or its bytes, got"):
        read(source)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x1c\0\0\0TFL2" + bytes(40), bytes(100)])
def test_bytes_of_something_else_are_refused(data):
    with pytest.raises(ValueError, match=r"source: expected a .tflite file \(bytes 4 to 8 are TFL3\), got b'"):
        read(data)


# ---------------------------------------------------------------- bytes that lead astray


@pytest.mark.parametrize("size", [8, 9, 40, 400, 1200])
def test_a_file_that_ends_early_is_refused(size):
    with pytest.raises(ValueError, match=CUT):
        read(networks()[SCORES][:size])


def test_a_length_beyond_the_file_is_refused_before_anything_is_read():
    data = bytearray(row_by_row())
    model = schema.Model.GetRootAs(data)
    vector = model._tab.Vector(model._tab.Offset(8)) - 4  # the length of the vector of graphs
    assert struct.unpack_from("<I", data, vector) == (1,)
    for length in (2**32 - 1, 2**31, len(data)):
        struct.pack_into("<I", data, vector, length)
        with pytest.raises(ValueError, match=f"^source: {CUT}$"):
            read(data)


def test_one_tensor_listed_a_hundred_thousand_times_is_refused():
    builder, tensor = flatbuffers.Builder(1 << 20), schema.TensorT(shape=[2, 3], name=b"again and again")
    place = tensor.Pack(builder)
    schema.SubGraphStartTensorsVector(builder, 100_000)
    for _ in range(100_000):
        builder.PrependUOffsetTRelative(place)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs, buffer = builder.EndVector(), schema.BufferT().Pack(builder)
    schema.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddBuffers(builder, buffers)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    with pytest.raises(ValueError, match=rf"^tensor \d+: {CUT}$"):
        read(bytes(builder.Output()))


# A table of one field at byte 8: its vtable's length, its own length, where the field stands; then itself.
VTABLE, TABLE = struct.pack("<HHHH", 6, 8, 4, 0), struct.pack("<ii", 8, 42)


def test_a_table_inside_its_file_is_read():
    place = flatbuffers.table.Table(VTABLE + TABLE, 8)
    assert FlatBuffer(VTABLE + TABLE).table(place) is place


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"\0\0" + VTABLE + TABLE, 10),
        (b"\0" + VTABLE[:-1] + struct.pack("<ii", 7, 42), 8),
        (struct.pack("<ii", 8, 42) + VTABLE, 0),
        (struct.pack("<HHHH", 2, 8, 4, 0) + TABLE, 8),
        (struct.pack("<HHHH", 7, 8, 4, 0) + TABLE, 8),
        (struct.pack("<HHHH", 6, 9, 4, 0) + TABLE, 8),
        (struct.pack("<HHHH", 6, 8, 8, 0) + TABLE, 8),
        (struct.pack("<HHHH", 6, 8, 3, 0) + TABLE, 8),
    ],
    ids=[
        "table misaligned", "vtable misaligned", "vtable before the file", "vtable too short", "vtable of odd length",
        "table beyond the file", "field behind the table", "field before it",
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused(data, place):
    with pytest.raises(EOFError):
        FlatBuffer(data).table(flatbuffers.table.Table(data, place))


@pytest.mark.parametrize("gap", [0, 1, 2, 3])
def test_a_vector_stands_at_a_multiple_of_four_bytes(gap):
    data = VTABLE + struct.pack("<ii", 8, 4 + gap) + bytes(gap) + struct.pack("<ii", 1, 42)
    tensor = schema.Tensor()
    tensor.Init(data, 8)
    if gap == 0:
        assert FlatBuffer(data).indices(tensor, "Shape") == (42,)
    else:
        with pytest.raises(EOFError):
            FlatBuffer(data).indices(tensor, "Shape")


@pytest.mark.parametrize(("end", "byte"), [(b"tensor1\0", b"tensor1\1"), (b"tensor1\0", b"tens\xffr1\0")])
def test_a_name_ends_with_a_zero_and_is_text(end, byte):
    data = row_by_row()
    assert data.count(end) == 1
    with pytest.raises(ValueError, match=f"^tensor 1: {CUT}$"):
        read(data.replace(end, byte))


# ---------------------------------------------------------------- each refusal

READER = [  # network, what is altered, to what, and the sentence
    (SCORES, "model.version", 2, "source: expected schema version 3, got 2"),
    (SCORES, "model.subgraphs", [], "source: expected one graph in the file, got 0"),
    (SCORES, "model.subgraphs", lambda model: model.subgraphs * 2, "source: expected one graph in the file, got 2"),
    (SCORES, "tensors[3].type", 17, f"tensor 3 ('tensor3'): expected one of the types {TYPES}, got INT4"),
    (SCORES, "tensors[3].type", 5, f"tensor 3 ('tensor3'): expected one of the types {TYPES}, got STRING"),
    (SCORES, "tensors[3].type", 99, f"tensor 3 ('tensor3'): expected one of the types {TYPES}, got number 99"),
    (SCORES, "tensors[3].isVariable", True, f"tensor 3 ('tensor3'): {PLAIN}"),
    (SCORES, "tensors[1].sparsity", schema.SparsityParametersT(), f"tensor 1 ('tensor1'): {PLAIN}"),
    (SCORES, "tensors[1].externalBuffer", 1, f"tensor 1 ('tensor1'): {PLAIN}"),
    (SCORES, "tensors[3].variantTensors", [schema.VariantSubTypeT()], f"tensor 3 ('tensor3'): {PLAIN}"),
    (SCORES, "tensors[1].quantization.detailsType", 2, f"tensor 1 ('tensor1'): {PLAIN}"),
    (SCORES, "tensors[3].shape", [1, 0, 4, 6],
     "tensor 3 ('tensor3'): expected a shape of positive numbers, up to 16,777,216 elements, got (1, 0, 4, 6)"),
    (SCORES, "tensors[3].shape", [-1, 4, 4, 6],
     "tensor 3 ('tensor3'): expected a shape of positive numbers, up to 16,777,216 elements, got (-1, 4, 4, 6)"),
    (SCORES, "tensors[3].shape", [65536, 65536, 65536, 65536],
     "tensor 3 ('tensor3'): expected a shape of positive numbers, up to 16,777,216 elements, got (65536, 65536"),
    (SCORES, "tensors[3].shape", [4096, 4096],
     "graph: expected at most 8,388,608 elements in its computed tensors, got 16,777,381"),
    (SCORES, "tensors[3].buffer", 7, "tensor 3 ('tensor3'): expected a buffer from 0 to 5, got 7"),
    (SCORES, "model.buffers[1].data", [],
     "tensor 1 ('tensor1'): expected 162 bytes for INT8 (6, 3, 3, 3), got 0"),
    (SCORES, "tensors[6].buffer", 1, "tensor 6 ('tensor6'): expected 24 bytes for INT8 (4, 6), got 162"),
    (SCORES, "tensors[6].type", 2, "tensor 6 ('tensor6'): expected 96 bytes for INT32 (4, 6), got 24"),
    (SCORES, "tensors[3].quantization.scale", [np.nan],
     "tensor 3 ('tensor3'): expected finite scales above 0, got [nan]"),
    (SCORES, "tensors[3].quantization.scale", [np.inf],
     "tensor 3 ('tensor3'): expected finite scales above 0, got [inf]"),
    (SCORES, "tensors[3].quantization.scale", [0], "tensor 3 ('tensor3'): expected finite scales above 0, got [0.]"),
    (SCORES, "tensors[3].quantization.scale", [-1], "tensor 3 ('tensor3'): expected finite scales above 0, got [-1.]"),
    (SCORES, "tensors[3].quantization.scale", [1, 1],
     "tensor 3 ('tensor3'): expected 1 or 1 scales and zero points, got 2 and 1"),
    (SCORES, "tensors[3].quantization.zeroPoint", None,
     "tensor 3 ('tensor3'): expected 1 or 1 scales and zero points, got 1 and 0"),
    (SCORES, "tensors[1].quantization.quantizedDimension", 1,
     "tensor 1 ('tensor1'): expected 1 or 3 scales and zero points, got 6 and 6"),
    (SCORES, "tensors[1].quantization.quantizedDimension", 4,
     "tensor 1 ('tensor1'): expected an axis from 0 to 3, got 4"),
    (SCORES, "tensors[1].quantization.quantizedDimension", -1,
     "tensor 1 ('tensor1'): expected an axis from 0 to 3, got -1"),
    (SCORES, "operators[0].opcodeIndex", 5, "operator 0: expected an operator code from 0 to 4, got 5"),
    (SCORES, "model.operatorCodes[0].version", 9, "operator 0 (CONV_2D): expected a version from 1 to 8, got 9"),
    (SCORES, "model.operatorCodes[0].version", 0, "operator 0 (CONV_2D): expected a version from 1 to 8, got 0"),
    (SCORES, "operators[0].builtinOptionsType", schema.BuiltinOptions.DepthwiseConv2DOptions,
     "operator 0 (CONV_2D): expected its options in a table Conv2DOptions, got DepthwiseConv2DOptions"),
    (SCORES, "operators[0].builtinOptions", None,
     "operator 0 (CONV_2D): expected a table Conv2DOptions, got none"),
    (SCORES, "operators[0].inputs", [3, 1, 2],
     "operator 0 (CONV_2D): expected inputs that are computed before it, got tensor 3"),
    (SCORES, "operators[0].inputs", [0, 1, 11],
     "operator 0 (CONV_2D): expected inputs that are computed before it, got tensor 11"),
    (SCORES, "operators[0].inputs", [0, 1, -2],
     "operator 0 (CONV_2D): expected inputs that are computed before it, got tensor -2"),
    (SCORES, "operators[1].outputs", [3],
     "operator 1 (MEAN): expected an output that nothing else writes, got tensor 3"),
    (SCORES, "operators[1].outputs", [1],
     "operator 1 (MEAN): expected an output that nothing else writes, got tensor 1"),
    (SCORES, "operators[1].outputs", [99],
     "operator 1 (MEAN): expected an output that nothing else writes, got tensor 99"),
    (SCORES, "graph.inputs", [1], "inputs of the graph: expected tensors that aren't constants, each once, got (1,)"),
    (SCORES, "graph.inputs", [0, 0],
     "inputs of the graph: expected tensors that aren't constants, each once, got (0, 0)"),
    (SCORES, "graph.inputs", [11], "inputs of the graph: expected tensors that aren't constants, each once, got (11,)"),
    (SCORES, "graph.outputs", [], "outputs of the graph: expected what operators compute, got ()"),
    (SCORES, "graph.outputs", [1], "outputs of the graph: expected what operators compute, got (1,)"),
    (SCORES, "graph.outputs", [0], "outputs of the graph: expected what operators compute, got (0,)"),
]  # fmt: skip


ENGINE = [
    # ---- ends of the graph, operators, inputs
    (SCORES, "graph.outputs", [10, 9], "expected one input and one output, got 1 and 2"),
    (SCORES, "graph.outputs", [10, 10], "expected one input and one output, got 1 and 2"),
    (SHARES, "graph.inputs", [0, 6], "operator 2 (CONV_2D): expected an output that nothing else writes, got tensor 6"),
    (SHARES, "graph.outputs", [18], "expected int8 or float32 in tensor 18, got int32"),
    (SHARES, "model.operatorCodes[6].builtinCode", schema.BuiltinOperator.MUL,
     f"operator 6 (MUL): expected one of {SUPPORTED}, got MUL"),
    (SHARES, "model.operatorCodes[6].builtinCode", 250,
     f"operator 6 (number 250): expected one of {SUPPORTED}, got number 250"),
    (SHARES, "model.operatorCodes[6]", schema.OperatorCodeT(customCode=b"MyOp", builtinCode=32),
     f"operator 6 (CUSTOM 'MyOp'): expected one of {SUPPORTED}, got CUSTOM 'MyOp'"),
    (SHARES, "operators[2].outputs", [6, 7], "operator 3 (MAX_POOL_2D): expected an output that nothing else writes"),
    (SHARES, "operators[2].inputs", [3, 4], "operator 2 (CONV_2D): expected inputs x, w, bias, got 2 inputs"),
    (SHARES, "operators[2].inputs", [], "operator 2 (CONV_2D): expected inputs x, w, bias, got 0 inputs"),
    (SHARES, "operators[2].inputs", [4, 4, 5], "operator 2 (CONV_2D): expected a computed first input, got a constant"),
    (SHARES, "operators[5].inputs", [10, 7, 12],
     "operator 5 (CONV_2D): expected constants as further inputs, got computed ones"),
    (SHARES, "operators[2].inputs", [3, -1, 5],
     "operator 2 (CONV_2D): expected all of its inputs, got an absent one"),
    (SHARES, "operators[2].inputs", [3, 4, -1],
     "operator 2 (CONV_2D): expected a bias, of zeros where there is none, got an absent one"),
    (SHARES, "operators[4].inputs", [7, 8, -1],
     "operator 4 (DEPTHWISE_CONV_2D): expected a bias, of zeros where there is none, got an absent one"),
    (SHARES, "operators[2].builtinOptionsType", 0, "operator 2 (CONV_2D): expected an option strideH, got none"),
    # ---- types
    (SCORES, "tensors[0].type", 7, "expected int8 or float32 in tensor 0, got int16"),
    (SCORES, "tensors[0].type", 0,
     "operator 0 (CONV_2D): expected int8 codes with one scale in tensor 0, got float32 with 1 scales"),
    (SCORES, "tensors[3].type", 7,
     "operator 0 (CONV_2D): expected int8 codes with one scale in tensor 3, got int16 with 1 scales"),
    (SCORES, "tensors[1].type", 3,
     "operator 0 (CONV_2D): expected constant int8 weights with scales, got uint8 with 6 scales"),
    (SCORES, "tensors[1].quantization", None,
     "operator 0 (CONV_2D): expected constant int8 weights with scales, got int8 with 0 scales"),
    (SCORES, "tensors[2].type", 0,
     "operator 0 (CONV_2D): expected a constant int32 bias of 6 channels, got float32 of shape (6,)"),
    # ---- scales and zero points
    (SCORES, "tensors[3].quantization.zeroPoint", [128],
     "operator 0 (CONV_2D): expected a zero point from -128 to 127, got 128"),
    (SCORES, "tensors[3].quantization.scale", [1e-30],
     "operator 0 (CONV_2D): expected a scale from 2^−60 to 2^60, got 1.0000000031710769e-30"),
    (SCORES, "tensors[1].quantization.zeroPoint", [0, 0, 1, 0, 0, 0],
     "operator 0 (CONV_2D): expected weights with zero point 0, got [0 0 1 0 0 0]"),
    (SCORES, "tensors[2].quantization.zeroPoint", [0, 0, 1, 0, 0, 0],
     "operator 0 (CONV_2D): expected a bias with zero point 0, got [0 0 1 0 0 0]"),
    (SCORES, "tensors[2].quantization", None, "operator 0 (CONV_2D): expected 6 scales of the bias, got 0"),
    (SCORES, "tensors[2].quantization.scale", lambda model: model.subgraphs[0].tensors[2].quantization.scale * 1.01,
     "operator 0 (CONV_2D): expected a bias in steps s_in·s_w = ["),
    (SCORES, "tensors[0].quantization.scale", [0.5], "operator 0 (CONV_2D): expected a bias in steps s_in·s_w = ["),
    (SCORES, "tensors[3].quantization.scale", [1e-7],
     "operator 0 (CONV_2D): expected factors s_in·s_w / s_out below 256, got "),
    (SHARES, "tensors[7].quantization.scale", [0.06],
     "operator 3 (MAX_POOL_2D): expected the input's scale 0.05000000074505806 and zero point "),
    (SHARES, "tensors[26].quantization.scale", [0.004],
     "operator 13 (SOFTMAX): expected an output in steps of 1/256 from -128, got steps of [0.004] from [-128]"),
    (SHARES, "tensors[14].quantization.scale", [1e-4],
     "operator 6 (ADD): expected sums that int16 holds in steps of 9.9999997473"),
    (SCORES, "tensors[10].quantization.scale", [1e-9],
     "operator 4 (QUANTIZE): expected an input in steps below 2^22 · 9.99999971718"),
    (SCORES, "tensors[5].quantization.scale", [1e-9],
     "operator 1 (MEAN): expected sums that int32 holds, got (1, 4, 4, 6)"),
    (SCORES, "model.buffers[2].data", np.full(6, 2**31 - 1, "<i4").view(np.uint8),
     "operator 0 (CONV_2D): expected sums that int32 holds, as they are and rescaled, got 2147"),
    # ---- shapes
    (SCORES, "tensors[3].shape", [1, 4, 5, 6],
     "operator 0 (CONV_2D): expected an output of [4, 4] places, got (1, 4, 5, 6)"),
    (SCORES, "tensors[3].shape", [1, 4, 24], "operator 0 (CONV_2D): expected images (n, height, width, channels), got"),
    (SCORES, "tensors[0].shape", [1, 7, 7, 2],
     "operator 0 (CONV_2D): expected weights from (1, 7, 7, 2) to (1, 4, 4, 6), got (6, 3, 3, 3)"),
    (SCORES, "tensors[0].shape", [2, 7, 7, 3],
     "operator 0 (CONV_2D): expected int8 (1, 4, 4, 6), got int8 (2, 4, 4, 6)"),
    (SCORES, "tensors[1].shape", [6, 27], "operator 0 (CONV_2D): expected weights of four axes, got (6, 27)"),
    (SCORES, "tensors[6].shape", [4, 6, 1],
     "operator 2 (FULLY_CONNECTED): expected weights from (1, 6) to (1, 4), got (4, 6, 1)"),
    (SCORES, "tensors[5].shape", [1, 1, 6], "operator 1 (MEAN): expected int8 (1, 1, 6), got int8 (1, 6)"),
    (SHARES, "tensors[8].shape", [1, 3, 3, 8, 1],
     "operator 4 (DEPTHWISE_CONV_2D): expected weights of four axes, got (1, 3, 3, 8, 1)"),
    (SHARES, "tensors[7].shape", [1, 4, 3, 5], "operator 3 (MAX_POOL_2D): expected (4,) channels, got (1, 4, 3, 5)"),
    (SHARES, "tensors[26].shape", [1, 5, 2], "operator 13 (SOFTMAX): expected shape (1, 10), got (1, 5, 2)"),
    (SCORES, "operators[3].inputs", [7, 8, 8], "operator 3 (RESHAPE): expected at most one shape, got 2"),
    (SCORES, "tensors[9].shape", [2, 2],
     "operator 3 (RESHAPE): expected the images and values of (1, 4), got (2, 2)"),
    (SCORES, "model.buffers[5].data", np.array([1, 4, 1], "<i4").view(np.uint8),
     "operator 3 (RESHAPE): expected the shape (1, 2, 2), got [1 4 1]"),
    (SHARES, "tensors[1].shape", [1, 8, 8, 2], "operator 0 (QUANTIZE): expected shape (1, 9, 8, 2), got (1, 8, 8, 2)"),
    (SHARES, "tensors[27].shape", [1, 2, 5],
     "operator 14 (DEQUANTIZE): expected float32 of shape (1, 10), got float32 of shape (1, 2, 5)"),
    (SHARES, "tensors[3].shape", [1, 9, 9, 2], "operator 1 (PAD): expected amounts from (1, 9, 8, 2) to (1, 9, 9, 2)"),
    (SHARES, "operators[10].inputs", [21, 17], "expected a computed shape (1, 32) in operator 11, got [32 1]"),
    (SHARES, "operators[10].inputs", [20, 21], "operator 10 (PACK): expected int32 numbers, got (1,)"),
    # ---- options
    (SHARES, "operators[2].builtinOptions.padding", 2, "operator 2 (CONV_2D): expected padding SAME or VALID, got 2"),
    (SHARES, "operators[2].builtinOptions.padding", -1, "operator 2 (CONV_2D): expected padding SAME or VALID, got -1"),
    (SHARES, "operators[2].builtinOptions.strideW", 0,
     "operator 2 (CONV_2D): expected a window and strides of at least 1, got ((3, 3), (1, 0))"),
    (SHARES, "operators[2].builtinOptions.dilationWFactor", 2, "operator 2 (CONV_2D): expected no dilation, got one"),
    (SHARES, "operators[4].builtinOptions.dilationHFactor", 2,
     "operator 4 (DEPTHWISE_CONV_2D): expected no dilation, got one"),
    (SHARES, "operators[2].builtinOptions.quantizedBiasType", 4,
     "operator 2 (CONV_2D): expected an int32 bias, got another type"),
    (SHARES, "operators[4].builtinOptions.depthMultiplier", 1,
     "operator 4 (DEPTHWISE_CONV_2D): expected a filter per channel, got (1, 3, 3, 8)"),
    (SHARES, "operators[6].builtinOptions.fusedActivationFunction", 4,
     "operator 6 (ADD): expected one of the activations NONE, RELU, RELU_N1_TO_1, RELU6, got number 4"),
    (SHARES, "operators[6].builtinOptions.fusedActivationFunction", -1,
     "operator 6 (ADD): expected one of the activations NONE, RELU, RELU_N1_TO_1, RELU6, got number -1"),
    (SHARES, "operators[7].builtinOptions.filterHeight", 2**31 - 1,
     "operator 7 (AVERAGE_POOL_2D): expected at most 16,384 taps in a window, got (2147483647, 2)"),
    (SHARES, "operators[7].builtinOptions.filterHeight", 0,
     "operator 7 (AVERAGE_POOL_2D): expected a window and strides of at least 1, got ((0, 2), (2, 2))"),
    (SHARES, "operators[12].builtinOptions.weightsFormat", 1,
     "operator 12 (FULLY_CONNECTED): expected weights in the default format, got 1"),
    (SHARES, "operators[13].builtinOptions.beta", 0.0,
     "operator 13 (SOFTMAX): expected beta · scale between 2^−26 and 16, got 0.0"),
    (SHARES, "operators[13].builtinOptions.beta", float("nan"),
     "operator 13 (SOFTMAX): expected beta · scale between 2^−26 and 16, got nan"),
    (SHARES, "operators[8].builtinOptions.outType", 4, "operator 8 (SHAPE): expected type INT32 (2), got 4"),
    (SHARES, "operators[9].builtinOptions.beginMask", 1,
     "operator 9 (STRIDED_SLICE): expected the options of one entry, shrinkAxisMask 1 and else none, got {"),
    (SHARES, "operators[9].inputs", [16, 20, 20, 20],
     "operator 9 (STRIDED_SLICE): expected one entry of a shape as [i], [i + 1], [1], got [[1], [1], [1]]"),
    (SHARES, "operators[10].builtinOptions.axis", 1, "operator 10 (PACK): expected 2 numbers along axis 0, got {"),
    (SHARES, "operators[10].builtinOptions.valuesCount", 3,
     "operator 10 (PACK): expected 2 numbers along axis 0, got {"),
    (SCORES, "model.buffers[3].data", np.array([1, 3], "<i4").view(np.uint8),
     "operator 1 (MEAN): expected the mean over axes 1 and 2, got [1 3]"),
    (SCORES, "operators[1].builtinOptions.keepDims", True,
     "operator 1 (MEAN): expected int8 (1, 6), got int8 (1, 1, 1, 6)"),
]  # fmt: skip


def altered(network: int, place: str, value: object) -> bytes:
    """One of the networks with a part of it set to a value, or to what a function makes of the model."""
    model = schema.ModelT.InitFromPackedBuf(networks()[network])
    names = dict(model=model, graph=model.subgraphs[0], value=value(model) if callable(value) else value)
    exec(f"{place if place.startswith(('model', 'graph')) else 'graph.' + place} = value", names)
    return pack(model)


@pytest.mark.parametrize(("network", "place", "value", "sentence"), READER, ids=[row[-1] for row in READER])
def test_the_reader_refuses(network, place, value, sentence):
    with pytest.raises(ValueError) as refusal:
        read(altered(network, place, value))
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(("network", "place", "value", "sentence"), ENGINE, ids=[row[-1] for row in ENGINE])
def test_the_engine_refuses(network, place, value, sentence):
    with pytest.raises(ValueError) as refusal:
        IntegerModel.from_tflite(altered(network, place, value))
    assert str(refusal.value).startswith(sentence)
    assert "\n" not in str(refusal.value)


def one(*row, **fields):
    """A file of one operator, refused with the sentence at the end of the row."""
    *arguments, sentence = row
    return pytest.param(arguments, fields, sentence, id=sentence)


CODES = dict(scale=1)


@pytest.mark.parametrize(
    ("arguments", "fields", "sentence"),
    [
        one("FULLY_CONNECTED",
            [dict(shape=(1, 2), **CODES), dict(shape=(2, 2), scale=[1, 1], axis=1, data=[[1, 2], [3, 4]]), None],
            dict(shape=(1, 2), **CODES), "FullyConnectedOptions", 4,
            "operator 0 (FULLY_CONNECTED): expected scales along axis 0, got 1"),
        one("FULLY_CONNECTED",
            [dict(shape=(1, 1, 2), **CODES), dict(shape=(2, 2), data=[[1, 2], [3, 4]], **CODES), None],
            dict(shape=(1, 2), **CODES), "FullyConnectedOptions", 4,
            "operator 0 (FULLY_CONNECTED): expected rows as input where axes are kept, got (1, 1, 2)",
            keepNumDims=True),
        one("MEAN", [dict(shape=(1, 2, 2, 1), **CODES), dict(shape=(2,), data=[1, 2])], dict(shape=(1, 1), **CODES),
            "ReducerOptions", 2, "operator 0 (MEAN): expected int32 axes, got int8"),
        one("PAD", [dict(shape=(1, 2), **CODES), dict(shape=(2, 2), data=[[0, 0], [0, 0]])],
            dict(shape=(1, 2), **CODES), "PadOptions", 2,
            "operator 0 (PAD): expected int32 amounts for each axis, got int8 of shape (2, 2)"),
        one("PAD", [dict(shape=(1, 2), **CODES), dict(shape=(2, 2), dtype="int32", data=[[1, 0], [0, 0]])],
            dict(shape=(2, 2), **CODES), "PadOptions", 2,
            "operator 0 (PAD): expected no images added, got (1, 0)"),
        one("RESHAPE", [dict(shape=(1, 4), **CODES), dict(shape=(2,), data=[1, 4])], dict(shape=(1, 4), **CODES),
            "operator 0 (RESHAPE): expected a shape of int32, got int8"),
        one("RESHAPE", [dict(shape=(1, 4), **CODES)], dict(shape=(1, 4), **CODES),
            "operator 0 (RESHAPE): expected the shape (1, 4), got None"),
        one("STRIDED_SLICE", [dict(shape=(4,)), *[dict(shape=(1,), dtype="int32", data=[i]) for i in (0, 1, 1)]],
            dict(shape=()), "StridedSliceOptions",
            "operator 0 (STRIDED_SLICE): expected one entry of an int32 shape, got int8 to ()", shrinkAxisMask=1),
        one("MAX_POOL_2D", [dict(shape=(1, 1, 1, 1), scale=2**-40)], dict(shape=(1, 1, 1, 1), scale=2**-40),
            "Pool2DOptions", 2, "operator 0 (MAX_POOL_2D): expected an activation's ends within int32, got [0.00",
            strideH=1, strideW=1, filterHeight=1, filterWidth=1, fusedActivationFunction=3),
    ],
)  # fmt: skip
def test_an_operator_alone_is_refused(arguments, fields, sentence):
    with pytest.raises(ValueError) as refusal:
        IntegerModel.from_tflite(one_operator(*arguments, **fields))
    assert str(refusal.value).startswith(sentence)


def test_an_entry_that_the_shape_lacks_is_refused():
    file = File()
    x, shape, entry = file.tensor((1, 4), scale=1), file.tensor((2,), "int32"), file.tensor((), "int32")
    ends = [file.tensor((1,), "int32", data=[i]) for i in (2, 3, 1)]
    packed, out = file.tensor((1,), "int32"), file.tensor((4,), scale=1)
    file.operator("SHAPE", [x], [shape], "ShapeOptions", outType=2)
    file.operator("STRIDED_SLICE", [shape, *ends], [entry], "StridedSliceOptions", shrinkAxisMask=1)
    file.operator("PACK", [entry], [packed], "PackOptions", valuesCount=1)
    file.operator("RESHAPE", [x, packed], [out])
    with pytest.raises(ValueError, match=r"operator 1 \(STRIDED_SLICE\): expected an entry from 0 to 1, got 2"):
        IntegerModel.from_tflite(file.bytes([x], [out]))


def test_an_operator_with_two_outputs_is_refused():
    file = File()
    x, *outs = [file.tensor((1, 4), scale=1) for _ in range(3)]
    file.operator("QUANTIZE", [x], outs, "QuantizeOptions", 2)
    with pytest.raises(ValueError, match=r"operator 0 \(QUANTIZE\): expected one output, got 2"):
        IntegerModel.from_tflite(file.bytes([x], outs[:1]))


def test_a_batch_that_a_reshape_would_take_apart_is_refused():
    """Two images of two values as one image of four."""
    stored = dict(shape=(2,), dtype="int32", data=[1, 4])
    file = one_operator("RESHAPE", [dict(shape=(2, 2), scale=1), stored], dict(shape=(1, 4), scale=1))
    with pytest.raises(ValueError, match=r"operator 0 \(RESHAPE\): expected the images and values of \(2, 2\), got"):
        IntegerModel.from_tflite(file)


def test_a_window_of_many_taps_over_many_places_is_refused():
    image, options = dict(shape=(1, 512, 512, 4), scale=1), dict(strideH=1, strideW=1, filterHeight=9, filterWidth=9)
    with pytest.raises(ValueError, match="expected at most 33,554,432 values in all windows, got 84,934,656"):
        IntegerModel.from_tflite(one_operator("MAX_POOL_2D", [image], image, "Pool2DOptions", **options))


def test_a_padding_far_larger_than_the_image_is_refused():
    """One window of 1 x 16,384 at a stride as long as the image: 2^20 rows of 16,384."""
    image, out = dict(shape=(1, 2**20, 1, 1), scale=1), dict(shape=(1, 1, 1, 1), scale=1)
    options = dict(strideH=2**20, strideW=1, filterHeight=1, filterWidth=2**14)
    with pytest.raises(ValueError, match="expected at most 33,554,432 values in all windows, got 17,179,869,184"):
        IntegerModel.from_tflite(one_operator("AVERAGE_POOL_2D", [image], out, "Pool2DOptions", **options))


def test_a_large_network_takes_few_images_at_once():
    """32 images of 2^18 values: together, 2^23 values as int64 would take 67 MB for each step of the computation."""
    rows = dict(shape=(1, 2**18), scale=1)
    model = IntegerModel.from_tflite(one_operator("QUANTIZE", [rows], rows | dict(scale=2), "QuantizeOptions", 2))
    tracemalloc.start()
    found = model.predict(np.full((32, 2**18), 5, np.int8))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found == 3).all()  # 2.5 steps of 2, ties away from zero
    assert peak < 2**27
