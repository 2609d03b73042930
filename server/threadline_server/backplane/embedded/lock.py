"""One process per data directory, held by `flock` on a file that names its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from threadline.errors import StoreBusy, StoreError

LOCK_NAME = "threadline.lock"


class DirectoryLock:
    """Held from `acquire` to `release`, or until the process ends however it ends."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / LOCK_NAME
        self._fd: int | None = None

    def acquire(self) -> None:
        """Raises StoreBusy when another process holds it, StoreError when the directory cannot be written."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"The data directory {self.path.parent} cannot be written ({error.strerror}). "
                "Give this user the right to write there, or choose another with --data."
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise StoreBusy(
                f"The data directory {self.path.parent} is in use by process {holder}. "
                "Stop it, or choose another directory with --data."
            ) from error
        self._write_holder(fd)
        self._fd = fd

    def _write_holder(self, fd: int) -> None:
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(fd)
            raise StoreError(f"The data directory {self.path.parent} cannot be written: {error}.") from error

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
