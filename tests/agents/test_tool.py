from __future__ import annotations

import asyncio
import datetime
import threading
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from threadline.agents import Session, Tool, ToolFailed, create_tool, tool
from threadline.agents.tool import ArgumentsInvalid
from threadline.document.values import JSON
from threadline.errors import ConfigurationError


@tool(description="Choose a seat")
def choose(
    row: int,
    side: Literal["left", "right"],
    session: Session,
    note: Annotated[str | None, Field(description="for the crew")] = None,
) -> str:
    session.set("seat", {"row": row, "side": side})
    return f"{row}{side}{note or ''}"


class Guest(BaseModel):
    name: str
    born: datetime.date


@dataclass
class Receipt:
    total: float


@pytest.mark.row("S4-25", "S4-26")
def test_the_schema_is_the_signature_without_what_the_kit_fills_in() -> None:
    assert (choose.name, choose.description, choose.requires_approval) == ("choose", "Choose a seat", False)
    assert choose.parameters == {
        "type": "object",
        "properties": {
            "row": {"type": "integer"},
            "side": {"enum": ["left", "right"], "type": "string"},
            "note": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "default": None,
                "description": "for the crew",
            },
        },
        "required": ["row", "side"],
    }


def test_a_tool_is_still_its_function() -> None:
    session = Session()
    assert choose(3, "left", session) == "3left"
    assert session["seat"] == {"row": 3, "side": "left"}


@pytest.mark.row("S4-25")
@pytest.mark.asyncio
async def test_a_call_converts_arguments_and_brings_the_session() -> None:
    @tool
    async def register(guest: Guest, session: Session) -> Receipt:
        """Register a guest"""
        session["guest"] = guest
        return Receipt(guest.born.year / 2)

    session = Session()
    assert register.description == "Register a guest"
    arguments: dict[str, JSON] = {"guest": {"name": "Ada", "born": "1815-12-10"}}
    assert await register.call(arguments, session=session) == {"total": 907.5}
    assert session["guest"] == {"name": "Ada", "born": "1815-12-10"}


@pytest.mark.asyncio
async def test_a_plain_function_runs_on_a_thread_and_its_session_on_the_loop() -> None:
    threads: list[int] = []

    @tool
    def work(session: Session) -> dict[str, Any]:
        """Work"""
        threads.append(threading.get_ident())
        assert isinstance(session, Session)
        session.update({"a": 1, "b": 2})
        session["c"] = session.get("a") + 1
        del session["b"]
        session.counters.add("calls", 2)
        assert ("a" in session, len(session), sorted(session.keys()), list(session)) == (
            True,
            2,
            ["a", "c"],
            ["a", "c"],
        )
        session.add_message("user", "hello")
        return {**session.to_dict(), "said": len(session.messages), "items": dict(session.items())}

    session = Session()
    result = await work.call({}, session=session)
    assert result == {"a": 1, "c": 2, "said": 1, "items": {"a": 1, "c": 2}}
    assert threads != [threading.get_ident()]
    assert session.counters["calls"] == 2


@pytest.mark.asyncio
async def test_a_thread_that_outlives_its_call_changes_nothing_any_more() -> None:
    began, go_on, over = threading.Event(), threading.Event(), threading.Event()

    @tool
    def slow(session: Session) -> str:
        """Slow"""
        began.set()
        go_on.wait(20)
        try:
            session.set("late", True)
        finally:
            over.set()
        return "done"

    session = Session()
    call = asyncio.create_task(slow.call({}, session=session))
    await asyncio.to_thread(began.wait, 20)
    call.cancel()
    await asyncio.wait([call])
    go_on.set()
    assert await asyncio.to_thread(over.wait, 20)
    assert session.is_empty


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"row": "x", "side": "left"}, "row"),
        ({"row": 1}, "side"),
        ({"row": 1, "side": "left", "to": 1}, "to"),
    ],
)
async def test_arguments_that_do_not_fit_are_named(arguments: dict[str, Any], place: str) -> None:
    with pytest.raises(ArgumentsInvalid, match=f"choose: {place}"):
        await choose.call(arguments, session=Session())


@pytest.mark.asyncio
async def test_whatever_a_tool_does_wrong_is_a_failure_of_the_tool() -> None:
    def raises() -> None:
        raise KeyError("nothing there")

    def gives_an_object() -> object:
        return object()

    for function, said in ((raises, "nothing there"), (gives_an_object, "cannot be stored")):
        with pytest.raises(ToolFailed, match=said):
            await create_tool(function).call({}, session=Session())


@pytest.mark.asyncio
async def test_a_schema_may_be_given() -> None:
    def anything(**fields: Any) -> list[str]:
        return sorted(fields)

    given = {"type": "object", "properties": {"x": {"type": "string"}}}
    by_dict = create_tool(anything, name="any", description="Any", schema=given)
    assert (by_dict.name, by_dict.parameters) == ("any", given)
    assert await by_dict.call({"x": 1, "y": 2}, session=Session()) == ["x", "y"]
    by_model = create_tool(anything, schema=Guest)
    assert by_model.parameters["required"] == ["name", "born"]


def test_a_signature_that_cannot_be_described_says_so() -> None:
    def strange(x: threading.Lock) -> None: ...

    with pytest.raises(ConfigurationError, match="strange"):
        create_tool(strange)


def test_a_session_of_another_name_or_type_is_an_ordinary_parameter() -> None:
    def other(session: str, platform_context: dict[str, Any]) -> str:
        return session

    made = create_tool(other)
    assert isinstance(made, Tool)
    assert list(made.parameters["properties"]) == ["session"]
    assert made.injected == {"platform_context"}
