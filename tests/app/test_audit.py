"""The audit log of what happens in sessions: who came in, by which proof, and who allowed which call."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.app.conftest import guarded_node
from tests.raw_device import PATIENCE_S
from tests.signing import token_of

import threadline

AGENT = "tests.e2e.agents:booking"


@pytest.mark.asyncio
async def test_joins_and_answers_to_approvals_are_written_down(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    async with (
        guarded_node(tmp_path / "data", audit_file=log, agent=(AGENT,)) as server,
        threadline.connect(server.url, token=token_of("ada"), device="Laptop") as laptop,
        asyncio.timeout(PATIENCE_S),
    ):
        session = await laptop.open("trip")
        for hotel, allowed in (("Adlon", True), ("Savoy", False)):
            run = await session.send(f"book hotel={hotel}")
            await session.until(lambda run=run: bool(run.pending))  # type: ignore[misc]
            await (run.approve() if allowed else run.reject())
            await run.result()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    joined = [line for line in lines if line["event"] == "session.joined"]
    assert [(line["by"], line["session"], line["role"]) for line in joined] == [("ada", "trip", "owner")]
    assert (joined[0]["device"], joined[0]["proof"]) == ("Laptop", "signed")
    answers = [line for line in lines if line["event"].startswith("call.")]
    assert [line["event"] for line in answers] == ["call.approved", "call.rejected"]
    assert all(line["by"] == "ada" and line["session"] == "trip" and line["run"] for line in answers)
    assert "Adlon" not in log.read_text()
