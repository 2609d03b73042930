"""A mark of what is durable: a few bytes and their CRC-32, in a file of their own that is written over.

The file is not synced itself, since a mark that is too old does no harm.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from zlib import crc32

_CHECK_BYTES = 4


class MarkFile:
    """For one thread."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, mark: bytes) -> None:
        """Without a mark, damage goes unnoticed, so a disk that is full is no failure."""
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, mark + crc32(mark).to_bytes(_CHECK_BYTES, "big"), 0)

    def close(self) -> None:
        os.close(self._fd)


def read_mark(path: Path, size: int) -> bytes | None:
    """None where there is none of so many bytes, or it is damaged itself. Raises OSError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    mark, check = data[:size], data[size:]
    return mark if check == crc32(mark).to_bytes(_CHECK_BYTES, "big") else None
