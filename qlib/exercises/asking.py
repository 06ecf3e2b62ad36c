"""Tools for writing checks: ask an answer safely, compare it with the right one, and name the misconception."""

from __future__ import annotations

import copy
import ctypes
import inspect
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence

import numpy as np

NOTHING = object()  # None is something that an answer can be
LONGEST = 300  # characters of one value
SECONDS = 5.0  # for one call; what the exercises ask for takes milliseconds


class Wrong(Exception):  # noqa: N818 - not an error of the program
    """One sentence that names the misconception, and the smallest input that shows it: given, expected and got."""

    def __init__(self, sentence: str, *, given: str = "", expected: object = NOTHING, got: object = NOTHING) -> None:
        super().__init__(sentence)
        rows = {"given": given, "expected": shown(expected), "got": shown(got)}
        self.rows = {name: row for name, row in rows.items() if row}


class NotAttempted(Exception):  # noqa: N818
    """The stub still holds its `...`."""


def ask(answer: Callable, *args: object) -> object:
    """`answer(*args)` of a copy of the arguments; `Wrong` if it raises, loops, returns None or writes to them."""
    if not callable(answer):
        raise Wrong("a function is wanted: keep the `def` line and fill in its body.", got=answer)
    given, returned, raised = copy.deepcopy(args), [], []

    def run() -> None:
        try:
            with np.errstate(all="ignore"):
                returned.append(answer(*given))
        except BaseException as error:  # whatever it is, the student shall read it as a sentence
            raised.append(error)

    thread = threading.Thread(target=run, name="qlib-answer", daemon=True)
    thread.start()
    inputs = shown_inputs(answer, args)
    try:
        thread.join(SECONDS)
        loops = thread.is_alive()
    finally:  # also when the kernel is interrupted meanwhile
        _stop(thread)
    if loops:
        raise Wrong(f"there was no answer after {SECONDS:g} seconds. Does every loop end?", given=inputs)
    if raised:
        raise Wrong(
            f"your function raised {type(raised[0]).__name__}: {raised[0]}".rstrip(": "),
            given=inputs,
            got=_line(raised[0]),
        )
    if untouched(returned[0]):
        raise NotAttempted
    if returned[0] is None:
        raise Wrong(
            "your function returns None. Is a `return` missing, or is there a way to the end without one?", given=inputs
        )
    if not all(map(_unchanged, args, given)):
        raise Wrong("your function changes its input, and the caller would lose it. Work on a copy.", given=inputs)
    return returned[0]


def compare(
    answer: Callable,
    right: Callable,
    cases: Iterable[Sequence],
    misconceptions: dict[str, Callable] | None = None,
    *,
    otherwise: str = "the result is another one.",
    rtol: float = 1e-5,
) -> None:
    """Ask for each case, and compare with `right`.

    Order the cases from small to large: the first that differs is shown, cut down to the shortest piece that still
    differs. It is explained by the sentence in `misconceptions` whose function gives what the answer gave, there and in
    the most cases; or by `otherwise`.
    """
    cases = list(cases)
    for place, args in enumerate(cases):
        try:
            got, expected = ask(answer, *args), right(*args)
        except NotAttempted:
            if place == 0:
                raise
            raise Wrong("here your function still returns `...`.", given=shown_inputs(answer, args)) from None
        same_form(got, expected, shown_inputs(answer, args))
        if not same(got, expected, rtol):
            args = _smallest(args, lambda *part: not same(ask(answer, *part), right(*part), rtol))
            got, expected = ask(answer, *args), right(*args)
            sentence = _named(answer, got, args, cases, misconceptions or {}, rtol) or otherwise
            raise Wrong(sentence, given=shown_inputs(answer, args), expected=expected, got=got)


def same(got: object, expected: object, rtol: float = 1e-5) -> bool:
    """Equal integers, or reals that agree within `rtol`; element by element of a tuple."""
    if isinstance(expected, tuple):
        return len(got) == len(expected) and all(same(g, e, rtol) for g, e in zip(got, expected, strict=True))
    got = _array(got)
    if got.shape != np.shape(expected):
        return False
    if np.asarray(expected).dtype.kind in "iub":
        return bool(np.array_equal(got, expected))
    return bool(np.allclose(got, expected, rtol=rtol, atol=1e-12))


def same_form(got: object, expected: object, given: str = "") -> None:
    """`Wrong` if `got` has another length, shape or kind of number than `expected`, before any value is looked at."""
    if isinstance(expected, tuple):
        if not isinstance(got, (tuple, list)) or len(got) != len(expected):
            raise Wrong(f"{len(expected)} values are wanted, in a tuple.", given=given, expected=expected, got=got)
        for part, wanted in zip(got, expected, strict=True):
            same_form(part, wanted, given)
        return
    got_array, wanted = _array(got), np.asarray(expected)
    if got_array.dtype.kind not in ("b" if wanted.dtype.kind == "b" else "iuf"):
        kind = "truth value" if wanted.dtype.kind == "b" else "number"
        raise Wrong(f"a {kind} is wanted, {_not(got)}.", given=given, expected=expected, got=_quoted(got))
    if got_array.shape != wanted.shape:
        shapes = f"the shape {wanted.shape} is wanted, not {got_array.shape}: one result for each input?"
        shapes = shapes if wanted.shape else f"one number is wanted, {_not(got)}."
        raise Wrong(shapes, given=given, expected=expected, got=got)
    if isinstance(expected, np.ndarray) and wanted.dtype.kind in "iu" and got_array.dtype != wanted.dtype:
        types = f"the type {wanted.dtype} is wanted, not {got_array.dtype}."
        raise Wrong(types, given=given, expected=expected, got=np.asarray(got))
    if wanted.dtype.kind in "iu" and got_array.dtype.kind not in "iu":
        raise Wrong(f"an integer is wanted, {_not(got)}.", given=given, expected=expected, got=got)


