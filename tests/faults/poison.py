"""Sessions whose stored data would hang, crash or mislead the document library, written past the gate."""

from __future__ import annotations

import asyncio

from tests.hostile import updates
from tests.hostile.test_hazards import HELD_BACK, MALFORMED

from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    Backplane,
    DocumentName,
    Entry,
    NodeId,
    Position,
    SessionRecord,
    Turn,
)

WRITER = 77


def deep_arrays(depth: int) -> bytes:
    """One update: an array in an array in an array, which readers recurse into."""
    first = updates.array_at_root("list")
    inner = (updates.array_in((WRITER, clock)) for clock in range(depth - 1))
    return updates.update(WRITER, 0, first, *inner)


POISON = MALFORMED | HELD_BACK | {"arrays 11,000 deep": deep_arrays(11_000)}
del POISON["a hundred thousand invented clients"]  # large, and otherwise sound


async def plant(backplane: Backplane, session: str, update: bytes, *, as_base: bool = False) -> None:
    """A session whose log, or base, is `update`; where there is one, it is the next turn."""
    lineage = f"lineage-{session}"
    record = await backplane.create_session(SessionRecord(SessionId(session), lineage, "eve", 1, 1))
    name = DocumentName(session)
    await append(backplane, name, record.lineage, update)
    if as_base:
        position = (await backplane.load(name)).position
        await backplane.compact(name, record.lineage, update, b"", Position(position))


async def append(backplane: Backplane, name: DocumentName, lineage: str, update: bytes) -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def refused(append: Append, error: AppendRefused) -> None:
        done.set_exception(error)

    turn = Turn(NodeId("elsewhere"), "planted", (Entry("eve", "editor", (), update, 1),))
    taken = Append(name, lineage, turn, lambda _, position: None, lambda _: done.set_result(None), refused)
    backplane.append([taken])
    await done
