"""The demo agent's driver: reads the message, calls the tools that it asks for, and tells what came of it.

What earlier messages said is not read again: it is in the session's trip. So "Find hotels in Berlin" on one
device and "Under $150 a night" on another work together, and whatever somebody corrects in the state counts
from then on.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator
from typing import TypeAlias

from threadline.agents.agent import Agent
from threadline.agents.driver import DriverEvent, Task, ToolOutcome
from threadline.agents.pace import Pace
from threadline.agents.travel.reading import Reading, read
from threadline.agents.travel.tools import TOOLS
from threadline.agents.travel.trip import Offer, Trip, trip_of
from threadline.document.values import JSON

NAME = "travel"
Step: TypeAlias = tuple[str, dict[str, JSON]]
GREETING = (
    "I plan trips. Tell me a city (“Find hotels in Berlin”), what a night may cost (“Under $150 a night”), "
    "when you travel (“Next Tuesday, for three nights”), and which hotel to book (“Book the second one”). "
    "I remember all of it, on every device."
)


def travel_agent(tokens_per_second: float = 40.0, name: str = NAME) -> Agent:
    """The demo agent, speaking at this pace; 0 speaks at once."""
    return Agent(
        name=name,
        tools=TOOLS,
        driver=TravelPlanner(Pace(tokens_per_second)),
        description="A travel planner that needs no key: hotels, budget, dates, booking.",
    )


class TravelPlanner:
    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        reading = read(task.words, trip_of(task.session), _written_on(task))
        plan = _plan(reading, trip_of(task.session))
        if plan:
            async for thought in self._pace.think(_thought(plan)):
                yield thought
        outcomes = [await task.call(name, arguments) for name, arguments in plan]
        answer = _answer(reading, outcomes, trip_of(task.session))
        async for piece in self._pace.say(answer):
            yield piece


def _written_on(task: Task) -> datetime.date:
    """The day on which the message was written, which is what "next Tuesday" counts from."""
    at = next((turn.at for turn in reversed(task.turns) if turn.role == "user" and turn.at > 0), 0)
    return datetime.datetime.fromtimestamp(at / 1000, datetime.UTC).date()


def _plan(reading: Reading, trip: Trip) -> list[Step]:
    """The calls to make, in order. A new budget looks again in the city that is known."""
    plan: list[Step] = []
    if reading.budget is not None:
        plan.append(("set_budget", {"per_night": reading.budget}))
    dates: dict[str, JSON] = {"check_in": reading.check_in, "nights": reading.nights}
    given = {name: value for name, value in dates.items() if value is not None}
    if given:
        plan.append(("set_dates", dict(given)))
    city = reading.city or trip.city
    looks = reading.wants_hotels and not reading.wants_booking
    if city and (reading.city is not None or reading.budget is not None or looks):
        plan.append(("find_hotels", {"city": city}))
    if reading.hotel is not None:
        plan.append(("book_hotel", {"name": reading.hotel}))
    return plan


def _thought(plan: list[Step]) -> str:
    steps = {
        "set_budget": "note the budget",
        "set_dates": "note the dates",
        "find_hotels": "look for hotels",
        "book_hotel": "book",
    }
    return "I will " + ", then ".join(steps[name] for name, _ in plan) + "."


def _answer(reading: Reading, outcomes: list[ToolOutcome], trip: Trip) -> str:
    parts = [
        f"That did not work: {outcome.fault.message}" for outcome in outcomes if outcome.fault is not None
    ]
    done = {outcome.name for outcome in outcomes if outcome.fault is None}
    if "set_dates" in done:
        parts.append(f"Noted: {_dates(trip)}.")
    if "find_hotels" in done:
        parts.append(_offers(trip))
    elif "set_budget" in done:
        parts.append(f"Noted: at most ${trip.budget:g} a night. Which city?")
    if "book_hotel" in done:
        parts.append(_booking(trip))
    elif reading.wants_booking and reading.hotel is None:
        parts.append(_which(trip))
    if parts:
        return "\n\n".join(parts)
    return "In which city?" if reading.wants_hotels else GREETING


def _offers(trip: Trip) -> str:
    within = f" under ${trip.budget:g} a night" if trip.budget is not None else ""
    if not trip.offers:
        return f"I found no hotel in {trip.city}{within}. A little more, perhaps?"
    count = len(trip.offers)
    lines = [f"I found {count} {'hotel' if count == 1 else 'hotels'} in {trip.city}{within}:", ""]
    lines += [_line(number, offer) for number, offer in enumerate(trip.offers, start=1)]
    question = "Shall I book one of them?" if trip.budget is not None else "What may a night cost?"
    return "\n".join([*lines, "", question])


def _line(number: int, offer: Offer) -> str:
    return f"{number}. **{offer.name}**, {offer.area}: ${offer.price} a night, rated {offer.rating:g}"


def _dates(trip: Trip) -> str:
    day = f"from {trip.check_in}" if trip.check_in else "day still open"
    nights = f", {trip.nights} {'night' if trip.nights == 1 else 'nights'}" if trip.nights else ""
    return day + nights


def _booking(trip: Trip) -> str:
    offer = next((offer for offer in trip.offers if offer.name == trip.hotel), None)
    total = f", ${offer.price * trip.nights} in all" if offer is not None and trip.nights else ""
    missing = "" if trip.check_in else " When will you arrive?"
    return f"Booked: **{trip.hotel}** in {trip.city}, {_dates(trip)}{total}.{missing}"


def _which(trip: Trip) -> str:
    if not trip.offers:
        return "I have no hotel to book yet. In which city shall I look?"
    return "Which one? " + ", ".join(offer.name for offer in trip.offers) + "."
