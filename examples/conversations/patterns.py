"""Patterns of state, and the four things that go wrong with it, each with its remedy."""

from __future__ import annotations

import asyncio
import time

import threadline
from threadline.agents import OlderThan
from threadline.agents.surroundings import stale_state
from threadline.live_session import LiveSession

WAIT_S = 30.0


async def trip(session: LiveSession) -> list[LiveSession]:
    """A trip with three sub-sessions: each reads the trip's keys and keeps its own."""
    session["city"] = "Berlin"
    session["travellers"] = 2
    await session.saved(WAIT_S)
    children = [session.child(f"{session.id}.{part}") for part in ("flights", "hotels", "activities")]
    for child in children:
        await child
    flights, hotels, _ = children
    flights["cabin"] = "economy"
    hotels["travellers"] = 1  # one sleeps at a friend's: this part's own
    return children


async def search(session: LiveSession, ttl_s: float = 300) -> None:
    """Results that are worth something for five minutes only: gone on every device after that."""
    session.set("results", [{"hotel": "Spree", "price": 120}], ttl=ttl_s)
    await session.saved(WAIT_S)


def prune(session: threadline.Session, keep: int = 100) -> None:
    """State explosion: what is old goes, so the state does not grow with the conversation."""
    for key in [key for key in session if key.startswith("search:")][:-keep]:
        session.delete(key)


async def what_is_stale(session: threadline.Session) -> list[str]:
    """Stale state: a value says when it was true, and an agent is told when that is too long ago."""
    return [found.key for found in await stale_state([OlderThan("location", 3600)], session)]


def locate(session: threadline.Session, city: str, *, at_s: float | None = None) -> None:
    session.set("location", {"city": city, "updated_at": at_s if at_s is not None else time.time()})


async def add_at_once(one: LiveSession, two: LiveSession) -> list[str]:
    """Concurrency: two devices write at the same time; what both added stays, in one order for all."""
    one["cart"] = ["tea"]
    await asyncio.gather(one.saved(WAIT_S), two.until(lambda: two.get("cart") == ["tea"]))
    one["cart"] = ["tea", "milk"]
    two["cart"] = ["tea", "sugar"]
    await asyncio.gather(one.saved(WAIT_S), two.saved(WAIT_S))
    await asyncio.gather(
        *(session.until(lambda s=session: len(s["cart"]) == 3) for session in (one, two))  # type: ignore[misc]
    )
    assert one["cart"] == two["cart"]
    return sorted(one["cart"])


async def forget(session: LiveSession) -> None:
    """Privacy: deleting a session deletes it for everybody, its copies in the store included."""
    await session.close(delete=True)
