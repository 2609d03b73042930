"""The Redis backplane: what its parts do together for one node."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
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
from threadline_server.backplane.objects import Objects
from threadline_server.backplane.redis.activity import Activity
from threadline_server.backplane.redis.aftermath import Aftermath, Written
from threadline_server.backplane.redis.blobs import Blobs
from threadline_server.backplane.redis.catalogue import Catalogue
from threadline_server.backplane.redis.cold import ColdTier
from threadline_server.backplane.redis.confirmer import Confirmer
from threadline_server.backplane.redis.documents import Documents
from threadline_server.backplane.redis.endpoint import Address, parse_endpoint
from threadline_server.backplane.redis.facts import Facts, facts_of
from threadline_server.backplane.redis.keys import ledger_key, session_keys
from threadline_server.backplane.redis.leases import Leases
from threadline_server.backplane.redis.ledger import Ledger
from threadline_server.backplane.redis.link import Link, RedisAway, RedisRefused
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.opening import no_answer, wait_for_redis
from threadline_server.backplane.redis.replication import Replication
from threadline_server.backplane.redis.run_hints import RunHints
from threadline_server.backplane.redis.subscriptions import Subscriptions
from threadline_server.backplane.redis.synced_confirmer import SyncedConfirmer
from threadline_server.backplane.redis.tombstones import find_tombstones
from threadline_server.backplane.redis.topology import Topology
from threadline_server.backplane.redis.writer import Sending, Writer

UPKEEP_S = 0.5
START_S = 30.0
CLOSE_S = 5.0
_TOUCHED_AT_ONCE = 500

logger = logging.getLogger(__name__)


class RedisBackplane:
    """least: what an acknowledgement must mean at least; None accepts whatever survives a crash
    objects: where blobs go; None keeps them in Redis
    start_s: how long `open` waits for a Redis that is away
    """

    def __init__(
        self,
        url: str,
        *,
        node: NodeId,
        least: Durability | None = None,
        objects: Objects | None = None,
        start_s: float = START_S,
    ) -> None:
        self.node = node
        self.durability = least or Durability.PROCESS
        self._topology = Topology(parse_endpoint(url))
        self._least = least
        self._objects = objects
        self._start_s = start_s
        self._activity = Activity()
        self._asks = True
        self._run_ids: dict[Address, bytes] = {}
        self._open = False

    # opening and closing

    async def open(self) -> None:
        self._links = Links(self._topology, self._on_ready)
        kept = await wait_for_redis(self._links, self._least, self._start_s)
        self.durability, self._asks = kept.durability, kept.asked
        self._subscriptions = Subscriptions(self._topology)
        self._catalogue = Catalogue(self._links)
        self._cold = None if self._objects is None else ColdTier(self._links, self._objects, _unix_ms)
        self._documents = Documents(self._links, self._warm)
        self._leases = Leases(self._links)
        self._ledger = Ledger(self._links, _unix_ms)
        self._blobs = Blobs(self._links, self._objects)
        self._hints = RunHints(self.node, self._links, self._subscriptions)
        self._closing = asyncio.Event()
        self._replication = Replication(
            self.node,
            self._links,
            self._subscriptions,
            self._documents,
            start=self._start,
            is_sending=lambda document: self._writer.is_sending(document),
        )
        self._confirmer = self._make_confirmer()
        self._aftermath = Aftermath(self._topology, self._confirmer, self._replication, self._start)
        self._writer = Writer(
            self._links,
            on_taken=self._replication.own,
            on_settled=self._replication.settled,
            confirm=self._aftermath.confirm if self._asks else self._durable_already,
            on_lost=self._replication.lose,
            activity=self._activity,
            on_cold=lambda document: self._start(self._warm_again(document)),
        )
        self._topology.on_change.append(self._on_topology)
        self._open = True
        started = asyncio.Event()
        self._background = asyncio.create_task(self._run(started), name="backplane")
        await started.wait()
        await self._first_links()

    def _make_confirmer(self) -> Confirmer[Written]:
        self._all_links = [self._links, self._subscriptions.links]
        if self._asks and self.durability is Durability.FSYNC:
            blocked = Links(self._topology, lambda link: None)  # by questions answered when Redis has synced
            self._all_links.append(blocked)
            return SyncedConfirmer[Written](blocked, self._written)
        return Confirmer[Written](self._links, self._written)

    async def _first_links(self) -> None:
        try:
            async with asyncio.timeout(self._start_s):
                await self._links.wait_ready()
                await self._subscriptions.links.wait_ready()
        except TimeoutError as error:
            await self.close()
            raise no_answer(error, self._start_s) from error

    async def close(self) -> None:
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._writer.pending or self._not_durable:  # noqa: ASYNC110  # queues, no event
                    await asyncio.sleep(0.005)
        self._closing.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.wait([self._upkeep])
        self._writer.stop()
        for links in self._all_links:
            links.let_go()
        self._background.cancel()
        await asyncio.wait([self._background])

    async def _run(self, started: asyncio.Event) -> None:
        """Owns every task of this backplane until it is cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            for links in self._all_links:
                links.keep(self._tasks)
            self._upkeep = self._tasks.create_task(self._keep_up())
            self._tasks.create_task(self._replication.poll())
            started.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if self._open:
            self._tasks.create_task(work)
        else:
            work.close()

    async def _keep_up(self) -> None:
        """Activity into the catalogue's index, every now and then and at the end."""
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), UPKEEP_S)
            active = self._activity.take()
            try:
                for first in range(0, len(active), _TOUCHED_AT_ONCE):
                    await self._catalogue.touch(active[first : first + _TOUCHED_AT_ONCE])
            except* StoreError as errors:
                logger.warning("The catalogue does not know the last activity: %s", errors.exceptions[0])

    # connections

    def _on_ready(self, link: Link) -> None:
        before = self._run_ids.get(link.address)
        self._run_ids[link.address] = link.run_id
        if before is not None and before != link.run_id:
            self._restarted(link.address)
        self._writer.send_again()

    def _on_topology(self) -> None:
        """A primary whose place another took may have kept what it replied to itself."""
        if self._open:
            for address in self._run_ids.keys() - set(self._topology.primaries):
                del self._run_ids[address]
                self._restarted(address)

    def _restarted(self, address: Address) -> None:
        """Another process answers for this one now; it may lack what was replied but not yet written."""
        logger.warning("Redis at %s was restarted or replaced", address)
        self._aftermath.restarted(address, self._writer)

    @property
    def _not_durable(self) -> int:
        return len(self._confirmer) + len(self._aftermath)

    # health

    @property
    def healthy(self) -> bool:
        if not (self._open and self._links.ready):
            return False
        return not self._writer.stuck and not self._confirmer.failing

    def stats(self) -> dict[str, float]:
        if not self._open:
            return {}
        counts, replication = self._writer.counts, self._replication
        return {
            "turns_taken_total": counts.taken,
            "turns_durable_total": counts.durable,
            "turns_refused_total": counts.refused,
            "turns_sent_again_total": counts.sent_again,
            "turns_waiting": self._writer.pending,
            "turns_not_durable": self._not_durable,
            "turn_bytes_total": counts.bytes,
            "messages_total": self._subscriptions.messages,
            "subscriptions": len(self._subscriptions),
            "subscription_breaks_total": self._subscriptions.breaks,
            "hole_repairs_total": replication.repairs,
            "lost_followers_total": replication.lost,
            "followers": len(replication.feeds),
        }

    async def facts(self) -> list[Facts]:
        """Of each primary, for operators. Raises StoreError."""
        try:
            return await facts_of(self._links.all)
        except (RedisAway, RedisRefused) as error:
            raise StoreError(f"Redis does not answer: {error}") from error

    # the catalogue

    async def create_session(self, record: SessionRecord) -> SessionRecord:
        there = await self._catalogue.create(record)
        await self._durable(record.id)
        return there

    async def get_session(self, session: SessionId) -> SessionRecord:
        return await self._catalogue.get(session)

    async def update_session(self, session: SessionId, **changes: object) -> SessionRecord:
        record = await self._catalogue.update(session, changes)
        await self._durable(session)
        return record

    async def list_sessions(self, query: SessionQuery) -> SessionPage:
        return await self._catalogue.list_page(query)

    async def delete_session(self, session: SessionId) -> None:
        await self._catalogue.bury(session)
        await self._durable(session)
        await self._blobs.delete_all(session)

    # the log

    async def load(self, document: DocumentName) -> Stored:
        return await self._documents.load(document)

    async def read(
        self, document: DocumentName, after: Position, limit: int = 1000
    ) -> tuple[LoggedTurn, ...]:
        turns, _ = await self._documents.read(document, after, limit)
        return turns

    def is_head(self, document: DocumentName, position: Position) -> bool:
        return False  # other nodes write too

    def append(self, appends: Sequence[Append]) -> None:
        self._writer.append(appends)

    def _durable_already(self, sending: Sending) -> None:
        """Redis replies when it has synced."""
        self._writer.durable((sending,))

    def _written(self, items: list[Written]) -> None:
        self._writer.durable([item for item in items if isinstance(item, Sending)])
        for item in items:
            if isinstance(item, asyncio.Future) and not item.done():
                item.set_result(None)

    async def _durable(self, session: SessionId) -> None:
        """Wait until what was written to a session's slot is durable."""
        await self._slot_durable(session_keys(session).slot)

    async def _slot_durable(self, slot: int) -> None:
        if self._asks:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._confirmer.add(slot, done)
            await done

    def follow(
        self,
        document: DocumentName,
        after: Position,
        on_turn: Callable[[LoggedTurn], None],
        on_deleted: Callable[[], None],
        on_lost: Callable[[], None] | None = None,
    ) -> Following:
        return self._replication.follow(document, after, on_turn, on_deleted, on_lost)

    async def compact(
        self, document: DocumentName, lineage: str, base: bytes, index: bytes, through: Position
    ) -> None:
        await self._documents.compact(document, lineage, (base, index), through)

    # the cold tier

    async def cool_idle(self, idle_before_ms: int, limit: int = 100) -> int:
        """Move sessions without a turn since a time into the object store, at most `limit`; how many went.

        Does nothing without an object store. Raises StoreError.
        """
        return 0 if self._cold is None else await self._cold.cool_idle(idle_before_ms, limit)

    async def _warm(self, document: DocumentName) -> bool:
        if self._cold is None:
            raise StoreError(f"{document} lies in an object store, and this node was given none.")
        return await self._cold.warm(document)

    async def _warm_again(self, document: DocumentName) -> None:
        with contextlib.suppress(StoreError):  # the turn is parked and asks again
            await self._warm(document)
            self._writer.send_again()

    # between nodes

    def publish(self, document: DocumentName, payload: bytes) -> None:
        self._replication.publish(document, payload)

    def listen(self, document: DocumentName, on_payload: Callable[[bytes], None]) -> Following:
        return self._replication.listen(document, on_payload)

    # leases and decisions

    async def acquire_lease(self, session: SessionId, holder: str, ttl_ms: int) -> Lease | None:
        lease = await self._leases.acquire(session, holder, ttl_ms)
        if lease is not None:  # a Redis that forgot it would let the former holder write on
            await self._durable(session)
        return lease

    async def renew_lease(self, lease: Lease, ttl_ms: int) -> Lease | None:
        return await self._leases.renew(lease, ttl_ms)

    async def release_lease(self, lease: Lease) -> None:
        await self._leases.release(lease)

    async def decide(self, session: SessionId, key: str, value: str, fence: Fence | None = None) -> str:
        first = await self._leases.decide(session, key, value, fence)
        await self._durable(session)
        return first

    async def list_decisions(self, session: SessionId) -> dict[str, str]:
        return await self._leases.decisions(session)

    # the ledger

    async def get_value(self, kind: str, key: str) -> bytes | None:
        return await self._ledger.get(kind, key)

    async def list_values(self, kind: str) -> dict[str, bytes]:
        return await self._ledger.find_all(kind)

    async def list_lives(self, kind: str) -> dict[str, int]:
        return await self._ledger.lives(kind)

    async def swap_value(
        self, kind: str, key: str, old: bytes | None, new: bytes | None, ttl_ms: int = 0
    ) -> bool:
        swapped = await self._ledger.swap(kind, key, old, new, ttl_ms)
        await self._slot_durable(ledger_key(kind).slot)
        return swapped

    # run hints

    async def hint(self, hint: RunHint) -> None:
        self._hints.give(hint)

    def hints(self) -> AsyncIterator[RunHint]:
        return self._hints.iterate()

    # blobs

    async def put_blob(self, session: SessionId, blob: str, data: bytes) -> None:
        await self.get_session(session)
        await self._blobs.put(session, blob, data)
        await self._durable(session)

    async def get_blob(self, session: SessionId, blob: str) -> bytes:
        return await self._blobs.get(session, blob)

    # upkeep

    async def list_documents(self, session: SessionId) -> tuple[DocumentName, ...]:
        keys = session_keys(session)
        names = await self._links.call(keys.slot, "SMEMBERS", keys.documents)
        warm = {DocumentName(name.decode()) for name in names}
        cold = set() if self._cold is None else set(await self._cold.documents(session))
        return tuple(sorted(warm | cold))

    def tombstones(self) -> AsyncIterator[tuple[SessionId, str]]:
        return find_tombstones(self._links)


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
