"""Exercises of lesson 05, applications: tasks, hints and solutions. The checks are in `qlib.exercises.checks05`."""

from __future__ import annotations

from qlib.budget import DEVICES
from qlib.exercises import checks05 as checks
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions05 import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_arena(lives):
    operators = range(max(last for _, _, last in lives) + 1)
    return max(sum(size for size, first, last in lives if first <= i <= last) for i in operators)


def my_plan():
    large, small = 200, 100  # the large ones at 0, one after the other; the small ones behind them
    return large + small + small


def my_files(needs):
    chip = DEVICES["nRF52833"]
    return [name for name, (flash, ram) in needs.items() if flash <= chip.flash and ram <= chip.ram]


def my_energy():
    return 100 * 50 * (0.2 + 0.1)


def my_choice(costs, devices, limit):
    pairs = []
    for file, (flash, ram, picojoules) in costs.items():
        for name, chip in devices.items():
            if flash <= 0.8 * chip.flash and ram <= 0.5 * chip.ram and picojoules <= limit:
                pairs.append((chip.ram, flash, file, name))
    _, _, file, name = min(pairs)
    return file, name


EXERCISES = {
    "5.1": Exercise(
        task="The lower bound of the arena: the most bytes that live at one operator.",
        check=checks.arena,
        right="no plan can do with less, so this one number says at once where a network can never fit.",
        hints=(
            "Take one operator. Which tensors live there? Add up their bytes.",
            "A tensor lives at operator i if first <= i <= last. The arena is the largest of the sums.",
            "`max(sum(size for size, first, last in lives if first <= i <= last) for i in operators)`",
        ),
        solution=my_arena,
    ),
    "5.2": Exercise(
        task="Bytes of the greedy plan for a chain of 200, 100, 100 and 200 bytes.",
        check=checks.plan,
        right="the bound is 300: large first wastes 100 bytes here, and finding the best plan is a hard problem.",
        hints=(
            "Which tensors live together? Only neighbours in the chain.",
            "Both large ones go to 0, for they never meet. Where is the lowest free place for the first small one?",
            "The small ones meet each other, and each meets a large one: 200 to 300, and 300 to 400.",
        ),
        solution=my_plan,
        kind="value",
    ),
    "5.3": Exercise(
        task="Which of the six files fit into the nRF52833?",
        check=checks.files,
        right="the file decides about flash, the activations about RAM; either may be what is lacking.",
        hints=(
            "Compare two numbers of each file with two of the device.",
            "The device has 524,288 bytes of flash and 131,072 of RAM; `needs` has both numbers of each file.",
            "Two files do not fit: one is too large for the flash, the other unpacks its weights into RAM.",
        ),
        solution=my_files,
        kind="value",
    ),
    "5.4": Exercise(
        task="The energy of the arithmetic of a dense layer, 100 to 50, in int8.",
        check=checks.energy,
        right="in float32 it would be 23,000 pJ, about fifteen times as much.",
        hints=(
            "How many products does a dense layer need? And how many additions?",
            "100 × 50 MACs. The product is one of int8; the sum has to hold many products.",
            "5,000 times (0.2 pJ + 0.1 pJ).",
        ),
        solution=my_energy,
        kind="value",
    ),
    "5.5": Exercise(
        task="Choose a file and a device that keep to the limits of flash, RAM and energy.",
        check=checks.choice,
        right="with the lesson's files and 2 µJ it says int8_per_tensor on the nRF52833.",
        hints=(
            "First write down when a pair fits: three comparisons.",
            "Go through all pairs, keep those that fit, and take the one with the least RAM, then the least flash.",
            "`min` of tuples compares the first entries, then the second: (device RAM, file size, file, device).",
        ),
        solution=my_choice,
    ),
}
