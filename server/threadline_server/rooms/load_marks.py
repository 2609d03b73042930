"""Which documents were being loaded when a process died: a file for each while it loads.

A document that kills the process that reads it is so known by the next one, which looks at it from a distance
(`examination`). A mark need not survive a power cut, so it is not synced.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from threadline_server.backplane.base import DocumentName

_DIGEST_BYTES = 16


class LoadMarks:
    """`directory` belongs to one process at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._left_behind = {path.name for path in directory.iterdir()} if directory.is_dir() else set()

    def is_suspect(self, document: DocumentName) -> bool:
        """Whether a process before this one ended while it loaded `document`."""
        return self._path(document).name in self._left_behind

    async def begin(self, document: DocumentName) -> None:
        await asyncio.to_thread(self._write, document)

    async def end(self, document: DocumentName) -> None:
        """It was loaded, or failed to in an orderly way."""
        path = self._path(document)
        self._left_behind.discard(path.name)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    def _write(self, document: DocumentName) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._path(document).write_text(document)

    def _path(self, document: DocumentName) -> Path:
        return self._directory / hashlib.blake2s(document.encode(), digest_size=_DIGEST_BYTES).hexdigest()
