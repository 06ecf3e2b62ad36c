"""Damaged `.tflite` files, each from a kind of damage and a seed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from networks_by_hand import networks
from tflite_files import pack

NUMBERS = (0, 1, -1, 2, 3, 4, 7, 127, 128, 255, 256, 2**15, 2**16, 2**24, 2**31 - 1, -(2**31))
Random = np.random.Generator


# ---------------------------------------------------------------- damage to bytes


@cache
def metadata(data: bytes) -> np.ndarray:
    """The places of the bytes that aren't a constant's values."""
    plain, model = np.ones(len(data), bool), schema.Model.GetRootAs(data)
    start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    for i in range(model.BuffersLength()):
        if length := model.Buffers(i).DataLength():
            first = model.Buffers(i).DataAsNumpy().__array_interface__["data"][0] - start
            plain[first : first + length] = False
    return np.flatnonzero(plain)


def flipped(data: bytes, rng: Random) -> bytes:
    """Bits anywhere."""
    damaged = bytearray(data)
    for i in rng.integers(0, len(data), rng.integers(1, 9)):
        damaged[i] ^= 1 << rng.integers(8)
    return bytes(damaged)


def replaced(data: bytes, rng: Random) -> bytes:
    """Bytes of the metadata."""
    damaged = bytearray(data)
    for i in rng.choice(metadata(data), rng.integers(1, 4)):
        damaged[i] = rng.choice((0, 1, 2, 127, 128, 255, rng.integers(256)))
    return bytes(damaged)


def words(data: bytes, rng: Random) -> bytes:
    """Four aligned bytes of the metadata, where a number, an offset or a length stands."""
    damaged = bytearray(data)
    place = int(rng.choice(metadata(data)) // 4 * 4)
    damaged[place : place + 4] = number(rng, int.from_bytes(data[place : place + 4], "little", signed=True))
    return bytes(damaged[: len(data)])


def number(rng: Random, old: int) -> bytes:
    new = rng.choice((*NUMBERS, old + 1, old - 1, old + 4, old - 4, rng.integers(-(2**31), 2**31)))
    return int(np.clip(new, -(2**31), 2**31 - 1)).to_bytes(4, "little", signed=True)


def cut(data: bytes, rng: Random) -> bytes:
    """The file without its end, or with a piece left out, doubled or overwritten with zeros."""
    a, b = sorted(rng.integers(0, len(data), 2))
    return (data[:b], data[:a] + data[b:], data[:b] + data[a:], data[:a] + bytes(b - a) + data[b:])[rng.integers(4)]


# ---------------------------------------------------------------- damage to one part


def rewritten(damage: Callable) -> Callable[[bytes, Random], bytes]:
    """Damage to the schema's objects as damage to bytes; values that no file can hold are drawn anew."""

    def damaged(data: bytes, rng: Random) -> bytes:
        while True:
            model = schema.ModelT.InitFromPackedBuf(data)
            damage(model, model.subgraphs[0], rng)
            try:
                return pack(model)
            except (TypeError, ValueError, OverflowError, AttributeError, struct.error):
                continue

    damaged.__doc__ = damage.__doc__
    return damaged


def one(parts, rng: Random):
    return parts[rng.integers(len(parts))]


def changed(values, rng: Random, choices) -> np.ndarray:
    """A vector with one entry replaced by one of the choices, removed or doubled."""
    values = np.array([] if values is None else values)
    if not values.size or rng.random() < 0.1:
        return np.append(values, one(choices, rng)).astype(values.dtype)
    i = rng.integers(values.size)
    if rng.random() < 0.1:
        return np.delete(values, i)
    values[i] = one(choices, rng)
    return values


def codes(model, graph, rng: Random) -> None:
    """The number of an operator, or its version."""
    code = one(model.operatorCodes, rng)
    supported = [c.builtinCode for c in model.operatorCodes]
    if rng.random() < 0.2:
        code.version = int(one(NUMBERS, rng))
    else:
        code.builtinCode = int(rng.integers(-1, 210)) if rng.random() < 0.5 else one(supported, rng)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)


