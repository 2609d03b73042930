"""A connection to every primary, kept up; commands find theirs by slot.

What a Cluster answers instead of a reply (MOVED, ASK, TRYAGAIN) and a script that Redis forgot are dealt with
here.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from functools import partial

from threadline.errors import StoreError
from threadline_server.backplane.redis.endpoint import Address
from threadline_server.backplane.redis.link import Link, OnReply, RedisAway, RedisRefused, Reply, connect
from threadline_server.backplane.redis.scripts import LOAD_ALL, Argument, Script, pack, pack_script
from threadline_server.backplane.redis.topology import Topology

REPLY_S = 5.0
CALL_S = 15.0
RETRY_S = 0.1
MAX_RETRY_S = 1.0
REFRESH_S = 0.25
_ASKING = pack("ASKING")
_PING = pack("PING")

# Replies that say nothing about the command: Redis cannot take it now, or not here, and will.
_LATER = frozenset(
    (
        "BUSY",
        "CLUSTERDOWN",
        "EXECABORT",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
    )
)
_ELSEWHERE = frozenset(("READONLY", "CLUSTERDOWN", "MASTERDOWN"))

logger = logging.getLogger(__name__)


def is_away(reply: Reply) -> bool:
    """Whether a command should be sent again later: its fate is unknown, or Redis does not work now."""
    return isinstance(reply, RedisAway) or (isinstance(reply, RedisRefused) and reply.kind in _LATER)


class Links:
    """`on_ready` is called with each new connection, before anything else is sent on it."""

    def __init__(
        self,
        topology: Topology,
        on_ready: Callable[[Link], None],
        *,
        on_push: Callable[[Link, Reply], None] | None = None,
    ) -> None:
        self.topology = topology
        self.error: Exception | None = None
        self._on_ready = on_ready
        self._on_push = on_push
        self._links: dict[Address, Link] = {}
        self._keepers: dict[Address, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._refresh_wanted = asyncio.Event()
        self._connected = asyncio.Event()
        topology.on_change.append(self._match)

    @property
    def ready(self) -> bool:
        """Whether every primary is connected."""
        primaries = self.topology.primaries
        return bool(primaries) and all(primary in self._links for primary in primaries)

    @property
    def all(self) -> tuple[Link, ...]:
        return tuple(self._links.values())

    async def wait_ready(self) -> None:
        """Wait until every primary is connected."""
        while not self.ready:
            self._connected.clear()
            await self._connected.wait()

    def of(self, slot: int) -> Link | None:
        owner = self.topology.owner(slot)
        return None if owner is None else self._links.get(owner)

    def keep(self, tasks: asyncio.TaskGroup) -> None:
        """Keep the connections, by tasks in `tasks`, until `let_go` is called and those are cancelled."""
        self._tasks = tasks
        tasks.create_task(self._keep_topology())
        self._match()

    def let_go(self) -> None:
        """Connect to nobody any more."""
        self._tasks = None

    def _match(self) -> None:
        """Start and end keepers so that each primary has one."""
        if self._tasks is None:
            return
        primaries = set(self.topology.primaries)
        for address in self._keepers.keys() - primaries:
            self._keepers.pop(address).cancel()
        for address in primaries - self._keepers.keys():
            self._keepers[address] = self._tasks.create_task(self._keep(address))

    async def _keep_topology(self) -> None:
        """Until cancelled. The client that asks the Sentinels may swallow that: it uses `asyncio.wait_for`,
        which does before Python 3.12 where what it waits for ends just then
        (https://github.com/python/cpython/issues/86296).
        """
        task = asyncio.current_task()
        assert task is not None
        while not task.cancelling():
            await self._refresh_wanted.wait()
            try:
                await self.topology.refresh()
            except (RedisAway, RedisRefused) as error:
                self.error = error
            self._refresh_wanted.clear()
            await asyncio.sleep(REFRESH_S)

    def want_refresh(self) -> None:
        self._refresh_wanted.set()

    async def _keep(self, address: Address) -> None:
        """Connect, wait for the end, connect again, with growing pauses while that fails."""
        pause = RETRY_S
        while True:
            link = await self._connected_to(address)
            if link is None:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(2 * pause, MAX_RETRY_S)
            else:
                pause = RETRY_S
                await self._use(link)
                self.want_refresh()

    async def _connected_to(self, address: Address) -> Link | None:
        try:
            return await self.connect(address)
        except (RedisAway, RedisRefused) as error:
            self._failed(address, error)
            return None

    def _failed(self, address: Address, error: Exception) -> None:
        if self.error is None:
            logger.warning("Redis at %s is away: %s", address, error)
        self.error = error
        self.want_refresh()

    async def connect(self, address: Address) -> Link:
        """A connection that knows the scripts. Raises RedisAway, RedisRefused."""
        link = await connect(self.topology.endpoint, address)
        if self._on_push is not None:
            link.on_push = partial(self._on_push, link)
            return link
        try:
            async with asyncio.timeout(REPLY_S):
                for load in LOAD_ALL[:-1]:
                    link.send(load, lambda reply: None)
                loaded: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
                link.send(LOAD_ALL[-1], lambda reply: None if loaded.done() else loaded.set_result(reply))
                reply = await loaded
        except TimeoutError as error:
            link.abort()
            raise RedisAway(f"Redis at {address} does not answer.") from error
        except BaseException:
            link.abort()
            raise
        if isinstance(reply, (RedisAway, RedisRefused)):
            link.abort()
            raise reply
        return link

    async def _use(self, link: Link) -> None:
        self._links[link.address] = link
        self._connected.set()
        self.error = None
        try:
            self._on_ready(link)
            while not link.closed.done():
                await asyncio.wait((link.closed,), timeout=REPLY_S / 4)
                self._watch(link)
        finally:
            if self._links.get(link.address) is link:
                del self._links[link.address]
            link.abort()

    def _watch(self, link: Link) -> None:
        """Break a connection on which nothing comes though something should."""
        silent = asyncio.get_running_loop().time() - link.heard
        if silent > REPLY_S and (link.waiting or self._on_push is not None):
            link.abort()
        elif self._on_push is not None:
            link.write(_PING)

    # commands

    def submit(self, slot: int, command: bytes, on_reply: OnReply) -> None:
        """Send to the owner of `slot`; `on_reply` gets the reply, RedisRefused or RedisAway, maybe at
        once.
        """
        link = self.of(slot)
        if link is None:
            self.want_refresh()
            on_reply(self.error if isinstance(self.error, RedisAway) else RedisAway("Redis is away."))
            return
        link.send(command, partial(self._replied, slot, command, link, on_reply))

    def gather(self) -> None:
        """`flush` follows what is submitted next, in this turn of the loop."""
        for link in self._links.values():
            link.gather()

    def flush(self) -> None:
        """What was submitted leaves now."""
        for link in self._links.values():
            link.flush()

    def _replied(self, slot: int, command: bytes, link: Link, on_reply: OnReply, reply: Reply) -> None:
        if not isinstance(reply, RedisRefused):
            on_reply(reply)
        elif reply.kind == "MOVED":
            self._moved(slot, command, on_reply, reply)
        elif reply.kind == "ASK":
            self._asked(command, on_reply, reply)
        elif reply.kind == "NOSCRIPT":
            for load in LOAD_ALL:
                link.send(load, lambda loaded: None)
            link.send(command, on_reply)
        else:
            if reply.kind in _ELSEWHERE:
                self.want_refresh()
            on_reply(reply)

    def _moved(self, slot: int, command: bytes, on_reply: OnReply, reply: RedisRefused) -> None:
        self.topology.move(slot, _told_address(reply))
        self.want_refresh()
        link = self.of(slot)
        if link is None:
            on_reply(RedisAway("The slot moved to a node that is not connected yet."))
        else:
            link.send(command, on_reply)

    def _asked(self, command: bytes, on_reply: OnReply, reply: RedisRefused) -> None:
        link = self._links.get(_told_address(reply))
        if link is None:
            self.want_refresh()
            on_reply(RedisAway("The slot is moving to a node that is not connected yet."))
            return
        link.send(_ASKING, lambda answer: None)
        link.send(command, on_reply)

    async def call(self, slot: int, *arguments: Argument) -> Reply:
        """The reply to a command that may run twice; waits while Redis is away. Raises StoreError."""
        return await self._call(slot, pack(*arguments))

    async def run_script(
        self, slot: int, script: Script, keys: tuple[str, ...], *arguments: Argument
    ) -> Reply:
        """The same for a script."""
        return await self._call(slot, pack_script(script, keys, *arguments))

    async def _call(self, slot: int, command: bytes) -> Reply:
        loop = asyncio.get_running_loop()
        end = loop.time() + CALL_S
        while True:
            answered: asyncio.Future[Reply] = loop.create_future()
            self.submit(slot, command, partial(_answer, answered))
            reply = await answered
            if not is_away(reply):
                break
            if loop.time() > end:
                raise StoreError(f"Redis is away: {reply}") from reply
            await asyncio.sleep(RETRY_S)
        if isinstance(reply, RedisRefused):
            raise StoreError(f"Redis refused: {reply}") from reply
        return reply


def _answer(future: asyncio.Future[Reply], reply: Reply) -> None:
    if not future.done():
        future.set_result(reply)


def _told_address(reply: RedisRefused) -> Address:
    host, _, port = str(reply).rsplit(" ", 1)[-1].rpartition(":")
    return Address(host, int(port))
