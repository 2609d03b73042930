"""When a turn is on disk though Redis syncs only once a second: it is asked to say when it has.

WAITAOF answers when the disk has what the asking connection wrote. It blocks that connection, so
there is one of its own for each primary, and a small write before each question stands for everything that
was replied until then: the append-only file has one order. Redis goes on syncing once a second, so an
acknowledgement takes up to a second, however many turns wait for it.

It can be relied on since Redis 8.0: before, and in Valkey, it answered under `everysec` without any sync
(https://github.com/redis/redis/pull/13793).

Source: https://redis.io/docs/latest/commands/waitaof/
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import count
from typing import TypeVar

from threadline_server.backplane.redis.confirmer import ASK_EVERY_S, Confirmer, File
from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.keys import PREFIX, slot_of
from threadline_server.backplane.redis.link import RedisRefused, Reply
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import pack

WAIT_MS = 2_000
_WAITAOF = pack("WAITAOF", 1, 0, WAIT_MS)

T = TypeVar("T")


@lru_cache(maxsize=256)
def marker_key(slot: int) -> str:
    """A key of no session in a slot."""
    tag = next(tag for number in count() if slot_of(tag := f"w{number}") == slot)
    return f"{PREFIX}{{{tag}}}"


class SyncedConfirmer(Confirmer[T]):
    """Its links are its own. It is failing while a primary does not sync, or cannot be asked."""

    def __init__(self, links: Links, on_written: Callable[[list[T]], None]) -> None:
        super().__init__(links, on_written)
        self._slots: dict[Address, int] = {}

    def _ask(self, file: File[T]) -> None:
        self._begin(file)
        slot = self._slots.get(file.address, file.slot)
        if self._links.topology.owner(slot) != file.address:
            slot = file.slot
        self._slots[file.address] = slot
        refused: list[Reply] = []
        self._links.submit(slot, pack("SET", marker_key(slot), ""), partial(_note_refusal, refused))
        self._links.submit(slot, _WAITAOF, partial(self._told, file, refused))

    def _told(self, file: File[T], refused: list[Reply], reply: Reply) -> None:
        if not self._is_current(file):
            return
        file.failing = bool(refused) or not isinstance(reply, list) or reply[0] < 1
        if file.failing:
            self._loop.call_later(50 * ASK_EVERY_S, self._ask_again, file)
            return
        synced, file.asked = file.asked, []
        self._on_written(synced)
        self._rest(file)


def _note_refusal(refused: list[Reply], reply: Reply) -> None:
    if isinstance(reply, (RedisRefused, Exception)):
        refused.append(reply)
