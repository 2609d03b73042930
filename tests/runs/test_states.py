"""Every state of an execution, reached over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.runs.offices import WAIT_S, eventually

from threadline_server.app import running_server
from threadline_server.settings import load

pytestmark = pytest.mark.asyncio

SESSIONS = "/api/v1/sessions"


@pytest.mark.row("S3-1", "S3-16", "S3-30", "S3-31", "S3-40", "S3-49", "S3-50", "S3-51", "S3-52")
async def test_every_state_is_reached(tmp_path: Path) -> None:
    flags = {"port": 0, "data": tmp_path / "data", "agent": ("tests.runs.stateful_agents:agent",)}
    async with (
        running_server(load(flags, {})) as server,
        httpx.AsyncClient(base_url=server.url, timeout=WAIT_S) as http,
    ):
        http.headers["authorization"] = "Bearer ada"

        async def created(session: str, **body: Any) -> None:
            answer = await http.post(SESSIONS, json={"id": session, **body})
            assert answer.status_code == 201, answer.text

        async def becomes(session: str, status: str) -> dict[str, Any]:
            seen: dict[str, Any] = {}

            async def so() -> bool:
                seen.update((await http.get(f"{SESSIONS}/{session}")).json())
                return bool(seen["status"] == status)

            await eventually(so)
            return seen

        await created("empty")
        await becomes("empty", "created")
        await created("good", goal="finish")
        good = await becomes("good", "completed")
        assert (good["goal"], len(good["steps"])) == ("finish", 1)
        assert good["tokens_used"] > 0
        assert good["duration_ms"] >= 0
        await created("bad", goal="fail")
        assert (await becomes("bad", "failed"))["error"]["code"] == "agent_failed"
        await created("slow", goal="wait", timeout_seconds=1)
        await becomes("slow", "timeout")
        await created("stopped", goal="wait")
        await becomes("stopped", "running")
        for _ in range(2):
            assert (await http.post(f"{SESSIONS}/stopped/cancel")).status_code == 200
        await becomes("stopped", "cancelled")
        assert (await http.get(f"{SESSIONS}/nowhere")).status_code == 404

        async def listed() -> bool:
            query: dict[str, str | int] = {"agent_id": "obedient", "status": "completed", "limit": 50}
            page = (await http.get(SESSIONS, params=query)).json()
            return [session["id"] for session in page["sessions"]] == ["good"]

        await eventually(listed)
