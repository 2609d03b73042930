"""The composition root: builds everything of one node from its settings, and is the only reader of them.

node = Node(settings)          nothing is opened yet
async with node: ...           the store is held, rooms live, upkeep runs
running_server(settings)       the same behind a listening socket
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from threadline.agents import Agent, as_agent
from threadline.document.root_rules import RootRule
from threadline.document.rules import SessionRules
from threadline.document.runs import Run
from threadline.errors import ConfigurationError, StoreError
from threadline.ids import SessionId, uuid7
from threadline_server.agent_loading import load_agent
from threadline_server.backplane.base import Backplane, DocumentName, Durability, NodeId
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.embedded.reader import EmbeddedReader
from threadline_server.backplane.master_keys import MasterKeys, parse_master_keys, read_master_keys
from threadline_server.backplane.objects import open_objects
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.backplane.sealed import SealedBackplane, refuse_sealed
from threadline_server.edge import device_links, invitations, kept_tokens, tickets
from threadline_server.edge.access import Access
from threadline_server.edge.access_watch import AccessWatch
from threadline_server.edge.admission import Admission
from threadline_server.edge.attachments import Attachments
from threadline_server.edge.authentication import Authenticator
from threadline_server.edge.connections import Connections
from threadline_server.edge.entrance import Entrance
from threadline_server.edge.host_guard import LOOPBACK_HOSTS, HostGuard
from threadline_server.edge.http.admin import Watchtower
from threadline_server.edge.http.api import HttpApi, build_api
from threadline_server.edge.http.demo import Kill
from threadline_server.edge.http.rate_limit import RateLimit, TurnedAway, storage_at
from threadline_server.edge.http.streams import Streams
from threadline_server.edge.http.tries import Tries
from threadline_server.edge.http_protocol import RequestBounds, bounded_by
from threadline_server.edge.identity import Identity, TokenOptions
from threadline_server.edge.node_book import NodeBook, NodeEntry
from threadline_server.edge.occupancy import Occupancy
from threadline_server.edge.options import EdgeOptions
from threadline_server.edge.origins import Origins
from threadline_server.edge.pairing import Pairing
from threadline_server.edge.session_quota import SessionQuota
from threadline_server.edge.socket_routes import socket_routes
from threadline_server.edge.websocket_protocol import WebSocketProtocol
from threadline_server.rooms.draft import Created
from threadline_server.rooms.load_marks import LoadMarks
from threadline_server.rooms.registry import Rooms
from threadline_server.runs.abandoned import AbandonedRuns
from threadline_server.runs.options import RunOptions
from threadline_server.runs.roster import Roster
from threadline_server.runs.run_log import log_run
from threadline_server.runs.tally import Tally
from threadline_server.runs.webhooks import WebhookOptions, Webhooks
from threadline_server.runs.worker import Worker, hint_at
from threadline_server.serving import Tls, listen, serving, url_of
from threadline_server.settings import Settings, is_loopback
from threadline_server.startup import CouldNotStart
from threadline_server.telemetry.audit import Audit
from threadline_server.telemetry.garbage import Garbage
from threadline_server.telemetry.health import Health
from threadline_server.telemetry.loop_lag import LoopLag
from threadline_server.telemetry.metrics import Labelled, Metrics
from threadline_server.telemetry.tracing import Tracing
from threadline_server.upkeep.expiring_keys import ExpiringKeys
from threadline_server.upkeep.expiry import Expiry
from threadline_server.upkeep.long_tails import LongTails
from threadline_server.upkeep.rounds import Chore, Rounds

DEVICES_SENT_AWAY_PER_S = 200
COOLED_PER_ROUND = 500
ROUNDS_TO_OBJECT = 4
LATELY_S = 86_400.0

OnCode = Callable[[str], None]

_log = structlog.get_logger()


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


class Core:
    """What every process has: a store, sessions that live here, agents that answer, upkeep.

    tasks:  what runs beside; only while the core is open
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.backplane = build_backplane(settings)
        self.tracing = _tracing(settings, self.backplane)
        self.rooms = Rooms(
            self.backplane,
            settings.room_options,
            now_ms=unix_ms,
            on_created=self._created,
            report=_report_room_failure,
            rules=_rules(settings),
            marks=None if settings.redis else LoadMarks(settings.data / "loading"),
            tracing=self.tracing,
        )
        self.webhooks = _webhooks(settings, self.backplane)
        self.tally = Tally(self.backplane)
        self.worker = self._build_worker()
        self.roster = _roster(self.backplane, self.worker)
        self._started_ms = unix_ms()
        self.book = NodeBook(self.backplane, self.about, settings.upkeep_every_s)
        self._upkeep = Rounds(self._chores(), settings.upkeep_every_s)
        self.metrics = Metrics()
        self._loop_lag = LoopLag()
        self._garbage = Garbage()
        self.metrics.add("rooms", self.rooms.stats)
        self.metrics.add("rooms", self.rooms.timings)
        self.metrics.add("loop", self._loop_lag.stats)
        self.metrics.add("gc", self._garbage.stats)
        self.metrics.add("backplane", self.backplane.stats)
        self.metrics.add("upkeep", self._upkeep.stats)
        if self.worker is not None:
            self.metrics.add("worker", self.worker.stats)
            self.metrics.add("runs", self.tally.stats)
        if self.webhooks is not None:
            self.metrics.add("webhooks", self.webhooks.stats)

    def _build_worker(self) -> Worker | None:
        if not self.settings.agent:
            return None
        agents = [_agent(path) for path in self.settings.agent]
        try:
            return Worker(
                self.backplane,
                self.rooms,
                agents,
                options=self.settings.pick(RunOptions),
                now_ms=unix_ms,
                report=_report_run_failure,
                tell=self._told,
                tracing=self.tracing,
            )
        except ConfigurationError as error:
            raise CouldNotStart(error.message) from error

    def _told(self, session: SessionId, run: Run) -> None:
        """A run waits or has ended."""
        log_run(session, run)
        self.tally.note(session, run)
        if self.webhooks is not None:
            self.webhooks.tell(session, run)

    def _chores(self) -> dict[str, Chore]:
        chores: dict[str, Chore] = {"ledger": partial(_sweep_ledger, self.backplane)}
        settings = self.settings
        if settings.redis:
            chores["book"] = self.book.announce
        if settings.expire_after_s:
            chores["expiry"] = self._expiry().round
        chores["keys"] = ExpiringKeys(self.rooms, unix_ms).round
        since_s = min(LATELY_S, settings.cold_after_s / 2 or LATELY_S)
        chores["tails"] = LongTails(self.backplane, self.rooms, since_s=since_s, now_ms=unix_ms).round
        runs = settings.pick(RunOptions)
        if runs.abandon_runs_after_s:
            chores["runs"] = AbandonedRuns(self.backplane, self.rooms, runs, unix_ms).round
        store = self.backplane.inner if isinstance(self.backplane, SealedBackplane) else self.backplane
        if isinstance(store, RedisBackplane) and settings.objects and settings.cold_after_s:
            chores["cold"] = partial(_cool, store, round(settings.cold_after_s * 1000))
        return chores

    def _expiry(self) -> Expiry:
        settings = self.settings
        return Expiry(
            self.backplane,
            after_s=settings.expire_after_s,
            now_ms=unix_ms,
            in_use=self._in_use,
            announce_s=ROUNDS_TO_OBJECT * settings.upkeep_every_s if settings.redis else 0.0,
        )

    def about(self) -> NodeEntry:
        """This process, for the others and for operators."""
        rooms = self.rooms.stats()
        return NodeEntry(
            name=self.backplane.node,
            kind="worker",
            version=metadata.version("threadline"),
            started_ms=self._started_ms,
            seen_ms=unix_ms(),
            connections=0,
            rooms=int(rooms["open"]),
            members=int(rooms["members"]),
            runs=0 if self.worker is None else int(self.worker.stats()["sessions"]),
        )

    def _in_use(self, session: SessionId) -> bool:
        room = self.rooms.get(DocumentName(session))
        return room is not None and bool(room.seats)  # a reading of this process is no use of it

    def _created(self, document: DocumentName, created: Sequence[Created]) -> None:
        """New intents are for the worker of this process, or for one elsewhere."""
        if self.worker is not None:
            self.worker.created(document, created)
        else:
            self.tasks.create_task(_hint(self.backplane, document, created))

    async def __aenter__(self) -> Self:
        """Raises StoreError or ConfigurationError with the fix in words."""
        async with AsyncExitStack() as stack:
            await self.backplane.open()
            stack.push_async_callback(self.backplane.close)
            stack.push_async_callback(self._flush)
            await refuse_sealed(self.backplane)
            stack.enter_context(self._garbage.watched())
            if self.tracing is not None:
                stack.push_async_callback(asyncio.to_thread, self.tracing.close)
            await stack.enter_async_context(self.rooms)
            if self.settings.redis:
                await _introduce(self.book)
                stack.push_async_callback(_say_farewell, self.book)
            self.tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for work in self._background():
                stack.callback(self.tasks.create_task(work).cancel)
            self._open = stack.pop_all()
        return self

    async def _flush(self) -> None:
        """What was told of runs, before the store is closed."""
        await self.tally.flush()
        if self.webhooks is not None:
            with suppress(StoreError):
                await self.webhooks.flush()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def _background(self) -> list[Coroutine[Any, Any, None]]:
        """What runs for as long as the core is open."""
        worker = [] if self.worker is None else [self.worker.run(), self.roster.run(), self.tally.run()]
        webhooks = [] if self.webhooks is None else [self.webhooks.run()]
        return [self._upkeep.run(), self._loop_lag.run(), *webhooks, *worker]


