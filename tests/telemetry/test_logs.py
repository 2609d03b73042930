"""What is logged: an object a line, with the ids of requests and sessions, and nothing that people wrote."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from tests.raw_device import raw_device
from tests.server_process import server_process

SECRET = "a confession that is nobody's business"


@pytest.mark.asyncio
async def test_lines_are_json_with_ids_and_without_content(tmp_path: Path) -> None:
    """The agent fails at what it is told, a device sends garbage, and the level is the lowest there is."""
    sulky = "async def agent(messages, context):\n    raise RuntimeError(str(messages))\n"
    (tmp_path / "sulky.py").write_text(sulky)
    options = ("--log-level", "debug", "--log-format", "json", "--agent", "sulky:agent")
    async with server_process(tmp_path / "data", *options, cwd=tmp_path) as server:
        async with raw_device(server.url, "trip", "ada") as ada:
            await ada.say(SECRET)
            await ada.set("/diary", SECRET)
            await ada.until_saved()
        async with raw_device(server.url, "trip", "eve") as eve:
            await eve.send_update(b"\x01\x01\x01\x00" + SECRET.encode())
            await eve.until(lambda: eve.document_closed is not None or eve.close_code is not None)
        headers = {"Authorization": "Bearer ada", "X-Request-Id": "request-of-a-test"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
            ran = await client.post("/api/v1/sessions", json={"id": "rome", "goal": SECRET})
            assert ran.is_success, ran.text
            deleted = await client.delete("/api/v1/sessions/trip")
            assert deleted.is_success
        await server.said(r'"event": "(run ended)"')
        await server.stop()
    lines = [json.loads(line) for line in server.output if line.startswith("{")]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    assert [line["session"] for line in lines if line["event"] == "run ended"] == ["rome"]
    audits = [line for line in lines if line["event"] == "audit" and line["action"] == "session.deleted"]
    assert [line.get("request_id") for line in audits] == ["request-of-a-test"]
    assert SECRET not in "\n".join(server.output)
    assert "confession" not in "\n".join(server.output)
