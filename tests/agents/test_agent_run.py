"""Running an agent without a server: responses, approvals, sessions, interceptors, both call forms."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from threadline.agents import (
    Agent,
    AgentMessage,
    AgentResponse,
    AgentResult,
    DriverEvent,
    InterceptorError,
    LLMRequest,
    LLMResponse,
    Said,
    Session,
    Task,
    ToolApproval,
    Used,
    as_agent,
    tool,
)
from threadline.agents.streaming import StreamDone
from threadline.errors import SessionError

booked: list[str] = []


@tool(description="Book a hotel", requires_approval=True)
def book(hotel: str, session: Session) -> str:
    booked.append(hotel)
    session.set("hotel", hotel)
    return f"Booked {hotel}"


@tool(description="Remember a fact")
def remember(key: str, value: str, session: Session) -> str:
    session.set(key, value)
    return f"Remembered {key}"


@pytest.fixture(autouse=True)
def _nothing_booked() -> Iterator[None]:
    booked.clear()
    yield


def counting(messages: list[dict[str, Any]], context: dict[str, Any], session: Session) -> AgentResult:
    session.set("call_count", session.get("call_count", 0) + 1)
    return AgentResult(text=f"call {session['call_count']}", session=session.to_dict())


class Asking:
    """A driver that calls the tools it is told to, then says what came back."""

    def __init__(self, *calls: tuple[str, dict[str, Any]]) -> None:
        self.calls = calls
        self.tasks: list[Task] = []

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        self.tasks.append(task)
        outcomes = await task.call_all(list(self.calls))
        yield Used(7, 3)
        yield Said(" ".join(outcome.text for outcome in outcomes) or f"{task.system}|{task.words}")


# sessions


@pytest.mark.row("S4-32", "S4-33", "S4-34")
def test_the_session_goes_in_as_a_dict_or_session_and_comes_out_as_a_dict() -> None:
    agent = Agent([remember])
    first = agent.run("remember(key='color', value='blue')", session={"kept": 1})
    assert first.session == {"kept": 1, "color": "blue"}
    second = agent.run("remember(key='size', value='xl')", session=first.session)
    session = Session.from_dict(second.session)
    third = agent.run("remember(key='color', value='red')", session=session)
    assert third.session == session.to_dict() == {"kept": 1, "color": "red", "size": "xl"}
    assert session.is_modified
    assert third.text == "Remembered color"
    assert third.usage["source"] == "estimate"


@pytest.mark.row("S4-23", "S4-24", "S4-35")
def test_chat_gives_a_message_for_the_wire() -> None:
    message = Agent([remember], name="memory").chat("remember(key='color', value='blue')")
    assert isinstance(message, AgentMessage)
    assert message.role == "assistant"
    assert message.data.session == {"color": "blue"}
    assert message.data.executed_tool_calls[0].output == "Remembered color"
    assert message.meta_data["has_pending_approvals"] is False
    assert message.agent == {"name": "memory", "id": "memory"}


@pytest.mark.row("S4-36")
@pytest.mark.asyncio
async def test_every_call_is_awaited_where_a_loop_runs() -> None:
    agent = Agent([remember])
    said = "remember(key='a', value='b')"
    assert (await agent.run(said)).session == {"a": "b"}
    assert (await agent.chat(said)).data.session == {"a": "b"}
    assert await agent.generate(said) == "Remembered a"
    assert (await agent.execute(said)).output == "Remembered a"


@pytest.mark.row("S4-36")
def test_every_call_gives_its_result_where_no_loop_runs() -> None:
    agent = Agent([remember])
    said = "remember(key='a', value='b')"
    assert agent(said).session == {"a": "b"}
    assert agent.generate(said) == "Remembered a"
    assert agent.execute(said).output == "Remembered a"
    assert [event.type for event in agent.run_stream(said)][-1] == "done"
    assert list(agent.execute_stream(said))[0].type == "session_start"  # noqa: RUF015  (to the end)


def test_there_is_nothing_to_answer_without_messages() -> None:
    with pytest.raises(ValueError, match="messages cannot be empty"):
        Agent().run([])
    with pytest.raises(ValueError, match="A message is a text"):
        Agent().run([{"role": "user", "content": 3}])


@pytest.mark.row("S1-4")
def test_a_reply_is_generated_from_a_history() -> None:
    agent = as_agent(lambda messages, context: f"{len(messages)} messages", name="echo")
    session = Session(user_id="harsh")
    for number in range(3):
        session.add_message("user" if number % 2 == 0 else "agent", f"message {number}")
    assert agent.generate(session.get_history()) == "3 messages"
    assert agent.generate(session) == "3 messages"


# custom functions


@pytest.mark.row("S4-37", "S4-53")
def test_a_custom_function_has_the_session_and_gives_it_back() -> None:
    agent = as_agent(counting)
    state: dict[str, Any] = {}
    for count in (1, 2, 3):
        response = agent.run("again", session=state)
        state = response.session
        assert response.text == f"call {count}"
    assert state == {"call_count": 3}


@pytest.mark.row("S4-40")
def test_a_session_that_the_function_changed_is_included_without_being_given_back() -> None:
    def change(messages: list[dict[str, Any]], context: dict[str, Any], session: Session) -> AgentResult:
        session["seen"] = messages[-1]["content"]
        return AgentResult(text="ok")

    assert as_agent(change).run("hello").session == {"seen": "hello"}


@pytest.mark.row("S4-38")
@pytest.mark.asyncio
async def test_functions_of_two_parameters_generators_and_coroutines() -> None:
    def two(messages: list[dict[str, Any]], context: dict[str, Any]) -> str:
        return f"{messages[-1]['content']} {context['where']}"

    async def slow(messages: list[dict[str, Any]], context: dict[str, Any]) -> str:
        return two(messages, context)

    def pieces(messages: list[dict[str, Any]], context: dict[str, Any]) -> Iterator[str]:
        yield from two(messages, context).split(" ")

    async def async_pieces(messages: list[dict[str, Any]], context: dict[str, Any]) -> AsyncGenerator[str]:
        for piece in two(messages, context).split(" "):
            yield piece

    for function, text in (
        (two, "hi there"),
        (slow, "hi there"),
        (pieces, "hithere"),
        (async_pieces, "hithere"),
    ):
        response = await as_agent(function).run("hi", context={"where": "there"})
        assert response.text == text, function


def test_what_a_function_proposes_waits_in_the_message() -> None:
    def propose(messages: list[dict[str, Any]], context: dict[str, Any]) -> AgentResult:
        call = ToolApproval("c1", "restart", {"pod": "a"}, description="Restart a pod")
        return AgentResult(text="May I?", pending_tools=[call], metadata={"k": 1})

    response = as_agent(propose).run("restart it")
    assert (response.needs_approval, response.is_complete) == (True, False)
    message = response.to_message()
    assert message.data.tool_calls[0].model_dump(include={"id", "name", "input", "execute"}) == {
        "id": "c1",
        "name": "restart",
        "input": {"pod": "a"},
        "execute": False,
    }
    assert message.meta_data["k"] == 1
    again = AgentResult.from_agent_response(response)
    assert (again.text, again.needs_approval, again.to_message().content) == ("May I?", True, "May I?")


# approvals


@pytest.mark.row("S4-30")
def test_a_call_that_needs_approval_does_not_run_until_it_has_it() -> None:
    assert remember.requires_approval is False
    agent = Agent([book, remember], driver=Asking(("book", {"hotel": "Adler"})))
    response = agent.run("book it", session={"city": "Berlin"})
    assert (response.needs_approval, booked) == (True, [])
    assert [(call.name, call.input) for call in response.pending_tools] == [("book", {"hotel": "Adler"})]
    assert response.session == {"city": "Berlin"}


@pytest.mark.row("S4-31")
def test_an_approved_call_runs_once_with_the_session_as_it_was() -> None:
    agent = Agent([book], driver=Asking(("book", {"hotel": "Adler"})))
    waiting = agent.run("book it", session={"city": "Berlin"})
    assert waiting.pending_tools[0].approve() is True
    assert waiting.pending_tools[0].reject("too late") is False
    done = agent.resume(waiting.conversation_id)
    assert (done.text, booked) == ("Booked Adler", ["Adler"])
    assert done.session == {"city": "Berlin", "hotel": "Adler"}
    assert (done.is_complete, done.executed_tools[0].output) == (True, "Booked Adler")
    with pytest.raises(SessionError, match="waits"):
        agent.resume(waiting)
    assert booked == ["Adler"]


@pytest.mark.row("S4-31")
def test_a_rejected_call_tells_the_model_why() -> None:
    agent = Agent([book], driver=Asking(("book", {"hotel": "Adler"})))
    waiting = agent.run("book it")
    waiting.reject_all("too dear")
    done = agent.resume(waiting)
    assert (done.text, booked) == ("Error: Rejected: too dear", [])
    assert done.to_message().data.executed_tool_calls[0].output == "Tool rejected: too dear"


def test_people_are_asked_about_all_calls_at_once() -> None:
    agent = Agent([book], driver=Asking(("book", {"hotel": "Adler"}), ("book", {"hotel": "Post"})))
    waiting = agent.run("book both")
    assert [call.input["hotel"] for call in waiting.pending_tools] == ["Adler", "Post"]
    waiting.pending_tools[0].approve()
    half = agent.resume(waiting)
    assert (booked, [call.input["hotel"] for call in half.pending_tools]) == (["Adler"], ["Post"])
    half.approve_all()
    assert agent.resume(half).text == "Booked Adler Booked Post"
    assert booked == ["Adler", "Post"]


def test_a_word_that_comes_back_with_the_message_is_carried_out_by_any_process() -> None:
    asking = Agent([book], driver=Asking(("book", {"hotel": "Adler"})))
    message = asking.chat("book it", session={"city": "Berlin"})
    data = message.data.model_dump()
    data["tool_calls"][0]["execute"] = True
    elsewhere = Agent([book], driver=Asking(("book", {"hotel": "Adler"})))
    asked: dict[str, Any] = {"role": "user", "content": "book it"}
    history = [asked, {"role": "user", "content": "", "data": data}]
    done = elsewhere.run(history, session=data["session"])
    assert (booked, done.session) == (["Adler"], {"city": "Berlin", "hotel": "Adler"})
    assert (done.text, done.is_complete) == ("Booked Adler", True)

    data["tool_calls"][0] |= {"execute": False, "rejection_reason": "no"}
    done = elsewhere.run(history)
    assert booked == ["Adler"]
    assert done.executed_tools[0].error == "Tool rejected: no"


@pytest.mark.row("S1-14")
def test_a_loaded_session_goes_on_where_it_waited(tmp_path: Any) -> None:
    store = tmp_path / "sessions.db"
    session = Session.create(user_id="harsh", session_id="abc123", store=store)
    session.add_message("user", "book it")
    agent = Agent([book], driver=Asking(("book", {"hotel": "Adler"})))
    assert agent.resume(session).needs_approval
    session.save()

    loaded = Session.load("abc123", store=store)
    again = Agent([book], driver=Asking(("book", {"hotel": "Adler"})))
    (call,) = again.pending(loaded)
    call.approve()
    assert again.resume(loaded).text == "Booked Adler"
    assert loaded["hotel"] == "Adler"
    assert loaded.messages[-1].text == "Booked Adler"
    with pytest.raises(SessionError, match="waits for an answer"):
        again.resume(loaded)


# interceptors


@pytest.mark.row("S4-41", "S4-42", "S4-43", "S4-44")
def test_request_interceptors_run_in_order_and_keep_things_in_the_session() -> None:
    def count(request: LLMRequest) -> None:
        request.session.set("request_count", request.session.get("request_count", 0) + 1)
        request.add_system_context(f"Request {request.session['request_count']}.")

    async def shout(request: LLMRequest) -> LLMRequest:
        request.add_system_context(f"They said {request.get_latest_user_message()}.")
        return request

    driver = Asking()
    agent = Agent(driver=driver, system_prompt="Be kind.", request_interceptors=[count, shout])
    state: dict[str, Any] = {}
    for number in (1, 2):
        response = agent.run("hello", session=state)
        state = response.session
        assert response.text == f"Be kind.\n\nRequest {number}.\n\nThey said hello.|hello"
    assert state == {"request_count": 2}


@pytest.mark.row("S4-45", "S4-46")
def test_response_interceptors_see_text_calls_and_usage() -> None:
    def add_up(response: LLMResponse) -> LLMResponse:
        total = response.session.get("total_tokens", 0) + response.usage["output_tokens"]
        response.session.set("total_tokens", total)
        assert response.has_tool_calls()
        response.text = response.text.upper()
        assert response.get_text_length() == len("Remembered a")
        return response

    driver = Asking(("remember", {"key": "a", "value": "b"}))
    agent = Agent([remember], driver=driver, response_interceptors=add_up)
    first = agent.run("go")
    second = agent.run("go", session=first.session)
    assert second.session == {"a": "b", "total_tokens": 6}
    assert (second.text, second.usage["total_tokens"]) == ("REMEMBERED A", 10)


@pytest.mark.row("S4-47")
def test_an_interceptor_stops_before_the_model() -> None:
    def stop(request: LLMRequest) -> None:
        raise InterceptorError("Not on Sundays.", code="closed", details={"day": 7})

    def instead(response: LLMResponse) -> None:
        raise InterceptorError("Something better left unsaid.")

    driver = Asking()
    assert Agent(driver=driver, request_interceptors=stop).run("hi").text == "Not on Sundays."
    assert driver.tasks == []
    answered = Agent(driver=driver, response_interceptors=instead).run("hi")
    assert answered.text == "Something better left unsaid."


def test_an_interceptor_that_breaks_aborts_or_is_passed_over() -> None:
    def broken(request: LLMRequest) -> None:
        raise RuntimeError("no database")

    with pytest.raises(SessionError, match="no database"):
        Agent(driver=Asking(), request_interceptors=broken).run("hi")
    agent = Agent(driver=Asking(), request_interceptors=broken, on_interceptor_error="continue")
    assert agent.run("hi").text == "|hi"


# streams and goals


@pytest.mark.asyncio
async def test_a_stream_tells_texts_calls_and_the_end() -> None:
    agent = Agent([remember, book], driver=Asking(("remember", {"key": "a", "value": "b"})))
    events = [event async for event in agent.run_stream("go")]
    assert [event.type for event in events] == ["executed_tool_calls", "text_delta", "done"]
    last = events[-1]
    assert isinstance(last, StreamDone)
    assert last.message.data.session == {"a": "b"}

    waits = Agent([book], driver=Asking(("book", {"hotel": "Adler"})))
    assert [event.type async for event in waits.run_stream("go")] == ["tool_calls", "done"]

    async def fail(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("well")
        raise RuntimeError("no luck")

    failing = Asking()
    failing.run = fail  # type: ignore[method-assign]
    failed = [event async for event in Agent(driver=failing).run_stream("go")]
    assert dataclasses.asdict(failed[-1]) == {"error": "no luck", "code": "agent_failed"}


@pytest.mark.asyncio
async def test_a_stream_that_is_left_early_stops_the_agent() -> None:
    stopped: list[bool] = []

    async def endless(task: Task) -> AsyncGenerator[DriverEvent, None]:
        try:
            while True:
                yield Said("on ")
                await task.call("remember", {"key": "a", "value": "b"})
        finally:
            stopped.append(True)

    driver = Asking()
    driver.run = endless  # type: ignore[method-assign]
    stream = Agent([remember], driver=driver).execute_stream("go", max_steps=1000).__aiter__()
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert stopped == [True]


def test_responses_are_data() -> None:
    response = Agent(driver=Asking()).run("hi")
    assert isinstance(response, AgentResponse)
    assert response.raw.status == "completed"
