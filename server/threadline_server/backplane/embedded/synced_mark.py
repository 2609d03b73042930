"""How much of the WAL was durable, kept beside it: what tells damage from the end.

SQLite takes a frame of the WAL whose checksum is wrong for the end of what was written, and drops it with all
that follows. After a power cut that is right, nothing of it was synced. A bit that changed in what was synced
looks the same to it; the mark says how many frames there must be at least. Formats of WAL and wal-index:
https://www.sqlite.org/walformat.html.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from threadline_server.backplane.base import Damaged
from threadline_server.backplane.embedded.mark_file import MarkFile, read_mark

_WAL_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoints, two salts, two checksums
_MAGIC = 0x377F0682  # the last bit says whether words of checksums are big-endian
_FRAME_HEADER = struct.Struct(">2I8s8s")  # page, pages of the database after a commit or 0, salts, checksums
_INDEX_BYTES = 48  # of the header of the wal-index, which stands there twice
_FRAMES_AT = 16
_SALTS_AT, _SALTS_END = 32, 40
_MARK = struct.Struct(">8sI")  # salts, frames


@dataclass(frozen=True, slots=True)
class Frames:
    """How many frames the WAL with these salts has."""

    salts: bytes
    count: int


class SyncedMark:
    """`note` is for one thread.

    The wal-index is read as memory, as SQLite does: a call of the system would let go of the interpreter, and
    the loop stops each time that a thread takes it back.
    """

    def __init__(self, database: Path) -> None:
        with Path(f"{database}-shm").open("rb") as index:
            self._index = mmap.mmap(index.fileno(), 2 * _INDEX_BYTES, access=mmap.ACCESS_READ)
        self._file = MarkFile(_path(database))

    def frames(self) -> Frames | None:
        """What the WAL has by now; None while a commit changes it."""
        return _frames_in(self._index[:])

    def note(self, frames: Frames) -> None:
        """These are durable."""
        self._file.write(_MARK.pack(frames.salts, frames.count))

    def close(self) -> None:
        self._index.close()
        self._file.close()


def expect_synced(database: Path) -> None:
    """Raises Damaged when the WAL lacks what was durable. To be called before anything else opens the store,
    because the last connection that closes makes the end final.
    """
    mark = _read_mark(database)
    wal = Path(f"{database}-wal")
    if mark is None or not wal.is_file() or wal.stat().st_size < _WAL_HEADER.size:
        return
    with wal.open("rb") as file:
        header = file.read(_WAL_HEADER.size)
    if not _is_sound(header):
        if _is_copied(database, header, mark):
            return
        raise _damaged(database, 0, mark.count)
    if header[16:24] != mark.salts:
        return  # it was started over since, so everything noted is in the database
    count = _recovered(database)
    if count < mark.count:
        raise _damaged(database, count, mark.count)


def _damaged(database: Path, count: int, marked: int) -> Damaged:
    return Damaged(
        f"{database}-wal is damaged: of {marked} pages that were written for good only the first {count} can "
        f"be read. Restore the directory from a backup; or delete {_path(database)} to go on without the "
        "rest, which devices bring back as far as they have it."
    )


def _recovered(database: Path) -> int:
    """The frames that SQLite takes. A connection that only reads leaves the WAL as it is."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=0)
    try:
        connection.execute("PRAGMA user_version").fetchone()
        with Path(f"{database}-shm").open("rb") as index:
            frames = _frames_in(index.read(2 * _INDEX_BYTES))
    finally:
        connection.close()
    return 0 if frames is None else frames.count


def _is_copied(database: Path, header: bytes, mark: Frames) -> bool:
    """Whether the database has all that the WAL has, as when the power failed while the header for starting
    over was written. SQLite syncs that header before it writes a frame, so all frames are still the old ones.
    """
    magic, _, page_bytes, *_ = _WAL_HEADER.unpack(header)
    if magic & ~1 != _MAGIC or not 512 <= page_bytes <= 65_536 or not database.is_file():
        return False
    latest: dict[int, int] = {}  # by page: where in the WAL it was written last
    uncommitted: dict[int, int] = {}
    salts, count, pages = b"", 0, 0
    with Path(f"{database}-wal").open("rb") as wal, database.open("rb") as file:
        at = _WAL_HEADER.size
        while len(frame := _read_at(wal, at, _FRAME_HEADER.size)) == _FRAME_HEADER.size:
            page, committed_pages, frame_salts, _ = _FRAME_HEADER.unpack(frame)
            salts = salts or frame_salts
            if frame_salts != salts or not page:
                break
            uncommitted[page] = at + _FRAME_HEADER.size
            if committed_pages:
                latest.update(uncommitted)
                uncommitted.clear()
                pages = committed_pages
            count += 1
            at += _FRAME_HEADER.size + page_bytes
        whole = count >= (mark.count if salts == mark.salts else 1)
        return whole and all(
            _read_at(wal, at, page_bytes) == _read_at(file, (page - 1) * page_bytes, page_bytes)
            for page, at in latest.items()
            if page <= pages
        )


def _read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    return os.pread(file.fileno(), count, offset)


def _frames_in(data: bytes) -> Frames | None:
    """`data` are both headers of the wal-index, which differ while a commit changes them."""
    first, second = data[:_INDEX_BYTES], data[_INDEX_BYTES:]
    if first != second or len(first) < _INDEX_BYTES:
        return None
    (count,) = struct.unpack_from("=I", first, _FRAMES_AT)
    return Frames(first[_SALTS_AT:_SALTS_END], count)


def sound_frames(wal: int) -> int:
    """How many frames SQLite would take of a WAL after a crash: those before the first wrong checksum."""
    header = os.pread(wal, _WAL_HEADER.size, 0)
    if len(header) < _WAL_HEADER.size or not _is_sound(header):
        return 0
    magic, _, page_bytes, *_, one, two = _WAL_HEADER.unpack(header)
    size = _FRAME_HEADER.size + page_bytes
    count = 0
    while len(frame := os.pread(wal, size, _WAL_HEADER.size + count * size)) == size:
        _, _, salts, check = _FRAME_HEADER.unpack_from(frame)
        one, two = _sum(frame[:8] + frame[_FRAME_HEADER.size :], bool(magic & 1), one, two)
        if salts != header[16:24] or check != struct.pack(">2I", one, two):
            break
        count += 1
    return count


def _read_mark(database: Path) -> Frames | None:
    mark = read_mark(_path(database), _MARK.size)
    if mark is None:
        return None
    salts, count = _MARK.unpack(mark)
    return Frames(salts, count) if count else None


def _is_sound(header: bytes) -> bool:
    magic, *_, first, second = _WAL_HEADER.unpack(header)
    return magic & ~1 == _MAGIC and _sum(header[:24], bool(magic & 1), 0, 0) == (first, second)


def _sum(data: bytes, big_endian: bool, one: int, two: int) -> tuple[int, int]:
    """The checksum of `data` after one that came to `one` and `two`."""
    words = iter(struct.unpack(f"{'>' if big_endian else '<'}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        one = one + even + two & 0xFFFFFFFF
        two = two + odd + one & 0xFFFFFFFF
    return one, two


def _path(database: Path) -> Path:
    return Path(f"{database}-synced")