def shapes(model, graph, rng: Random) -> None:
    """One length of one to three shapes."""
    for _ in range(rng.integers(1, 4)):
        tensor = one(graph.tensors, rng)
        old = int(one(tensor.shape, rng)) if len(tensor.shape) else 1
        choices = np.clip((*NUMBERS, old + 1, old - 1, 2 * old, old // 2), -(2**31), 2**31 - 1)
        tensor.shape = changed(tensor.shape, rng, choices).astype(np.int32)


def types(model, graph, rng: Random) -> None:
    """The type of a tensor."""
    one(graph.tensors, rng).type = int(rng.integers(-1, 24))


def quantization(model, graph, rng: Random) -> None:
    """Scales, zero points and axes of one or two tensors."""
    for _ in range(rng.integers(1, 3)):
        tensor = one([t for t in graph.tensors if t.quantization is not None and t.quantization.scale is not None], rng)
        part, kind = tensor.quantization, rng.integers(5)
        if kind == 0:
            old = float(one(part.scale, rng))
            factors = np.array([0, -1, np.nan, np.inf, 1e-45, 1e-38, 1e-10, 1e10, 0.5, 2, 0.99, 1.01, 1000, 1e-3])
            with np.errstate(all="ignore"):
                part.scale = changed(part.scale, rng, np.append(factors * old, factors)).astype(np.float32)
        elif kind == 1:
            choices = np.array([0, 1, -1, -128, 127, 128, -129, 2**31, 2**40, -(2**63), 5])
            part.zeroPoint = changed(part.zeroPoint, rng, choices)
        elif kind == 2:
            part.quantizedDimension = int(one(NUMBERS, rng))
        elif kind == 3:
            tensor.quantization = one([*graph.tensors], rng).quantization
        else:
            factor = np.float32(np.exp(rng.normal(0, 3)))
            part.scale = np.array(part.scale) * factor


def options(model, graph, rng: Random) -> None:
    """One option of an operator, or the table of another operator's options."""
    operator = one([o for o in graph.operators if o.builtinOptions is not None], rng)
    fields, kind = vars(operator.builtinOptions), rng.random()
    if kind < 0.8 and fields:
        name = one(list(fields), rng)
        choices = (*NUMBERS, int(rng.integers(-3, 300)), float(rng.normal()), float("nan"), True, None)
        setattr(operator.builtinOptions, name, one(choices, rng))
    elif kind < 0.9:
        operator.builtinOptionsType, operator.builtinOptions = 0, None
    else:
        other = one(graph.operators, rng)
        operator.builtinOptionsType, operator.builtinOptions = other.builtinOptionsType, other.builtinOptions


def wires(model, graph, rng: Random) -> None:
    """What an operator or the graph reads or writes, or the buffer of a tensor."""
    places, kind = (*range(-2, len(graph.tensors) + 1), 2**31 - 1), rng.integers(8)
    part = graph if kind == 0 else one(graph.operators, rng)
    if kind == 1:
        one(graph.tensors, rng).buffer = int(rng.integers(0, len(model.buffers) + 1))
    elif kind < 5:
        part.inputs = changed(part.inputs, rng, places).astype(np.int32)
    elif kind == 5:
        part.inputs = rng.permutation(part.inputs)
    else:
        part.outputs = changed(part.outputs, rng, places).astype(np.int32)


def parts(model, graph, rng: Random) -> None:
    """Operators left out, doubled or swapped; another graph; a tensor or buffer of a special kind."""
    operators, tensor = graph.operators, one(graph.tensors, rng)
    i, j = rng.integers(0, len(operators), 2)
    damage = (
        lambda: operators.pop(i),
        lambda: operators.insert(j, operators[i]),
        lambda: operators.__setitem__(slice(None), [operators[k] for k in rng.permutation(len(operators))]),
        lambda: setattr(operators[i], "opcodeIndex", int(rng.integers(0, len(model.operatorCodes) + 1))),
        lambda: model.subgraphs.append(graph),
        lambda: setattr(model, "version", int(one(NUMBERS[:8], rng))),
        lambda: setattr(tensor, "isVariable", True),
        lambda: setattr(tensor, "sparsity", schema.SparsityParametersT()),
        lambda: setattr(tensor, "externalBuffer", 1),
        lambda: vars(one(model.buffers, rng)).update(data=None, offset=int(rng.integers(2**33)), size=4),
        lambda: vars(one(model.buffers, rng)).update(data=np.zeros(rng.integers(9), np.uint8)),
    )
    one(damage, rng)()


KINDS: dict[str, Callable[[bytes, Random], bytes]] = dict(
    flipped=flipped, replaced=replaced, words=words, cut=cut,
    **{f.__name__: rewritten(f) for f in (codes, shapes, types, quantization, options, wires, parts)},
)  # fmt: skip


def damaged(kind: str, seed: int) -> bytes:
    """The damaged file of this kind and seed."""
    rng = np.random.default_rng((list(KINDS).index(kind), seed))
    return KINDS[kind](one(networks(), rng), rng)
