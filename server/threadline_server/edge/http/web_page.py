"""The web demo as static files under a strict Content-Security-Policy, or how to get it."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

PAGES = ("admin",)

_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
_FOR_EVER = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"

_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Threadline</title>
<h1>Threadline is running</h1>
<p>The web page is not built. Run <code>make demo</code> in a checkout, or install the wheel.</p>
<p>The <a href="/docs">HTTP API</a>, the WebSockets and <code>threadline chat</code> work without it.</p>
</html>"""


class WebPage(StaticFiles):
    """Files under `assets/` carry a hash in their names and are cached for ever, others revalidated.

    A page is called without its `.html`: `/admin`.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        page = f"{path}.html" if path in PAGES else path
        response = await super().get_response(page, scope)
        response.headers.update(_HEADERS)
        response.headers["Cache-Control"] = _FOR_EVER if path.startswith("assets/") else _REVALIDATE
        return response


def add_web_page(app: FastAPI, directory: Path | None) -> None:
    """Serve the built page at `/`. Added last: it answers every path that nothing else took."""
    if directory is not None:
        app.mount("/", WebPage(directory=directory, html=True), name="web")
        return

    async def not_built(_: Request) -> HTMLResponse:
        return HTMLResponse(_NOT_BUILT, headers=_HEADERS)

    app.add_route("/", not_built, include_in_schema=False)
