"""Wrong answers to the exercises of lesson 05, each with a piece of the sentence it must get."""

NEEDS = {
    "float32": (904_416, 108_160),
    "float16": (455_652, 1_007_016),
    "dynamic": (233_432, 108_160),
    "int8": (236_120, 27_040),
    "int8_per_tensor": (230_608, 27_040),
    "int16x8": (239_584, 54_080),
}
PICOJOULES = {"float32": 12.1e6, "float16": 12.1e6, "dynamic": 1.63e6, "int8": 0.79e6, "int8_per_tensor": 0.79e6}
COSTS = {name: (*NEEDS[name], pj) for name, pj in PICOJOULES.items()}
CONTEXT = {"5.3": lambda: {"needs": NEEDS}, "5.5": lambda: {"costs": COSTS}}
FIT = ["dynamic", "int8", "int8_per_tensor", "int16x8"]


def at_each_operator(lives, living):
    steps = range(1 + max(last for _, _, last in lives))
    return [sum(size for size, first, last in lives if living(first, i, last)) for i in steps]


def arena_dies_early(lives):
    return max(at_each_operator(lives, lambda first, i, last: first <= i < last))


def arena_counts(lives):
    return max(sum(first <= i <= last for _, first, last in lives) for i in range(20))


def arena_written(lives):
    return max(at_each_operator(lives, lambda first, i, last: first == i))


def arena_last(lives):
    return at_each_operator(lives, lambda first, i, last: first <= i <= last)[-1]


def arena_first(lives):
    return sum(size for size, first, _ in lives if first == 0)


def arena_greedy(lives):
    """The size of the greedy plan: the largest first, each at the lowest address that is free for its life."""
    placed = []
    for size, first, last in sorted(lives, key=lambda life: -life[0]):
        together = sorted((start, end) for start, end, f, t in placed if f <= last and first <= t)
        address = 0
        for start, end in together:
            if address + size <= start:
                break
            address = max(address, end)
        placed.append((address, address + size, first, last))
    return max(end for _, end, _, _ in placed)


def arena_two_largest(lives):
    return sum(sorted(size for size, _, _ in lives)[-2:])


def arena_sweep(lives):
    """Right: bytes that come and go."""
    change = {}
    for size, first, last in lives:
        change[first] = change.get(first, 0) + size
        change[last + 1] = change.get(last + 1, 0) - size
    now = most = 0
    for step in sorted(change):
        now += change[step]
        most = max(most, now)
    return most


def chooser(*, flash=0.8, ram=0.5, energy=True, order=("device", "file")):
    """A choice that may forget something."""

    def choose(costs, devices, limit):
        best = None
        for name, device in devices.items():
            for file, (size, arena, picojoules) in costs.items():
                if size > flash * device.flash or arena > ram * device.ram or (energy and picojoules > limit):
                    continue
                keys = {"device": device.ram, "file": size, "pj": picojoules, "flash": device.flash}
                key = [keys[what] for what in order]
                if best is None or key < best[0]:
                    best = key, file, name
        return best[1:]

    return choose


def choice_swapped(costs, devices, limit):
    return chooser()(costs, devices, limit)[::-1]


def choice_first(costs, devices, limit):
    for name, device in devices.items():
        for file, (size, arena, picojoules) in costs.items():
            if size <= 0.8 * device.flash and arena <= 0.5 * device.ram and picojoules <= limit:
                return file, name
    return None


def choice_pairs(costs, devices, limit):
    """Right, in another way: devices from small to large."""
    for name in sorted(devices, key=lambda name: devices[name].ram):
        chip = devices[name]
        good = {f: c for f, c in costs.items() if c[0] * 1.25 <= chip.flash and 2 * c[1] <= chip.ram and c[2] <= limit}
        if good:
            return [min(good, key=good.get), name]
    return None


INF = float("inf")
WRONG = {
    "5.1": {
        "the sum of all": (lambda lives: sum(size for size, _, _ in lives), "sum of all"),
        "the largest tensor": (lambda lives: max(lives)[0], "largest tensor alone"),
        "the last operator left out": (arena_dies_early, "one of them is left out"),
        "tensors, not bytes": (arena_counts, "add up their bytes"),
        "only what is written": (arena_written, "what was written before"),
        "the last operator": (arena_last, "at the last operator"),
        "the first operator": (arena_first, "at the first operator"),
        "the two largest": (arena_two_largest, "need not live together"),
        "the greedy plan": (arena_greedy, "for each operator add the bytes"),
    },
    "5.2": {
        "the bound": (300, "this is the bound"),
        "the sum": (600, "the sum of all"),
        "the second large one not at 0": (500, "may lie at 0, too"),
        "the largest tensor": (200, "largest tensor alone"),
        "too much": (700, "more than the sum"),
        "too little": (100, "less than what lives"),
        "between": (350, "lowest address"),
    },
    "5.3": {
        "a string": ("int8", "a list of names"),
        "unknown names": (["int8", "int4", "int2"], "no file int4, int2"),
        "all": (list(NEEDS), "float32 does not fit"),
        "float16, because it is small": ([*FIT, "float16"], "float16 does not fit"),
        "without dynamic": (["int8", "int8_per_tensor", "int16x8"], "dynamic fits"),
        "without int16x8": (["dynamic", "int8", "int8_per_tensor"], "int16x8 fits"),
        "without int8": (["dynamic", "int8_per_tensor", "int16x8"], "int8 fits"),
        "without int8_per_tensor": (["dynamic", "int8", "int16x8"], "int8_per_tensor fits"),
        "none": ([], "some of them fit"),
    },
    "5.4": {
        "multiplications alone": (1000, "also added"),
        "additions alone": (500.0, "has to be made first"),
        "an int8 sum": (5000 * 0.23, "would overflow"),
        "float32": (5000 * 4.6, "of float32"),
        "int32 throughout": (5000 * 3.2, "counted in int32"),
        "microjoules": (0.0015, "microjoules"),
        "nanojoules": (1.5, "nanojoules"),
        "MACs": (5000, "these are the MACs"),
        "inputs plus outputs": (45.0, "added up"),
        "one output": (30.0, "one output's share"),
        "one product per output": (15.0, "one with every input"),
        "anything": (1700, "MACs × "),
    },
    "5.5": {
        "fills the flash": (chooser(flash=1), "more than 80 %"),
        "fills the RAM": (chooser(ram=1), "more than half"),
        "forgets the flash": (chooser(flash=INF), "larger than the flash"),
        "forgets the energy": (chooser(energy=False), "more energy"),
        "the first device that fits": (choice_first, "another device has less RAM"),
        "the least energy first": (chooser(order=("device", "pj")), "a smaller file"),
        "the smallest file first": (chooser(order=("file", "device")), "the smallest file first"),
        "forgets the RAM": (chooser(ram=INF), "larger than the RAM"),
        "device and file": (choice_swapped, "in this order"),
        "the file alone": (lambda *args: chooser()(*args)[0], "two names"),
    },
}

RIGHT = {
    "5.1": [arena_sweep, lambda lives: max(at_each_operator(lives, lambda first, i, last: first <= i <= last))],
    "5.2": [400.0],
    "5.3": [set(FIT), tuple(FIT[::-1]), FIT],
    "5.4": [1500, 1500.0, 5000 * 0.3],
    "5.5": [chooser(), choice_pairs],
}
