"""Makes what was written durable: one thread that syncs group by group, as fast as the disk allows and as is
worth it: the journal for turns, the WAL for whatever is committed to the tables.

Which file has to be synced, and why this is enough:

* A turn is durable once the journal's bytes up to its end are on disk. They are written over only when the
  turn is in the tables, and those are durable (`mover.py`).
* What a turn leans on, its document's row and the parts of a large one, is synced before it.
* A commit appends frames to the WAL; it is durable once the WAL's bytes up to its last frame are on disk.
* Frames leave the WAL only by a checkpoint. SQLite syncs the WAL, copies the pages, syncs the database file,
  and only then lets a writer start the WAL over (https://www.sqlite.org/wal.html). So a commit that is no
  longer in the WAL is in the synced database file, and one sync of the WAL after a commit makes it durable
  wherever it is by then.
* The file is never replaced while a connection is open, so one descriptor stays good. That the directory
  knows both files is made durable once, at the start.

A failed sync is different from one that did not happen: the kernel may have dropped the bytes and call the
next sync a success. So after a failure the groups of the journal that may be concerned are written again,
and the WAL over itself; where it is not whole any more, no sync of it is believed until the next start.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from threadline_server.backplane.base import UNAWAITED_DELAY_S
from threadline_server.backplane.embedded.journal import Written
from threadline_server.backplane.embedded.journal_mark import JournalMark
from threadline_server.backplane.embedded.synced_mark import SyncedMark

RETRY_S = 0.25
SPACING_S = 0.001
"""Between the starts of two syncs. A disk that syncs in a tenth of that would be asked thousands of times a
second, which takes a fifth of the processor from the loop."""

_REWRITE_BYTES = 1 << 20


Waiting = Written | asyncio.Future[None]
"""A group of turns, or somebody who waits until what was committed to the tables is durable."""


def sync_file(fd: int) -> None:
    """Bring what was written to `fd` to the disk itself, past the disk's own cache where the system has a
    way.
    """
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


class Syncer:
    """`on_durable` and `on_state` are called from the thread; `mend_wal` after a failed sync, before another.

    mend_wal: brings back what a failed sync of the WAL may have lost; raises when it cannot, or not yet
    groups:   how many groups the journal has had, at least
    """

    def __init__(
        self,
        *,
        on_durable: Callable[[Sequence[Waiting]], None],
        on_state: Callable[[Exception | None], None],
        mend_wal: Callable[[int], None],
        groups: Callable[[], int],
        sync: Callable[[int], None] = sync_file,
    ) -> None:
        self.syncs = 0
        self._doubted = 0  # groups up to this one may have been lost by a sync that failed
        self._on_durable = on_durable
        self._on_state = on_state
        self._mend_wal = mend_wal
        self._groups = groups
        self._sync = sync
        self._fd = -1
        self._queue: queue.SimpleQueue[Sequence[Waiting] | None] = queue.SimpleQueue()
        self._awaited = threading.Event()
        self._stopped = threading.Event()
        self._runner = threading.Thread(target=self._run, name="threadline-sync", daemon=True)

    def start(self, database: Path) -> None:
        self._fd = os.open(f"{database}-wal", os.O_RDWR | os.O_CLOEXEC)
        self._mark = SyncedMark(database)
        self._journal_mark = JournalMark(database.parent)
        self._runner.start()

    def add(self, group: Sequence[Waiting], awaited: bool) -> None:
        """Acknowledge each of `group` after a sync that begins from now on, soon where that is `awaited`."""
        self._queue.put(group)
        if awaited and not self._awaited.is_set():
            self._awaited.set()

    def stop(self) -> None:
        """Sync what was added and end; a disk that fails is tried once more and then given up."""
        self._stopped.set()
        self._queue.put(None)
        self._awaited.set()
        if self._runner.ident is not None:
            self._runner.join()
            os.close(self._fd)
            self._mark.close()
            self._journal_mark.close()

    def _run(self) -> None:
        began_s = -SPACING_S
        more = True
        while more:
            group, more = self._next_group(began_s)
            began_s = time.monotonic()
            if group and not self._make_durable(group):
                return
            del group  # an idle thread would keep the rooms and replicas of its last turns

    def _next_group(self, last_s: float) -> tuple[list[Waiting], bool]:
        """Everything that waits when the next sync is due, at least one addition; and whether more may come.
        The last sync began at `last_s`.
        """
        group: list[Waiting] = []
        addition = self._queue.get()
        # A thousand syncs a second take a seventh of the processor, and one right after a turn delays it.
        self._awaited.wait(UNAWAITED_DELAY_S)
        self._awaited.clear()  # before the queue is emptied: who comes later sets it again
        time.sleep(max(0.0, last_s + SPACING_S - time.monotonic()))
        while addition is not None:
            group.extend(addition)
            try:
                addition = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _make_durable(self, group: list[Waiting]) -> bool:
        failed = False
        while True:
            try:
                self._sync_group(group, failed)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is not durable; told by on_state
                failed = True
                self._doubted = self._groups()
                self._on_state(error)
                if self._stopped.wait(RETRY_S):
                    return False
                continue
            self.syncs += 1
            if failed:
                self._on_state(None)
            self._on_durable(group)
            return True

    def _sync_group(self, group: Sequence[Waiting], failed: bool) -> None:
        """The WAL first, since turns lean on what is in it."""
        written = [waiting for waiting in group if isinstance(waiting, Written)]
        if len(written) < len(group):
            self._sync_wal(failed)
        for one in written:
            if one.number <= self._doubted:
                one.write_again()
        ends = {one.segment: one for one in written}  # the last of each, in order
        for segment in ends:
            self._sync(segment.fd)
        if written:
            self._journal_mark.note(written[-1].segment.generation, written[-1].end)

    def _sync_wal(self, failed: bool) -> None:
        if failed:
            self._mend_wal(self._fd)
        frames = self._mark.frames()
        self._sync(self._fd)
        if frames is not None:
            self._mark.note(frames)

    def frames(self) -> int:
        """How many pages the WAL has, as far as that is known just now."""
        frames = self._mark.frames()
        return 0 if frames is None else frames.count


def rewrite(fd: int) -> None:
    """Write a file over itself, so that a sync has every byte to bring to disk again. Raises OSError."""
    size = os.fstat(fd).st_size
    for offset in range(0, size, _REWRITE_BYTES):
        data = os.pread(fd, min(_REWRITE_BYTES, size - offset), offset)
        os.pwrite(fd, data, offset)
