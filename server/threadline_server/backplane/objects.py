"""Where large things lie that no document holds: blobs and, past one machine, the bases of idle sessions.

Keys are texts with `/`; an adapter for an object store maps them as they are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import anyio.to_thread

from threadline.errors import ConfigurationError, StoreError
from threadline.ids import SessionId


class Objects(Protocol):
    """Bytes by key. Every method raises StoreError when the store is away."""

    async def put(self, key: str, data: bytes) -> None:
        """Durable when it returns; replaces what was there, whole."""

    async def get(self, key: str) -> bytes | None: ...

    async def delete(self, key: str) -> None:
        """Idempotent."""

    async def delete_under(self, prefix: str) -> None:
        """Delete every key that begins with `prefix/`. Idempotent."""


def open_objects(location: str) -> Objects:
    """The store at `s3://bucket/prefix`, or the directory of that name. Raises ConfigurationError."""
    if not location.startswith("s3://"):
        return DirectoryObjects(Path(location))
    try:
        from threadline_server.backplane.s3_objects import S3Objects
    except ImportError as error:
        raise ConfigurationError(
            "An object store that speaks S3 needs a library: install threadline[s3]."
        ) from error
    return S3Objects(location)


def blob_key(session: SessionId, blob: str) -> str:
    """Where a blob lies: names are hashed, so that any text is a name and none leads out of the folder."""
    return f"{session_prefix(session)}/{sha256(blob.encode()).hexdigest()}"


def cold_key(session: SessionId, document: str, name: str) -> str:
    """Where a document lies that is out of Redis; `name` tells one time of it from another."""
    return f"{session_prefix(session)}/cold-{sha256(document.encode()).hexdigest()[:32]}-{name}"


def session_prefix(session: SessionId) -> str:
    digest = sha256(session.encode()).hexdigest()
    return f"{digest[:2]}/{digest}"


class DirectoryObjects:
    """Objects as files under one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def put(self, key: str, data: bytes) -> None:
        await anyio.to_thread.run_sync(self._put, key, data)

    async def get(self, key: str) -> bytes | None:
        return await anyio.to_thread.run_sync(self._get, key)

    async def delete(self, key: str) -> None:
        await anyio.to_thread.run_sync(self._delete, key)

    async def delete_under(self, prefix: str) -> None:
        await anyio.to_thread.run_sync(self._delete_under, prefix)

    def _put(self, key: str, data: bytes) -> None:
        path = self.root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                self._fill(file.name, file.fileno(), data, path)
            sync_directory(path.parent)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}.") from error

    def _fill(self, name: str, fd: int, data: bytes, path: Path) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
            Path(name).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _get(self, key: str) -> bytes | None:
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self.root / key} cannot be read: {error}.") from error

    def _delete(self, key: str) -> None:
        try:
            (self.root / key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self.root / key} cannot be deleted: {error}.") from error

    def _delete_under(self, prefix: str) -> None:
        try:
            shutil.rmtree(self.root / prefix)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{self.root / prefix} cannot be deleted: {error}.") from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
