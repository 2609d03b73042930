"""A user's companion document in a session: what is private, yet follows the user from device to device."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, Map, Text

from threadline.document.digest import companion_digest
from threadline.document.shared_map import SharedMap, keys_of, value_at
from threadline.document.state import FlatState
from threadline.document.text_edit import rewrite
from threadline.document.values import number_of


class Draft:
    """What the user is composing. Typing on two devices merges, because an edit touches only what differs."""

    def __init__(self, text: Text) -> None:
        self.shared = text

    @property
    def text(self) -> str:
        return str(self.shared)

    @text.setter
    def text(self, value: str) -> None:
        rewrite(self.shared, value)

    def __str__(self) -> str:
        return self.text

    def clear(self) -> None:
        self.text = ""


class ReadMarkers:
    """How far each device has read, as the number of a message's `seq`."""

    def __init__(self, entries: SharedMap) -> None:
        self._map = entries

    @property
    def up_to(self) -> int:
        """The furthest any device of this user has read; 0 for nothing."""
        return max((number_of(value_at(self._map, device)) for device in keys_of(self._map)), default=0)

    def mark(self, device: str, number: int) -> None:
        """Note that `device` has read up to `number`. It never goes back."""
        if number > number_of(value_at(self._map, device)):
            self._map[device] = number


class CompanionDocument:
    """Typed views over a companion's `pycrdt.Doc`."""

    def __init__(self, doc: Doc[Any]) -> None:
        self.doc = doc
        self.draft = Draft(doc.get("draft", type=Text))
        self.read = ReadMarkers(doc.get("read", type=Map))
        self.state = FlatState(doc.get("state", type=Map))

    def digest(self) -> str:
        return companion_digest(self.doc)
