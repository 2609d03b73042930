"""Catalogue rows read lately: every device that joins asks for its session's, and reading it in a thread is
the dearest part of letting it in.

This process is the only writer, so whoever changes a row says so and nothing stale is given out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable

from threadline.ids import SessionId
from threadline_server.backplane.base import SessionRecord


class RecentRecords:
    """At most `most` rows, the longest unused leave first. `hits` and `misses` count what was asked for."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._records: OrderedDict[SessionId, SessionRecord] = OrderedDict()
        self._changes = 0
        self.hits = self.misses = 0

    def get(self, session: SessionId) -> SessionRecord | None:
        record = self._records.get(session)
        if record is None:
            self.misses += 1
        else:
            self.hits += 1
            self._records.move_to_end(session)
        return record

    async def keep(self, reading: Awaitable[SessionRecord]) -> SessionRecord:
        """The row that `reading` gives, kept unless something changed while it was read."""
        changes = self._changes
        record = await reading
        if changes == self._changes:
            self._records[record.id] = record
            if len(self._records) > self._most:
                self._records.popitem(last=False)
        return record

    def change(self, record: SessionRecord) -> None:
        """This is the row from now on."""
        self._changes += 1
        if record.id in self._records:
            self._records[record.id] = record

    def forget(self, session: SessionId) -> None:
        """A row changes: call it before the change is made and once it is."""
        self._changes += 1
        self._records.pop(session, None)
