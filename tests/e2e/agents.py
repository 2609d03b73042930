"""Agents for what the demo's own is too quick or too trusting for."""

from __future__ import annotations

from threadline.agents import Agent, Session, tool
from threadline.agents.travel import travel_agent

slow = travel_agent(tokens_per_second=12.0)
"""Its answers take seconds, so that a test can come in between."""


@tool(description="Book a hotel", requires_approval=True)
def book(hotel: str, session: Session) -> str:
    session.set("hotel", hotel)
    return f"Booked {hotel}"


booking = Agent(name="booking", model="demo", tools=[book])
"""It books only what a person has allowed."""
