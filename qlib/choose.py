"""Which technique to try first: from a device, a budget, the data and the time to train, to steps with their reasons.

The rules are one table, `TECHNIQUES`, in the order of the work they make. What each saves and costs is no opinion: it
is a row of `data/results`, measured in the lesson that the table names. Rows of other networks would differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from numbers import Real

from qlib.arguments import check_count
from qlib.results import Summary, read, read_latency, summary

DEVICES = ("phone", "microcontroller", "server", "browser")
DATA = ("none", "images without labels", "labelled training set")  # each holds what stands before it
EVERYWHERE = DEVICES
UNPACKED = ("phone", "server", "browser")  # there is memory to unpack a file into
REFERENCE = ("05", "float32")  # the shipped network
WORTH_BYTES, WORTH_POINTS = 0.1, 0.003  # a further step saves a tenth, or gains what 10,000 images can show


@dataclass(frozen=True)
class Technique:
    """One way to make the network smaller.

    lesson, method : the row of `data/results` that says what it saves and costs.
    where : the lesson and section that explain it. why : the reason to take it, a sentence.
    data : the least it needs, one of DATA. training : whether it trains.
    devices : where its file can be used, or is worth something.
    """

    name: str
    lesson: str
    method: str
    where: str
    data: str
    training: bool
    devices: tuple[str, ...]
    why: str


NONE, IMAGES, LABELS = DATA
NAMED = {NONE: NONE, IMAGES: IMAGES, LABELS: f"a {LABELS}"}  # in a sentence
TECHNIQUES = (  # by the work they make, the least first
    Technique("leave it in float32", "05", "float32", "lesson 05, section 1", NONE, False, EVERYWHERE,
              "It fits as it is. int8 may still be faster: measure on the device."),
    Technique("float16", "05", "float16", "lesson 05, section 2", NONE, False, UNPACKED,
              "Half of the bytes, without a loss. Most processors compute in float32 all the same."),
    Technique("int8 weights (torchao)", "06b", "torchao weight-only", "lesson 06b, section 2", NONE, False, ("server",),
              "Weights are known, so their ranges need no data; activations stay float32."),
    Technique("int8, dynamic (LiteRT)", "05", "dynamic", "lesson 05, section 2", NONE, False, ("phone", "browser"),
              "Weights are int8; the ranges of the activations are found while it runs, so no data are needed."),
    Technique("int8, calibrated (ONNX Runtime)", "06b", "ONNX Runtime static, per-channel", "lesson 06b, section 4",
              IMAGES, False, ("server",), "Some images give the ranges of the activations. No label is needed."),
    Technique("int8, calibrated (LiteRT)", "05", "int8", "lesson 05, section 1", IMAGES, False,
              ("phone", "microcontroller", "browser"),
              "Some images give the ranges of the activations. No label is needed, and there are fast kernels."),
    Technique("4 bits, packed", "04", "4 bits, mse, per-channel", "lesson 04, section 6", NONE, False, UNPACKED,
              "Weights alone in 4 bits, with a good range for each channel. Unpacked at the start."),
    Technique("3 bits, packed", "04", "3 bits, mse, per-channel", "lesson 04, section 6", NONE, False, UNPACKED,
              "One bit less; the loss begins to show. Unpacked at the start."),
    Technique("2 bits, packed", "04", "2 bits, mse, per-channel", "lesson 04, section 6", NONE, False, UNPACKED,
              "The fewest bits that need no training. The range decides everything. Unpacked at the start."),
    Technique("half the filters, at once", "06c", "half the filters", "lesson 06c, section 5", NONE, False, EVERYWHERE,
              "A smaller, ordinary network, without data. It loses points, since nothing is trained afterwards."),
    Technique("train further, then int8", "06a", "control, 1 stage", "lesson 06a, section 8", LABELS, True,
              ("phone", "microcontroller", "browser"),
              "The shipped network was not at its best; at 8 bits it need not know the codes while it trains."),
    Technique("train with the codes in mind", "06a", "QAT", "lesson 06a, section 4", LABELS, True,
              ("phone", "microcontroller", "browser"), "Worth its work where calibrated int8 loses too much."),
    Technique("half the filters, trained again", "06c", "half the filters, fine-tuned", "lesson 06c, section 5",
              LABELS, True, EVERYWHERE, "A smaller network of floats is faster, too, and needs no special kernel."),
    Technique("prune gradually, gzip", "06c", "gradual 90%", "lesson 06c, section 4", LABELS, True, ("browser",),
              "Training wins back what zeros cost, and zeros compress well on the way to a browser."),
    Technique("shared values, int8, gzip", "06a", "clustered, 16", "lesson 06a, section 3", LABELS, True, ("browser",),
              "Sixteen values for each tensor compress well."),
    Technique("prune, share, train for int8, gzip", "06a", "PCQAT", "lesson 06a, section 7", LABELS, True, ("browser",),
              "All three together compress best of the LiteRT files of the whole network."),
    Technique("trained for 2 bits, packed", "04", "QAT, 2 bits, mse, per-channel", "lesson 04, section 13", LABELS,
              True, UNPACKED, "Here training with the codes in mind pays: it wins back what 2 bits cost."),
    Technique("a student, taught without labels", "06d", "no labels: teacher, T = 4", "lesson 06d, section 5", IMAGES,
              True, EVERYWHERE, "The large network says what the labels would say."),
    Technique("a student, trained anew", "06d", "60,000 labels: hard", "lesson 06d, section 4", LABELS, True,
              EVERYWHERE, "A network of the right size; with all labels a teacher did not help."),
    Technique("a student in int8", "06d", "60,000 labels: teacher, T = 1, int8", "lesson 06d, section 7", LABELS, True,
              EVERYWHERE, "A small network, then int8: both save, but so small a network need not be faster in int8."),
    Technique("Deep Compression", "06", "as in the paper: P+Q+H", "lesson 06, section 2", LABELS, True, UNPACKED,
              "Zeros, shared values and Huffman's code. Unpacked at the start, it is a float32 network again."),
    Technique("Deep Compression, further", "06", "further: P+Q+H", "lesson 06, section 2", LABELS, True, UNPACKED,
              "Fewer bytes still, for a little accuracy. Unpacked at the start, too."),
    Technique("a tiny network in 3 bits", "06-tiny", "tiny, 3 bits", "lesson 06, section 3", LABELS, True, EVERYWHERE,
              "The fewest bytes: a network of another form, trained for its codes. You write what reads it."),
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A technique, and what was measured of it: bytes on the device, accuracy (0 to 1), time ÷ that of float32."""

    technique: Technique
    bytes: int
    accuracy: float
    time: float | None

    @property
    def reason(self) -> str:
        """Why, with the measured figures and the lesson."""
        time = "" if self.time is None else f", {self.time:.2f} of float32's time in its engine"
        figures = f"{self.bytes:,} bytes, {self.accuracy:.2%} right{time}"
        return f"{self.technique.why} {figures} ({self.technique.where})."


