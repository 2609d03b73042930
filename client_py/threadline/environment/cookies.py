"""Every response carries the rollout's cookie, whatever its status: clients send those of the last one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from threadline.environment.ticket import Ticket, cookie_in, set_cookie

_PREFIX = re.compile(r"/ng-rollout/[A-Za-z0-9][A-Za-z0-9._-]*(?=/|$)")


class RolloutCall:
    """One request. `ticket` is what its response will carry."""

    __slots__ = ("ticket",)

    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket


class RolloutCookies:
    """Outermost, so that errors of all kinds pass through it. The call is in `scope["state"]["rollout"]`."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call = RolloutCall(cookie_in(_header(scope, b"cookie"), self.name) or Ticket.new())

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                line = set_cookie(self.name, call.ticket).encode()
                message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", line)]}
            await send(message)

        await self.app(_for_the_app(scope, call), receive, send_with_cookie)


def _for_the_app(scope: Scope, call: RolloutCall) -> Scope:
    path = _PREFIX.sub("", scope["path"], count=1) or "/"
    state: Mapping[str, object] = scope.get("state") or {}
    return {**scope, "path": path, "raw_path": path.encode(), "state": {**state, "rollout": call}}


def _header(scope: Scope, name: bytes) -> str:
    lines: list[tuple[bytes, bytes]] = scope["headers"]
    return "; ".join(value.decode("latin-1") for key, value in lines if key == name)
