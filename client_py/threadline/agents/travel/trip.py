"""What the demo agent remembers of a trip. It lives in the session's state, for every device to see and to
correct.
"""

from __future__ import annotations

from pydantic import BaseModel

from threadline.agents.travel.hotels import Hotel
from threadline.session import Session

TRIP = "trip"


class Offer(BaseModel):
    name: str
    area: str
    price: int
    rating: float

    @classmethod
    def of(cls, hotel: Hotel) -> Offer:
        return cls(name=hotel.name, area=hotel.area, price=hotel.price, rating=hotel.rating)


class Trip(BaseModel):
    """`budget` is US dollars a night; dates are ISO 8601."""

    city: str = ""
    budget: float | None = None
    check_in: str | None = None
    nights: int | None = None
    offers: list[Offer] = []
    hotel: str | None = None


def trip_of(session: Session) -> Trip:
    trip = session.get(TRIP, Trip(), as_type=Trip)
    return trip if isinstance(trip, Trip) else Trip()


def change_trip(session: Session, **changes: object) -> Trip:
    """Write only what changes, so that what somebody else has changed meanwhile stays."""
    trip = trip_of(session).model_copy(update=changes)
    session.set(TRIP, trip)
    return trip