@dataclass(frozen=True)
class Recommendation:
    """What to try, in this order: the least work first, then what is smaller still. And why the others are out.

    steps : each meets all that was asked for; empty if nothing does. Each further one pays for its work (`_worth`).
    ruled_out : name of a technique → what it fails, in words.
    instead : if there is no step, what would have to give way, in words; each item alone suffices.
    """

    steps: tuple[Step, ...]
    ruled_out: dict[str, str]
    instead: tuple[str, ...]


def _rows() -> dict[str, Summary]:
    tables = {lesson: summary(read(lesson)) for lesson in {t.lesson for t in TECHNIQUES}}
    return {t.name: tables[t.lesson][t.method] for t in TECHNIQUES}


@cache
def measured() -> dict[str, Step]:
    """What was measured of each technique, by name; the bytes are those of the file."""
    times, rows, found = read_latency(), _rows(), {}
    for t in TECHNIQUES:
        row, of_lesson = rows[t.name], times.get(t.lesson.partition("-")[0], {})  # "06-tiny" is of lesson 06
        found[t.name] = Step(t, round(row.bytes), row.accuracy, of_lesson.get(t.method))
    return found


@cache
def measured_on(device: str) -> dict[str, Step]:
    """As `measured`, of the techniques for a device. To a browser a file travels compressed: bytes after gzip.

    >>> measured_on("browser")["prune gradually, gzip"].bytes < measured()["prune gradually, gzip"].bytes
    True
    """
    _check("device", device, DEVICES)
    steps = {name: step for name, step in measured().items() if device in step.technique.devices}
    if device != "browser":
        return steps
    rows = _rows()
    return {name: replace(step, bytes=round(rows[name].gzip)) for name, step in steps.items()}


