from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from threadline_server.edge.http.errors import add_error_handlers
from threadline_server.edge.http.pairing import pairing_routes
from threadline_server.edge.http.request_frame import RequestFrame
from threadline_server.edge.pairing import Pairing


@pytest.mark.asyncio
async def test_a_code_is_redeemed_over_http() -> None:
    door = Pairing(bytes(32), now_s=lambda: 1_800_000_000, on_code=lambda code: None)
    app = FastAPI()
    add_error_handlers(app)
    app.add_middleware(RequestFrame, max_body_bytes=10_000)
    app.include_router(pairing_routes(door))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        wrong = await client.post("/api/v1/pair", json={"code": "2222-2222", "name": "ada"})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "unauthorized")
        reserved = await client.post("/api/v1/pair", json={"code": door.code, "name": "agent:x"})
        assert reserved.status_code == 400
        right = await client.post("/api/v1/pair", json={"code": door.code, "name": "ada"})
        assert (await door.authenticate(right.json()["token"])).user == "ada"

        page = await client.get("/pair")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<script>" not in page.text
        assert (await client.get("/pair.js")).headers["content-type"].startswith("text/javascript")
        assert (await client.get("/pair.css")).status_code == 200
