"""How much of the journal was durable, kept beside it: what tells damage from the end.

A group whose checksum is wrong is the end of what was written, and what follows is dropped. After a power
cut that is right, nothing of it was synced. A bit that changed in what was synced looks the same; the mark
says up to where the journal must be whole.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from zlib import crc32

from threadline_server.backplane.base import Damaged
from threadline_server.backplane.embedded.journal import Found

FILE_NAME = "threadline.journal-synced"
_MARK = Struct(">QQ")  # generation, end
_CHECK = Struct(">I")


class JournalMark:
    """For one thread. The file is not synced itself, since a mark that is too old does no harm."""

    def __init__(self, directory: Path) -> None:
        self._fd = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, generation: int, end: int) -> None:
        """So much is durable. Without a mark, damage goes unnoticed, so a disk that is full is no failure."""
        body = _MARK.pack(generation, end)
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, body + _CHECK.pack(crc32(body)), 0)

    def close(self) -> None:
        os.close(self._fd)


def expect_whole(directory: Path, found: Sequence[Found], moved: int) -> None:
    """Raises Damaged when what was found in the journal lacks what was durable and is not in the table."""
    mark = _read(directory)
    if mark is None:
        return
    generation, end = mark
    if generation <= moved:
        return
    whole = max((one.end for one in found if one.generation == generation), default=0)
    if whole < end:
        raise Damaged(
            f"The journal in {directory} is damaged: of {end} bytes that were written for good only the "
            f"first {whole} can be read. Restore the directory from a backup; or delete "
            f"{directory / FILE_NAME} to go on without the rest, which devices bring back as far as they "
            "have it."
        )


def _read(directory: Path) -> tuple[int, int] | None:
    try:
        data = (directory / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    if len(data) != _MARK.size + _CHECK.size or _CHECK.pack(crc32(data[: _MARK.size])) != data[_MARK.size :]:
        return None
    generation, end = _MARK.unpack_from(data)
    return generation, end
