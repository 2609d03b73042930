"""Agents driven by models: pydantic-ai's own models for tests, and a provider's API over HTTP."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.toolsets import FunctionToolset
from tests.agents.model_server import Answer, calls, failure, model_server, text
from tests.agents.stages import Notes, play

from threadline.agents import Agent, Session, Turn, tool
from threadline.agents.execution import Word
from threadline.document.events import Output
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Limits
from threadline.document.steps import Step, StepType
from threadline.errors import ConfigurationError, SessionError

pytestmark = pytest.mark.asyncio

booked: list[str] = []


@tool(description="Add to the cart")
def add(item: str, session: Session) -> str:
    session.set("cart", [*session.get("cart", []), item])
    return f"Added {item}"


@tool(description="Book", requires_approval=True)
def book(hotel: str) -> dict[str, str]:
    booked.append(hotel)
    return {"booked": hotel}


@pytest.fixture(autouse=True)
def _nothing_booked() -> Iterator[None]:
    booked.clear()
    yield


async def test_text_is_streamed_and_usage_reported() -> None:
    async with model_server(text("Hel", "lo", "!", usage=(12, 3))) as server:
        agent = Agent(model=server.model(), system_prompt="Be kind.")
        pieces = [
            event.content async for event in agent.execute_stream("Greet me") if isinstance(event, Output)
        ]
        assert "".join(pieces) == "Hello!"
        result = await agent.execute("Greet me", context={"who": "Ada"})
    assert (result.usage.input_tokens, result.usage.output_tokens, result.usage.source) == (12, 3, "reported")
    system, asked = server.requests[-1]["messages"]
    assert system["content"] == 'Be kind.\n\nContext:\n{"who": "Ada"}'
    assert (asked["role"], asked["content"], server.requests[-1]["model"]) == ("user", "Greet me", "small")


@pytest.mark.row("S4-25", "S4-26")
async def test_a_run_costs_what_its_requests_do_where_the_price_is_known() -> None:
    answers = (calls(("add", {"item": "pen"}), usage=(1000, 100)), text("Done.", usage=(2000, 10)))
    async with model_server(*answers) as server:
        agent = Agent(model=server.model("gpt-4o-mini"), tools=[add])
        response = await agent.run("one pen")
        once = await agent.execute("again")
    assert response.usage["total_tokens"] == 3110
    assert response.usage["cost_usd"] == pytest.approx(3000 * 0.15e-6 + 110 * 0.6e-6)
    assert once.usage.cost_usd == pytest.approx(2000 * 0.15e-6 + 10 * 0.6e-6)
    async with model_server(text("Hello.")) as server:
        unknown = await Agent(model=server.model()).execute("hello")
    assert unknown.usage.cost_usd is None


async def test_tools_run_through_the_task_and_hide_the_session() -> None:
    answers = (calls(("add", {"item": "pen"}), ("add", {"item": "ink"})), text("Both are in."))
    async with model_server(*answers) as server:
        response = await Agent([add], model=server.model()).run("pen and ink")
    assert response.session == {"cart": ["pen", "ink"]}
    assert (response.text, response.usage["total_tokens"]) == ("Both are in.", 30)
    shown = server.requests[0]["tools"][0]["function"]
    assert (shown["name"], list(shown["parameters"]["properties"])) == ("add", ["item"])
    told = [message for message in server.requests[1]["messages"] if message["role"] == "tool"]
    assert [message["content"] for message in told] == ["Added pen", "Added ink"]
    assert [made.output for made in response.executed_tools] == ["Added pen", "Added ink"]


async def test_a_call_that_needs_approval_stops_the_model_until_it_is_decided() -> None:
    async with model_server(calls(("book", {"hotel": "Adler"})), text("It is booked.")) as server:
        agent = Agent([book], model=server.model())
        waiting = await agent.run("book the Adler")
        assert (waiting.needs_approval, booked, len(server.requests)) == (True, [], 1)
        waiting.approve_all()
        done = await agent.resume(waiting)
    assert (done.text, booked) == ("It is booked.", ["Adler"])
    roles = [message["role"] for message in server.requests[-1]["messages"]]
    assert roles == ["user", "assistant", "tool"]
    assert "Adler" in server.requests[-1]["messages"][-1]["content"]


async def test_a_model_goes_on_in_the_same_attempt_once_it_is_approved_or_not() -> None:
    for word, told in (
        (Word(True), '{"booked":"Adler"}'),
        (Word(False, "too dear"), "Error: Rejected: too dear"),
    ):
        wanted = (calls(("book", {"hotel": "Adler"}), ("book", {"hotel": "Adler"})), text("So be it."))
        async with model_server(*wanted) as server:
            notes, outcome = await play(Agent([book], model=server.model()), "book", notes=Notes(word=word))
        assert (outcome.status, notes.text, len(notes.asked)) == (RunStatus.COMPLETED, "So be it.", 2)
        assert server.requests[-1]["messages"][-1]["content"] == told


async def test_a_model_that_takes_over_sees_what_was_done_before() -> None:
    earlier = [
        Step(1, StepType.TOOL_CALL, 0, call="c1", name="add", input={"item": "pen"}),
        Step(2, StepType.TOOL_RESULT, 0, call="c1", name="add", output="Added pen"),
    ]
    session = Session()
    async with model_server(text("It is in.")) as server:
        agent = Agent([add], model=server.model())
        notes, _ = await play(agent, "a pen", session=session, earlier=earlier)
    assert (notes.text, session.to_dict(), notes.calls) == ("It is in.", {}, [("known", None)])
    assert [message["role"] for message in server.requests[0]["messages"]] == ["user", "assistant", "tool"]


async def test_the_history_is_told_with_who_said_what() -> None:
    turns = [
        Turn("system", "They have met before."),
        Turn("user", "hello", user="ada"),
        Turn("assistant", "hi"),
        Turn("user", "me too", user="bob"),
    ]
    async with model_server(text("ok")) as server:
        await play(Agent(model=server.model()), *turns)
    assert [(message["role"], message["content"]) for message in server.requests[0]["messages"]] == [
        ("system", "They have met before."),
        ("user", "ada: hello"),
        ("assistant", "hi"),
        ("user", "bob: me too"),
    ]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (failure(429, "secret words", "rate_limit_exceeded"), "model_rate_limited"),
        (failure(500, "secret words"), "model_failed"),
        (failure(401, "secret words", "invalid_api_key"), "model_unauthorized"),
        (failure(400, "secret words", "context_length_exceeded"), "context_too_long"),
    ],
)
async def test_failures_of_a_provider_have_codes_and_repeat_nothing_private(
    answer: Answer, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with model_server(answer) as server:
        with pytest.raises(SessionError) as raised:
            await Agent(model=server.model()).run("my secret words")
    assert raised.value.code == code
    assert "secret" not in raised.value.message
    assert "secret" not in caplog.text
    assert "none-of-your-business" not in caplog.text


async def test_a_provider_that_asks_to_come_back_is_asked_again() -> None:
    async with model_server(
        failure(429, "slow down", "rate_limit_exceeded"), text("Here you are.")
    ) as server:
        assert (await Agent(model=server.model()).run("hello")).text == "Here you are."
    assert len(server.requests) == 2


async def test_a_provider_that_stalls_is_left_when_the_time_is_over() -> None:
    async with model_server(Answer(stall=True)) as server:
        with pytest.raises(TimeoutError):
            await Agent(model=server.model()).execute("hello", timeout_seconds=1)
        await server.left.wait()


async def test_a_provider_that_is_not_there() -> None:
    async with model_server(text("gone")) as server:
        assert server.listening is not None
        server.listening.close()
        with pytest.raises(SessionError) as raised:
            await Agent(model=server.model()).run("hello")
    assert raised.value.code == "model_unreachable"


async def test_thoughts_are_thoughts_and_limits_hold() -> None:
    async def think(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        yield {0: DeltaThinkingPart(content="Let me ")}
        yield {0: DeltaThinkingPart(content="see.")}
        yield {1: DeltaToolCall("add", '{"item": "pen"}', tool_call_id="c1")}

    agent = Agent([add], model=FunctionModel(stream_function=think))
    notes, outcome = await play(agent, "go", limits=Limits(max_steps=3))
    assert notes.thoughts == "Let me see." * 4
    assert (outcome.status, len(notes.outcomes)) == (RunStatus.MAX_STEPS_REACHED, 3)


async def test_what_people_say_meanwhile_goes_to_the_next_request() -> None:
    said = [[Turn("user", "and ink")], [Turn("user", "that is all")]]
    answers = (calls(("add", {"item": "pen"})), text("Both."), text("Good bye."))

    async with model_server(*answers) as server:
        agent = Agent([add], model=server.model())
        notes, _ = await play(agent, "a pen", steered=lambda: said.pop(0) if said else [])
    assert notes.text == "Both.Good bye."
    told = [[m["content"] for m in request["messages"] if m["role"] == "user"] for request in server.requests]
    assert told == [["a pen"], ["a pen", "and ink"], ["a pen", "and ink", "that is all"]]


async def test_tools_of_a_toolset_are_steps_of_the_run() -> None:
    def weather(city: str) -> str:
        """The weather"""
        if city == "Nowhere":
            raise LookupError("no such place")
        return f"Rain in {city}"

    answers = (calls(("weather", {"city": "Bern"}), ("weather", {"city": "Nowhere"})), text("Take a coat."))
    async with model_server(*answers) as server:
        agent = Agent(model=server.model(), toolsets=[FunctionToolset([weather])])
        notes, _ = await play(agent, "weather?")
    assert notes.calls == [("weather", {"city": "Bern"}), ("weather", {"city": "Nowhere"})]
    assert {outcome.text for outcome in notes.outcomes} == {
        "Rain in Bern",
        "Error: no such place",
    }  # side by side


async def test_the_test_model_calls_every_tool() -> None:
    response = await Agent([add], model=TestModel()).run("go")
    assert response.session == {"cart": ["a"]}
    assert (await Agent([add], model="test").run("go")).executed_tools[0].name == "add"


async def test_models_that_do_not_exist_are_named_at_once() -> None:
    for model in ("gpt", "nobody:big", 7):
        with pytest.raises(ConfigurationError, match="model"):
            Agent(model=model)
    assert Agent(model="gpt-5-mini", provider="openai").model == "openai:gpt-5-mini"


async def test_a_missing_key_fails_the_run_not_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SessionError) as raised:
        await Agent(model="openai:gpt-5-mini").run("hello")
    assert raised.value.code == "configuration_error"
    assert "OPENAI_API_KEY" in raised.value.message


async def test_a_run_may_ask_for_the_models_that_the_author_allows() -> None:
    async with model_server(text("mine")) as server:
        agent = Agent([add], model=server.model(), models=["test"])
        assert (await agent.execute("go")).output == "mine"
        assert (await agent.execute("go", model="test")).tool_calls == 1
        with pytest.raises(SessionError) as raised:
            await agent.execute("go", model="openai:gpt-5")
    assert raised.value.code == "model_not_allowed"
    assert len(server.requests) == 1