class Node(Core):
    """A core with an edge: devices come in here.

    connections:  every socket
    streams:      every stream of server-sent events
    app:          the ASGI application, sockets included
    users, addresses: how much each has open
    request_bounds, turned_away: what a request over HTTP may be, and how many were too much
    pairing:      gives out tokens for codes, None unless settings ask for it
    """

    def __init__(
        self, settings: Settings, *, on_code: OnCode | None = None, kill: Kill | None = None
    ) -> None:
        super().__init__(settings)
        self._kill = kill
        self.connections = Connections(settings.limits, settings.max_connections)
        self.streams = Streams(self.rooms)
        self.health = Health()
        self.pairing = Pairing(on_code=on_code or _log_code) if settings.auth == "pairing" else None
        self.identity = _identity(self.backplane, settings)
        self._authenticator: Authenticator = self.identity.tokens
        self._access = Access(
            self.backplane,
            open_to_all=settings.auth != "token",
            now_ms=unix_ms,
            new_lineage=uuid7,
            quota=SessionQuota(self.backplane, self._bound("max_sessions_per_user"), time.monotonic),
        )
        self.request_bounds = _request_bounds(settings.pick(EdgeOptions))
        self.turned_away = TurnedAway()
        self.users = Occupancy("documents open at once for one user", self._bound("max_connections_per_user"))
        self.addresses = Occupancy(
            "connections from one address", settings.pick(EdgeOptions).max_connections_per_address
        )
        self._audit = _audit(settings)
        self._watch_access = AccessWatch(
            self.backplane,
            self.rooms,
            self._access,
            self.identity.revocations,
            self.streams,
            time.time,
        )
        self._attachments = Attachments(self.backplane, settings.pick(EdgeOptions))
        self._entrance: Entrance | None = None
        self._accepting = False
        self._watch()
        self.app = self._build_app()

    def about(self) -> NodeEntry:
        return replace(super().about(), kind="node", connections=len(self.connections))

    def _bound(self, name: str) -> int:
        """One of the bounds for users, which hold where users are who they say."""
        return 0 if self.settings.auth == "none" else int(getattr(self.settings.pick(EdgeOptions), name))

    def _tries(self) -> Tries:
        return Tries(storage_at(self.settings.redis), self.settings.pick(EdgeOptions).link_tries_per_minute)

    def _watch(self) -> None:
        self.metrics.add("edge", self.connections.stats)
        self.metrics.add("edge", lambda: {"closings_total": Labelled("reason", self.connections.closings)})
        self.metrics.add("users", self.users.stats)
        self.metrics.add("addresses", self.addresses.stats)
        self.metrics.add("access", self._watch_access.stats)
        self.metrics.add("audit", self._audit.stats)
        self.metrics.add("attachments", self._attachments.stats)
        self.metrics.add("authentication", self.identity.tokens.stats)
        self.metrics.add("http", lambda: {"streams": len(self.streams)})
        self.metrics.add("http", self.request_bounds.stats)
        self.metrics.add("http", self.turned_away.stats)
        self.health.add("accepting", lambda: self._accepting)
        self.health.add("store", lambda: self.backplane.healthy)
        self.health.add("connections", lambda: not self.connections.full)

    def _build_app(self) -> FastAPI:
        origins = Origins(self._own_origins())
        app = build_api(
            HttpApi(
                backplane=self.backplane,
                rooms=self.rooms,
                streams=self.streams,
                access=self._access,
                authenticator=self._authenticator,
                pairing=self.pairing,
                identity=self.identity,
                tries=self._tries(),
                device_life_s=self.settings.pick(EdgeOptions).device_token_life_s,
                invitations=invitations.Invitations(self.backplane, time.time),
                attachments=self._attachments,
                watch=self._watch_access,
                audit=self._audit,
                operators=self.settings.operators,
                watchtower=Watchtower(
                    self.backplane, self.rooms, self.book, self.health, self.metrics, unix_ms
                ),
                open_to_all=self.settings.auth == "none",
                known_agents=self.roster.known,
                count_runs=self.tally.total,
                kill=self._kill,
                health=self.health,
                metrics=self.metrics,
                max_body_bytes=self.settings.max_request_bytes,
                max_attachment_bytes=self.settings.pick(EdgeOptions).max_attachment_bytes,
                web_page=web_page_directory(),
                sockets=socket_routes(self._open_entrance, origins),
            ),
            lifespan=self._lifespan,
        )
        app.add_middleware(HostGuard, hosts=self._hosts(), origins=origins)
        settings = self.settings
        if settings.auth != "none":
            bounds = settings.pick(EdgeOptions)
            storage = storage_at(settings.redis)
            app.add_middleware(RateLimit, storage=storage, options=bounds, turned_away=self.turned_away)
        if settings.trusted_proxies:
            app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
        return app

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        async with self:
            yield

    def _own_origins(self) -> Sequence[str]:
        public = self.settings.public_url
        return (*self.settings.allowed_origins, *([public] if public else []))

    def _hosts(self) -> frozenset[str] | None:
        """Names under which this node may be called; any, once it knows who is who."""
        if self.settings.auth != "none" or not is_loopback(self.settings.host):
            return None
        public = urlsplit(self.settings.public_url or "").hostname
        return LOOPBACK_HOSTS | {self.settings.host, *([public] if public else [])}

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.identity.revocations.refresh()
        admission = Admission(
            self._authenticator,
            self._access,
            self.rooms.open,
            durability=self.backplane.durability,
            limits=self.settings.limits,
        )
        self._entrance = Entrance(
            admission, self.connections, self.tasks, users=self.users, addresses=self.addresses
        )
        self._accepting = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._accepting = False
        self._entrance = None
        await super().__aexit__(kind, error, trace)
        self._audit.close()

    def _background(self) -> list[Coroutine[Any, Any, None]]:
        return [self.connections.run(), self._watch_access.run(), *super()._background()]

    def _open_entrance(self) -> Entrance:
        assert self._entrance is not None, "the node is not open"
        return self._entrance

    async def send_away(self) -> None:
        """Tell every device to come back, in batches over a bounded time: they shall not return as one."""
        self._accepting = False
        self.streams.end_all()
        spread_s = min(self.settings.stop_grace_s, len(self.connections) / DEVICES_SENT_AWAY_PER_S)
        batches = self.connections.batches()
        for batch in batches:
            for connection in batch:
                connection.leave()
            await asyncio.sleep(spread_s / len(batches) * random.uniform(0.5, 1.5))  # noqa: S311


