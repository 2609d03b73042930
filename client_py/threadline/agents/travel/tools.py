"""The demo agent's tools. Each one reads and writes the trip in the session."""

from __future__ import annotations

import datetime

from threadline.agents.tool import tool
from threadline.agents.travel.hotels import hotels_in
from threadline.agents.travel.trip import Offer, change_trip, trip_of
from threadline.session import Session


@tool(description="Find hotels in a city, within the budget if there is one")
def find_hotels(city: str, session: Session, max_price: float | None = None) -> list[dict[str, object]]:
    budget = max_price if max_price is not None else trip_of(session).budget
    offers = [Offer.of(hotel) for hotel in hotels_in(city, budget)]
    change_trip(session, city=city, offers=offers, hotel=None)
    return [offer.model_dump() for offer in offers]


@tool(description="Set what a night may cost, in US dollars")
def set_budget(per_night: float, session: Session) -> str:
    if per_night <= 0:
        raise ValueError("A budget is an amount above zero.")
    change_trip(session, budget=per_night)
    return f"At most ${per_night:g} a night"


@tool(description="Set the day of arrival (YYYY-MM-DD) and the number of nights")
def set_dates(session: Session, check_in: str | None = None, nights: int | None = None) -> str:
    changes: dict[str, object] = {}
    if check_in is not None:
        changes["check_in"] = datetime.date.fromisoformat(check_in).isoformat()
    if nights is not None:
        if nights < 1:
            raise ValueError("A stay has at least one night.")
        changes["nights"] = nights
    trip = change_trip(session, **changes)
    return f"{trip.check_in or 'no day yet'}, {trip.nights or 'any number of'} nights"


@tool(description="Book one of the hotels that were found, by its name")
def book_hotel(name: str, session: Session) -> str:
    trip = trip_of(session)
    offer = next((offer for offer in trip.offers if offer.name == name), None)
    if offer is None:
        raise ValueError(f"{name} is not among the hotels that were found.")
    change_trip(session, hotel=offer.name)
    session.counters.add("bookings")
    return f"Booked {offer.name}"


TOOLS = (find_hotels, set_budget, set_dates, book_hotel)
