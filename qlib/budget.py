"""What a `.tflite` file needs of a small device: flash, memory for activations, multiplications, energy.

All of it follows from the file alone, at batch 1. The memory is a lower bound and a plan that reaches it or comes near;
the energies are those of arithmetic units and memories in one published table, not of a whole chip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qlib.arguments import check_count
from qlib.tflite import ABSENT, Graph, Operator, Tensor

# pJ per operation, 45 nm, 0.9 V: M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014,
# figure 1.1.9.
ADD = {"int8": 0.03, "int32": 0.1, "float16": 0.4, "float32": 0.9}
MULTIPLY = {"int8": 0.2, "int32": 3.1, "float16": 1.1, "float32": 3.7}
# pJ to read 64 bits (least and most), from the same figure.
MEMORIES = {"8 KB cache": (10, 10), "32 KB cache": (20, 20), "1 MB cache": (100, 100), "DRAM": (1300, 2600)}
# (activations, weights): pJ of a multiplication and of the addition to its sum. Where the weights alone are int8, the
# kernel quantizes the activations first. The figure has nothing for 16 × 8 bits.
MAC = {
    ("float32", "float32"): MULTIPLY["float32"] + ADD["float32"],
    ("float32", "int8"): MULTIPLY["int8"] + ADD["int32"],
    ("int8", "int8"): MULTIPLY["int8"] + ADD["int32"],
}
# Operators without a multiply-accumulate worth counting: they compare, move, convert, or see each value once.
FREE = frozenset(
    "ADD AVERAGE_POOL_2D CONCATENATION DEQUANTIZE LOGISTIC MAX_POOL_2D MEAN MUL PACK PAD QUANTIZE RELU RELU6 RESHAPE "
    "SHAPE SOFTMAX STRIDED_SLICE TANH".split()
)


@dataclass(frozen=True)
class Device:
    """A microcontroller: flash and RAM in bytes, highest clock in Hz as first published, and where that is written."""

    flash: int
    ram: int
    clock: int
    source: str


KB, MHZ = 1024, 1_000_000
DEVICES = {
    "ATmega328P": Device(32 * KB, 2 * KB, 20 * MHZ, "Microchip, ATmega48A/PA/88A/PA/168A/PA/328/P data sheet"),
    "nRF51822 QFAA": Device(256 * KB, 16 * KB, 16 * MHZ, "Nordic, nRF51822 product specification"),
    "nRF52833": Device(512 * KB, 128 * KB, 64 * MHZ, "Nordic, nRF52833 product specification"),
    "nRF52840": Device(1024 * KB, 256 * KB, 64 * MHZ, "Nordic, nRF52840 product specification"),
    "STM32F746": Device(1024 * KB, 320 * KB, 216 * MHZ, "ST, STM32F745xx STM32F746xx data sheet (version with 1 MB)"),
    "Raspberry Pi Pico": Device(2048 * KB, 264 * KB, 133 * MHZ, "Raspberry Pi, RP2040 and Pico data sheets"),
    "ESP32-WROOM-32": Device(4096 * KB, 520 * KB, 240 * MHZ, "Espressif, ESP32-WROOM-32 data sheet (4 MB version)"),
}


# ------------------------------------------------------------------- memory


def lifetimes(graph: Graph) -> dict[int, tuple[int, int]]:
    """For each tensor that isn't a constant, the first and the last operator at which it must be in memory.

    An input is there from the first operator on, anything else from the operator that writes it. It is needed until
    the last operator that reads it; an output of the graph until the end.

    Returns
    -------
    dict of tensor index → (first, last), operators counted from 0

    Raises
    ------
    ValueError
        If the graph has no operator, or computes a tensor whose bytes aren't known.
    """
    if not graph.operators:
        raise ValueError("graph: expected at least one operator, got none")
    end = len(graph.operators) - 1
    first = dict.fromkeys((i for i in graph.inputs if graph.tensors[i].data is None), 0)
    first |= {i: step for step, operator in enumerate(graph.operators) for i in operator.outputs}
    last = dict(first)
    for step, operator in enumerate(graph.operators):
        last.update(dict.fromkeys((i for i in operator.inputs if i in first), step))
    last.update(dict.fromkeys((i for i in graph.outputs if i in first), end))
    for i in first:
        if graph.tensors[i].dtype is None:
            raise ValueError(f"graph: expected known types, got tensor {i} ({graph.tensors[i].name}) of another")
    return {i: (first[i], last[i]) for i in sorted(first)}


def live_bytes(graph: Graph) -> np.ndarray:
    """Bytes of all tensors that live while each operator runs: Σ bytes(t) over first(t) ≤ operator ≤ last(t).

    Returns
    -------
    int64, shape (operators,)
    """
    live = np.zeros(len(graph.operators), np.int64)
    for i, (first, last) in lifetimes(graph).items():
        live[first : last + 1] += graph.tensors[i].nbytes
    return live


def arena_bytes(graph: Graph) -> int:
    """The most bytes that live at once: no allocator can do with less, unless an operator
    writes over its input or two are computed as one. `plan` says what one needs.

    Scratch memory of the kernels and an interpreter's own records come on top.
    """
    return int(live_bytes(graph).max())


def plan(graph: Graph, *, alignment: int = 16) -> dict[int, range]:
    """A place in one block of memory for each tensor, so that no two that live at the same time overlap.

    The largest first, each at the lowest place that is free for its whole life.

    Parameters
    ----------
    graph : Graph
    alignment : int
        Every place begins at a multiple of it. Bytes.

    Returns
    -------
    dict of tensor index → range of bytes

    References
    ----------
    R. David et al., "TensorFlow Lite Micro", MLSys 2021: the greedy memory planner.
    """
    check_count("alignment", alignment)
    lives, placed = lifetimes(graph), {}
    for i in sorted(lives, key=lambda i: -graph.tensors[i].nbytes):
        needed = -(-graph.tensors[i].nbytes // alignment) * alignment
        together = [placed[j] for j in placed if lives[j][0] <= lives[i][1] and lives[i][0] <= lives[j][1]]
        offset = 0
        for taken in sorted(together, key=lambda taken: taken.start):
            if taken.start - offset >= needed:
                break
            offset = max(offset, taken.stop)
        placed[i] = range(offset, offset + needed)
    return {i: placed[i] for i in sorted(placed)}


def constant_bytes(graph: Graph) -> int:
    """Bytes of weights, biases and all other constants of the file."""
    return sum(tensor.nbytes for tensor in graph.tensors if tensor.data is not None)


# ------------------------------------------------------------------- arithmetic


def macs(graph: Graph) -> np.ndarray:
    """Multiply-accumulates of each operator for one input: outputs × products per output.

    A padded window counts in full. Operators that multiply no weights have none (see FREE).

    Returns
    -------
    int64, shape (operators,)

    Raises
    ------
    ValueError
        If the graph holds an operator that this function doesn't know.
    """
    return np.array([_macs(graph, operator) for operator in graph.operators], np.int64)


def energy(graph: Graph) -> float:
    """Energy of all multiply-accumulates of one inference, in pJ: Σ MACs × (multiplication + addition).

    The arithmetic alone: no memory, no instruction, no rescaling of sums.

    Raises
    ------
    ValueError
        As `macs`; or if an operator multiplies types that the source has no figure for.

    References
    ----------
    M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9.
    """
    total = 0.0
    for operator, count in zip(graph.operators, macs(graph), strict=True):
        if count:
            types = tuple(str(tensor.dtype) for tensor in _operands(graph, operator))
            if types not in MAC:
                got = " × ".join(types)
                raise ValueError(f"{_where(operator)}: expected float32 × float32 or int8 weights, got {got}")
            total += float(count) * MAC[types]
    return total


def read_energy(nbytes: int, memory: str) -> tuple[float, float]:
    """Least and most energy to read bytes from a memory once, in pJ; 64 bits at a time.

    Raises
    ------
    ValueError
        If `nbytes` is no integer from 1 on, or the memory is not in MEMORIES.

    >>> read_energy(16, "32 KB cache")
    (40.0, 40.0)
    """
    check_count("nbytes", nbytes)
    if memory not in MEMORIES:
        raise ValueError(f"memory: expected one of {list(MEMORIES)}, got {memory!r}")
    words = math.ceil(nbytes / 8)
    least, most = MEMORIES[memory]
    return float(words * least), float(words * most)


def _macs(graph: Graph, operator: Operator) -> int:
    if operator.name in FREE:
        return 0
    if operator.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        raise ValueError(f"{_where(operator)}: expected an operator whose multiplications are known, got another")
    kernel = _operands(graph, operator)[1].shape
    # A depthwise kernel is (1, height, width, channels): each output sees one channel alone.
    per_output = kernel[1:3] if operator.name == "DEPTHWISE_CONV_2D" else kernel[1:]
    return math.prod(graph.tensors[operator.outputs[0]].shape) * math.prod(per_output)


def _operands(graph: Graph, operator: Operator) -> tuple[Tensor, Tensor]:
    """Activations and weights."""
    if len(operator.inputs) < 2 or ABSENT in operator.inputs[:2]:
        raise ValueError(f"{_where(operator)}: expected activations and weights, got inputs {operator.inputs}")
    activations, weights = operator.inputs[:2]
    return graph.tensors[activations], graph.tensors[weights]


def _where(operator: Operator) -> str:
    return f"operator {operator.index} ({operator.name})"