def create_app(settings: Settings) -> FastAPI:
    """The application for any ASGI server; its lifespan opens and closes the node.

    The WebSocket routes need uvicorn with `WebSocketProtocol`, as `running_server` has it.
    """
    return Node(settings).app


@dataclass(frozen=True, slots=True)
class RunningServer:
    url: str
    node: Node


@asynccontextmanager
async def running_server(
    settings: Settings, *, on_code: OnCode | None = None, kill: Kill | None = None
) -> AsyncIterator[RunningServer]:
    """A node behind its socket, on this event loop, until the block ends; then it stops gracefully.

    `on_code` hears of codes to pair with; `kill` is what a demo lets people do to it. Raises CouldNotStart
    for whatever is wrong around the server.
    """
    tls = _tls(settings)
    listener = listen(settings.host, settings.port)
    try:
        node = Node(settings, on_code=on_code, kill=kill)
        async with AsyncExitStack() as stack:
            await _enter(stack, node)
            door = serving(
                node.app,
                listener,
                http_protocol=bounded_by(node.request_bounds),
                websocket_protocol=WebSocketProtocol,
                send_away=node.send_away,
                stop_grace_s=settings.stop_grace_s,
                tls=tls,
            )
            await stack.enter_async_context(door)
            yield RunningServer(url_of(listener, tls), node)
    finally:
        listener.close()


