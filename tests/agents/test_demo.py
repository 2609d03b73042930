from __future__ import annotations

from typing import Any, Literal

import pytest
from tests.agents.stages import play

from threadline.agents import Agent, Session, tool
from threadline.agents.agent import driver_for
from threadline.agents.demo import DemoDriver
from threadline.agents.pace import Pace
from threadline.agents.wording import read_calls


@tool(description="Search for hotels")
def find_hotels(city: str, max_price: float | None = None, breakfast: bool = False) -> str:
    return f"{city} {max_price} {breakfast}"


@tool(description="Add an item to the cart")
def add_to_cart(item: str, session: Session, quantity: int = 1) -> str:
    session.set("cart", {**session.get("cart", {}), item: quantity})
    return f"Added {quantity} x {item}"


@tool(description="Deploy")
def deploy(service: str, environment: Literal["staging", "production"]) -> str:
    return f"{service} to {environment}"


TOOLS = [find_hotels, add_to_cart, deploy]


@pytest.mark.parametrize(
    ("words", "name", "arguments"),
    [
        ("Find hotels in Berlin", "find_hotels", {"city": "Berlin"}),
        ("find a hotel in New York with breakfast", "find_hotels", {"city": "New York", "breakfast": True}),
        ("Find hotels in Rome, max price 120", "find_hotels", {"city": "Rome", "max_price": 120.0}),
        ("find hotels city=Oslo max_price=99.5", "find_hotels", {"city": "Oslo", "max_price": 99.5}),
        ('find_hotels(city="Bad Ems", max_price=50)', "find_hotels", {"city": "Bad Ems", "max_price": 50}),
        ('Add 3 "blue pens" to the cart', "add_to_cart", {"item": "blue pens", "quantity": 3}),
        ("add_to_cart('ink')", "add_to_cart", {"item": "ink"}),
        ("deploy service: api to production", "deploy", {"service": "api", "environment": "production"}),
    ],
)
def test_words_give_tools_and_arguments(words: str, name: str, arguments: dict[str, Any]) -> None:
    (wanted,) = read_calls(words, TOOLS)
    assert (wanted.tool.name, wanted.arguments, wanted.missing) == (name, arguments, ())


def test_several_tools_are_called_in_the_order_of_the_words() -> None:
    wanted = read_calls('add "tea" to the cart, then deploy api=1 to staging', TOOLS)
    assert [call.tool.name for call in wanted] == ["add_to_cart", "deploy"]


def test_what_is_missing_is_named_and_nothing_is_invented() -> None:
    (wanted,) = read_calls("deploy", TOOLS)
    assert wanted.missing == ("service", "environment")
    assert read_calls("good morning", TOOLS) == []
    assert read_calls("find_hotels(city=", TOOLS)[0].tool.name == "find_hotels"


@pytest.mark.asyncio
async def test_the_driver_calls_them_and_says_what_came_back() -> None:
    agent = Agent(tools=TOOLS, driver=DemoDriver(Pace(0)))
    session = Session()
    notes, _ = await play(agent, 'add 2 "pens" to the cart', session=session)
    assert notes.text == "Added 2 x pens"
    assert session["cart"] == {"pens": 2}
    notes, _ = await play(agent, "deploy")
    assert notes.text == "For `deploy` I need service and environment."
    notes, _ = await play(agent, "hello")
    assert "`find_hotels`: Search for hotels" in notes.text
    assert (await play(Agent(driver=DemoDriver(Pace(0))), "hello"))[0].text == "You said: hello"


@pytest.mark.asyncio
async def test_the_pace_is_so_many_tokens_a_second() -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    pace = Pace(50, sleep=pause)
    said = [event.text async for event in pace.say("Good morning,  dear\n\nreader.")]
    assert "".join(said) == "Good morning,  dear\n\nreader."
    assert pauses == [0.02] * len(said)


def test_demo_is_the_default_model() -> None:
    assert Agent().model == "demo"
    assert isinstance(driver_for("demo"), DemoDriver)
