"""What a session is about: title, schema version, parent, and the context it was opened with."""

from __future__ import annotations

from threadline.document.shared_map import SharedMap, value_at
from threadline.document.state import FlatState
from threadline.document.values import JSON, number_of, plain, text_of, to_json

CONTEXT_PREFIX = "/context"


class Meta:
    def __init__(self, entries: SharedMap) -> None:
        self._map = entries
        self.context = FlatState(entries, CONTEXT_PREFIX)

    @property
    def title(self) -> str:
        return text_of(plain(value_at(self._map, "title")))

    @title.setter
    def title(self, value: str) -> None:
        if value != self.title:
            self._map["title"] = to_json(value, "/title")

    @property
    def schema(self) -> int:
        """The schema version the document was made with; 0 where the server has not written it."""
        return number_of(plain(value_at(self._map, "schema")))

    @schema.setter
    def schema(self, version: int) -> None:
        self._map["schema"] = version

    @property
    def conversation(self) -> JSON:
        """What a conversation over HTTP was opened with; None for other sessions. Written by the server."""
        return plain(value_at(self._map, "conversation"))

    @conversation.setter
    def conversation(self, value: JSON) -> None:
        self._map["conversation"] = to_json(value, "/conversation")

    @property
    def parent(self) -> str:
        """The session this one was branched from or is a child of; empty for none."""
        return text_of(plain(value_at(self._map, "parent")))

    @parent.setter
    def parent(self, session: str) -> None:
        self._map["parent"] = session