@asynccontextmanager
async def running_worker(settings: Settings) -> AsyncIterator[Core]:
    """A process without sockets that works for others, until the block ends. Raises CouldNotStart."""
    async with AsyncExitStack() as stack:
        core = Core(settings)
        await _enter(stack, core)
        yield core


async def _enter(stack: AsyncExitStack, core: Core) -> None:
    try:
        await stack.enter_async_context(core)
    except (StoreError, ConfigurationError) as error:
        raise CouldNotStart(error.message) from error


def build_backplane(settings: Settings, *, read_only: bool = False) -> Backplane:
    """The store, not open yet; one that is only read may be in use by a node. Raises CouldNotStart."""
    if read_only and settings.redis is None:
        store: Backplane = EmbeddedReader(settings.data)
    else:
        store = _build_store(settings)
    try:
        keys = _master_keys(settings)
    except ConfigurationError as error:
        raise CouldNotStart(error.message) from error
    return store if keys is None else SealedBackplane(store, keys)


def _master_keys(settings: Settings) -> MasterKeys | None:
    if settings.encryption_keys is not None:
        return parse_master_keys(settings.encryption_keys.get_secret_value(), "--encryption-keys")
    if settings.encryption_keys_file is not None:
        return read_master_keys(settings.encryption_keys_file)
    return None


