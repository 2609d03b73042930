"""What this node hears of other nodes' turns, and how it finds out what it did not hear.

One channel per session carries, each as one message:

    T <document> <position> <turn>     the append script, for every turn
    P <document> <node> <payload>      awareness and the like, between nodes only
    D                                  the session was deleted

Pub/sub loses messages: a follower that sees a hole reads the log. It cannot see a hole at the end, so the
position of each followed document is asked for now and then, and whenever a subscription was made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

from threadline.errors import StoreError
from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import Damaged, DocumentName, LoggedTurn, NodeId, Position, Turn
from threadline_server.backplane.feeds import Feeds
from threadline_server.backplane.follower import Follower
from threadline_server.backplane.redis.documents import Documents
from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.keys import document_keys, session_keys
from threadline_server.backplane.redis.link import Reply
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import pack
from threadline_server.backplane.redis.subscriptions import Subscription, Subscriptions
from threadline_server.backplane.redis.writer import Sending, Writer
from threadline_server.backplane.turn_bytes import DamagedTurn, decode_turn, node_of

POLL_S = 1.0
POLLED_PER_S = 5_000
MAX_REPAIRS = 64
RETRY_S = 0.2
GRACE_S = 0.1
MISSED_S = 3.0


@dataclass(slots=True, eq=False)
class _Channel:
    """One session's subscription and who needs it."""

    subscription: Subscription
    listeners: dict[DocumentName, list[Listener]] = field(default_factory=dict)
    uses: int = 0


@dataclass(slots=True, eq=False)
class Listener:
    document: DocumentName
    on_payload: Callable[[bytes], None]
    on_close: Callable[[Listener], None]
    closed: bool = False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.on_close(self)


