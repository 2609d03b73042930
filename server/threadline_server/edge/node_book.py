"""Which nodes and workers share this store. Each writes itself down every round; the silent are forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from threadline_server.backplane.base import Backplane

KIND = "node"
FORGOTTEN_AFTER_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """`kind` is `node` or `worker`; times are Unix milliseconds, numbers those of `seen_ms`."""

    name: str
    kind: str
    version: str
    started_ms: int
    seen_ms: int
    connections: int
    rooms: int
    members: int
    runs: int


class NodeBook:
    """`about` tells of this process as it is now."""

    def __init__(self, backplane: Backplane, about: Callable[[], NodeEntry], every_s: float) -> None:
        self._backplane = backplane
        self._about = about
        self._every_s = every_s

    async def announce(self) -> None:
        """Write this process down, over what it wrote before. Raises StoreError."""
        entry = self._about()
        former = await self._backplane.get_value(KIND, entry.name)
        ttl_ms = round(self._every_s * FORGOTTEN_AFTER_ROUNDS * 1000)
        await self._backplane.swap_value(KIND, entry.name, former, _encode(entry), ttl_ms)

    async def leave(self) -> None:
        """This process ends in good order. Raises StoreError."""
        former = await self._backplane.get_value(KIND, self._about().name)
        if former is not None:
            await self._backplane.swap_value(KIND, self._about().name, former, None)

    async def entries(self) -> list[NodeEntry]:
        """All that are known, this one as it is now, by name."""
        mine = self._about()
        known = {name: _decode(value) for name, value in (await self._backplane.list_values(KIND)).items()}
        known[mine.name] = mine
        return [known[name] for name in sorted(known)]

    def is_silent(self, entry: NodeEntry, now_ms: int) -> bool:
        """It missed two rounds: stopped, killed, or cut off from the store."""
        return now_ms - entry.seen_ms > self._every_s * 2500


def _encode(entry: NodeEntry) -> bytes:
    return json.dumps(asdict(entry)).encode()


def _decode(value: bytes) -> NodeEntry:
    return NodeEntry(**json.loads(value))
