"""Sessions with a goal over HTTP: streamed, asked for twice, bounded, final, counted, logged."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.api.conftest import SESSIONS, Api, an_api, eventually
from tests.runs.test_webhooks import SECRET, receiving
from tests.server_process import server_process

import threadline
from threadline.document.lifecycle import Cause, IllegalTransition, RunStatus, check
from threadline.errors import SessionError

pytestmark = pytest.mark.asyncio


@pytest.mark.row("S3-2")
async def test_a_run_goes_one_way_and_its_end_is_final(api: Api) -> None:
    await api.post(SESSIONS, {"id": "empty"})
    assert (await api.session("empty"))["status"] == "created"
    await api.post(SESSIONS, {"id": "s", "goal": "pay"})
    waiting = (await api.becomes("s", "waiting"), (await api.http.get(f"{SESSIONS}/s/runs")).json())[1]
    (run,) = waiting["runs"]
    word = {"run": run["id"], "call": run["approvals"][0]["call"], "decision": "approve"}
    assert (await api.post(f"{SESSIONS}/s/undo", {"run": run["id"]})).status_code == 409
    assert (await api.post(f"{SESSIONS}/s/approvals", word)).status_code == 202
    done = await api.becomes("s", "completed")
    assert done["output"] == "paid 5"
    late = await api.post(f"{SESSIONS}/s/approvals", word | {"decision": "reject"})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "illegal_transition")
    assert (await api.post(f"{SESSIONS}/s/cancel")).status_code == 200
    assert (await api.session("s"))["status"] == "completed"
    for status in RunStatus:
        for target in RunStatus:
            if status.is_terminal:
                with pytest.raises(IllegalTransition):
                    check(status, target, Cause.WORKER)


@pytest.mark.row("S3-15")
async def test_a_goal_is_answered_with_its_events_on_request(api: Api) -> None:
    answer = await api.post(SESSIONS, {"id": "s", "goal": "hello", "stream": True})
    assert answer.status_code == 201
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [events[0]["type"], events[-1]["type"]] == ["session_start", "done"]
    assert (await api.session("s"))["status"] == "completed"
    plain = await api.post(SESSIONS, {"goal": "hello"})
    assert plain.headers["content-type"] == "application/json"
    assert (await api.post(SESSIONS, {"stream": True})).status_code == 422


@pytest.mark.row("S3-56")
async def test_a_request_that_is_sent_again_is_done_once(api: Api) -> None:
    body = {"agent_id": "obedient", "goal": "remember count 1"}
    key = {"Idempotency-Key": "the-same"}
    first, *others = await asyncio.gather(*(api.post(SESSIONS, body, **key) for _ in range(5)))
    made = first.json()["id"]
    assert {answer.json()["id"] for answer in others} == {made}
    await api.becomes(made, "completed")
    again = await api.post(SESSIONS, body, **key)
    assert (again.status_code, again.json()["id"]) == (200, made)
    runs = (await api.http.get(f"{SESSIONS}/{made}/runs")).json()["runs"]
    assert len(runs) == 1
    other = await api.post(SESSIONS, body | {"goal": "something else"}, **key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")

    asked = [await api.post(f"{SESSIONS}/{made}/runs", {"goal": "hello"}, **key) for _ in range(2)]
    assert asked[0].status_code == 422  # the key is the caller's, whatever it was used for
    key = {"Idempotency-Key": "another"}
    asked = [await api.post(f"{SESSIONS}/{made}/runs", {"goal": "hello"}, **key) for _ in range(2)]
    assert asked[0].json() == asked[1].json()

    async with api.connect() as client:
        twice = [await client.sessions.create(goal="hello", idempotency_key="mine") for _ in range(2)]
        assert twice[0].id == twice[1].id
        with pytest.raises(SessionError, match="choose a new one"):
            await client.sessions.create(goal="else", idempotency_key="mine")


@pytest.mark.row("S3-54")
async def test_a_context_is_bounded_and_names_files_instead_of_holding_them(api: Api) -> None:
    large = await api.post(SESSIONS, {"goal": "read", "context": {"file": "x" * 200_000}})
    assert (large.status_code, large.json()["error"]["code"]) == (422, "context_too_long")
    assert "path" in large.json()["error"]["message"]
    context = {"file_path": "/data/report.csv", "file_type": "csv"}
    made = (await api.post(SESSIONS, {"goal": "read", "context": context})).json()["id"]
    done = await api.becomes(made, "completed")
    assert done["context"] == context
    assert done["output"] == "/data/report.csv is a csv file"


@pytest.mark.row("S3-44")
async def test_metrics_are_those_of_the_runs_that_were_made(api: Api) -> None:
    goals = {"one": "hello", "two": "hello", "three": "hello", "bad": "fail"}
    for session, goal in goals.items():
        await api.post(SESSIONS, {"id": session, "goal": goal})
    details = [
        await api.becomes(session, "failed" if goal == "fail" else "completed")
        for session, goal in goals.items()
    ]

    async with api.connect() as client:

        async def counted() -> bool:
            return bool((await client.metrics.get("obedient")).sessions_total == len(goals))

        await eventually(counted)
        wanted = ["sessions_total", "avg_duration", "success_rate"]
        told = await client.metrics.get("obedient", period="7d", metrics=wanted)
        durations = [detail["duration_ms"] for detail in details]
        assert told["sessions_total"] == len(goals)
        assert told.success_rate == 75.0
        assert told.avg_duration == pytest.approx(sum(durations) / len(durations))
        everything = (await api.http.get("/api/v1/metrics", params={"period": "1h"})).json()
        assert (everything["sessions_completed"], everything["sessions_failed"]) == (3, 1)
        assert everything["tokens_used"] == sum(detail["tokens_used"] for detail in details)
        nobody = await client.metrics.get("somebody-else")
        assert (nobody.sessions_total, nobody.avg_duration, nobody.success_rate) == (0, None, None)
        for params, code in (
            ({"period": "a week"}, "invalid_request"),
            ({"period": "91d"}, "period_too_long"),
            ({"metrics": "beauty"}, "unknown_metric"),
        ):
            answer = await api.http.get("/api/v1/metrics", params=params)
            assert answer.json()["error"]["code"] == code


async def test_metrics_survive_a_restart_and_are_each_users_own(tmp_path: Path) -> None:
    from tests.signing import SECRET as KEY
    from tests.signing import token_of

    async def totals(api: Api, user: str) -> int:
        api.http.headers["authorization"] = f"Bearer {token_of(user)}"
        return int((await api.http.get("/api/v1/metrics")).json()["sessions_total"])

    async with an_api(tmp_path / "data", auth="token", auth_secret=KEY) as api:
        api.http.headers["authorization"] = f"Bearer {token_of('ada')}"
        await api.post(SESSIONS, {"id": "s", "goal": "hello"})
        await api.becomes("s", "completed")
    async with an_api(tmp_path / "data", auth="token", auth_secret=KEY) as api:
        assert [await totals(api, "ada"), await totals(api, "bob")] == [1, 0]


@pytest.mark.row("S3-55")
async def test_each_run_is_logged_and_a_failure_is_told(tmp_path: Path) -> None:
    async with receiving() as receiver:
        flags = ("--webhook-url", receiver.url, "--webhook-secret", SECRET.decode(), "--log-format", "json")
        agent = ("--agent", "tests.api.obedient_agent:agent")
        async with (
            server_process(tmp_path / "data", *agent, *flags, cwd=Path(__file__).parents[2]) as server,
            threadline.connect(server.url, token="ada") as client,
        ):
            good = await client.sessions.create(goal="my secret wish")
            assert [event["type"] async for event in client.sessions.stream(good.id)][-1] == "done"
            bad = await client.sessions.create(goal="fail")
            told = {notice.notice["session"]: notice.notice for notice in await receiver.until(2)}
            assert told[bad.id]["type"] == "run.failed"
            assert told[bad.id]["error"] == "agent_failed"
            await server.said(f'"session": "({bad.id})"')
            lines = [json.loads(line) for line in server.output if '"run ended"' in line]
            ended = {line["session"]: line for line in lines}
            assert (ended[good.id]["status"], ended[good.id]["level"]) == ("completed", "info")
            assert (ended[bad.id]["status"], ended[bad.id]["level"]) == ("failed", "warning")
            assert "secret" not in "\n".join(server.output)
