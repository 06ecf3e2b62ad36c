"""The check of exercise 8.4: the most accurate method that meets all constraints."""

from __future__ import annotations

from qlib.exercises.asking import Wrong, ask, shown

NOTHING_FITS = "nothing fits"


def _choice(budget, data, training, rows, *, size=None, needs=None, trains=None, key=None) -> str:
    """The rule, or a slip of it: each test of a row, and what decides, may be replaced."""
    fitting = [
        row
        for row in rows
        if (size or (lambda row: row[1] <= budget))(row)
        and (needs or (lambda row: row[3] <= data))(row)
        and (trains or (lambda row: training or not row[4]))(row)
    ]
    return min(fitting, key=key or (lambda row: (-row[2], row[1])))[0] if fitting else NOTHING_FITS


def _yes(row) -> bool:
    return True


CHOICE = {
    "it is larger than the budget: the bytes are not looked at.": lambda b, d, t, rows: _choice(
        b, d, t, rows, size=_yes
    ),
    "it needs data that are not there.": lambda b, d, t, rows: _choice(b, d, t, rows, needs=_yes),
    "it trains, and there is no training.": lambda b, d, t, rows: _choice(b, d, t, rows, trains=_yes),
    "no constraint is looked at: this is the most accurate of all.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, size=_yes, needs=_yes, trains=_yes)
    ),
    "this is the smallest that fits; the most accurate is wanted.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, key=lambda row: row[1])
    ),
    "this is the first that fits; the most accurate is wanted.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, key=lambda row: 0)
    ),
    "of two equally accurate ones the smaller is wanted.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, key=lambda row: (-row[2], -row[1]))
    ),
    "of two equally accurate ones this is the first in the list; the smaller is wanted.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, key=lambda row: -row[2])
    ),
    "this is the least accurate that fits.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, key=lambda row: (row[2], row[1]))
    ),
    "a file that is exactly as large as the budget fits.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, size=lambda row: row[1] < b)
    ),
    "who has more data can do with less: the numbers need not be equal.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, needs=lambda row: row[3] == d)
    ),
    "the data are compared the wrong way round.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, needs=lambda row: row[3] >= d)
    ),
    "what one has is enough for a method that needs just that.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, needs=lambda row: row[3] < d)
    ),
    "who can train may take a method that trains.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, trains=lambda row: not row[4])
    ),
    "all three constraints must be met; data or training alone are not enough.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, needs=lambda row: row[3] <= d or t or not row[4], trains=_yes)
    ),
    "this is the largest that fits; the most accurate is wanted.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, key=lambda row: -row[1])
    ),
    "of two equally accurate ones the smaller is wanted, and not the first by name.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, key=lambda row: (-row[2], row[0]))
    ),
    "who can train may also take a method that does not train.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, trains=lambda row: row[4] == t)
    ),
    "this takes what exceeds the budget, and leaves out what fits.": (
        lambda b, d, t, rows: _choice(b, d, t, rows, size=lambda row: row[1] >= b)
    ),
}
EQUALS = [(450, 0.97, 0, False), (460, 0.99, 1, False), (440, 0.99, 1, False), (100, 0.999, 2, True)]
BY_HAND = [  # bytes, accuracy, data, trains: of five methods, whose names come in any order
    (300, 1, False, [(900, 0.988, 0, False), (290, 0.981, 0, False), (280, 0.985, 1, False), (250, 0.992, 2, True)]),
    (300, 2, True, [(240, 0.989, 1, False), (230, 0.991, 2, True), (300, 0.993, 2, True), (310, 0.995, 2, True)]),
    (500, 2, False, EQUALS),
    (500, 2, True, [(400, 0.98, 1, False), (90, 0.98, 2, True), (350, 0.97, 0, False), (520, 0.99, 2, True)]),
    (100, 1, True, [(80, 0.95, 1, True), (90, 0.96, 0, False), (60, 0.98, 2, True), (200, 0.99, 0, False)]),
    (100, 0, False, [(80, 0.95, 1, False), (90, 0.96, 2, True), (120, 0.98, 0, False)]),
    (100, 0, True, [(70, 0.9, 0, False), (60, 0.93, 0, False), (50, 0.91, 0, False), (40, 0.97, 1, True)]),
    (150, 2, False, [(150, 0.94, 2, False), (140, 0.92, 1, False), (160, 0.96, 0, False), (20, 0.97, 2, True)]),
    (300, 2, True, [(100, 0.97, 0, False), (110, 0.98, 1, False), (120, 0.98, 2, True)]),
    (200, 2, True, [(190, 0.99, 0, False), (180, 0.97, 2, True), (250, 0.995, 1, False)]),
]
NAMES = "abcde"


def recommendation(answer, rng) -> None:
    """The check of 8.4."""
    cases = []
    for budget, data, training, rows in BY_HAND:
        names, factor = rng.permutation(list(NAMES)), int(rng.integers(1, 50))
        if rows is EQUALS:
            names = list(NAMES)  # the larger of two equally accurate ones is the first by name
        named = [(str(name), factor * size, *rest) for name, (size, *rest) in zip(names, rows, strict=False)]
        cases.append((factor * budget, data, training, named))
    for case in cases:
        got, expected = ask(answer, *case), _choice(*case)
        given = f"budget = {case[0]}, data = {case[1]}, training = {case[2]}, rows = {shown(case[3])}"
        if not isinstance(got, str):
            raise Wrong("the name of a method is wanted, as text.", given=given, expected=expected, got=got)
        if got != NOTHING_FITS and got.strip(" .!").lower() == NOTHING_FITS:
            raise Wrong('the text is "nothing fits", letter by letter.', given=given, expected=expected, got=got)
        if got not in [row[0] for row in case[3]] and got != NOTHING_FITS:
            raise Wrong("there is no method of this name.", given=given, expected=expected, got=got)
        if got != expected:
            slips = [s for s, slip in CHOICE.items() if all(_same(answer, slip, case) for case in cases)]
            sentence = "something fits: look at each constraint again."
            if got != NOTHING_FITS:
                sentence = "it does not meet all constraints, or another one that does is better."
            raise Wrong((slips or [sentence])[0], given=given, expected=expected, got=got)


def _same(answer, slip, case) -> bool:
    try:
        return ask(answer, *case) == slip(*case)
    except (Wrong, ValueError):
        return False
