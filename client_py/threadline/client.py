"""A device's client: its connections, the sessions open on them, and the server's HTTP API beside them.

async with threadline.connect("http://127.0.0.1:8000", token="ada") as client:
    session = await client.open("trip")
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from threadline.backoff import Backoff
from threadline.connections import Connections
from threadline.devices import Devices
from threadline.errors import ConfigurationError, SessionNotFound, Unauthorized
from threadline.http_api import HttpApi, Unreachable
from threadline.ids import parse_session_id, parse_user_id, uuid7
from threadline.live_session import LiveSession
from threadline.offline_file import SetAside
from threadline.offline_key import StoreKey
from threadline.offline_store import OfflineStore
from threadline.protocol.notices import Hello
from threadline.resources import Agents, Conversations, Metrics, Sessions
from threadline.session import Session
from threadline.sharing import Invitations, Members
from threadline.token import Token, TokenSource

OPEN_TIMEOUT_S = 30.0
FAREWELL_TIMEOUT_S = 1.0


def connect(
    url: str,
    *,
    token: TokenSource = "",
    user: str = "",
    device: str = "",
    store: str | Path | None = None,
    store_key: StoreKey | None = None,
    backoff: Backoff | None = None,
    tls: ssl.SSLContext | None = None,
) -> Client:
    """A client of the server at `url` (http or https), to be entered with `async with`.

    token:   proof of who you are, or a function that gives one whenever it is needed
    user:    your name as the server knows it; only needed to begin a session while offline
    device:  a label of this device for people
    store:   a file in which sessions are kept while this program does not run; in memory where there is none
    store_key:   32 bytes, or a file with them, that encrypt what people wrote in the store
    """
    return Client(
        url, token=token, user=user, device=device, store=store, store_key=store_key, backoff=backoff, tls=tls
    )


class Client:
    """connections:    its WebSockets; `connections.problem` says why one is missing
    user:           who the server says we are; empty until it has
    set_aside:      copies that could not go on, with the reasons
    sessions, conversations, agents, metrics, devices, members, invitations:   the HTTP API
    """

    def __init__(
        self,
        url: str,
        *,
        token: TokenSource = "",
        user: str = "",
        device: str = "",
        store: str | Path | None = None,
        store_key: StoreKey | None = None,
        backoff: Backoff | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.user = parse_user_id(user) if user else ""
        self.device = device
        self.token = Token(token)
        self.connections = Connections(_sync_url(self.url), self.token, backoff=backoff, tls=tls)
        self.connections.on_change = self._connection_changed
        self.store = OfflineStore(store, store_key) if store is not None else None
        self.set_aside: list[SetAside] = []
        self.api = HttpApi(self.url, self.token)
        self.sessions = Sessions(self.api)
        self.agents = Agents(self)
        self.conversations = Conversations(self)
        self.metrics = Metrics(self.api)
        self.devices = Devices(self.api, self.url)
        self.members = Members(self.api)
        self.invitations = Invitations(self.api, self.url)
        self._open: dict[str, LiveSession] = {}
        self._store_user: str | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.api.close)
            if self.store is not None:
                await self._open_store(self.store, stack)
            self._tasks = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(self._end_tasks)
            with contextlib.suppress(Unauthorized):  # the connection tries again, and says so
                await self.token.refresh()
            self.spawn(self.connections.run())
            if self.store is not None:
                self.spawn(self.store.run())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for session in list(self._open.values()):
            session.leave()
        try:
            await self.connections.say_farewell(FAREWELL_TIMEOUT_S)
        finally:
            await self._stack.aclose()  # an error of the block passes as it is, not in a group

    async def open(
        self, session_id: str, *, create: bool = True, timeout_s: float = OPEN_TIMEOUT_S
    ) -> LiveSession:
        """Join a session; it is made where there is none, unless `create` is False.

        With a copy in the store, or a known user, it can be used offline too: then this returns as soon as it
        is clear that there is no connection. Raises why it cannot be joined: SessionNotFound, SessionDeleted,
        LineageMismatch (the copy here was set aside; open again to join anew), Unauthorized, Forbidden,
        Unreachable, ValueError for a name that is not allowed.
        """
        name = parse_session_id(session_id)
        if (known := self._open.get(name)) is not None:
            await known
            return known
        session = LiveSession(self, name)
        self._open[name] = session
        self._begin(session, self._prepare(session, create, timeout_s))
        return await session

    def import_set_aside(self, session_id: str) -> Session:
        """The newest copy of a session that was set aside, standing alone. Raises SessionNotFound."""
        for aside in reversed(self.set_aside):
            if aside.document == session_id:
                session = Session(user_id=self.user)
                session.document.doc.apply_update(aside.data)
                return session
        raise SessionNotFound(f"No copy of {session_id} was set aside.", session_id=session_id)

    def begin_child(self, parent: LiveSession, session_id: str | None) -> LiveSession:
        """For `LiveSession.child`: the session is created below `parent` and joined while this returns."""
        child = LiveSession(self, parse_session_id(session_id or uuid7()))
        self._open[child.id] = child
        self._begin(child, self._prepare_child(parent, child))
        return child

    def begin_branch(self, origin: LiveSession, at: str | None) -> LiveSession:
        """For `LiveSession.branch`: the branch is made and joined while this returns."""
        branch = LiveSession(self, parse_session_id(uuid7()))
        self._open[branch.id] = branch
        self._begin(branch, self._prepare_branch(origin, branch, at))
        return branch

    def later(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        """As `spawn`, but an error of it is for whoever awaits what is given back."""
        outcome = asyncio.get_running_loop().create_future()
        self.spawn(_settle(outcome, work))
        return outcome

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` until it ends or the client does, which an error of it ends too."""
        if self._tasks is None:
            work.close()
            raise ConfigurationError("A client is used inside `async with`.")
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def greeted(self, hello: Hello) -> str:
        """For sessions: who the server says we are. Gives back what is wrong with that, if anything."""
        if self._store_user is not None and self._store_user != hello.user:
            assert self.store is not None
            return (
                f"The offline store {self.store.path} belongs to {self._store_user}, not to {hello.user}; "
                "give each user a file."
            )
        self.user = hello.user
        self.connections.allow(hello.limits)
        if self.store is not None and self._store_user is None:
            self._store_user = hello.user
            self.spawn(self.store.bind(hello.user))
        return ""

    def left(self, session: LiveSession) -> None:
        """For sessions: this one is closed."""
        if self._open.get(session.id) is session:
            del self._open[session.id]

    def _begin(self, session: LiveSession, work: Coroutine[Any, Any, None]) -> None:
        session.opening = self.later(work)

    async def _prepare(self, session: LiveSession, create: bool, timeout_s: float) -> None:
        try:
            if not create:
                await self._require(session.id)
            await session.begin(timeout_s)
        except BaseException:
            session.leave()
            raise

    async def _prepare_child(self, parent: LiveSession, child: LiveSession) -> None:
        child.inherit(parent)
        await self.sessions.create(id=child.id, parent=parent.id)
        await self._prepare(child, True, OPEN_TIMEOUT_S)

    async def _prepare_branch(self, origin: LiveSession, branch: LiveSession, at: str | None) -> None:
        await origin.saved()
        await self.sessions.branch(origin.id, message=at, id=branch.id)
        await self._prepare(branch, True, OPEN_TIMEOUT_S)

    async def _require(self, session_id: str) -> None:
        """Raises SessionNotFound; a server that cannot be reached cannot be asked."""
        try:
            await self.sessions.get(session_id)
        except Unreachable:
            return

    async def _open_store(self, store: OfflineStore, stack: AsyncExitStack) -> None:
        await store.open()
        stack.push_async_callback(store.close)
        self._store_user = await store.user()
        self.user = self.user or self._store_user or ""
        self.set_aside = await store.list_set_aside()

    def _connection_changed(self) -> None:
        for session in list(self._open.values()):
            session.changed.notify()

    def _end_tasks(self) -> None:
        self._tasks = None
        for task in list(self._running):
            task.cancel()


async def _settle(opening: asyncio.Future[None], work: Coroutine[Any, Any, None]) -> None:
    """Whoever awaits the session gets the outcome; nobody has to."""
    try:
        await work
    except asyncio.CancelledError:
        opening.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - handed to whoever awaits
        if not opening.done():
            opening.set_exception(error)
            opening.exception()
    else:
        if not opening.done():
            opening.set_result(None)


def _sync_url(url: str) -> str:
    """The WebSocket address of a server. Raises ConfigurationError."""
    parts = urlsplit(url)
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.netloc:
        raise ConfigurationError(f"{url!r} is not the address of a server, such as http://127.0.0.1:8000.")
    return urlunsplit((schemes[parts.scheme], parts.netloc, parts.path.rstrip("/") + "/sync", "", ""))
