"""Undo, branches, replay, exports and compaction of sessions on a server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.api.conftest import PATIENCE_S, SESSIONS, Api

from threadline.agents import compact
from threadline.client import Client
from threadline.errors import Forbidden, SessionError
from threadline.live_session import LiveSession
from threadline.session import Session

pytestmark = pytest.mark.asyncio


async def done(session: LiveSession, goal: str) -> str:
    run = await session.send(goal)
    await run.wait(PATIENCE_S)
    return run.id


async def test_a_run_is_undone_and_what_others_changed_since_stays(api: Api) -> None:
    async with api.connect("ada") as ada, api.connect("bob") as bob:
        session, other = await ada.open("s"), await bob.open("s")
        session["city"] = "Paris"
        run = await done(session, "remember city Berlin, hotel Adler, city Rome, seat aisle")
        await done(session, "hello")
        await other.until(lambda: other.get("seat") == "aisle")
        other["seat"] = "window"
        other["pet"] = "cat"
        await other.saved(PATIENCE_S)

        undone = await session.run(run).undo()
        assert (undone.restored, undone.left) == (["/city", "/hotel"], ["/seat"])
        expected = {"city": "Paris", "seat": "window", "pet": "cat"}
        for each in (session, other):
            await each.until(lambda each=each: each.to_dict() == expected)  # type: ignore[misc]
            await each.until(lambda each=each: len(each.messages) == 3)  # type: ignore[misc]
        again = await session.run(run).undo()
        assert (again.restored, again.left) == ([], [])


async def test_only_what_is_over_is_undone_and_only_by_those_who_may_write(api: Api) -> None:
    async with api.connect("ada") as ada:
        session = await ada.open("s")
        run = await session.send("wait")
        await session.until(lambda: run.status == "running")
        with pytest.raises(SessionError, match="cancel it"):
            await run.undo()
        await run.cancel()
        await run.wait(PATIENCE_S)
        assert (await run.undo()).restored == []
        with pytest.raises(SessionError, match="no such run"):
            await session.undo_run("ada/nothing")


async def test_a_device_takes_back_its_own_edits_alone(api: Api) -> None:
    async with api.connect("ada") as ada, api.connect("bob") as bob:
        mine, theirs = await ada.open("s"), await bob.open("s")
        mine["a"] = 1
        mine.add_message("user", "mine")
        mine["b"] = 1
        await theirs.until(lambda: theirs.get("b") == 1)
        theirs["b"] = 2
        theirs["c"] = 3
        theirs.add_message("user", "theirs")
        await mine.until(lambda: mine.get("c") == 3 and len(mine.messages) == 2)
        while mine.undo():
            pass
        await theirs.until(lambda: theirs.to_dict() == {"b": 2, "c": 3})
        await theirs.until(lambda: [message.text for message in theirs.messages] == ["theirs"])


async def test_a_branch_begins_at_a_message(api: Api) -> None:
    async with api.connect("ada") as ada:
        session = await ada.open("s")
        await done(session, "remember city Berlin")
        await done(session, "hello")
        branch = await session.branch(at=session.messages[1])
        assert [message.text for message in branch.messages] == ["remember city Berlin", "city is Berlin. "]
        assert branch["city"] == "Berlin"
        await done(branch, "remember city Rome")
        assert (len(session.messages), session["city"], len(branch.messages)) == (4, "Berlin", 4)
        whole = await session.branch()
        assert [m.text for m in whole.messages] == [m.text for m in session.messages]
        listed = await ada.sessions.list(parent="s")
        assert {info.id for info in listed} == {branch.id, whole.id}
        with pytest.raises(SessionError, match="no such message"):
            await session.branch(at="ada/nothing")


async def test_a_session_is_seen_at_every_moment_of_its_log(api: Api) -> None:
    async with api.connect("ada") as ada:
        session = await ada.open("s")
        for number in range(4):
            session["count"] = number
            await session.saved(PATIENCE_S)
        log = await ada.sessions.replay("s")
        seen = [log.at(position).get("count") for position in range(len(log) + 1)]
        assert [value for value in seen if value is not None] == [0, 1, 2, 3]
        assert (await session.at(-1)).to_dict() == session.to_dict()
        assert (await session.at(len(log) - 1))["count"] == 2
        with pytest.raises(SessionError, match="no position"):
            await session.at(len(log) + 1)


@pytest.mark.parametrize("form", ["json", "markdown"])
async def test_an_export_comes_back_equal(api: Api, form: str) -> None:
    async with api.connect("ada") as ada:
        session = await ada.open("s")
        session.title = "A trip -- with > and <!-- marks -->"
        session.context.update({"timezone": "CET"})
        session.counters.add("views", 3)
        session.add_message(
            "user", "## not a heading\n\n<!-- threadline:message {} -->\n\nend\n", data={"k": [1]}
        )
        await done(session, "remember city Berlin")
        await session.saved(PATIENCE_S)
        exported = await ada.sessions.export("s", form)
        made = await ada.sessions.import_(exported)
        assert (made.labels, made.owner) == (["imported"], "ada")
        assert without_ids(await ada.sessions.export(made.id)) == without_ids(await ada.sessions.export("s"))
        assert without_ids(Session.import_(exported).export()) == without_ids(await ada.sessions.export("s"))
        joined = await ada.open(made.id)
        assert joined["city"] == "Berlin"
        assert await done(joined, "hello")


def without_ids(exported: Any) -> dict[str, Any]:
    left_out = ("session_id", "user_id", "messages")
    messages = [{k: v for k, v in m.items() if k not in ("seq", "received_at")} for m in exported["messages"]]
    return {k: v for k, v in exported.items() if k not in left_out} | {"messages": messages}


async def test_what_is_no_export_is_named(api: Api) -> None:
    for body in (
        {"markdown": "# Hello"},
        {"session": {"messages": ["text"]}},
        {"session": {"messages": [{"role": "boss", "content": "x"}]}},
    ):
        answer = await api.post(f"{SESSIONS}/import", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_export")
    assert (await api.post(f"{SESSIONS}/import", {})).status_code == 422


@pytest.mark.row("S1-5", "S1-7")
async def test_a_shorter_transcript_is_assigned_on_a_live_session(api: Api) -> None:
    async with api.connect("ada") as ada, api.connect("bob") as bob:
        session, other = await ada.open("s"), await bob.open("s")
        await done(session, "hello")
        for number in range(30):
            (session if number % 2 else other).add_message("user", str(number))
        await other.saved(PATIENCE_S)
        await session.until(lambda: len(session.messages) == 32 and all(m.seq for m in session.messages))
        last = [message.id for message in session.messages[-10:]]
        session.messages = ["They counted.", *session.messages[-10:]]
        await session.saved(PATIENCE_S)
        for each in (session, other):
            await each.until(lambda each=each: len(each.messages) == 11)  # type: ignore[misc]
            assert [message.id for message in each.messages[1:]] == last
            assert each.get_history()[0] == {"role": "system", "content": "They counted."}
        session.messages = [session.messages[0], "And on.", *session.messages[-2:]]
        await session.saved(PATIENCE_S)
        await other.until(lambda: [m.text for m in other.messages[:2]] == ["They counted.", "And on."])
        await other.until(lambda: [m.id for m in other.messages[2:]] == last[-2:])


@pytest.mark.row("S1-7", "S1-9")
async def test_a_transcript_above_the_limit_is_compacted_for_all_devices(api: Api) -> None:
    async with api.connect("ada") as ada, api.connect("bob") as bob:
        session, other = await ada.open("s"), await bob.open("s")
        assert not await compact(session, max_tokens=200)
        for number in range(30):
            session.add_message("user", f"message number {number} of a long conversation")
        await session.saved(PATIENCE_S)
        assert await compact(session, max_tokens=200)
        await other.until(lambda: len(other.messages) == 11)
        assert other.messages[0].text.startswith("Summary of the conversation so far:")
        assert other.token_count() == session.token_count() < 500


async def test_only_owners_compact_what_others_said(api: Api) -> None:
    async with api.connect("ada") as ada, api.connect("bob") as bob:
        session = await ada.open("s")
        said = session.add_message("user", "mine")
        await session.saved(PATIENCE_S)
        with pytest.raises(Forbidden):
            await bob.sessions.compact("s", retract=[said.id])
        with pytest.raises(SessionError, match="no message"):
            await ada.sessions.compact("s", retract=["ada/nothing"])


def everything(client: Any) -> None:
    """The same without a loop."""
    info = client.sessions.create(agent_id="obedient", goal="remember city Berlin")
    assert [event["type"] for event in client.sessions.stream(info.id)][-1] == "done"
    assert client.sessions.get(info.id).status == "completed"
    assert [agent["id"] for agent in client.agents.list()] == ["obedient"]
    assert client.sessions.replay(info.id).at(-1)["city"] == "Berlin"
    session = client.open(info.id)
    branch = session.branch()
    assert branch["city"] == "Berlin"
    assert session.at(-1).to_dict() == {"city": "Berlin"}
    run = session.runs.latest().id
    assert session.run(run).undo().restored == ["/city"]
    waits = client.sessions.create(goal="wait")
    for event in client.sessions.stream(waits.id):
        if event["type"] == "output":
            client.sessions.cancel(waits.id)
    assert client.sessions.get(waits.id).status == "cancelled"
    result = client.agents.get("obedient").execute("hello")
    assert result.output == "hello, as you say."
    assert client.metrics.get(period="1h").sessions_total is not None
    with pytest.raises(SessionError) as caught:
        client.sessions.get("nowhere")
    assert (caught.value.code, caught.value.session_id) == ("session_not_found", "nowhere")


@pytest.mark.row("S3-16", "S3-40", "S3-45")
async def test_the_client_mirrors_the_api_also_without_a_loop(api: Api) -> None:
    import threadline

    def visit() -> None:
        with threadline.sync.connect(api.server.url, token="ada") as client:
            everything(client)

    await asyncio.to_thread(visit)


@pytest.mark.row("S3-16", "S3-40", "S3-45")
async def test_the_client_mirrors_the_api(api: Api) -> None:
    async with api.connect() as client:
        await mirrored(client)


async def mirrored(client: Client) -> None:
    (agent,) = await client.agents.list()
    assert (agent["id"], agent["description"]) == ("obedient", "Does as it is told")
    assert {"name": "pay", "description": "Pay", "requires_approval": True} in agent["tools"]
    paying = await client.sessions.create(agent_id="obedient", goal="pay")
    kinds = []
    async for event in client.sessions.stream(paying.id):
        kinds.append(event["type"])
        if event["type"] == "tool_call":
            await paid(client, paying.id)
    assert (kinds[-1], (await client.sessions.get(paying.id)).status) == ("done", "completed")
    waiting = await client.sessions.create(goal="wait")
    async for event in client.sessions.stream(waiting.id):
        if event["type"] == "output":
            await client.sessions.cancel(waiting.id, "enough")
    for _ in range(2):
        await client.sessions.cancel(waiting.id)
    assert (await client.sessions.get(waiting.id)).status == "cancelled"
    assert [s.id for s in await client.sessions.list(agent_id="nobody")] == []
    with pytest.raises(SessionError) as caught:
        await client.sessions.stream("nowhere").__anext__()
    assert (caught.value.code, caught.value.session_id) == ("session_not_found", "nowhere")


async def paid(client: Client, session_id: str) -> None:
    """Approve the call once it waits."""
    async with asyncio.timeout(PATIENCE_S):
        session = await client.open(session_id)
        await session.until(lambda: any(session.run(run.id).pending for run in session.runs))
    run = session.runs.latest()
    assert run is not None
    await client.sessions.decide(session_id, run.id, session.run(run.id).pending[0].call, "approve")
