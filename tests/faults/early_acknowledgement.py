"""The server with one fault put in: it acknowledges before it appends. Only for the fault test itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import threadline_server.app.stores
from threadline_server.backplane.base import Append, DocumentName, Position, Stored
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.cli.main import main

DELAY_S = 0.05


class EarlyAcknowledgement(EmbeddedBackplane):
    """Says "durable" at once, at the position the turn will probably get, and appends a little later."""

    async def open(self) -> None:
        await super().open()
        self._ends: dict[DocumentName, int] = {}

    async def load(self, document: DocumentName) -> Stored:
        stored = await super().load(document)
        self._ends.setdefault(document, stored.position)
        return stored

    def append(self, appends: Sequence[Append]) -> None:
        for append in appends:
            self._ends[append.document] += 1
            append.on_taken(append, Position(self._ends[append.document]))
            append.on_durable(append)
        late = [_unheard(append) for append in appends]
        asyncio.get_running_loop().call_later(DELAY_S, super().append, late)


def _unheard(append: Append) -> Append:
    """The same turn, with nobody to tell."""
    return Append(
        append.document,
        append.lineage,
        append.turn,
        lambda a, p: None,
        lambda a: None,
        lambda a, e: None,
        append.fence,
    )


threadline_server.app.stores.EmbeddedBackplane = EarlyAcknowledgement  # type: ignore[attr-defined]

if __name__ == "__main__":
    main()
