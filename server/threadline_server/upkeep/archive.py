"""A session as a file: what the store has of it, as lines of JSON, whatever the store is.

The first line is the session's record. Then come what was decided in it and its blobs, a line each, and its
documents, each as a `document` line (with the base, where it has one) followed by its turns. The last line
says how many lines there must be, so that a file cut short is known. Bytes are base64.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import (
    ClockRange,
    DocumentName,
    Entry,
    LoggedTurn,
    NodeId,
    Position,
    SessionRecord,
    Stored,
    Turn,
)

VERSION = 1


class BadArchive(StoreError):
    """The file is no archive of a session, is of another version, or is damaged."""

    code = "bad_archive"


@dataclass(frozen=True, slots=True)
class Archive:
    """A session with all its documents, companions included, what was decided in it, and its blobs."""

    record: SessionRecord
    documents: dict[DocumentName, Stored]
    decisions: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)


def write_archive(archive: Archive) -> Iterator[str]:
    """The lines of the file, without their ends."""
    count = 2 + len(archive.decisions) + len(archive.blobs)
    yield _line({"threadline": "session", "version": VERSION, "record": asdict(archive.record)})
    for key, value in archive.decisions.items():
        yield _line({"decision": key, "value": value})
    for blob, data in archive.blobs.items():
        yield _line({"blob": blob, "data": _text(data)})
    for name, stored in archive.documents.items():
        yield _line({"document": name, "base": _text(stored.base), "index": _text(stored.index)})
        for logged in stored.tail:
            yield _line(_turn(logged.turn))
        count += 1 + len(stored.tail)
    yield _line({"lines": count})


def read_archive(lines: Iterable[str]) -> Archive:
    """Raises BadArchive. Updates are not looked at here."""
    try:
        values = [json.loads(line) for line in lines if line.strip()]
        if not values or values[0].get("threadline") != "session":
            raise BadArchive("This file is no session that Threadline wrote.")
        if values[0]["version"] != VERSION:
            raise BadArchive(f"This file is of version {values[0]['version']}; this program reads {VERSION}.")
        if values[-1].get("lines") != len(values):
            raise BadArchive("This file is cut short: export the session again.")
        rest = values[1:-1]
        return Archive(
            _record(values[0]["record"]),
            _documents([value for value in rest if "decision" not in value and "blob" not in value]),
            {value["decision"]: str(value["value"]) for value in rest if "decision" in value},
            {value["blob"]: b64decode(value["data"], validate=True) for value in rest if "blob" in value},
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadArchive(f"This file is damaged ({error}): export the session again.") from error


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _text(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)


def _turn(turn: Turn) -> dict[str, Any]:
    entries = [
        {
            "user": entry.user,
            "role": entry.role,
            "at_ms": entry.at_ms,
            "ranges": [[clocks.client, clocks.start, clocks.end] for clocks in entry.ranges],
            "update": _text(entry.update),
        }
        for entry in turn.entries
    ]
    return {"node": turn.node, "epoch": turn.epoch, "entries": entries}


def _record(fields: dict[str, Any]) -> SessionRecord:
    return SessionRecord(**fields | {"id": SessionId(fields["id"]), "labels": tuple(fields["labels"])})


def _documents(values: list[dict[str, Any]]) -> dict[DocumentName, Stored]:
    found: dict[DocumentName, tuple[bytes | None, bytes | None, list[LoggedTurn]]] = {}
    turns: list[LoggedTurn] = []
    for value in values:
        if "document" in value:
            turns = []
            found[DocumentName(value["document"])] = (_bytes(value["base"]), _bytes(value["index"]), turns)
        else:
            turns.append(LoggedTurn(Position(len(turns) + 1), _read_turn(value)))
    return {
        name: Stored("", base, index, Position(0), tuple(tail)) for name, (base, index, tail) in found.items()
    }


def _read_turn(value: dict[str, Any]) -> Turn:
    return Turn(NodeId(value["node"]), value["epoch"], tuple(map(_entry, value["entries"])))


def _entry(value: dict[str, Any]) -> Entry:
    ranges = tuple(ClockRange(client, start, end) for client, start, end in value["ranges"])
    update = _bytes(value["update"])
    if update is None:
        raise BadArchive("This file is damaged: an entry has no update.")
    return Entry(value["user"], value["role"], ranges, update, value["at_ms"])