def _build_store(settings: Settings) -> EmbeddedBackplane | RedisBackplane:
    if settings.redis is None:
        return EmbeddedBackplane(settings.data)
    least = None if settings.durability is None else Durability(settings.durability)
    try:
        return RedisBackplane(
            settings.redis,
            node=_new_node_id(),
            least=least,
            objects=None if settings.objects is None else open_objects(settings.objects),
            start_s=settings.start_timeout_s,
        )
    except ConfigurationError as error:
        raise CouldNotStart(error.message) from error


async def _introduce(book: NodeBook) -> None:
    """A store that fails just now is told in the next round; that is no reason not to start."""
    with contextlib.suppress(StoreError):
        await book.announce()


async def _say_farewell(book: NodeBook) -> None:
    """A store that is away is told nothing: after some silent rounds it forgets this process by itself."""
    with contextlib.suppress(StoreError):
        await book.leave()


async def _sweep_ledger(backplane: Backplane) -> None:
    """Remove what ended by itself; listing does that."""
    for kind in (tickets.KIND, invitations.KIND, kept_tokens.KIND, device_links.KIND):
        await backplane.list_values(kind)


async def _cool(backplane: RedisBackplane, idle_ms: int) -> int:
    return await backplane.cool_idle(unix_ms() - idle_ms, COOLED_PER_ROUND)


