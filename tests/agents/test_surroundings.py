"""What an agent is told beside the conversation: profile, live context, stale state, parents' keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.agents.stages import play

from threadline.agents import Agent, DriverEvent, OlderThan, Said, Session, Stale, Task
from threadline.agents.surroundings import stale_state

pytestmark = pytest.mark.asyncio


class Told:
    def __init__(self) -> None:
        self.context: Any = None
        self.system = ""

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        self.context, self.system = task.context, task.system
        yield Said("ok")


@pytest.mark.row("S1-18")
async def test_profile_session_and_live_context_are_merged_and_never_stored() -> None:
    profiles = {"harsh": {"name": "Harsh", "home": "Pune"}}

    def profile(session: Session) -> dict[str, Any]:
        return {"profile": profiles[session.user_id], "cart": session.get("cart")}

    async def live(session: Session) -> dict[str, Any]:
        return {"weather": "rain", "clock": 7}

    driver = Told()
    session = Session({"cart": ["pen"]}, user_id="harsh")
    session.context.set("timezone", "Asia/Kolkata")
    before = session.export()
    agent = Agent(
        driver=driver,
        providers=[profile, live],
        system_context=lambda context: f"It is {context['clock']} o'clock.",
    )
    await agent.run("hello", context={"weather": "sun"}, session=session)
    assert driver.context == {
        "timezone": "Asia/Kolkata",
        "profile": {"name": "Harsh", "home": "Pune"},
        "cart": ["pen"],
        "weather": "sun",
        "clock": 7,
    }
    assert driver.system == "It is 7 o'clock."
    assert session.export() == before


@pytest.mark.row("S1-23")
async def test_stale_state_is_flagged() -> None:
    session = Session(
        {
            "location": {"city": "Pune", "updated_at": 1000},
            "fresh": {"updated_at": "1970-01-01T01:30:00+00:00"},
            "bare": {"city": "Pune"},
        }
    )

    def now() -> float:
        return 5400.0

    checks = [OlderThan(key, 3600, now_s=now) for key in ("location", "fresh", "bare", "missing")]
    assert [item.key for item in await stale_state(checks, session)] == ["location", "bare"]

    async def several(session: Session) -> list[Stale]:
        return [Stale("a", "why"), Stale("b", "why not")]

    driver = Told()
    await play(Agent(driver=driver, validators=[checks[0], several]), "hello", session=session)
    assert driver.context["stale"] == ["location", "a", "b"]
    assert "- location: it is older than 3600 seconds" in driver.system


@pytest.mark.row("S1-24")
async def test_a_correction_is_what_the_agent_sees_next() -> None:
    seen: list[Any] = []

    class Looks:
        async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
            seen.append(task.session.get("city"))
            yield Said("ok")

    agent, session = Agent(driver=Looks()), Session({"city": "Pune"})
    await agent.run("hello", session=session)
    session["city"] = "Berlin"
    await agent.run("hello", session=session)
    assert seen == ["Pune", "Berlin"]


@pytest.mark.row("S1-19", "S1-20")
async def test_sub_sessions_inherit_and_keep_their_own() -> None:
    parent = Session({"city": "Pune", "budget": 100}, session_id="main", user_id="harsh")
    children = [parent.child(f"part-{number}") for number in range(3)]
    assert [child.id for child in parent.children] == ["part-0", "part-1", "part-2"]
    assert all(child.parent is parent for child in children)
    first, second, _ = children
    assert first["city"] == "Pune"
    first["city"] = "Berlin"
    assert (parent["city"], second["city"]) == ("Pune", "Pune")
    parent["city"], parent["budget"] = "Oslo", 200
    assert (first["city"], first["budget"], second["city"]) == ("Berlin", 200, "Oslo")
