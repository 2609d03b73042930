"""What this device keeps of its documents while it is closed or cut off.

Per document: its lineage, its updates (folded into one now and then), and which client ids wrote here, with
the clock up to which the server has acknowledged them. Copies set aside stay until they are removed.
`keep*` never block: what they take is written in batches on the store's own thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from threadline.changed import Changed
from threadline.errors import ConfigurationError, StoreError
from threadline.offline_file import Batch, OfflineFile, OwnRange, SetAside, StoredCopy
from threadline.offline_key import StoreKey, read_key

FOLD_AFTER_UPDATES = 500
"""Stored updates of a document after which its next keeper replaces them by the whole document."""

RETRY_AFTER_S = 5.0
"""After a failed write; what is kept waits in memory, bounded by folding."""

T = TypeVar("T")

_log = logging.getLogger("threadline.offline")


class OfflineStore:
    """One device's file. `open` it, hold `run` in a task group, and `close` it."""

    def __init__(self, path: str | Path, key: StoreKey | None = None) -> None:
        """With a `key` what people wrote is encrypted. Raises ConfigurationError where it cannot be read."""
        self.path = Path(path).expanduser()
        self._key = None if key is None else read_key(key)
        self._file: OfflineFile | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="threadline-offline")
        self._waiting: dict[str, Batch] = {}
        self._updates_of: dict[str, int] = {}
        self._kept = Changed()

    async def open(self) -> None:
        """Raises StoreBusy while another process has the file, StoreError where it is no store, and
        ConfigurationError where the key is missing or another one.
        """
        self._file = await self._on_thread(lambda: OfflineFile(self.path, self._key))

    async def close(self) -> None:
        """Write what waits, then let go of the file. Idempotent."""
        if self._file is None:
            return
        try:
            await self.flush()
        finally:
            file, self._file = self._file, None
            await self._on_thread(file.close)
            self._thread.shutdown(wait=False)

    async def run(self) -> None:
        """Write what is kept, for as long as this runs."""
        while True:
            await self._kept.until(lambda: bool(self._waiting))
            try:
                await self.flush()
            except StoreError as error:
                _log.warning("%s Changes wait in memory.", error.message)
                await asyncio.sleep(RETRY_AFTER_S)

    async def flush(self) -> None:
        """Everything kept so far is in the file and survives this process. Raises StoreError."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        file = self._opened  # bound here: a write that nobody waits for any more is still made before `close`
        try:
            await self._on_thread(lambda: file.write(waiting))
        except StoreError:
            self._put_back(waiting)
            raise

    def keep(self, document: str, update: bytes) -> None:
        """One more update of a document, whoever made it."""
        self._batch(document).updates.append(update)
        self._updates_of[document] = self._updates_of.get(document, 0) + 1

    def wants_whole(self, document: str) -> bool:
        """Whether it is time to fold: the caller then hands the whole document to `keep_whole`."""
        return self._updates_of.get(document, 0) >= FOLD_AFTER_UPDATES

    def keep_whole(self, document: str, whole: bytes) -> None:
        batch = self._batch(document)
        batch.whole = whole
        batch.updates.clear()
        self._updates_of[document] = 1

    def keep_own(self, document: str, own: OwnRange) -> None:
        self._batch(document).own[own.client] = own

    def keep_place(self, document: str, lineage: str, role: str) -> None:
        """Which session this is a copy of, and what this user may do in it."""
        self._batch(document).place = (lineage, role)

    async def load(self, document: str) -> StoredCopy | None:
        """The copy of a document, or None where there is none."""
        await self.flush()
        copy = await self._on_thread(lambda: self._opened.load(document))
        self._updates_of[document] = len(copy.updates) if copy is not None else 0
        return copy

    async def user(self) -> str | None:
        """Whose file this is; None before the first `bind`."""
        return await self._on_thread(lambda: self._opened.owner())

    async def bind(self, user: str) -> None:
        """Make the file `user`'s. Raises ConfigurationError where it is somebody else's already."""
        owner = await self.user()
        if owner is not None and owner != user:
            raise ConfigurationError(
                f"The offline store {self.path} belongs to {owner}, not to {user}; give each user a file."
            )
        if owner is None:
            await self._on_thread(lambda: self._opened.set_owner(user))

    async def documents(self) -> list[str]:
        """Names of the documents that have content here."""
        await self.flush()
        return await self._on_thread(lambda: self._opened.documents())

    async def set_aside(self, copy: SetAside) -> None:
        """Keep `copy` for its user and drop the document it came from."""
        self._drop(copy.document)
        await self._on_thread(lambda: self._opened.set_aside(copy))

    async def list_set_aside(self) -> list[SetAside]:
        """Copies set aside, oldest first."""
        return await self._on_thread(lambda: self._opened.list_set_aside())

    async def remove_set_aside(self, document: str) -> None:
        await self._on_thread(lambda: self._opened.remove_set_aside(document))

    async def forget(self, document: str) -> None:
        """Drop a document, for good."""
        self._drop(document)
        await self._on_thread(lambda: self._opened.forget(document))

    @property
    def _opened(self) -> OfflineFile:
        if self._file is None:
            raise StoreError(f"The offline store {self.path} is not open.")
        return self._file

    def _batch(self, document: str) -> Batch:
        self._kept.notify()
        return self._waiting.setdefault(document, Batch())

    def _drop(self, document: str) -> None:
        self._waiting.pop(document, None)
        self._updates_of.pop(document, None)

    def _put_back(self, failed: dict[str, Batch]) -> None:
        for document, batch in failed.items():
            later = self._waiting.get(document)
            self._waiting[document] = batch if later is None else batch.before(later)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        """Shielded: what was handed over happens, also when its waiter is cancelled."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, work))