def _tracing(settings: Settings, backplane: Backplane) -> Tracing | None:
    """OpenTelemetry is looked for only where it is asked for."""
    if settings.traces_endpoint is None:
        return None
    try:
        from threadline_server.telemetry.otel import to_collector, trace_model_requests
    except ImportError as error:
        raise CouldNotStart(
            "--traces-endpoint needs a library that is not installed: install threadline[telemetry]."
        ) from error
    version = metadata.version("threadline")
    traces = to_collector(
        settings.traces_endpoint, ratio=settings.traces_ratio, node=backplane.node, version=version
    )
    trace_model_requests(traces)
    return traces


def _webhooks(settings: Settings, backplane: Backplane) -> Webhooks | None:
    url, secret = settings.webhook_url, settings.webhook_secret
    if url is None or secret is None:
        return None
    return Webhooks(WebhookOptions(url, secret.get_secret_value().encode()), backplane)


def _roster(backplane: Backplane, worker: Worker | None) -> Roster:
    return Roster(backplane) if worker is None else Roster(backplane, worker.agents, worker.holder)


def _new_node_id() -> NodeId:
    """One per start: what a node of the same host wrote before it was killed is another's."""
    return NodeId(f"{socket.gethostname()[:32]}-{secrets.token_hex(4)}")


def _agent(path: str) -> Agent:
    try:
        return as_agent(load_agent(path))
    except ConfigurationError as error:
        raise CouldNotStart(f"--agent {path}: {error.message}") from error


async def _hint(backplane: Backplane, document: DocumentName, created: Sequence[Created]) -> None:
    try:
        await hint_at(backplane, document, created)
    except StoreError as error:
        _log.debug("a hint was lost; workers look for themselves", error=error.message)


def _identity(backplane: Backplane, settings: Settings) -> Identity:
    secret = settings.auth_secret
    options = TokenOptions(
        secret=None if secret is None else secret.get_secret_value(),
        keys_file=settings.auth_keys_file,
        jwks_url=settings.auth_jwks_url,
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        url_tokens=settings.url_tokens == "any",
        bounds=settings.pick(EdgeOptions),
    )
    try:
        return Identity(backplane, options, time.time, time.monotonic, way=settings.auth)
    except ConfigurationError as error:
        raise CouldNotStart(error.message) from error


def _request_bounds(options: EdgeOptions) -> RequestBounds:
    return RequestBounds(options.max_request_head_bytes, options.request_head_s, options.request_body_s)


def _rules(settings: Settings) -> SessionRules:
    if settings.root_rules is None:
        return SessionRules()
    found = load_agent(settings.root_rules, "--root-rules")
    if not isinstance(found, dict) or not all(isinstance(rule, RootRule) for rule in found.values()):
        raise CouldNotStart(f"--root-rules {settings.root_rules}: it must be a dict of RootRule by root.")
    try:
        return SessionRules(found)
    except ValueError as error:
        raise CouldNotStart(f"--root-rules {settings.root_rules}: {error}") from error


def _tls(settings: Settings) -> Tls | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key)


def _audit(settings: Settings) -> Audit:
    try:
        return Audit(unix_ms, settings.audit_file)
    except OSError as error:
        raise CouldNotStart(
            f"The audit log {settings.audit_file} cannot be written ({error.strerror}); choose another file "
            "with --audit-file."
        ) from error


def _log_code(code: str) -> None:
    _log.info("a device can pair", code=code, at="/pair")


def _report_room_failure(message: str, document: DocumentName, error: BaseException) -> None:
    _log.error(message, document=document, exc_info=error)


def _report_run_failure(message: str, session: str, error: BaseException) -> None:
    _log.error(message, session=session, exc_info=error)


def web_page_directory() -> Path | None:
    """The built page, inside an installed package or in a checkout; None where it is not built."""
    package = Path(__file__).parent
    places = (package / "web", package.parents[1] / "web_demo" / "dist")
    return next((place for place in places if (place / "index.html").is_file()), None)
