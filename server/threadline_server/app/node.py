"""A core with an edge: HTTP and WebSockets."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from threadline.ids import uuid7
from threadline_server.app.clock import unix_ms
from threadline_server.app.core import Core
from threadline_server.app.edge_parts import identity_of, request_bounds_of, web_page_directory
from threadline_server.edge import invitations
from threadline_server.edge.access import Access
from threadline_server.edge.access_watch import AccessWatch
from threadline_server.edge.admission import Admission, Pass
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
from threadline_server.edge.node_book import NodeEntry
from threadline_server.edge.occupancy import Occupancy
from threadline_server.edge.options import EdgeOptions
from threadline_server.edge.origins import Origins
from threadline_server.edge.pairing import Pairing
from threadline_server.edge.session_quota import SessionQuota
from threadline_server.edge.socket_routes import socket_routes
from threadline_server.settings import Settings, is_loopback
from threadline_server.telemetry.health import Health
from threadline_server.telemetry.metrics import Labelled

DEVICES_SENT_AWAY_PER_S = 200

OnCode = Callable[[str], None]

_log = structlog.get_logger()


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
        turns = self.rooms.host.turns
        self.connections = Connections(settings.limits, settings.max_connections, turns)
        self.streams = Streams(self.rooms)
        self.health = Health()
        self.pairing = Pairing(on_code=on_code or _log_code) if settings.auth == "pairing" else None
        self.identity = identity_of(self.backplane, settings)
        self._authenticator: Authenticator = self.identity.tokens
        self._quota = SessionQuota(self.backplane, self._bound("max_sessions_per_user"), time.monotonic)
        self._access = Access(
            self.backplane,
            open_to_all=settings.auth != "token",
            now_ms=unix_ms,
            new_lineage=uuid7,
            quota=self._quota,
        )
        self.request_bounds = request_bounds_of(settings.pick(EdgeOptions))
        self.turned_away = TurnedAway()
        self.users = Occupancy("documents open at once for one user", self._bound("max_connections_per_user"))
        self.addresses = Occupancy(
            "connections from one address", settings.pick(EdgeOptions).max_connections_per_address
        )
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
        self.metrics.add("access", self._quota.stats)
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
                audit=self.audit,
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
                turned_away=self.turned_away,
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
            on_join=self._joined,
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

    def _joined(self, admitted: Pass) -> None:
        actor, proof = admitted.actor, admitted.principal.proof
        self.audit.record_often(
            "session.joined",
            by=actor.user,
            session=admitted.record.id,
            role=actor.role,
            device=actor.device,
            proof=proof,
        )

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


def _log_code(code: str) -> None:
    _log.info("a device can pair", code=code, at="/pair")
