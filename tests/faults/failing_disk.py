"""A directory whose disk is full or fails for one process, on demand."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

from tests.preloaded import compiled

SOURCE = Path(__file__).with_name("failing_disk.c")
_CONTROL = struct.Struct("=iii")


class FailingDisk:
    """What is started with `environment` finds `files` on this disk.

    failed: how many calls the disk has failed
    """

    def __init__(self, directory: Path) -> None:
        self.files = directory / "files"
        self.files.mkdir()
        self._library = compiled(SOURCE, directory)
        self._path = directory / "control"
        self._path.write_bytes(_CONTROL.pack(0, 0, 0))
        with self._path.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), _CONTROL.size)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "FAILING_DIR": str(self.files),
            "FAILING_CONTROL": str(self._path),
        }

    @property
    def whole_environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    @property
    def failed(self) -> int:
        return int(_CONTROL.unpack(self._control)[2])

    def fail(self, *, writes: int = 0, syncs: int = 0) -> None:
        """From now on every write, every sync ends with this error number; 0 lets them through."""
        self._control[:8] = struct.pack("=ii", writes, syncs)

    def heal(self) -> None:
        self.fail()

    def close(self) -> None:
        self._control.close()
