"""Conversations over HTTP: opened, asked turn by turn, closed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import Api, an_api

from threadline.agents import Agent, DriverEvent, Said, Task
from threadline_server.edge.http import conversations

pytestmark = pytest.mark.asyncio

CONVERSATIONS = "/api/v1/conversations"


class Attentive:
    """Says what it was given."""

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        user = task.context["user_name"] if isinstance(task.context, dict) else ""
        yield Said(f"{task.system} {user}: {' | '.join(turn.content for turn in task.turns)}")


agent = Agent(name="attentive", driver=Attentive(), system_prompt="Be kind.")


async def said(api: Api, conversation: str, content: str, **headers: str) -> dict[str, Any]:
    answer = await api.post(f"{CONVERSATIONS}/{conversation}/messages", {"content": content}, **headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.row("S3-33", "S3-34", "S3-35", "S3-36", "S3-37", "S3-38", "S3-39")
async def test_turn_by_turn_over_http(tmp_path: Path) -> None:
    async with an_api(tmp_path / "data", ("tests.api.test_conversations:agent",)) as api:
        opened = {
            "agent_id": "attentive",
            "system_override": "Be brief.",
            "max_history": 3,
            "context": {"user_name": "Ada", "preferences": {"tone": "dry"}},
        }
        made = await api.post(CONVERSATIONS, opened)
        assert made.status_code == 201
        conversation = made.json()["id"]
        first = await said(api, conversation, "one")
        assert (first["status"], first["output"]) == ("completed", "Be brief. Ada: one")
        key = {"Idempotency-Key": "second"}
        second = await said(api, conversation, "two", **key)
        assert second["output"] == "Be brief. Ada: one | Be brief. Ada: one | two"
        assert await said(api, conversation, "two", **key) == second
        third = await said(api, conversation, "three")
        assert third["output"] == f"Be brief. Ada: two | {second['output']} | three"

        seen = (await api.http.get(f"{CONVERSATIONS}/{conversation}")).json()
        assert [message["role"] for message in seen["messages"]] == ["user", "assistant"] * 3
        for _ in range(2):
            assert (await api.post(f"{CONVERSATIONS}/{conversation}/close")).json()["closed"]
        late = await api.post(f"{CONVERSATIONS}/{conversation}/messages", {"content": "four"})
        assert (late.status_code, late.json()["error"]["code"]) == (409, "session_closed")


async def test_an_answer_that_needs_a_word_says_so(api: Api) -> None:
    await api.post(CONVERSATIONS, {"id": "c"})
    waiting = await said(api, "c", "pay")
    assert waiting["status"] == "waiting"
    failed = await api.post(CONVERSATIONS, {"id": "c"})
    assert (failed.status_code, failed.json()["error"]["code"]) == (409, "session_exists")
    async with api.connect() as client:
        session = await client.open("c")
        await session.run(waiting["run"]).approve()
        assert await session.run(waiting["run"]).wait(20) == "completed"
    assert (await said(api, "c", "fail"))["error"]["code"] == "agent_failed"


async def test_where_no_agent_is_at_work_the_wait_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "LONGEST_WAIT_S", 0.05)
    async with an_api(tmp_path / "data", ()) as api:
        await api.post(CONVERSATIONS, {"id": "c"})
        answer = await said(api, "c", "is anybody there?")
        assert (answer["status"], answer["output"]) == ("queued", "")


async def test_other_sessions_are_no_conversations(api: Api) -> None:
    await api.post("/api/v1/sessions", {"id": "s"})
    answer = await api.http.get(f"{CONVERSATIONS}/s")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_a_conversation")
