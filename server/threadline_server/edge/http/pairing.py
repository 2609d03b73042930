"""`/pair` for people and `POST /api/v1/pair` for programs: a one-time code in, a token out."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from threadline.errors import ProtocolError
from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.errors import documented
from threadline_server.edge.http.sessions import NAME_PATTERN
from threadline_server.edge.http.web_page import CONTENT_SECURITY_POLICY
from threadline_server.edge.kept_tokens import KeptTokens, TokenKind
from threadline_server.edge.pairing import Pairing
from threadline_server.telemetry.audit import Audit

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="/icon.svg">
<title>Threadline: pair this device</title><link rel="stylesheet" href="/pair.css">
<main><h1>Pair this device</h1>
<form id="pair"><label>Code at the server <input id="code" autocomplete="one-time-code" required></label>
<label>Your name <input id="name" autocomplete="username" required maxlength="128"></label>
<label>This device <input id="device" autocomplete="off" maxlength="64"></label>
<button>Pair</button><p id="said" role="status"></p></form></main><script src="/pair.js"></script></html>"""

_SCRIPT = """const field = (id) => document.getElementById(id);
field("code").value = decodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
field(field("code").value ? "name" : "code").focus();
const kinds = [[/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android/, "Phone"], [/Mac/, "Mac"], [/Win/, "PC"]];
field("device").value = kinds.find(([pattern]) => pattern.test(navigator.userAgent))?.[1] ?? "Browser";
field("pair").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = field("name").value.trim();
  const device = field("device").value.trim();
  const body = JSON.stringify({ code: field("code").value, name, device });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/api/v1/pair", { method: "POST", headers, body });
  const told = await answer.json();
  if (!answer.ok) { field("said").textContent = told.error.message; return; }
  localStorage.setItem("threadline.identity", JSON.stringify({ token: told.token, name, device }));
  location.replace("/");
});
"""

_STYLE = """:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 22rem; margin: 10vh auto; padding: 0 1rem; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { margin-top: .5rem; padding: .6rem; min-height: 44px; }
"""

_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}


class PairRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=32)
    name: str = Field(pattern=NAME_PATTERN)
    device: str = Field(default="", max_length=64, description="What the device is called.")


class Paired(BaseModel):
    """`token` is what the device presents from now on."""

    token: str
    user: str


def pairing_routes(pairing: Pairing, kept: KeptTokens, audit: Audit, *, life_s: float) -> APIRouter:
    """Devices stay for `life_s` seconds, unless they are revoked before."""
    router = APIRouter(tags=["pairing"])

    @router.post("/api/v1/pair", responses=documented(HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS))
    async def pair(asked: PairRequest) -> Paired:
        """Redeem the one-time code shown at the server's terminal."""
        try:
            user = pairing.redeem(asked.code, asked.name)
        except ValueError as error:
            raise ProtocolError(str(error)) from error
        principal = Principal(user, user)
        device, token = await kept.issue(principal, TokenKind.DEVICE, asked.device or "Paired device", life_s)
        audit.record("device.paired", by=user, key=device.id, device=device.label)
        return Paired(token=token, user=user)

    @router.get("/pair", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers=_HEADERS)

    @router.get("/pair.js", include_in_schema=False)
    async def script() -> Response:
        return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)

    @router.get("/pair.css", include_in_schema=False)
    async def style() -> Response:
        return Response(_STYLE, media_type="text/css", headers=_HEADERS)

    return router
