"""Dialogues whose state is what makes them work, played on several devices against a server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from examples.conversations import dialogues, patterns
from examples.conversations.__main__ import AGENTS
from examples.conversations.dialogues import play
from tests.examples.conftest import Serve
from tests.examples.running import run_example

import threadline
from threadline.agents import Agent, Session


@pytest_asyncio.fixture
async def agents(threadline_at: Serve) -> AsyncIterator[str]:
    """A server with the agents of the example."""
    async with threadline_at(agent=AGENTS) as url:
        yield url


@pytest.mark.asyncio
@pytest.mark.row("S1-32")
async def test_support_remembers_the_first_complaint(agents: str) -> None:
    played = await play(agents, dialogues.SUPPORT)
    assert "ORDER-123" in played.answers[0]
    assert all("Which order" not in answer for answer in played.answers)
    for answer in played.answers[1:]:
        assert "About ORDER-123: you told me “My order ORDER-123 arrived broken”" in answer
    assert len(played.history) == 6


@pytest.mark.asyncio
@pytest.mark.row("S1-33")
async def test_the_code_assistant_edits_what_it_wrote(agents: str) -> None:
    played = await play(agents, dialogues.CODE)
    assert [re.findall(r"background: '(\w+)'", answer)[0] for answer in played.answers] == [
        "grey",
        "red",
        "blue",
    ]
    assert played.state["component"] == {"name": "Button", "colour": "blue", "version": 3}


@pytest.mark.asyncio
@pytest.mark.row("S1-34", "S1-18")
async def test_the_origin_comes_from_the_profile_and_stays_out_of_the_session(agents: str) -> None:
    played = await play(agents, dialogues.TRAVEL)
    assert played.answers == ["Booked Delhi to Berlin, next tuesday, in the morning."]
    assert "Delhi" not in str(played.state)


@pytest.mark.asyncio
@pytest.mark.row("S1-35", "S1-37")
async def test_three_turns_fill_one_set_of_slots(agents: str) -> None:
    played = await play(agents, dialogues.FLIGHTS)
    assert played.answers[:2] == ["On which day?", "At what time?"]
    assert played.state["flight"] == {"to": "Berlin", "day": "next tuesday", "time": "morning"}


@pytest.mark.asyncio
@pytest.mark.row("S1-36")
async def test_the_laptop_goes_on_where_the_phone_stopped(agents: str) -> None:
    played = await play(agents, dialogues.HOTELS)
    assert "hotels in Berlin" in played.answers[0]
    assert "in Berlin under $150 a night" in played.answers[1]


@pytest.mark.asyncio
@pytest.mark.row("S1-19", "S1-20")
async def test_a_trip_has_three_parts_that_inherit_from_it(agents: str) -> None:
    async with threadline.connect(agents, token="harsh") as client:
        session = await client.open("trip")
        flights, hotels, activities = await patterns.trip(session)
        listed = {found.id for found in await client.sessions.list(parent="trip")}
        assert listed == {"trip.flights", "trip.hotels", "trip.activities"}
        assert [child["city"] for child in (flights, hotels, activities)] == ["Berlin"] * 3
        assert "cabin" not in session
        session["city"], session["travellers"] = "Paris", 5
        assert (activities["city"], activities["travellers"]) == ("Paris", 5)
        assert hotels["travellers"] == 1


@pytest.mark.asyncio
@pytest.mark.row("S1-21")
async def test_search_results_are_gone_on_every_device(agents: str) -> None:
    async with (
        threadline.connect(agents, token="harsh") as phone,
        threadline.connect(agents, token="harsh") as laptop,
    ):
        one, two = await phone.open("s"), await laptop.open("s")
        await patterns.search(one, ttl_s=1)
        async with asyncio.timeout(20):
            await two.until(lambda: "results" in two)
            while "results" in one or "results" in two:  # noqa: ASYNC110  (time alone ends it)
                await asyncio.sleep(0.05)


@pytest.mark.row("S1-22")
def test_pruning_bounds_the_state() -> None:
    session = Session({f"search:{place}": place for place in range(300)})
    session.set("city", "Berlin")
    patterns.prune(session, keep=10)
    assert len(session) == 11


@pytest.mark.asyncio
@pytest.mark.row("S1-23")
async def test_an_old_location_is_flagged() -> None:
    session = Session()
    patterns.locate(session, "Delhi", at_s=0)
    assert await patterns.what_is_stale(session) == ["location"]
    patterns.locate(session, "Berlin")
    assert await patterns.what_is_stale(session) == []


@pytest.mark.asyncio
@pytest.mark.row("S1-25")
async def test_two_devices_write_at_once_and_nothing_is_lost(agents: str) -> None:
    async with (
        threadline.connect(agents, token="harsh") as phone,
        threadline.connect(agents, token="harsh") as laptop,
    ):
        merged = await patterns.add_at_once(await phone.open("s"), await laptop.open("s"))
    assert merged == ["milk", "sugar", "tea"]


@pytest.mark.asyncio
@pytest.mark.row("S1-24")
async def test_a_correction_from_a_device_counts_in_the_next_turn(agents: str) -> None:
    async with threadline.connect(agents, token="harsh") as client:
        session = await client.open("s")
        await (await session.send("Find me flights to Berlin", agent="flights")).result(60)
        session["flight"] = {"to": "Paris"}
        await (await session.send("Next Tuesday", agent="flights")).result(60)
        result = await (await session.send("Morning", agent="flights")).result(60)
    assert result.output == "Booked Delhi to Paris, next tuesday, in the morning."


@pytest.mark.row("S1-31")
def test_a_request_loads_is_handled_and_saved(tmp_path: Path) -> None:
    store = tmp_path / "sessions"
    agent = Agent(name="echo")
    name = Session.create("harsh", store=store).id

    def handle(words: str) -> str:
        session = Session.load(name, store=store)
        session.add_message("user", words)
        reply = agent.generate(session)
        session.add_message("agent", reply)
        session.save()
        return reply

    for words in ("one", "two"):
        assert handle(words) == f"You said: {words}"
    assert len(Session.load(name, store=store).get_history()) == 4


@pytest.mark.row("S1-40")
def test_one_question_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert Agent(name="echo").generate("What is the time?") == "You said: What is the time?"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_the_example_runs_by_one_command() -> None:
    output = await run_example("examples.conversations")
    for line in ("# support", "# code", "# travel", "# flights", "# hotels", "stale: ['location']"):
        assert line in output
    assert "merged: ['milk', 'sugar', 'tea']" in output
