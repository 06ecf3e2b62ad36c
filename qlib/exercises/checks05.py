"""Checks of the exercises of lesson 05, applications, in the order in which they stand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from qlib.budget import DEVICES
from qlib.exercises.asking import Wrong, ask, compare, number, shown

HAND = [(100, 0, 2), (400, 0, 1), (100, 1, 2), (100, 2, 2)]  # a, b, c, d of the lesson
CHAIN = [(200, 0, 0), (100, 0, 1), (120, 1, 2), (210, 2, 2)]  # the bound is 330, the greedy plan takes 430


def arena(answer, rng) -> None:
    """The check of 5.1."""
    small = [[(5, 0, 0)], [(5, 0, 0), (7, 1, 1)], [(5, 0, 0), (7, 0, 1)], [(5, 0, 2), (7, 1, 1)], HAND, CHAIN]
    some = []
    for n in (5, 9, 14):
        first = rng.integers(0, n, n)
        last = np.minimum(first + rng.integers(0, 4, n), n - 1)
        sizes = rng.integers(1, 1000, n)
        some.append([(int(b), int(f), int(t)) for b, f, t in zip(sizes, first, last, strict=True)])
    compare(
        answer,
        lambda lives: max(_live(lives)),
        [(lives,) for lives in (*small, *some)],
        {
            "this is the sum of all: a tensor that nobody reads any more makes room for another.": (
                lambda lives: sum(b for b, _, _ in lives)
            ),
            "this is the largest tensor alone; what lives at the same operator adds up.": (
                lambda lives: max(b for b, _, _ in lives)
            ),
            "a tensor lives from `first` to `last`, with both ends: one of them is left out.": (
                lambda lives: max(_live([(b, f, t - 1) for b, f, t in lives]))
            ),
            "the two largest need not live together, and a third may live beside them.": (
                lambda lives: sum(sorted(b for b, _, _ in lives)[-2:])
            ),
            "you count the tensors that live; add up their bytes.": lambda lives: max(
                _live([(1, f, t) for _, f, t in lives])
            ),
            "this is what is written at one operator; what was written before may live on.": lambda lives: max(
                _live([(b, f, f) for b, f, _ in lives])
            ),
            "this is what is read for the last time at one operator; longer lives count there, too.": (
                lambda lives: max(_live([(b, t, t) for b, _, t in lives]))
            ),
            "this is what lives at the last operator; the arena has to hold the operator that needs most.": (
                lambda lives: _live(lives)[-1]
            ),
            "this is what lives at the first operator; the arena has to hold the operator that needs most.": (
                lambda lives: _live(lives)[0]
            ),
            "this is the mean; the arena has to hold the operator that needs most.": (
                lambda lives: float(np.mean(_live(lives)))
            ),
        },
        otherwise="for each operator add the bytes of what lives there; the arena is the largest of these sums.",
    )


def _live(lives) -> list[int]:
    """Bytes that live at each operator."""
    operators = range(max(max(first, last) for _, first, last in lives) + 1)
    return [sum(b for b, first, last in lives if first <= i <= last) for i in operators]


def plan(answer, rng) -> None:
    """The check of 5.2."""
    wrong = {
        300: "this is the bound; greedy puts both large tensors at 0, because they never live together, and so the "
        "small ones between them must lie behind.",
        600: "this is the sum of all: the last tensor may take the place of the first, which is dead by then.",
        500: "the second of the large tensors may lie at 0, too, for the first is dead when it is written.",
        200: "this is the largest tensor alone; the two small ones live together with one of the large ones.",
    }
    got = number(answer)
    if got in wrong:
        raise Wrong(wrong[got], got=answer)
    if got > 600:
        raise Wrong("more than the sum of all four: 600 bytes.", got=answer)
    if got < 300:
        raise Wrong("less than what lives at one operator: 200 + 100 bytes.", got=answer)
    if got != 400:
        raise Wrong("the largest first, each at the lowest address that is free for its whole life.", got=answer)


def files(answer, rng, needs) -> None:
    """The check of 5.3."""
    device = DEVICES["nRF52833"]
    names = [str(name) for name in answer] if isinstance(answer, (list, tuple, set)) else None
    if isinstance(answer, str):
        raise Wrong('a list of names is wanted, also if there is only one: ["int8"].', got=answer)
    if names is None:
        raise Wrong('a list of names is wanted, as in ["float32", "int8"].', got=answer)
    if unknown := [name for name in names if name not in needs]:
        raise Wrong(f"there is no file {', '.join(unknown)}; there are {', '.join(needs)}.", got=answer)
    if not names:
        raise Wrong("some of them fit: 512 KB of flash are 524,288 bytes, 128 KB of RAM are 131,072.", got=answer)
    fit = {name for name, (flash, ram) in needs.items() if flash <= device.flash and ram <= device.ram}
    for name in needs:  # in the order of the table
        if (name in names) != (name in fit):
            flash, ram = needs[name]
            given = f"{name}: {flash:,} bytes of flash, {ram:,} bytes of RAM"
            expected = f"at most {device.flash:,} and {device.ram:,}"
            raise Wrong(
                WHY.get(name, "compare its bytes with flash, and its arena with RAM."),
                given=given,
                expected=expected,
                got=answer,
            )


WHY = {
    "float32": "float32 does not fit: the activations would, but the file is larger than the flash.",
    "float16": "float16 does not fit: the file would, but it unpacks its weights into RAM.",
    "dynamic": "dynamic fits: its activations are float32, but 108,160 bytes are less than 131,072.",
    "int8": "int8 fits: it needs less than half of the flash, and a quarter of the RAM.",
    "int8_per_tensor": "int8_per_tensor fits: it is smaller than the int8 file, and its activations are as large.",
    "int16x8": "int16x8 fits: its activations take twice the RAM of int8's, and that is still below half of 128 KB.",
}


def energy(answer, rng) -> None:
    """The check of 5.4."""
    wrong = {
        5000: "these are the MACs; each costs a multiplication and an addition, in picojoules.",
        1000: "these are the multiplications; each product is also added to a sum.",
        500: "these are the additions; each product has to be made first.",
        1150: "the additions are counted in int8, which would overflow: products of int8 are added in int32.",
        23_000: "these are the energies of float32; the layer computes in int8.",
        16_000: "both are counted in int32; the multiplication is one of int8, only the sum needs int32.",
        0.0015: "this is in microjoules; picojoules were asked for, the unit of the table.",
        1.5: "this is in nanojoules; picojoules were asked for, the unit of the table.",
        45: "inputs and outputs are added up; each output needs a product with every input, 100 × 50 of them.",
        30: "this is one output's share; there are 50 of them.",
        15: "one product for each output; each needs one with every input.",
        0.3: "this is one MAC; how many are there?",
    }
    got = number(answer)
    for value, sentence in wrong.items():
        if np.isclose(got, value, rtol=1e-6):
            raise Wrong(sentence, got=answer)
    if not np.isclose(got, 1500, rtol=1e-6):
        raise Wrong("MACs × (a multiplication in int8 + an addition in int32).", got=answer)


# ------------------------------------------------------------------ the design task


def choice(answer, rng, costs) -> None:
    """The check of 5.5."""
    for files_, chips, limit in _choices(rng, costs):
        got, expected = ask(answer, files_, chips, limit), choose(files_, chips, limit)
        given = f"costs = {files_}, devices = {_short(chips)}, limit = {limit:g}"
        pair = isinstance(got, (tuple, list)) and len(got) == 2 and all(isinstance(part, str) for part in got)
        if not pair:
            raise Wrong("two names are wanted: file, device.", given=given, expected=expected, got=got)
        if tuple(got) != expected:
            raise Wrong(_reason(*got, files_, chips, limit), given=given, expected=expected, got=got)


def fits(cost, device, limit) -> bool:
    flash, ram, picojoules = cost
    return flash <= 0.8 * device.flash and ram <= 0.5 * device.ram and picojoules <= limit


def choose(costs, devices, limit):
    """The pair that fits, on the device with the least RAM; of its files the smallest."""
    pairs = [(file, name) for file in costs for name in devices if fits(costs[file], devices[name], limit)]
    return min(pairs, key=lambda pair: (devices[pair[1]].ram, costs[pair[0]][0]))


def _reason(file, name, costs, devices, limit) -> str:
    if file not in costs and name not in devices:
        return "the names are those of a file and of a device, in this order."
    if file not in costs:
        return f"there is no file {file!r} in `costs`."
    if name not in devices:
        return f"there is no device {name!r} in `devices`."
    (flash, ram, picojoules), device = costs[file], devices[name]
    if flash > device.flash:
        return "the file is larger than the flash of this device."
    if ram > device.ram:
        return "the arena is larger than the RAM of this device."
    if flash > 0.8 * device.flash:
        return "the file fills more than 80 % of the flash, and leaves too little for the program."
    if ram > 0.5 * device.ram:
        return "the arena fills more than half of the RAM, and leaves too little for the rest."
    if picojoules > limit:
        return "the arithmetic of this file takes more energy than the limit allows."
    best = choose(costs, devices, limit)
    if device.ram > devices[best[1]].ram and flash < costs[best[0]][0]:
        return "you look for the smallest file first; the device with the least RAM comes first, then its files."
    if device.ram > devices[best[1]].ram:
        return "it fits, but another device has less RAM, and something fits there, too."
    return "the right device; but a smaller file fits there, too."


def _choices(rng, costs):
    """Small cases, each with one trap; then the lesson's files and devices; then any."""
    mid, big, tiny = _chip(1000, 200), _chip(5000, 900), _chip(900, 20)
    one = {"a": (700, 80, 5.0)}
    yield one, {"mid": mid}, 9.0
    yield one, {"big": big, "mid": mid}, 9.0
    yield one, {"tiny": tiny, "mid": mid}, 9.0
    yield {"a": (1200, 80, 5.0)}, {"mid": mid, "big": big}, 9.0
    yield {"a": (850, 80, 5.0)}, {"mid": mid, "big": big}, 9.0
    yield {"a": (700, 150, 5.0)}, {"mid": mid, "big": big}, 9.0
    yield {"a": (600, 80, 12.0), "b": (700, 80, 5.0)}, {"mid": mid}, 9.0
    yield {"a": (700, 80, 5.0), "b": (600, 80, 6.0)}, {"mid": mid}, 9.0
    yield {"a": (100, 150, 5.0), "b": (700, 80, 5.0)}, {"big": big, "mid": mid}, 9.0
    yield {"a": (800, 100, 9.0), "b": (801, 10, 1.0)}, {"mid": mid, "big": big}, 9.0
    yield costs, DEVICES, 2e6
    for _ in range(4):
        flash, ram = rng.choice(900, 6, replace=False) + 50, rng.choice(600, 6, replace=False) + 20
        some = {f"file {i}": (int(flash[i]), int(rng.integers(10, 200)), 1.0 + i) for i in range(6)}
        chips = {f"chip {i}": _chip(int(rng.integers(200, 1500)), int(ram[i])) for i in range(6)}
        yield some | {"small": (40, 8, 2.0)}, chips, 4.5  # so that something fits


def _chip(flash, ram):
    return SimpleNamespace(flash=flash, ram=ram)


def _short(chips) -> str:
    return shown("{" + ", ".join(f"{name}: flash {c.flash}, ram {c.ram}" for name, c in chips.items()) + "}")
