"""A disk that is cut off: what a process wrote, and what of it a power loss at any moment may leave.

A library that is loaded before all others records writes and syncs. From the record, the files as they may be
after a power loss are made anew: what was synced is there, of the rest each write may be there, be missing,
or be cut short.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.preloaded import compiled

SOURCE = Path(__file__).with_name("recorder.c")
ACKNOWLEDGED = "acknowledged"
_HEAD = struct.Struct("<cHqI")


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str
    path: str
    offset: int
    data: bytes


class Recording:
    """Records what is started with `environment`."""

    def __init__(self, directory: Path) -> None:
        self.files = directory / "files"
        self.files.mkdir(parents=True)
        self._log = directory / "record"
        self._library = compiled(SOURCE, directory)

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "LD_PRELOAD": str(self._library),
            "RECORD_DIR": str(self.files),
            "RECORD_LOG": str(self._log),
        }
        return {**os.environ, **own}

    def acknowledge(self, text: str) -> None:
        """Record that somebody was told this now."""
        data = text.encode() + b"\n"
        record = _HEAD.pack(b"W", len(ACKNOWLEDGED), 0, len(data)) + ACKNOWLEDGED.encode() + data
        fd = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(fd, record)
        finally:
            os.close(fd)

    def operations(self) -> list[Operation]:
        return list(self._read())

    def _read(self) -> Iterator[Operation]:
        data = self._log.read_bytes()
        at = 0
        while at + _HEAD.size <= len(data):
            kind, path_length, offset, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            path = data[at : at + path_length].decode()
            at += path_length
            yield Operation(kind.decode(), path, offset, data[at : at + length])
            at += length


def acknowledged(operations: list[Operation]) -> list[str]:
    """What somebody was told in the course of `operations`."""
    told = b"".join(operation.data for operation in operations if operation.path == ACKNOWLEDGED)
    return told.decode().splitlines()


def after_power_loss(
    operations: list[Operation],
    into: Path,
    chance: random.Random,
    before: Path | None = None,
    *,
    in_order: bool = False,
) -> None:
    """Make the files in `into` that a power loss after `operations` may leave; `before` has them as they
    began. With `in_order` a file that lost something lost all that came after it, as files that only grow do
    on a journaling file system.
    """
    contents: dict[str, bytearray] = {} if before is None else _read_all(before)
    synced = _last_syncs(operations)
    ended: set[str] = set()
    keep = chance.choice((0.0, 0.5, 1.0))
    for number, operation in enumerate(operations):
        if operation.path == ACKNOWLEDGED or operation.kind not in "WTU":
            continue
        where = "." if operation.kind == "U" else operation.path
        if number < synced.get(where, -1):
            _apply(contents, operation)
        elif where not in ended and chance.random() < keep:
            left = _perhaps_cut(operation, chance)
            _apply(contents, left)
            if in_order and left is not operation:
                ended.add(where)
        elif in_order:
            ended.add(where)
    for path, content in contents.items():
        file = into / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _read_all(directory: Path) -> dict[str, bytearray]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): bytearray(path.read_bytes()) for path in files}


def _last_syncs(operations: list[Operation]) -> dict[str, int]:
    """Per file, the beginning of its last sync that ended: what was written before is on disk."""
    begun: dict[str, int] = {}
    synced: dict[str, int] = {}
    for number, operation in enumerate(operations):
        if operation.kind == "B":
            begun[operation.path] = number
        elif operation.kind == "E":
            synced[operation.path] = max(begun[operation.path], synced.get(operation.path, -1))
    return synced


def _perhaps_cut(operation: Operation, chance: random.Random) -> Operation:
    if operation.kind != "W" or chance.random() < 0.7:
        return operation
    whole = chance.randrange(len(operation.data) + 1)
    return Operation(operation.kind, operation.path, operation.offset, operation.data[:whole])


def _apply(contents: dict[str, bytearray], operation: Operation) -> None:
    if operation.kind == "U":
        contents.pop(operation.path, None)
        return
    content = contents.setdefault(operation.path, bytearray())
    end = operation.offset + len(operation.data)
    if operation.kind == "T":
        del content[operation.offset :]
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[operation.offset : end] = operation.data