def _array(got: object) -> np.ndarray:
    """As an array of numbers, also where they come from `ml_dtypes`."""
    array = np.asarray(got)
    try:
        return array.astype(np.float64) if array.dtype.kind == "V" else array
    except (TypeError, ValueError):
        return array


def number(answer: object, *, integer: bool = False) -> float | int:
    """A value answer as a number, or `Wrong`."""
    value = np.asarray(answer)
    if value.shape != () or value.dtype.kind not in "iuf" or not np.isfinite(value):
        raise Wrong(f"one number is wanted, {_not(answer)}.", got=_quoted(answer))
    if integer and value != np.rint(value):
        raise Wrong("a whole number is wanted.", got=answer)
    return int(value) if integer else float(value)


def _stop(thread: threading.Thread) -> None:
    """End a thread that still runs: at the next step of its loop, and again if the answer catches what ends it."""
    for _ in range(3):
        if not thread.is_alive():
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        thread.join(0.1)


def _quoted(got: object) -> object:
    return repr(got) if isinstance(got, str) else got


def _not(got: object) -> str:
    """What an answer is instead, in words."""
    if isinstance(got, np.ndarray):
        return f"not an array of shape {got.shape} and type {got.dtype}"
    if isinstance(got, (list, tuple)):
        return f"not a {type(got).__name__} of {len(got)}"
    return f"not {got!r}" if isinstance(got, (float, np.floating)) else f"not a {type(got).__name__}"


def untouched(answer: object) -> bool:
    """Whether the answer is `...`, or holds nothing else."""
    parts = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, (tuple, list)) else [answer]
    return len(parts) > 0 and all(part is Ellipsis for part in parts)


def shown(value: object) -> str:
    """A value as a student reads it: arrays short and with their type."""
    if value is NOTHING:
        return ""
    if isinstance(value, np.ndarray):
        text = np.array2string(value, separator=", ", threshold=8, edgeitems=3, precision=6)
        return f"{' '.join(text.split()).replace('[ ', '[')} {value.dtype}"
    try:
        text = str(value) if isinstance(value, (str, np.generic)) else repr(value)  # 0.5, not np.float32(0.5)
    except Exception:  # a number of 5,000 digits has no text, nor has an object whose own is broken
        return f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def shown_inputs(answer: Callable, args: Sequence) -> str:
    """The arguments with the answer's own parameter names."""
    try:
        names = list(inspect.signature(answer).parameters)[: len(args)]
    except (TypeError, ValueError):
        names = []
    names += [f"input {i + 1}" for i in range(len(names), len(args))]
    return ", ".join(f"{name} = {shown(value)}" for name, value in zip(names, args, strict=True))


def _named(answer, got, args, cases, misconceptions: dict[str, Callable], rtol: float) -> str:
    """The sentence of the misconception that gives `got` too, and agrees with the answer in the most cases."""
    found = [sentence for sentence, wrong in misconceptions.items() if _gives(wrong, args, got, rtol)]
    if len(found) > 1:
        answers = _answers(answer, cases)
        agree = {f: sum(_gives(misconceptions[f], case, given, rtol) for case, given in answers) for f in found}
        return max(agree, key=agree.get)
    return found[0] if found else ""


def _answers(answer: Callable, cases: list[Sequence]) -> list[tuple[Sequence, object]]:
    """The cases that the answer answers, until one takes too long, or all together do."""
    answers, end = [], time.monotonic() + SECONDS
    for case in cases:
        started = time.monotonic()
        try:
            answers.append((case, ask(answer, *case)))
        except (Wrong, NotAttempted):
            if time.monotonic() - started >= SECONDS:
                break
        if time.monotonic() > end:
            break
    return answers


def _gives(wrong: Callable, case: Sequence, got: object, rtol: float) -> bool:
    try:
        return same(got, wrong(*case), rtol)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False


def _smallest(args: Sequence, fails: Callable[..., bool]) -> Sequence:
    """The arguments with the first one halved as long as one of the halves still fails. For one-dimensional arrays."""
    first, *rest = args
    while isinstance(first, np.ndarray) and first.ndim == 1 and first.size > 1:
        middle = first.size // 2
        halves = [half for half in (first[:middle], first[middle:]) if _quietly(fails, half, *rest)]
        if not halves:
            break
        first = halves[0]
    return (first, *rest)


def _quietly(fails: Callable[..., bool], *args) -> bool:
    try:
        return fails(*args)
    except (NotAttempted, Wrong, ValueError):  # a piece that is no input of its own
        return False


def _unchanged(before: object, after: object) -> bool:
    if isinstance(before, np.ndarray):
        return before.dtype == after.dtype and before.shape == after.shape and before.tobytes() == after.tobytes()
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    return before is after or bool(before == after)  # a copy of a NaN is the same object


def _line(error: BaseException) -> str:
    """The line of the student's own code in which an exception arose."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return f"in the line `{frames[0].line}`" if frames and frames[0].line else ""
