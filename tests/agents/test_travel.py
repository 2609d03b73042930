"""The demo agent, in the conversations that the README shows."""

from __future__ import annotations

import datetime

import pytest
from tests.agents.stages import Notes, play

from threadline.agents import Session, Turn
from threadline.agents.travel import travel_agent
from threadline.agents.travel.reading import read
from threadline.agents.travel.trip import Trip
from threadline.document.lifecycle import RunStatus

AGENT = travel_agent(tokens_per_second=0)
MONDAY = datetime.date(2025, 5, 5)


async def say(session: Session, words: str) -> Notes:
    at = datetime.datetime.combine(MONDAY, datetime.time(12), datetime.UTC)
    notes, outcome = await play(
        AGENT, Turn("user", words, "ada", int(at.timestamp() * 1000)), session=session
    )
    assert outcome.status is RunStatus.COMPLETED
    return notes


@pytest.mark.row("S1-35")
@pytest.mark.asyncio
async def test_a_trip_is_planned_over_several_messages() -> None:
    session = Session()
    notes = await say(session, "Find hotels in Berlin")
    assert notes.calls == [("find_hotels", {"city": "Berlin"})]
    assert "I found 5 hotels in Berlin" in notes.text

    notes = await say(session, "Under $150 a night")
    assert notes.calls == [("set_budget", {"per_night": 150.0}), ("find_hotels", {"city": "Berlin"})]
    assert "I found 3 hotels in Berlin under $150 a night" in notes.text
    assert "Grand Gendarmenmarkt" not in notes.text

    notes = await say(session, "Next Tuesday, for three nights")
    assert notes.calls == [("set_dates", {"check_in": "2025-05-06", "nights": 3})]

    notes = await say(session, "Book the second one")
    assert (
        notes.text == "Booked: **Tiergarten Park Hotel** in Berlin, from 2025-05-06, 3 nights, $447 in all."
    )
    trip = session.get("trip", as_type=Trip)
    assert trip is not None
    assert (trip.city, trip.budget, trip.hotel, trip.nights) == ("Berlin", 150, "Tiergarten Park Hotel", 3)
    assert session.counters["bookings"] == 1


@pytest.mark.row("S1-24")
@pytest.mark.asyncio
async def test_what_somebody_corrects_in_the_state_counts() -> None:
    session = Session()
    await say(session, "Find hotels in Berlin")
    session.set("trip", {**session["trip"], "city": "Paris"})
    notes = await say(session, "Under 150 a night")
    assert "hotels in Paris under $150" in notes.text


@pytest.mark.asyncio
async def test_it_asks_for_what_it_does_not_know() -> None:
    session = Session()
    assert (await say(session, "I need a hotel")).text == "In which city?"
    assert "which city" in (await say(session, "Book something")).text
    assert "Which city?" in (await say(session, "at most $80")).text
    assert "I plan trips" in (await say(session, "hello")).text
    session = Session()
    await say(session, "Find hotels in Lisbon")
    assert (await say(session, "book one")).text.startswith("Which one?")
    assert "Booked: **Surf & Sleep**" in (await say(session, "book the cheapest")).text


@pytest.mark.asyncio
async def test_a_city_that_nobody_knows_has_the_same_hotels_each_time() -> None:
    first = await say(Session(), "Find hotels in Bad Münstereifel")
    again = await say(Session(), "hotels in Bad Münstereifel please")
    assert "Riverside Inn Bad Münstereifel" in first.text
    assert first.outcomes[0].output == again.outcomes[0].output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("for 2 nights from 2025-06-01", {"check_in": "2025-06-01", "nights": 2}),
        ("arriving May 20", {"check_in": "2025-05-20"}),
        ("3 March, one night", {"check_in": "2026-03-03", "nights": 1}),
        ("tomorrow", {"check_in": "2025-05-06"}),
        ("on Monday", {"check_in": "2025-05-12"}),
        ("30 February", {"check_in": None}),
        ("budget of 99,50", {"budget": 99.5}),
        ("€120 a night", {"budget": 120.0, "nights": None}),
        ("fly to Rome in May 3", {"city": "Rome"}),
        ("find me something in berlin", {"city": "Berlin"}),
        ("thanks!", {"city": None, "budget": None, "wants_hotels": False}),
    ],
)
def test_what_a_message_says(words: str, expected: dict[str, object]) -> None:
    reading = read(words, Trip(), MONDAY)
    assert {name: getattr(reading, name) for name in expected} == expected
