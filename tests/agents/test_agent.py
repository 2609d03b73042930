from __future__ import annotations

from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.agents.stages import play

from threadline.agents import Agent, Session, as_agent
from threadline.errors import ConfigurationError

History = list[dict[str, str]]


def look_up(city: str) -> str:
    """Look up a city"""
    return city


def test_tools_may_be_plain_functions() -> None:
    agent = Agent(name="helper", tools=[look_up])
    assert list(agent.tools) == ["look_up"]
    assert agent.tools["look_up"].description == "Look up a city"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "has space"}, "name"),
        ({"name": ""}, "name"),
        ({"tools": [look_up, look_up]}, "look_up"),
        ({"model": "no-such-model"}, "driver"),
    ],
)
def test_what_cannot_be_an_agent_says_why(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Agent(**options)


def test_instructions_are_the_prompt_and_what_the_context_adds() -> None:
    agent = Agent(system_prompt="Be kind.", system_context=lambda context: f"In {context['city']}.")
    assert agent.system_for({"city": "Köln"}) == "Be kind.\n\nIn Köln."
    assert agent.system_for({"city": "Köln"}, "Be brief.") == "Be brief.\n\nIn Köln."
    assert Agent(system_context="Always.").system_for({}) == "Always."
    assert Agent().system_for({}) == ""


@pytest.mark.asyncio
async def test_functions_of_every_form_are_agents() -> None:
    def plain(messages: History, context: dict[str, Any]) -> str:
        return f"plain {messages[-1]['content']}"

    async def awaited(messages: History, context: dict[str, Any]) -> SimpleNamespace:
        return SimpleNamespace(text=f"awaited {len(messages)}")

    async def streamed(
        messages: History, context: dict[str, Any], session: Session
    ) -> AsyncGenerator[str, None]:
        session.set("seen", True)
        yield "streamed "
        yield messages[-1]["role"]

    def with_session(messages: History, context: dict[str, Any], memory: Session) -> str:
        memory["count"] = memory.get("count", 0) + 1
        return str(memory["count"])

    session = Session()
    for function, text in (
        (plain, "plain hello"),
        (awaited, "awaited 1"),
        (streamed, "streamed user"),
        (with_session, "1"),
        (with_session, "2"),
    ):
        agent = as_agent(function)
        notes, _ = await play(agent, "hello", session=session)
        assert (agent.name, notes.text) == (function.__name__, text)
    assert session.to_dict() == {"seen": True, "count": 2}


def test_an_agent_is_itself_and_other_things_are_none() -> None:
    agent = Agent()
    assert as_agent(agent) is agent
    with pytest.raises(ConfigurationError, match="neither"):
        as_agent(3)
