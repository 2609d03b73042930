from pydantic import BaseModel

from threadline.agents import Agent, Session, tool


class Trip(BaseModel):
    city: str = ""
    hotel: str | None = None


@tool(description="Choose the city")
def set_city(city: str, session: Session) -> str:
    trip = session.get("trip", Trip(), as_type=Trip)
    session.set("trip", trip.model_copy(update={"city": city}))
    return f"Going to {city}"


@tool(description="Book a hotel", requires_approval=True)
def book_hotel(hotel: str, session: Session) -> str:
    trip = session.get("trip", Trip(), as_type=Trip)
    session.set("trip", trip.model_copy(update={"hotel": hotel}))
    return f"Booked {hotel} in {trip.city}"


agent = Agent(name="travel", model="demo", tools=[set_city, book_hotel])
