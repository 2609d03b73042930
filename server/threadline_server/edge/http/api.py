"""The HTTP application: the API with its documentation, health, the sockets' routes and the web page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import Lifespan

from threadline_server.backplane.base import Backplane
from threadline_server.edge.access import Access
from threadline_server.edge.access_watch import AccessWatch
from threadline_server.edge.attachments import Attachments
from threadline_server.edge.authentication import Authenticator
from threadline_server.edge.http.admin import Watchtower, admin_routes
from threadline_server.edge.http.agents import KnownAgents, agent_routes
from threadline_server.edge.http.amendments import amendment_routes
from threadline_server.edge.http.attachments import attachment_routes
from threadline_server.edge.http.caller import caller_of
from threadline_server.edge.http.conversations import conversation_routes
from threadline_server.edge.http.demo import Kill, demo_routes
from threadline_server.edge.http.device_links import device_link_routes
from threadline_server.edge.http.errors import add_error_handlers
from threadline_server.edge.http.exports import export_routes
from threadline_server.edge.http.health import health_routes
from threadline_server.edge.http.history import history_routes
from threadline_server.edge.http.identity import identity_routes
from threadline_server.edge.http.members import member_routes
from threadline_server.edge.http.metrics import CountRuns, metrics_routes
from threadline_server.edge.http.pairing import pairing_routes
from threadline_server.edge.http.rate_limit import TurnedAway
from threadline_server.edge.http.reference import add_reference
from threadline_server.edge.http.replay import replay_routes
from threadline_server.edge.http.request_frame import RequestFrame
from threadline_server.edge.http.runs import run_routes
from threadline_server.edge.http.sessions import session_routes
from threadline_server.edge.http.streams import Streams
from threadline_server.edge.http.tries import Tries
from threadline_server.edge.http.web_page import add_web_page
from threadline_server.edge.identity import Identity
from threadline_server.edge.invitations import Invitations
from threadline_server.edge.pairing import Pairing
from threadline_server.rooms.registry import Rooms
from threadline_server.telemetry.audit import Audit
from threadline_server.telemetry.health import Health
from threadline_server.telemetry.metrics import Metrics

_DESCRIPTION = """Sessions with an agent, on every device. Send `Authorization: Bearer TOKEN`; every failure
has the envelope `{"error": {"code", "message", "details", "request_id"}}`."""


@dataclass(frozen=True, slots=True)
class HttpApi:
    """What the application is made of; `web_page` is None where the page is not built."""

    backplane: Backplane
    rooms: Rooms
    streams: Streams
    access: Access
    authenticator: Authenticator
    pairing: Pairing | None
    identity: Identity
    tries: Tries
    device_life_s: float
    invitations: Invitations
    attachments: Attachments
    watch: AccessWatch
    audit: Audit
    operators: Sequence[str]
    watchtower: Watchtower
    open_to_all: bool
    known_agents: KnownAgents
    count_runs: CountRuns
    kill: Kill | None
    health: Health
    metrics: Metrics
    max_body_bytes: int
    turned_away: TurnedAway
    max_attachment_bytes: int
    web_page: Path | None
    sockets: Sequence[BaseRoute]


def build_api(parts: HttpApi, *, lifespan: Lifespan[FastAPI]) -> FastAPI:
    app = FastAPI(
        title="Threadline",
        version=metadata.version("threadline"),
        description=_DESCRIPTION,
        openapi_url=None,
        lifespan=lifespan,
    )
    add_error_handlers(app)
    app.add_middleware(
        RequestFrame,
        max_body_bytes=parts.max_body_bytes,
        max_attachment_bytes=parts.max_attachment_bytes,
        turned_away=parts.turned_away,
    )
    app.router.routes.extend(parts.sockets)  # first: devices come more often than anybody else
    caller = caller_of(parts.authenticator)
    app.include_router(
        session_routes(parts.backplane, parts.rooms, parts.access, parts.streams, parts.audit, caller)
    )
    app.include_router(history_routes(parts.rooms, parts.access, caller))
    app.include_router(replay_routes(parts.backplane, parts.rooms, parts.access, caller))
    app.include_router(attachment_routes(parts.attachments, parts.access, caller))
    app.include_router(amendment_routes(parts.rooms, parts.access, caller))
    app.include_router(export_routes(parts.backplane, parts.rooms, parts.access, caller))
    app.include_router(run_routes(parts.backplane, parts.rooms, parts.access, parts.streams, caller))
    app.include_router(conversation_routes(parts.backplane, parts.rooms, parts.access, caller))
    app.include_router(agent_routes(parts.known_agents, caller))
    app.include_router(metrics_routes(parts.count_runs, parts.access, caller))
    app.include_router(
        member_routes(parts.backplane, parts.access, parts.invitations, parts.watch, parts.audit, caller)
    )
    identity = parts.identity
    app.include_router(identity_routes(identity, parts.watch, parts.audit, caller, operators=parts.operators))
    app.include_router(device_link_routes(identity.links, parts.access, parts.tries, parts.audit, caller))
    app.include_router(demo_routes(parts.kill, caller))
    app.include_router(health_routes(parts.health, parts.metrics))
    operators = None if parts.open_to_all else parts.operators
    app.include_router(admin_routes(parts.watchtower.look, caller, operators=operators))
    if parts.pairing is not None:
        life_s = parts.device_life_s
        app.include_router(pairing_routes(parts.pairing, identity.kept, parts.audit, life_s=life_s))
    add_reference(app)
    add_web_page(app, parts.web_page)
    _complete_routes(app)
    return app


def _complete_routes(app: FastAPI) -> None:
    """FastAPI completes the routes of a router when a request first passes it. All of that stopped everything
    for 100 ms; at the start nobody waits for it.
    """
    scope = {"type": "http", "method": "GET", "path": "", "root_path": "", "headers": []}
    for route in app.routes:
        route.matches(scope)
