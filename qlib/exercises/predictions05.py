"""Predictions of lesson 05, applications. What is true is computed, or was just measured, in the notebook."""

from __future__ import annotations

import numpy as np

from qlib import budget, tflite
from qlib.budget import DEVICES
from qlib.exercises.prediction import Prediction

QUANTIZED = ("float16", "dynamic", "int8", "int8_per_tensor", "int16x8")
ON, WITHOUT = ("nRF51822 QFAA", "nRF52833", "nRF52840", "STM32F746"), "none of these"


def _listed(values: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _smallest(files):
    sizes = [len(files[name]) for name in QUANTIZED]
    return int(np.argmin(sizes)), _listed({n: f"{s:,}" for n, s in zip(QUANTIZED, sizes, strict=True)}) + " bytes."


def _loss(answers, labels):
    shares = {name: float(np.mean(answer == labels)) for name, answer in answers.items()}
    lost = sum(share < shares["float32"] - 0.005 for share in shares.values())
    worst = max(shares["float32"] - share for share in shares.values())
    return (0, 1, 1)[lost] if lost < 3 else 2, f"{lost} of them. The largest loss is {worst:.1%}."


def _slowest(latency):
    """From ratios to float32: rows of `latency` in the order of the files, float32 first."""
    one, hundred = (dict(zip(QUANTIZED, latency[n][1:], strict=False)) for n in ("1 image", "100 images"))
    slowest = max(one, key=one.get)
    places = {"float16": 0, "dynamic": 1, "int16x8": 2, "int8": 3, "int8_per_tensor": 3}
    place = places[slowest] if one[slowest] > 1.2 else 4
    faster = [", ".join(name for name in times if times[name] < 0.8) or "none" for times in (one, hundred)]
    figures = _listed({name: f"{one[name]:.2f} and {hundred[name]:.2f}" for name in one})
    figures = f"Times ÷ float32's, one image and a hundred at once: {figures}."
    return place, f"{figures} Clearly faster with one: {faster[0]}; with a hundred: {faster[1]}."


def _loops(by_kernel):
    ratio = by_kernel["int8, reference"]
    return int(
        np.digitize(ratio, (0.8, 1.5))
    ), f"int8 by plain loops takes {ratio:.1f} times as long as float32 by XNNPACK."


def _small(micro):
    ratio = micro["int8", 1] / micro["float32", 1]
    return int(np.digitize(ratio, (0.35, 0.7))), f"It takes {ratio:.2f} of the time of float32."


def _pays(dynamic):
    """From {outputs: ratio to float32}."""
    few, many = dynamic[4][0] < 0.8, dynamic[512][0] < 0.8
    figures = f"{dynamic[4][0]:.2f} of float32's time with 4 outputs, {dynamic[512][0]:.2f} with 512."
    return (3 if not many else 0) if not few else (2 if many else 1), figures


def _multiplies(files):
    graph = tflite.read(files["float16"])
    operator = next(operator for operator in graph.operators if operator.name == "CONV_2D")
    kinds = [str(graph.tensors[i].dtype) for i in operator.inputs[:2]]
    unpacked = sum(operator.name == "DEQUANTIZE" for operator in graph.operators)
    place = ("float16", "float32").index(kinds[1])
    return place, f"{unpacked} operators convert weights first; CONV_2D gets {kinds[0]} and {kinds[1]}."


def _ram(files):
    graph = tflite.read(files["int8"])
    total, arena = sum(graph.tensors[i].nbytes for i in budget.lifetimes(graph)), budget.arena_bytes(graph)
    return int(np.digitize(-arena / total, (-0.9, -0.3))), f"{arena:,} of {total:,} bytes, {arena / total:.0%}."


def _most(files):
    arenas = {name: budget.arena_bytes(tflite.read(file)) for name, file in files.items()}
    most = max(arenas, key=arenas.get)
    listed = _listed({name: f"{arena:,}" for name, arena in arenas.items()})
    return list(files).index(most), f"At least, in bytes: {listed}."


def _share(graph):
    counts = [int(count) for count in budget.macs(graph) if count]
    share = counts[2] / sum(counts)
    return int(np.digitize(share, (0.3, 0.7))), f"{counts[2]:,} of {sum(counts):,} MACs, {share:.0%}."


def _dram(files):
    graph = tflite.read(files["int8"])
    arithmetic = budget.energy(graph)
    least, _ = budget.read_energy(budget.constant_bytes(graph), "DRAM")
    ratio = least / arithmetic
    figures = f"{arithmetic / 1e6:.2f} µJ of arithmetic, at least {least / 1e6:.0f} µJ of reading: {ratio:.0f} times."
    return int(np.digitize(ratio, (0.67, 1.5, 10))), figures


def _holds(files):
    size, arena = len(files["float32"]), budget.arena_bytes(tflite.read(files["float32"]))
    only = [name for name in ON if arena <= DEVICES[name].ram and size > DEVICES[name].flash]
    figures = f"The activations take {arena:,} bytes of RAM, the file {size:,} of flash."
    return (ON.index(only[0]) if only else len(ON)), figures


def _flash(source, size):
    ratio = source.count("0x") / size
    return int(np.digitize(ratio, (0.5, 3))), f"{len(source):,} characters stand for {source.count('0x'):,} bytes."


def _disagree(sure, doubtful):
    here, elsewhere = sure[doubtful].mean(), sure[~doubtful].mean()
    figures = f"float32's probability is {here:.2f} on average where they disagree, {elsewhere:.2f} elsewhere."
    return int(here < elsewhere - 0.03), figures


PREDICTIONS = {
    "5.smallest": Prediction(
        question="One network in six files. Which is the smallest?",
        options=QUANTIZED,
        truth=_smallest,
        most="Four of them differ by a few percent only. Dynamic sounds small, but it leaves the first layer in "
        "float32; and a scale for each channel takes bytes, too.",
    ),
    "5.loss": Prediction(
        question="How many of the five quantized files lose more than half a percent of accuracy?",
        options=("none", "one or two", "more than two"),
        truth=_loss,
        most="Fewer bits must cost something, one thinks. They cost what the task is sensitive to; 8 bits are plenty "
        "for this one.",
    ),
    "5.slowest": Prediction(
        question="One image at a time. Which file takes the longest, and is it slower than float32?",
        options=(
            "float16 is slower",
            "dynamic is slower",
            "int16x8 is slower",
            "an int8 file is slower",
            "none is slower: all are smaller",
        ),
        truth=_slowest,
        most="Smaller is taken for faster. What decides is whether somebody wrote fast code for the type.",
    ),
    "5.loops": Prediction(
        question="The int8 file by plain loops against the float32 file by XNNPACK. Which is faster?",
        options=("int8", "about the same", "float32"),
        truth=_loops,
        most="The type is what one looks at. The kernel matters more.",
    ),
    "5.small": Prediction(
        question="One dense layer with 16 inputs and 16 outputs, 256 multiplications. What does its int8 file gain?",
        options=("it is about four times as fast", "it is about twice as fast", "next to nothing"),
        truth=_small,
        most="A gain in multiplications is taken for a gain in time; here they are hardly any of it.",
    ),
    "5.dynamic": Prediction(
        question="Two dense layers with 4096 inputs, one with 4 outputs, the other with 512. For which of them is the "
        "dynamic file clearly faster than float32?",
        options=("only for 512 outputs", "only for 4 outputs", "for both", "for neither"),
        truth=_pays,
        most="The small layer looks as if it had less to do. But each of its quantized inputs is used only four times.",
    ),
    "5.float16": Prediction(
        question="The file has float16 weights. In which type does the processor multiply here?",
        options=("float16", "float32"),
        truth=_multiplies,
        most="A file's type is taken for the type of the arithmetic. It says how the weights are stored.",
    ),
    "5.ram": Prediction(
        question="Our int8 network computes one activation after the other. How much RAM do they need at least?",
        options=("the sum of all their bytes", "about two thirds of the sum", "about a tenth of the sum"),
        truth=_ram,
        most="Either one adds up all of them, or one takes one at a time. But an operator needs its input and its "
        "output together, and the largest pair counts.",
    ),
    "5.most": Prediction(
        question="Which of the six files needs the most RAM?",
        options=("float32", "float16", "dynamic", "int8", "int8_per_tensor", "int16x8"),
        truth=_most,
        most="float32 is what most people choose, since no other has larger activations. Read on for what else may lie "
        "in RAM.",
    ),
    "5.holds": Prediction(
        question="Which device holds the float32 activations, but not the float32 file?",
        options=(*ON, WITHOUT),
        truth=_holds,
        most="Devices with little flash have little RAM, too, so one expects that both are lacking together.",
    ),
    "5.macs": Prediction(
        question="dense1 holds nine tenths of the weights (lesson 04). What share of the MACs has it?",
        options=("below 10 %", "about half", "about 90 %"),
        truth=_share,
        most="Many weights are taken for much work. A dense layer uses each of its weights once, a convolution "
        "more than a hundred times.",
    ),
    "5.dram": Prediction(
        question="The int8 file, its weights in external DRAM. How does the energy to read them once compare with that "
        "of the arithmetic?",
        options=("smaller", "about equal", "a few times larger", "more than ten times larger"),
        truth=_dram,
        most="Multiplications are what one counts. A read of 64 bits from DRAM costs as much as thousands of them in "
        "int8.",
    ),
    "5.flash": Prediction(
        question="The C source is six times as long as the file. How much flash does its array take?",
        options=("less than the file", "as much as the file", "six times as much"),
        truth=_flash,
        most="The length of a source is not the length of what it says: 0xff is four characters and one byte.",
    ),
    "5.disagree": Prediction(
        question="On some test images the network with weights of 2 bits says something else than float32. How sure is "
        "float32 there?",
        options=("as sure as elsewhere: rounding may hit any image", "less sure than elsewhere"),
        truth=_disagree,
        most="Rounding errors look like chance. But the closer two digits are, the smaller the change that swaps them.",
    ),
}
