"""Replacing a base: the new one is written beside the old in small parts, then taken into use by one
transaction.

A crash before that leaves parts of a generation that no document uses; the next compaction takes another
number and deletes them. A crash after it leaves turns that the base covers already, which no load reads.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from threadline.errors import StoreError
from threadline.ids import split_document_name
from threadline_server.backplane.base import DocumentName, Position, WrongLineage
from threadline_server.backplane.embedded import log
from threadline_server.backplane.embedded.connections import Connections
from threadline_server.backplane.turn_bytes import encode_clocks


async def compact(
    connections: Connections,
    document: DocumentName,
    lineage: str,
    parts: tuple[bytes, bytes],
    through: Position,
) -> None:
    """Let `parts` (base and index) stand for every turn up to `through`; nothing happens when an older one
    would.

    Raises WrongLineage, SessionNotFound, SessionDeleted, StoreError.
    """
    new = await connections.read_in_background(_plan, document, lineage, parts, through)
    if new is None:
        return
    for kind, data in zip(log.Kind, parts, strict=True):
        for number, parts_at_once in enumerate(log.parts_of(data)):
            await connections.write_in_background(
                log.write_parts, new.id, new.generation, kind, number, parts_at_once
            )
    await connections.write_in_background(log.set_base, document, lineage, new)
    while await connections.write_in_background(log.delete_some_turns, new.id, through):
        pass
    while await connections.write_in_background(log.delete_some_parts, new.id, new.generation):
        pass


def _plan(
    connection: sqlite3.Connection,
    document: DocumentName,
    lineage: str,
    parts: tuple[bytes, bytes],
    through: Position,
) -> log.DocumentRow | None:
    """What the document's row will be, of a generation that is not in use yet."""
    with log.snapshot(connection):
        if log.lineage_of(connection, split_document_name(document)[0]) != lineage:
            raise WrongLineage(f"{document} is not the one this base was made for.")
        row = log.find_document(connection, document)
        if row is None:
            raise StoreError(f"{document} has no log to compact.")
        if through <= row.base_position:
            return None
        clocks = encode_clocks(log.clocks_through(connection, document, row, through))
        generation = max(row.generation, log.newest_generation(connection, row.id)) + 1
    new = log.DocumentRow(row.id, through, generation, clocks)
    return replace(new, checked=new.checksum(document, *parts))
