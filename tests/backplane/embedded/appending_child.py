"""A process to be killed: appends to four documents and prints each turn that was acknowledged.

With PAGES_DUE in its environment, the WAL is moved into the file after so many pages.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    AppendRefused,
    ClockRange,
    DocumentName,
    Entry,
    Position,
    SessionRecord,
    Turn,
)
from threadline_server.backplane.embedded import EmbeddedBackplane, checkpoint, mover, store

LARGE_EVERY = 100


class Chain:
    """Appends one turn after the other to one document, the next as soon as one is taken."""

    def __init__(self, backplane: EmbeddedBackplane, document: DocumentName, clock: int) -> None:
        self.backplane, self.document, self.clock = backplane, document, clock
        self.clocks: dict[Append, int] = {}
        """Of the turns that are not durable yet."""

    def go_on(self) -> None:
        clock, self.clock = self.clock, self.clock + 1
        update = f"{clock:05}".encode() * (50_000 if clock % LARGE_EVERY == 1 else 20)
        entry = Entry("ada", "owner", (ClockRange(7, clock, clock + 1),), update, clock)
        turn = Turn(self.backplane.node, "e", (entry,))
        append = Append(self.document, "L", turn, self.taken, self.durable, self.refused)
        self.clocks[append] = clock
        self.backplane.append([append])

    def taken(self, append: Append, position: Position) -> None:
        asyncio.get_running_loop().call_soon(self.go_on)

    def durable(self, append: Append) -> None:
        os.write(1, f"{self.document} {self.clocks.pop(append)}\n".encode())

    def refused(self, append: Append, refusal: AppendRefused) -> None:
        os.write(1, f"refused {refusal}\n".encode())


async def main(directory: Path) -> None:
    if "PAGES_DUE" in os.environ:
        checkpoint.PAGES_DUE = int(os.environ["PAGES_DUE"])
        mover.ROLL_BYTES = 64 * 1024
        store.UPKEEP_S = 0.02
    backplane = EmbeddedBackplane(directory)
    await backplane.open()
    for n in range(4):
        session = SessionId(f"s{n}")
        await backplane.create_session(SessionRecord(session, "L", "ada", 1, 1))
        stored = await backplane.load(DocumentName(session))
        Chain(backplane, DocumentName(session), stored.position).go_on()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
