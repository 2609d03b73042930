"""What somebody types within one turn, as one update.

Strings that one client writes one after the other, each after the last unit of the one before and before the
same right origin, are one string: replicas join such items once they have them (Yjs, `Item.mergeWith`). So
they are joined before the log and the members get them, and cost one item to read instead of one each.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from threadline.protocol.varint import encode_uint
from threadline_server.backplane.base import ClockRange, Entry
from threadline_server.rooms.verdict import Verdict

MAX_BYTES: Final = 16 * 1024
"""More than that is not joined: a frame stays far below what a peer takes."""

_NO_DELETES: Final = b"\x00"


@mypyc_attr(acyclic=True)
class Stretch:
    """Begins with a verdict that has a `text_at`. `entry` may be asked for at any time, and is kept until the
    stretch grows.
    """

    __slots__ = (
        "_at_ms",
        "_client",
        "_end",
        "_entry",
        "_first",
        "_role",
        "_size",
        "_start",
        "_texts",
        "_user",
    )

    def __init__(self, verdict: Verdict, user: str, role: str, at_ms: int) -> None:
        assert verdict.update is not None and verdict.text_at
        clocks = verdict.ranges[0]
        self._first: Verdict = verdict
        self._user: str = user
        self._role: str = role
        self._at_ms: int = at_ms
        self._client: int = clocks.client
        self._start: int = clocks.start
        self._end: int = clocks.end
        self._size: int = len(verdict.update) - verdict.text_at - 1
        self._texts: list[bytes] = []
        self._entry: Entry | None = None

    def take(self, verdict: Verdict) -> bool:
        """Grow by a verdict of the same sender; False where it does not continue this."""
        update = verdict.update
        first = self._first.update
        if not verdict.text_at or update is None or first is None:
            return False
        clocks = verdict.ranges[0]
        size = len(update) - verdict.text_at - 1
        if clocks.start != self._end or clocks.client != self._client or self._size + size > MAX_BYTES:
            return False
        right = first[self._first.right_at : self._first.size_at]
        if update[verdict.right_at : verdict.size_at] != right:
            return False
        self._texts.append(update[verdict.text_at : -1])
        self._size += size
        self._end = clocks.end
        self._entry = None
        return True

    @property
    def entry(self) -> Entry:
        entry = self._entry
        if entry is None:
            ranges = self._first.ranges
            if self._texts:
                ranges = (ClockRange(self._client, self._start, self._end),)
            entry = self._entry = Entry(self._user, self._role, ranges, self._update(), self._at_ms)
        return entry

    def _update(self) -> bytes:
        first = self._first
        assert first.update is not None
        if not self._texts:
            return first.update
        head = first.update[: first.size_at] + encode_uint(self._size)
        return b"".join([head, first.update[first.text_at : -1], *self._texts, _NO_DELETES])
