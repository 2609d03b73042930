"""Changes within the columns of the item index that can be taken back, so an update is taken whole or not at
all.

What is only ever added at the end of a column is taken back by cutting it; everything else changes through
these few operations. While a journal records, it keeps the inverse of each; `undo` plays them back in
reverse, `keep` forgets them.
"""

from __future__ import annotations

from array import array
from typing import Final, TypeAlias

Column: TypeAlias = "array[int]"

_PUT: Final = 0
_INSERT: Final = 1
_REMOVE: Final = 2


class Journal:
    __slots__ = ("_codes", "_columns", "_old", "_places", "recording")

    def __init__(self) -> None:
        self.recording: bool = False
        self._codes: list[int] = []
        self._columns: list[Column] = []
        self._places: list[int] = []
        self._old: list[int] = []

    def put(self, column: Column, place: int, value: int) -> None:
        if self.recording:
            self._note(_PUT, column, place, column[place])
        column[place] = value

    def insert(self, column: Column, place: int, value: int) -> None:
        if self.recording:
            self._note(_INSERT, column, place, 0)
        column.insert(place, value)

    def remove(self, column: Column, place: int) -> None:
        if self.recording:
            self._note(_REMOVE, column, place, column[place])
        del column[place]

    def _note(self, code: int, column: Column, place: int, old: int) -> None:
        self._codes.append(code)
        self._columns.append(column)
        self._places.append(place)
        self._old.append(old)

    def begin(self) -> None:
        self.recording = True

    def keep(self) -> None:
        self.recording = False
        if self._codes:
            self._clear()

    def undo(self) -> None:
        for at in range(len(self._codes) - 1, -1, -1):
            code = self._codes[at]
            column = self._columns[at]
            place = self._places[at]
            if code == _PUT:
                column[place] = self._old[at]
            elif code == _INSERT:
                del column[place]
            else:
                column.insert(place, self._old[at])
        self.recording = False
        self._clear()

    def _clear(self) -> None:
        self._codes.clear()
        self._columns.clear()
        self._places.clear()
        self._old.clear()
