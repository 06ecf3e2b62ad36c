"""Read the tables and vectors of a FlatBuffer that may be damaged.

The classes that are generated from a schema follow every offset, wherever it leads. FlatBuffers' verifier, which would
check the offsets first, doesn't exist for Python; here stands what it asks of the parts that are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from struct import unpack_from

import numpy as np


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Whatever the generated code stumbles over becomes a refusal with its place."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{where}: expected an intact file, got an offset or length that cannot be") from error


class FlatBuffer:
    """The bytes of a file, and how many elements its vectors may still have: stored once each, they fit into it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.left = data, len(data)
        self._start = np.frombuffer(data, np.uint8).ctypes.data

    def table(self, table):
        """The table itself, if its fields lie within it, and it lies within the file."""
        place = getattr(table, "_tab", table).Pos  # a union gives no class, but the table as such
        start = place - unpack_from("<i", self.data, place)[0]  # of its vtable
        _require(place % 4 == 0 and start >= 0 and start % 2 == 0)
        length, size = unpack_from("<HH", self.data, start)
        _require(length >= 4 and length % 2 == 0 and place + size <= len(self.data))
        fields = unpack_from(f"<{length // 2 - 2}H", self.data, start + 4)
        _require(all(field == 0 or 4 <= field < size for field in fields))
        return table

    def vector(self, table, field: str):
        """A vector of a table: sub-tables as a list, or numbers as a read-only array."""
        length = self.take(getattr(table, f"{field}Length")())
        if not hasattr(table, f"{field}AsNumpy"):
            return [self.table(getattr(table, field)(i)) for i in range(length)]
        if length == 0:
            return np.zeros(0, np.int64)
        numbers = getattr(table, f"{field}AsNumpy")()
        _require((numbers.ctypes.data - self._start) % 4 == 0)
        return numbers

    def indices(self, table, field: str) -> tuple[int, ...]:
        """A vector of whole numbers."""
        return tuple(int(i) for i in self.vector(table, field))

    def text(self, table, field: int) -> str:
        """The string in the field of this number, which a zero byte ends."""
        tab = table._tab
        if not (offset := tab.Offset(4 + 2 * field)):
            return ""
        place = tab.Indirect(tab.Pos + offset)
        end = place + 4 + self.take(unpack_from("<I", self.data, place)[0])
        _require(place % 4 == 0 and self.data[end] == 0)
        return self.data[place + 4 : end].decode()

    def take(self, elements: int) -> int:
        """Count elements before they are read: a damaged length may claim 2^32 of them."""
        self.left -= elements
        _require(self.left >= 0)
        return elements


def _require(condition: bool) -> None:
    if not condition:
        raise EOFError
