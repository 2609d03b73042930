"""`--auth pairing`: the code at the terminal makes a linked device, listed and revoked as any other."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from threadline_server.app import running_server
from threadline_server.settings import load


@pytest.mark.asyncio
async def test_the_code_at_the_terminal_makes_a_linked_device(tmp_path: Path) -> None:
    codes: list[str] = []
    settings = load({"port": 0, "auth": "pairing", "data": tmp_path}, {})
    async with (
        running_server(settings, on_code=codes.append) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        wrong = await client.post("/api/v1/pair", json={"code": "2222-2222", "name": "ada"})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "unauthorized")
        reserved = await client.post("/api/v1/pair", json={"code": codes[-1], "name": "agent:x"})
        assert reserved.status_code == 400
        asked = {"code": codes[-1], "name": "ada", "device": "Laptop"}
        right = await client.post("/api/v1/pair", json=asked)
        assert (await client.post("/api/v1/pair", json=asked)).status_code == 401

        client.headers["Authorization"] = f"Bearer {right.json()['token']}"
        me = (await client.get("/api/v1/me")).json()
        assert (me["user"], me["proof"]) == ("ada", "device")
        (device,) = (await client.get("/api/v1/keys")).json()["keys"]
        assert (device["label"], device["kind"], device["current"]) == ("Laptop", "device", True)
        assert (await client.post("/api/v1/keys", json={"label": "for ever"})).status_code == 403
        await client.delete(f"/api/v1/keys/{device['id']}")
        assert (await client.get("/api/v1/me")).status_code == 401


@pytest.mark.asyncio
async def test_the_page_for_it_runs_under_the_content_policy(tmp_path: Path) -> None:
    settings = load({"port": 0, "auth": "pairing", "data": tmp_path}, {})
    async with running_server(settings) as server, httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/api/v1/sign-in")).json() == {"way": "pairing"}
        page = await client.get("/pair")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<script>" not in page.text
        assert (await client.get("/pair.js")).headers["content-type"].startswith("text/javascript")
        assert (await client.get("/pair.css")).status_code == 200