def recommend(*, device: str, budget: int, data: str, training: bool, max_loss: float) -> Recommendation:
    """Which technique to try first for this network, and what next.

    Parameters
    ----------
    device : one of DEVICES
        For a browser the bytes count after gzip, as it downloads them.
    budget : int
        Bytes that the file may have.
    data : one of DATA
    training : bool
        Whether there is time, and a machine, to train.
    max_loss : float
        How much of the float32 network's accuracy may be lost, 0 to 1: 0.005 is half a point.

    Raises
    ------
    ValueError
        If one of them is no such thing.

    Examples
    --------
    >>> have = dict(data="images without labels", training=False)
    >>> found = recommend(device="microcontroller", budget=262_144, max_loss=0.005, **have)
    >>> [step.technique.name for step in found.steps]
    ['int8, calibrated (LiteRT)']
    """
    _check("device", device, DEVICES)
    _check("data", data, DATA)
    check_count("budget", budget)
    if not isinstance(training, bool):
        raise ValueError(f"training: expected True or False, got {training!r}")
    if not isinstance(max_loss, Real) or isinstance(max_loss, bool) or not 0 <= max_loss <= 1:
        raise ValueError(f"max_loss: expected a share from 0 to 1, got {max_loss!r}")
    needs = dict(budget=budget, data=data, training=training, max_loss=max_loss)
    on_device = measured_on(device)
    ruled_out = {t.name: f"not for a {device}" for t in TECHNIQUES if t.name not in on_device}
    ruled_out |= {name: fails[0] for name, step in on_device.items() if (fails := _fails(step, **needs))}
    steps: list[Step] = []
    for name, step in on_device.items():
        if name not in ruled_out and (not steps or _worth(step, steps[-1])):
            steps.append(step)
    return Recommendation(tuple(steps), ruled_out, () if steps else _instead(on_device, needs))


def _worth(step: Step, before: Step) -> bool:
    """Whether a step pays for its work: smaller by a tenth, or smaller and more accurate by 0.3 points."""
    gains = step.accuracy >= before.accuracy + WORTH_POINTS
    return step.bytes <= (1 - WORTH_BYTES) * before.bytes or (gains and step.bytes < before.bytes)


def _fails(step: Step, *, budget: int, data: str, training: bool, max_loss: float) -> list[str]:
    """What a technique fails of what was asked for, in words."""
    technique, loss = step.technique, measured()[TECHNIQUES[0].name].accuracy - step.accuracy
    found = []
    if DATA.index(technique.data) > DATA.index(data):
        found.append(f"needs {NAMED[technique.data]}")
    if technique.training and not training:
        found.append("needs training")
    if step.bytes > budget:
        found.append(f"{step.bytes:,} bytes are over the budget")
    if loss > max_loss + 1e-12:
        found.append(f"loses {100 * loss:.2f} points")
    return found


def _instead(on_device: dict[str, Step], needs: dict) -> tuple[str, ...]:
    """The single changes that would let something fit; a large enough budget always does."""
    reference, found = measured()[TECHNIQUES[0].name].accuracy, []

    def fits(**change) -> list[Step]:
        return [step for step in on_device.values() if not _fails(step, **(needs | change))]

    larger = fits(budget=10**12)  # float32 at least: it loses nothing and needs nothing
    size = min(step.bytes for step in larger)  # of those about as small, the one of the least work
    least = next(step for step in larger if (1 - WORTH_BYTES) * step.bytes <= size)
    found.append(f"a budget of {least.bytes:,} bytes ({least.technique.name})")
    if worse := fits(max_loss=1.0):
        best = max(worse, key=lambda step: step.accuracy)
        found.append(f"a loss of {100 * (reference - best.accuracy):.2f} points ({best.technique.name})")
    if trained := fits(training=True):
        found.append(f"time to train ({trained[0].technique.name})")
    for more in DATA[DATA.index(needs["data"]) + 1 :]:
        if able := fits(data=more):
            found.append(f"{NAMED[more]} ({able[0].technique.name})")
            break
    return tuple(found)


def _check(name: str, value: str, among: tuple[str, ...]) -> None:
    if value not in among:
        raise ValueError(f"{name}: expected one of {list(among)}, got {value!r}")