class Replication:
    """repairs: how often a follower read the log to fill a hole
    lost:    followers that the log had left behind
    """

    def __init__(
        self,
        node: NodeId,
        links: Links,
        subscriptions: Subscriptions,
        documents: Documents,
        *,
        start: Callable[[Coroutine[Any, Any, None]], None],
        is_sending: Callable[[DocumentName], bool],
    ) -> None:
        self.feeds = Feeds()
        self.repairs = 0
        self.lost = 0
        self._node = node
        self._links = links
        self._subscriptions = subscriptions
        self._documents = documents
        self._start = start
        self._is_sending = is_sending
        self._channels: dict[SessionId, _Channel] = {}
        self._repairing = asyncio.Semaphore(MAX_REPAIRS)

    # channels

    def _use(self, session: SessionId) -> _Channel:
        channel = self._channels.get(session)
        if channel is None:
            keys = session_keys(session)
            subscription = self._subscriptions.add(
                keys.slot, keys.channel, partial(self._hear, session), partial(self._live, session)
            )
            channel = self._channels[session] = _Channel(subscription)
        channel.uses += 1
        return channel

    def _leave(self, session: SessionId) -> None:
        channel = self._channels[session]
        channel.uses -= 1
        if channel.uses == 0:
            del self._channels[session]
            self._subscriptions.remove(channel.subscription)

    def _hear(self, session: SessionId, message: bytes) -> None:
        kind = message[:1]
        if kind == b"T":
            _, document, position, turn = message.split(b" ", 3)
            self._hear_turn(DocumentName(document.decode()), Position(int(position)), turn)
        elif kind == b"P":
            _, document, node, payload = message.split(b" ", 3)
            if node.decode() != self._node:
                self._hear_payload(session, DocumentName(document.decode()), payload)
        elif kind == b"D":
            self.feeds.deleted(session)

    def _hear_turn(self, document: DocumentName, position: Position, data: bytes) -> None:
        if document not in self.feeds:
            return
        try:
            if node_of(data) == self._node:  # the reply brings it, or has
                self.announce(document, position)
            else:
                self.feeds.deliver(document, LoggedTurn(position, decode_turn(data, document)))
        except DamagedTurn:
            self.announce(document, position)

    def _hear_payload(self, session: SessionId, document: DocumentName, payload: bytes) -> None:
        channel = self._channels.get(session)
        for listener in tuple(channel.listeners.get(document, ()) if channel else ()):
            listener.on_payload(payload)

    def publish(self, document: DocumentName, payload: bytes) -> None:
        keys = session_keys(split_document_name(document)[0])
        message = b"P %s %s %s" % (document.encode(), self._node.encode(), payload)
        self._links.submit(keys.slot, pack("SPUBLISH", keys.channel, message), _ignore)

    def listen(self, document: DocumentName, on_payload: Callable[[bytes], None]) -> Listener:
        channel = self._use(split_document_name(document)[0])
        listener = Listener(document, on_payload, self._unlisten)
        channel.listeners.setdefault(document, []).append(listener)
        return listener

    def _unlisten(self, listener: Listener) -> None:
        session = split_document_name(listener.document)[0]
        listeners = self._channels[session].listeners
        listeners[listener.document].remove(listener)
        if not listeners[listener.document]:
            del listeners[listener.document]
        self._leave(session)

    # followers

    def follow(
        self,
        document: DocumentName,
        after: Position,
        on_turn: Callable[[LoggedTurn], None],
        on_deleted: Callable[[], None],
        on_lost: Callable[[], None] | None,
    ) -> Follower:
        follower = Follower(
            document,
            after,
            on_turn,
            on_deleted,
            on_lost,
            repair=lambda follower: self._start(self._repair(follower)),
            on_close=self._closed,
            expects=self._is_sending,
            fingerprint=fingerprint,
        )
        self.feeds.add(follower)
        if self._use(split_document_name(document)[0]).subscription.live:
            follower.catch_up()
        return follower

    def _closed(self, follower: Follower) -> None:
        self.feeds.remove(follower)
        self._leave(split_document_name(follower.document)[0])

    def own(self, document: DocumentName, turn: LoggedTurn) -> None:
        """A turn of this node that was taken."""
        self.feeds.deliver(document, turn)

    def settled(self, document: DocumentName) -> None:
        """No turn of this node is on its way: what is missing now will not come by itself."""
        for follower in self.feeds.of(document):
            follower.settle()

    def announce(self, document: DocumentName, position: Position) -> None:
        for follower in self.feeds.of(document):
            follower.announce(position)

    def lose(self, document: DocumentName) -> None:
        """The log is not what this node has seen of it: whoever follows must load it again."""
        for follower in self.feeds.of(document):
            self.lost += 1
            follower.lose()

    async def _repair(self, follower: Follower) -> None:
        before = follower.position
        async with self._repairing:
            while not follower.closed and not await self._has_read(follower):  # noqa: ASYNC110  # Redis is away
                await asyncio.sleep(RETRY_S)
        self.repairs += follower.position > before
        self.lost += follower.was_lost

    async def _has_read(self, follower: Follower) -> bool:
        """Whether the log could be asked; what it cannot tell any more, the follower has lost."""
        try:
            await follower.repair(self._documents.read)
        except Damaged:
            follower.lose()
        except StoreError:
            return False
        return True

    # what was not heard

    def _live(self, session: SessionId) -> None:
        """Nothing is missed from now on: read what was until now."""
        self._ask_deleted(session)
        for follower in self.feeds.of_session(session):
            follower.catch_up()

    def _ask_position(self, document: DocumentName) -> None:
        keys = document_keys(document)
        command = pack("HGET", keys.head, "p")
        self._links.submit(keys.of.slot, command, partial(self._told_position, document))

    def _told_position(self, document: DocumentName, reply: Reply) -> None:
        if isinstance(reply, bytes):
            position = Position(int(reply))
            if any(follower.position < position for follower in self.feeds.of(document)):
                # its message may be on the way, on the other connection
                asyncio.get_running_loop().call_later(GRACE_S, self.announce, document, position)
        elif reply is None and any(follower.position for follower in self.feeds.of(document)):
            self._ask_deleted(split_document_name(document)[0])

    def _ask_deleted(self, session: SessionId) -> None:
        keys = session_keys(session)
        command = pack("HEXISTS", keys.session, "deleted")
        self._links.submit(keys.slot, command, partial(self._told_deleted, session))

    def _told_deleted(self, session: SessionId, reply: Reply) -> None:
        if reply == 1:
            self.feeds.deleted(session)

    async def poll(self) -> None:
        """Ask for the position of every followed document, so many a second."""
        while True:
            started = asyncio.get_running_loop().time()
            for number, document in enumerate(list(self.feeds)):
                self._ask_position(document)
                if number % (POLLED_PER_S // 20) == POLLED_PER_S // 20 - 1:
                    await asyncio.sleep(0.05)
            elapsed = asyncio.get_running_loop().time() - started
            await asyncio.sleep(max(POLL_S - elapsed, 0.05))

    # after a restart of Redis

    async def verify_own(self, sending: Sending, writer: Writer, confirm: Callable[[Sending], None]) -> None:
        """Look for a turn that was not yet written: it is confirmed, or sent again where it is gone; where
        another is in its place, whoever follows loads anew. Raises StoreError.
        """
        document, before = sending.append.document, Position(sending.position - 1)
        turns, base = await self._documents.read(document, before, 1)
        there = bool(turns) and turns[0] == LoggedTurn(Position(sending.position), sending.append.stored)
        if there or base >= sending.position:
            confirm(sending)
        else:
            await writer.retake(sending)

    async def verify_followers(self, address: Address, drop: Callable[[DocumentName], None]) -> None:
        """Compare what was seen of every document of a primary with what is there now, and wait for turns
        that other nodes may be sending again. Raises StoreError.
        """
        topology = self._links.topology
        documents = list(self.feeds)
        if address in topology.primaries:  # else others have taken its place
            documents = [each for each in documents if topology.owner(document_keys(each).of.slot) == address]
        until_s = asyncio.get_running_loop().time() + MISSED_S
        for first in range(0, len(documents), MAX_REPAIRS):
            some = documents[first : first + MAX_REPAIRS]
            ended = await asyncio.gather(
                *(self._verify(document, until_s, drop) for document in some), return_exceptions=True
            )
            for error in ended:
                if isinstance(error, BaseException):
                    raise error

    async def _verify(
        self, document: DocumentName, until_s: float, drop: Callable[[DocumentName], None]
    ) -> None:
        while await self._differs(document):
            late = asyncio.get_running_loop().time() >= until_s
            if late or await self._is_replaced(document):
                self.lose(document)
                drop(document)
                return
            await asyncio.sleep(RETRY_S)

    async def _is_replaced(self, document: DocumentName) -> bool:
        """Whether something else is where others might have mended it. Compared once more after the log was
        found long enough: the missing turn may have come between the two questions.
        """
        return not await self._is_short(document) and await self._differs(document)

    async def _is_short(self, document: DocumentName) -> bool:
        """Whether the log ends before what was seen here: another node may be about to mend that."""
        seen = max((follower.position for follower in self.feeds.of(document)), default=0)
        turns, base = await self._documents.read(document, Position(max(seen - 1, 0)), 1)
        return not turns and base < seen

    async def _differs(self, document: DocumentName) -> bool:
        """Whether the log has not, or not as it was, what a follower here has seen last."""
        for follower in self.feeds.of(document):
            at, seen = follower.position, follower.seen
            if at == 0:
                continue
            turns, base = await self._documents.read(document, Position(at - 1), 1)
            if turns and turns[0].position == at:
                is_other = seen not in (None, fingerprint(turns[0].turn))
            else:
                is_other = at > base
            if is_other:
                return True
        return False


def fingerprint(turn: Turn) -> int:
    """The same for the same turn, and hardly ever for another."""
    check = crc32(f"{turn.node} {turn.epoch}".encode())
    for entry in turn.entries:
        check = crc32(entry.update, check) ^ entry.at_ms
    return check


def _ignore(reply: Reply) -> None:
    """Nobody waits for a payload that may be lost."""
