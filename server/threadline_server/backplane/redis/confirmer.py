"""When a turn that Redis has taken may be acknowledged.

Under `appendfsync always` a reply comes after the sync of the append-only file: what is taken is durable.
Under `everysec` the promise is smaller: to survive any crash of a process, Redis included. A reply is not
enough for it: while a background sync runs, Redis keeps what it would write to the file in its own memory for
up to two seconds (`flushAppendOnlyFile` in redis/src/aof.c). So INFO is asked how much was written: what was
in the file and in the buffer after the reply must be in the file. One question is on its way at a time, for
all turns of one primary.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from threadline_server.backplane.base import UNAWAITED_DELAY_S
from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.link import Reply, info_fields
from threadline_server.backplane.redis.links import Links, is_away
from threadline_server.backplane.redis.scripts import pack

ASK_EVERY_S = 0.004
_INFO = pack("INFO", "persistence")

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class File(Generic[T]):
    """What one primary has still to write.

    address: whose it is
    fresh:  replied since the last question went out
    asked:  replied before it
    behind: (size that the file must reach, what is written then)
    asking: a question is out, or due after the last one
    later:  one is due for what nobody waits for
    awaited: somebody waits for some of `fresh`
    failing: Redis could not write to it, a full disk for instance, while something waits for that
    """

    address: Address
    slot: int
    fresh: list[T] = field(default_factory=list)
    asked: list[T] = field(default_factory=list)
    behind: deque[tuple[int, list[T]]] = field(default_factory=deque)
    size: int = 0
    asking: bool = False
    awaited: bool = False
    later: asyncio.TimerHandle | None = None
    failing: bool = False

    @property
    def unwritten(self) -> list[T]:
        behind = [item for _, items in self.behind for item in items]
        return [*behind, *self.asked, *self.fresh]


class Confirmer(Generic[T]):
    """`on_written` gets what was added, in order, once the append-only file has it."""

    def __init__(self, links: Links, on_written: Callable[[list[T]], None]) -> None:
        self._links = links
        self._on_written = on_written
        self._loop = asyncio.get_running_loop()
        self._files: dict[Address, File[T]] = {}

    def __len__(self) -> int:
        return sum(len(file.unwritten) for file in self._files.values())

    @property
    def failing(self) -> bool:
        """Whether some primary cannot write what waits. It says so of itself before it refuses commands."""
        return any(file.failing for file in self._files.values())

    def add(self, slot: int, item: T, *, awaited: bool = True) -> None:
        """`item` was replied just now by the owner of `slot`; is anybody waiting for it to be written?"""
        owner = self._links.topology.owner(slot)
        if owner is None:
            return
        file = self._files.get(owner)
        if file is None:
            file = self._files[owner] = File(owner, slot)
        file.slot = slot
        file.fresh.append(item)
        file.awaited = file.awaited or awaited
        if not file.asking:
            self._ask_soon(file)

    def _ask_soon(self, file: File[T]) -> None:
        if file.awaited:
            self._ask(file)
        elif file.later is None:  # right after a turn, Redis answers before others have read that
            file.later = self._loop.call_later(UNAWAITED_DELAY_S, self._ask_again, file)

    def take_back(self, address: Address) -> list[T]:
        """Everything of a primary that was started anew, in order: it may have lost it."""
        file = self._files.pop(address, None)
        return [] if file is None else file.unwritten

    def _ask(self, file: File[T]) -> None:
        self._begin(file)
        self._links.submit(file.slot, _INFO, partial(self._answered, file))

    def _begin(self, file: File[T]) -> None:
        file.asking = True
        file.awaited = False
        if file.later is not None:
            file.later.cancel()
            file.later = None
        file.asked.extend(file.fresh)
        file.fresh = []

    def _is_current(self, file: File[T]) -> bool:
        """Whether nothing of it was taken back."""
        return self._files.get(file.address) is file

    def _answered(self, file: File[T], reply: Reply) -> None:
        if not self._is_current(file):
            return
        if is_away(reply) or not isinstance(reply, bytes):
            self._loop.call_later(50 * ASK_EVERY_S, self._ask_again, file)
            return
        fields = info_fields(reply)
        size = int(fields.get("aof_current_size", 0))
        total = size + int(fields.get("aof_buffer_length", 0))
        written = self._written(file, size, total)
        file.size = size
        if written:
            self._on_written(written)
        waits = bool(file.behind or file.fresh)
        file.failing = waits and fields.get("aof_last_write_status") == "err"
        if file.behind or file.awaited:
            self._loop.call_later(ASK_EVERY_S, self._ask_again, file)
        else:
            self._rest(file)

    def _rest(self, file: File[T]) -> None:
        """No question is out: one follows where something came meanwhile."""
        file.asking = False
        if file.fresh:
            self._ask_soon(file)

    def _written(self, file: File[T], size: int, total: int) -> list[T]:
        if size < file.size:  # the file was rewritten: sizes from before mean nothing now
            file.behind = deque((total, items) for _, items in file.behind)
        written: list[T] = []
        while file.behind and file.behind[0][0] <= size:
            written.extend(file.behind.popleft()[1])
        asked, file.asked = file.asked, []
        if total <= size and not file.behind:
            written.extend(asked)
        elif asked:
            file.behind.append((total, asked))
        return written

    def _ask_again(self, file: File[T]) -> None:
        if self._is_current(file):
            self._ask(file)

    @property
    def addresses(self) -> set[Address]:
        """The primaries that were given something to write."""
        return set(self._files)
