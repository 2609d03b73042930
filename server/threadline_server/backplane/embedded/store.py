"""The embedded backplane: one process, one SQLite file with a journal before it, nothing else to run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

from threadline.errors import SessionDeleted, SessionNotFound, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    BlobNotFound,
    Damaged,
    DocumentName,
    Durability,
    Fence,
    Following,
    Lease,
    LoggedTurn,
    NodeId,
    Position,
    RunHint,
    SessionPage,
    SessionQuery,
    SessionRecord,
    Stored,
)
from threadline_server.backplane.embedded import catalogue, checkpoint, large_turns, ledger, log
from threadline_server.backplane.embedded.appender import Appender
from threadline_server.backplane.embedded.compaction import compact
from threadline_server.backplane.embedded.connections import Connections
from threadline_server.backplane.embedded.heads import Heads
from threadline_server.backplane.embedded.journal import Journal
from threadline_server.backplane.embedded.large_turns import PutDown
from threadline_server.backplane.embedded.leases import Leases
from threadline_server.backplane.embedded.lock import DirectoryLock
from threadline_server.backplane.embedded.mover import Mover, recover
from threadline_server.backplane.embedded.putting import Putting
from threadline_server.backplane.embedded.recent_records import RecentRecords
from threadline_server.backplane.embedded.schema import FILE_NAME, connect, prepare
from threadline_server.backplane.embedded.synced_mark import sound_frames
from threadline_server.backplane.embedded.syncer import Syncer, Waiting, rewrite, sync_file
from threadline_server.backplane.embedded.turnstile import Turnstile
from threadline_server.backplane.feeds import Feeds
from threadline_server.backplane.follower import Follower
from threadline_server.backplane.hints import Hints
from threadline_server.backplane.objects import DirectoryObjects, blob_key, session_prefix, sync_directory

T = TypeVar("T")
Args = TypeVarTuple("Args")

UPKEEP_S = 2.0
ACTIVITY_EVERY_S = 15.0
"""How often the activity of a session that stays active is written, and at the end: a fifth of a millisecond
each time."""
RETRY_S = 0.5
_A_LITTLE_EVERY_S = 0.001
_BURIED_AT_ONCE = 500


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class EmbeddedBackplane:
    """`directory` holds everything: the SQLite file, its WAL, the journal, blobs and the lock.

    Made outside of an event loop; `open` ties it to the running one.
    """

    durability = Durability.FSYNC

    def __init__(
        self,
        directory: Path,
        *,
        node: NodeId = NodeId("embedded"),  # noqa: B008
        now_ms: Callable[[], int] = _unix_ms,
        sync: Callable[[int], None] = sync_file,
    ) -> None:
        self.node = node
        self.directory = directory
        self._now_ms = now_ms
        self._lock = DirectoryLock(directory)
        self._blobs = DirectoryObjects(directory / "blobs")
        self._heads = Heads()
        self._feeds = Feeds()
        self._hints = Hints()
        self._turnstile = Turnstile()
        self._recent = RecentRecords()
        self._touched_s: dict[SessionId, float] = {}
        self._sync = sync
        self._syncer = Syncer(
            on_durable=self._from_sync_thread,
            on_state=self._on_sync_state,
            mend_wal=self._mend_wal,
            groups=lambda: self._journal.groups,
            sync=sync,
        )
        self._sync_error: Exception | None = None
        self._compaction = asyncio.Lock()
        self._repairs = 0
        self._open = False

    # opening and closing

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        start = await anyio.to_thread.run_sync(self._open_files)
        self._leases = Leases(start, _steady_ms)
        self._mover = Mover(
            self._connections,
            self._journal,
            durable=self._durable_or_closed,
            on_moved=lambda: self._appender.drain(),
        )
        self._appender = Appender(
            self._journal,
            self._mover,
            heads=self._heads,
            leases=self._leases,
            feeds=self._feeds,
            make_durable=self._syncer.add,
            fetch_head=lambda document: self._start(self._fetch_head(document)),
            put_down=lambda append: self._start(self._put_down(append)),
            drop=lambda number: self._start(self._putting.drop(number)),
        )
        self._syncer.start(self.directory / FILE_NAME)
        self._closing = asyncio.Event()
        self._open = True
        ready = asyncio.Event()
        self._background = asyncio.create_task(self._run(ready), name="backplane")
        await ready.wait()

    def _open_files(self) -> int:
        """Blocking. The number of this start."""
        self._make_directory()
        self._lock.acquire()
        try:
            prepare(self.directory)
            path = self.directory / FILE_NAME
            self._connection = connect(path)
            self._journal = self._recovered_journal()
            self._connections = Connections(path, self._turnstile)
            start = checkpoint.count_start(self._connection)
            if mark := checkpoint.restored_mark(self._connection):
                self.node = NodeId(f"{self.node}-{mark:x}")
            last = self._connection.execute("SELECT max(id) FROM documents").fetchone()[0]
            self._next_document = (last or 0) + 1
            self._putting = Putting(self._connections, large_turns.next_number(self._connection))
            sync_directory(self.directory)
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            self._lock.release()
            raise StoreError(f"The store in {self.directory} cannot be opened: {error}.") from error
        except StoreError:
            self._lock.release()
            raise
        return start

    def _recovered_journal(self) -> Journal:
        """Blocking. One that begins anew, after all of the last one is in the tables for good."""
        try:
            last = recover(self._connection, self.directory)
        except BaseException:
            self._connection.close()
            raise
        wal = os.open(f"{self.directory / FILE_NAME}-wal", os.O_RDWR | os.O_CLOEXEC)
        try:
            self._sync(wal)
        finally:
            os.close(wal)
        return Journal(self.directory, last + 1)

    def _make_directory(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_directory(self.directory.parent)
        except OSError as error:
            raise StoreError(
                f"The data directory {self.directory} cannot be made ({error.strerror}). "
                "Give this user the right to write there, or choose another with --data."
            ) from error

    async def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._closing.set()
        await asyncio.wait([self._background])
        self._appender.stop()
        self._appender.drain()
        if self._sync_error is None:  # what is committed on a disk that fails may be lost: the journal stays
            with contextlib.suppress(StoreError):
                await self._mover.empty()
        await anyio.to_thread.run_sync(self._close_files)
        await asyncio.sleep(0)  # the last acknowledgements are on the loop by now

    def _close_files(self) -> None:
        self._syncer.stop()
        self._connections.close()
        self._connection.close()
        in_file = not (self.directory / f"{FILE_NAME}-wal").exists()
        self._journal.close(remove=in_file and self._mover.emptied)
        self._lock.release()

    # work beside the loop

    async def _run(self, ready: asyncio.Event) -> None:
        """Owns every task of this backplane until `close`."""
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._sweep_deleted())
            self._tasks.create_task(self._keep_up(self._write_activity))
            self._tasks.create_task(self._keep_up(self._mover.keep_up))
            self._tasks.create_task(self._keep_up(self._checkpoint))
            ready.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if self._open:
            self._tasks.create_task(work)
        else:
            work.close()

    async def _pause(self, seconds: float) -> bool:
        """Wait; False when the backplane closes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
        return not self._closing.is_set()

    async def _keep_up(self, work: Callable[[], Awaitable[None]]) -> None:
        """Every now and then and at the end. Activity goes into the catalogue a session at a time, between
        other work, and the WAL into the file as fast as that goes: neither waits for the other.
        """
        more = True
        while more:
            more = await self._pause(UPKEEP_S)
            with contextlib.suppress(StoreError, sqlite3.Error):
                await work()

    async def _write_activity(self) -> None:
        now_s = time.monotonic()
        self._touched_s = {
            session: at_s for session, at_s in self._touched_s.items() if at_s > now_s - ACTIVITY_EVERY_S
        }
        active = self._appender.active
        later = () if self._closing.is_set() else self._touched_s
        for session in [session for session in active if session not in later]:
            active_ms = active[session]
            await self._write_a_little(self._touch, session, active_ms)
            if active[session] == active_ms:
                del active[session]
            self._touched_s[session] = now_s

    def _touch(self, connection: sqlite3.Connection, session: SessionId, active_ms: int) -> None:
        """Both where it is listed and where it is looked up, or the one would be ahead of the other."""
        record = catalogue.touch(connection, session, active_ms)
        if record is not None:
            self._recent.change(record)

    async def _write_a_little(self, work: Callable[[sqlite3.Connection, *Args], None], *args: *Args) -> None:
        """`work` on the loop, where it takes a fraction of a millisecond; once in a while.

        A thread would need the interpreter again after each statement. Beside a busy loop it waits for it
        each time, 8 ms in all for a session.
        """
        while not self._turnstile.try_enter():  # noqa: ASYNC110 - a thread is in it
            await asyncio.sleep(_A_LITTLE_EVERY_S)
        try:
            work(self._connection, *args)
        finally:
            self._turnstile.leave()
        await asyncio.sleep(0 if self._closing.is_set() else _A_LITTLE_EVERY_S)

    async def _checkpoint(self) -> None:
        if self._syncer.frames() < checkpoint.PAGES_DUE:
            return
        await self._connections.beside_writer(checkpoint.copy)
        await self._connections.write(checkpoint.restart)
        await self._connections.write(checkpoint.give_back)

    async def _sweep_deleted(self) -> None:
        """Finish deletions that a crash interrupted."""
        with contextlib.suppress(StoreError):
            for session in await self._connections.read(catalogue.unswept):
                await self._sweep(session)

    # health

    @property
    def healthy(self) -> bool:
        errors = (self._appender.error, self._mover.error, self._sync_error)
        return self._open and all(error is None for error in errors)

    def stats(self) -> dict[str, float]:
        if not self._open:
            return {}
        counts = self._appender.counts
        return {
            "turns_taken_total": counts.taken,
            "turns_durable_total": counts.durable,
            "turns_refused_total": counts.refused,
            "turns_repeated_total": counts.repeated,
            "turns_waiting": self._appender.pending,
            "turn_bytes_total": counts.bytes,
            "commits_total": counts.commits,
            "commit_failures_total": counts.failures,
            "syncs_total": self._syncer.syncs,
            "wal_pages": self._syncer.frames(),
            "turns_to_move": self._mover.turns,
            "heads": len(self._heads),
            "followers": len(self._feeds),
            "hole_repairs_total": self._repairs,
            "record_cache_hits_total": self._recent.hits,
            "record_cache_misses_total": self._recent.misses,
        }

    def _from_sync_thread(self, group: Sequence[Waiting]) -> None:
        self._from_thread(partial(self._appender.durable, group))

    def _on_sync_state(self, error: Exception | None) -> None:
        self._sync_error = error

    def _from_thread(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed under us: nobody is left to tell
            self._loop.call_soon_threadsafe(call)

    def _mend_wal(self, wal: int) -> None:
        """After a failed sync, in its thread. Raises StoreError where it lost what was in the WAL."""
        with self._turnstile.thread():
            rewrite(wal)
            if sound_frames(wal) < self._syncer.frames():
                raise StoreError("The disk lost what was written to it; restart the server.")

    async def _durable(self) -> None:
        """Wait until everything committed so far is durable."""
        await self._sync_soon()

    async def _durable_or_closed(self) -> None:
        """The same for work of our own, which must end on a disk that fails. Raises StoreError then."""
        done, closing = self._sync_soon(), asyncio.ensure_future(self._closing.wait())
        await asyncio.wait((done, closing), return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if not done.done():
            raise StoreError("The store is closed.")

    def _sync_soon(self, *, awaited: bool = True) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        self._syncer.add([done], awaited)
        return done

    # the catalogue

    async def create_session(self, record: SessionRecord) -> SessionRecord:
        there = await self._connections.write(catalogue.create, record)
        await self._durable()
        return there

    async def get_session(self, session: SessionId) -> SessionRecord:
        record = self._recent.get(session)
        if record is None:
            record = await self._recent.keep(self._connections.read(catalogue.get, session))
        return record

    async def update_session(self, session: SessionId, **changes: object) -> SessionRecord:
        self._recent.forget(session)
        try:
            record = await self._connections.write(catalogue.update, session, changes)
        finally:
            self._recent.forget(session)
        await self._durable()
        return record

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        return await self._connections.read(catalogue.list_page, query)

    async def delete_session(self, session: SessionId) -> None:
        self._recent.forget(session)
        try:
            await self._connections.write(catalogue.bury, session)
        finally:
            self._recent.forget(session)
        self._heads.mark_deleted(session)
        self._leases.drop(session)
        self._feeds.deleted(session)
        await self._mover.move()
        self._journal.mark_to_wipe()
        await self._sweep(session)
        await self._durable()

    async def _sweep(self, session: SessionId) -> None:
        for document, _ in await self._connections.read(catalogue.documents_of, session):
            while await self._connections.write(log.shred, log.delete_some_turns, document, None):
                pass
            while await self._connections.write(log.shred, log.delete_some_parts, document, 0):
                pass
        await self._blobs.delete_under(session_prefix(session))
        await self._connections.write(catalogue.forget, session)

    # the log

    async def load(self, document: DocumentName) -> Stored:
        await self._mover.settle(document)
        stored, head = await self._connections.read(log.load, document)
        self._heads.add(head)
        return stored

    async def read(
        self, document: DocumentName, after: Position, limit: int = 1000
    ) -> tuple[LoggedTurn, ...]:
        turns, _ = await self._read_log(document, after, limit)
        return turns

    async def _read_log(
        self, document: DocumentName, after: Position, limit: int
    ) -> tuple[tuple[LoggedTurn, ...], Position]:
        await self._mover.settle(document)
        return await self._connections.read(log.read_turns, document, after, limit)

    def is_head(self, document: DocumentName, position: Position) -> bool:
        head = self._heads.get(document)
        return head is not None and head.position <= position

    def append(self, appends: Sequence[Append]) -> None:
        self._appender.append(appends)

    async def _fetch_head(self, document: DocumentName) -> None:
        try:
            if await self._insist(lambda: self._find_head(document)):
                self._appender.head_found(document)
        except (SessionNotFound, SessionDeleted, ValueError):
            self._appender.head_missing(document)
        except Damaged as error:
            self._appender.head_damaged(document, error)

    async def _find_head(self, document: DocumentName) -> None:
        """Read it, and give the document its number if it has none."""
        head = self._heads.get(document)
        if head is None:
            await self.load(document)
            head = self._heads.get(document)
        if head is None or head.id:
            return
        free, self._next_document = self._next_document, self._next_document + 1
        number = await self._connections.write(log.add_document, free, document, head.session.id)
        self._sync_soon(awaited=False)  # before any turn that leans on it
        head.id = number

    async def _put_down(self, append: Append) -> None:
        down, turn = await self._putting.number(append)
        if await self._insist(lambda: self._write_parts(down, turn)):
            self._appender.is_down(append, down)

    async def _write_parts(self, down: PutDown, turn: bytes) -> None:
        """For good: the journal, which refers to them, may be on disk before what is merely committed."""
        await self._putting.write(down, turn)
        await self._durable_or_closed()

    async def _insist(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do it again until the store lets it be done; False where the backplane closes before. Raises what
        trying again does not mend.
        """
        while True:
            try:
                await work()
            except Damaged:
                raise
            except StoreError as error:
                self._appender.error = error
                if not await self._pause(RETRY_S):
                    return False
                continue
            self._appender.error = None
            return True

    def follow(
        self,
        document: DocumentName,
        after: Position,
        on_turn: Callable[[LoggedTurn], None],
        on_deleted: Callable[[], None],
        on_lost: Callable[[], None] | None = None,
    ) -> Following:
        follower = Follower(
            document,
            after,
            on_turn,
            on_deleted,
            on_lost,
            repair=lambda follower: self._start(self._repair(follower)),
            on_close=self._feeds.remove,
        )
        self._feeds.add(follower)
        head = self._heads.get(document)
        if head is None or head.position != after:
            follower.catch_up()
        return follower

    async def _repair(self, follower: Follower) -> None:
        self._repairs += 1
        while True:
            try:
                await follower.repair(self._read_log)
            except Damaged:
                follower.lose()
                return
            except StoreError:
                if not await self._pause(RETRY_S):
                    return
                continue
            return

    async def compact(
        self, document: DocumentName, lineage: str, base: bytes, index: bytes, through: Position
    ) -> None:
        await self._mover.settle(document)
        async with self._compaction:  # two of one document would delete each other's parts
            await compact(self._connections, document, lineage, (base, index), through)

    # between nodes

    def publish(self, document: DocumentName, payload: bytes) -> None:
        """Goes to nobody: this process is the only node."""

    def listen(self, document: DocumentName, on_payload: Callable[[bytes], None]) -> Following:
        return NothingToHear()

    # leases and decisions

    async def acquire_lease(self, session: SessionId, holder: str, ttl_ms: int) -> Lease | None:
        return self._leases.acquire(session, holder, ttl_ms)

    async def renew_lease(self, lease: Lease, ttl_ms: int) -> Lease | None:
        return self._leases.renew(lease, ttl_ms)

    async def release_lease(self, lease: Lease) -> None:
        self._leases.release(lease)

    async def decide(self, session: SessionId, key: str, value: str, fence: Fence | None = None) -> str:
        stale = self._leases.check(fence)
        if stale is not None:
            raise stale
        first = await self._connections.write(catalogue.decide, session, key, value)
        await self._durable()
        return first

    async def list_decisions(self, session: SessionId) -> dict[str, str]:
        return await self._connections.read(catalogue.decisions_of, session)

    # the ledger

    async def get_value(self, kind: str, key: str) -> bytes | None:
        return await self._connections.read(ledger.get, kind, key, self._now_ms())

    async def list_values(self, kind: str) -> dict[str, bytes]:
        now_ms = self._now_ms()
        if await self._connections.read(ledger.has_old, kind, now_ms):
            await self._connections.write(ledger.remove_old, kind, now_ms)
        return await self._connections.read(ledger.find_all, kind, now_ms)

    async def list_lives(self, kind: str) -> dict[str, int]:
        return await self._connections.read(ledger.lives, kind, self._now_ms())

    async def swap_value(
        self, kind: str, key: str, old: bytes | None, new: bytes | None, ttl_ms: int = 0
    ) -> bool:
        now_ms = self._now_ms()
        until_ms = now_ms + ttl_ms if ttl_ms else 0
        swapped = await self._connections.write(ledger.swap, kind, key, old, new, now_ms, until_ms)
        await self._durable()
        return swapped

    # run hints

    async def hint(self, hint: RunHint) -> None:
        self._hints.give(hint)

    def hints(self) -> AsyncIterator[RunHint]:
        return self._hints.iterate()

    # blobs

    async def put_blob(self, session: SessionId, blob: str, data: bytes) -> None:
        await self.get_session(session)
        await self._blobs.put(blob_key(session, blob), data)

    async def get_blob(self, session: SessionId, blob: str) -> bytes:
        data = await self._blobs.get(blob_key(session, blob))
        if data is None:
            raise BlobNotFound(f"Session {session} has no blob {blob}.")
        return data

    # upkeep

    async def list_documents(self, session: SessionId) -> tuple[DocumentName, ...]:
        documents = await self._connections.read(catalogue.documents_of, session)
        return tuple(DocumentName(name) for _, name in documents)

    async def tombstones(self) -> AsyncIterator[tuple[SessionId, str]]:
        after = ""
        while found := await self._connections.read(catalogue.tombstones, after, _BURIED_AT_ONCE):
            for after, lineage in found:
                yield SessionId(after), lineage


class NothingToHear:
    """A subscription of what other nodes publish, where there are none."""

    def close(self) -> None:
        return
