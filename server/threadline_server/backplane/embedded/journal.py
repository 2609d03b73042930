"""The journal: where a turn is taken, before it is moved into the table of the log.

A commit of SQLite costs some 12 us and a page for each session that wrote; a write to the end of a file costs
one. So the loop writes turns here in the order in which they come, and `Mover` brings them into the table in
the background, many at a time. A crash leaves both; what the journal has more is moved at the next start.

Two files that take turns, so that one can be written while the other is moved. Each begins with a header, and
then has groups, one per flush:

    file   = "TLjrnl2\\0" generation (8) length of the generation before (8) crc-32 (4)
    group  = length of the body (4) crc-32 (4) body
    body   = {row of the log (8) length (4) encoded turn}

Generations count up over both files. The checksum of a group also covers the generation and where the group
is, so what an earlier generation left behind its end is not taken for a group. It covers the last bytes of
each turn twice, the second time behind the body: a turn ends with its own CRC-32, and the CRC-32 of what
ends so is the same whatever it is. An older turn of the same length, where a newer one was written in part,
would not be noticed without that, as in files of "TLjrnl1". A generation is read only where the one before
is whole, to the length that it says: of what was not synced, a power cut may leave the later.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final
from zlib import crc32

from mypy_extensions import mypyc_attr

from threadline_server.backplane.base import Append
from threadline_server.backplane.turn_bytes import CHECK_BYTES

Row = tuple[int, bytes]
"""A row of the log, and the encoded turn in it."""

FILE_NAMES: Final = ("threadline.journal-0", "threadline.journal-1")
_MAGIC: Final = b"TLjrnl2\0"
_FIRST_MAGIC: Final = b"TLjrnl1\0"
_HEADER: Final = Struct(">8sQQ")
_CHECK: Final = Struct(">I")
_GROUP: Final = Struct(">II")
_PLACE: Final = Struct(">QQ")
_TURN: Final = Struct(">QI")
HEADER_BYTES: Final = _HEADER.size + _CHECK.size


class Segment:
    """One of the two files. end: where the next group goes; wipe: nothing of it may stay once it is moved."""

    __slots__ = ("end", "fd", "generation", "wipe")

    def __init__(self, path: Path) -> None:
        self.fd: int = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.generation: int = 0
        self.end: int = 0
        self.wipe: bool = False

    def clear(self) -> None:
        """Blocking. Raises OSError."""
        os.ftruncate(self.fd, 0)
        self.wipe = False


@mypyc_attr(acyclic=True)
class Written:
    """A group in the journal, and whom to tell when it is durable. `number` counts groups since the start."""

    __slots__ = ("appends", "data", "number", "segment", "start")

    def __init__(
        self, appends: Sequence[Append], number: int, segment: Segment, start: int, data: bytes
    ) -> None:
        self.appends: Sequence[Append] = appends
        self.number: int = number
        self.segment: Segment = segment
        self.start: int = start
        self.data: bytes = data

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    def write_again(self) -> None:
        """After a sync that failed. Raises OSError."""
        _write(self.segment.fd, self.data, self.start)


class Journal:
    """For the loop. Raises OSError where nothing could be written; what was there stays.

    groups: written since the start, or begun
    """

    def __init__(self, directory: Path, generation: int) -> None:
        """Begins with `generation`, over the file that has the older one; all of both is in the table."""
        self.groups = 0
        self._directory = directory
        self._segments = [Segment(directory / name) for name in FILE_NAMES]
        self._spare: Segment | None = self._segments[generation % 2]
        self._active: Segment = self._segments[1 - generation % 2]
        self._active.generation = generation - 1
        self.reuse(self.roll())

    @property
    def generation(self) -> int:
        return self._active.generation

    @property
    def size(self) -> int:
        """Of what the active file has, in bytes."""
        return self._active.end - HEADER_BYTES

    def write(self, rows: Sequence[Row], appends: Sequence[Append]) -> Written:
        """One group."""
        pieces: list[bytes] = []
        for row, turn in rows:
            pieces.append(_TURN.pack(row, len(turn)))
            pieces.append(turn)
        body = b"".join(pieces)
        segment = self._active
        check = _check(segment.generation, segment.end, body, _ends(rows))
        data = _GROUP.pack(len(body), check) + body
        self.groups += 1
        _write(segment.fd, data, segment.end)
        written = Written(appends, self.groups, segment, segment.end, data)
        segment.end += len(data)
        return written

    def nothing(self, appends: Sequence[Append]) -> Written:
        """For turns that are here already: they are durable when all is that was written before."""
        return Written(appends, self.groups, self._active, self._active.end, b"")

    def roll(self) -> Segment:
        """Go on in the other file, which is spare; gives back this one, to be given to `reuse` when all of it
        was moved for good.
        """
        spare, active = self._spare, self._active
        assert spare is not None
        header = _HEADER.pack(_MAGIC, active.generation + 1, active.end)
        _write(spare.fd, header + _CHECK.pack(crc32(header)), 0)
        spare.generation = active.generation + 1
        spare.end = HEADER_BYTES
        self._active, self._spare = spare, None
        return active

    def reuse(self, segment: Segment) -> None:
        self._spare = segment

    def mark_to_wipe(self) -> None:
        """What is in both files must not stay longer than it has to."""
        for segment in self._segments:
            segment.wipe = True

    @property
    def to_wipe(self) -> bool:
        return self._active.wipe

    @property
    def spare(self) -> Segment | None:
        """What `roll` goes on in; None where not all of it was moved yet."""
        return self._spare

    def close(self, *, remove: bool) -> None:
        """With `remove`, all of it is in the tables for good."""
        for segment, name in zip(self._segments, FILE_NAMES, strict=True):
            os.close(segment.fd)
            if remove:
                (self._directory / name).unlink()


def _write(fd: int, data: bytes, start: int) -> None:
    done = os.pwrite(fd, data, start)
    if done != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _check(generation: int, start: int, body: bytes, ends: bytes) -> int:
    return crc32(ends, crc32(body, crc32(_PLACE.pack(generation, start))))


def _ends(rows: Sequence[Row]) -> bytes:
    return b"".join([turn[-CHECK_BYTES:] for _, turn in rows])


@dataclass(frozen=True, slots=True)
class Found:
    """What can be read of a file: `before` is how long the generation before must be, `end` where it ends."""

    generation: int
    before: int
    end: int
    rows: list[Row]


def find(directory: Path, moved: int) -> list[Found]:
    """What is in a journal after the generation `moved`, oldest first. Another process may be writing to it;
    then it is what was taken before this is called, apart from what was moved meanwhile. Raises OSError.
    """
    whole: list[Found] = []
    for found in _find_all(directory):
        if found.generation != moved + 1 + len(whole) or (whole and whole[-1].end < found.before):
            continue
        whole.append(found)
    return whole


def last_generation(directory: Path) -> int:
    """Of what can be read; 0 where nothing is. Raises OSError."""
    return max((found.generation for found in _find_all(directory)), default=0)


def _find_all(directory: Path) -> list[Found]:
    found = [one for name in FILE_NAMES if (one := _find(directory / name)) is not None]
    return sorted(found, key=lambda one: one.generation)


def _find(path: Path) -> Found | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(data) < HEADER_BYTES:
        return None
    magic, generation, before = _HEADER.unpack_from(data)
    (check,) = _CHECK.unpack_from(data, _HEADER.size)
    if magic not in (_MAGIC, _FIRST_MAGIC) or check != crc32(data[: _HEADER.size]):
        return None
    at, rows = HEADER_BYTES, list[Row]()
    while (group := _group_at(data, at, generation, first=magic == _FIRST_MAGIC)) is not None:
        rows.extend(group)
        at += _GROUP.size + sum(_TURN.size + len(turn) for _, turn in group)
    return Found(generation, before, at, rows)


def _group_at(data: bytes, at: int, generation: int, *, first: bool) -> list[Row] | None:
    """None at the end. `first` says that it is of the first version."""
    if at + _GROUP.size > len(data):
        return None
    size, check = _GROUP.unpack_from(data, at)
    body = data[at + _GROUP.size : at + _GROUP.size + size]
    if not body or len(body) != size:
        return None
    rows = _rows_in(body)
    ends = b"" if first else _ends(rows)
    return rows if check == _check(generation, at, body, ends) else None


def _rows_in(body: bytes) -> list[Row]:
    """Of what may be no body as far as it looks like one."""
    at, rows = 0, list[Row]()
    while at + _TURN.size <= len(body):
        row, size = _TURN.unpack_from(body, at)
        at += _TURN.size
        rows.append((row, body[at : at + size]))
        at += size
    return rows
