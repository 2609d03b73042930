"""Interceptors: functions that see every request to whatever drives an agent, and every answer.

A request interceptor may change messages, system text and context, and keep things in the session; raising
InterceptorError stops before the model, and its message is the reply. A response interceptor sees the whole
answer and may put another text in its place; where there is one, the answer is spoken when it is complete.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

from threadline.agents.calling import called_with
from threadline.agents.driver import AgentDriver, DriverEvent, Said, Task, ToolOutcome, Turn, Used, Wish
from threadline.agents.tool import Tool
from threadline.document.values import JSON
from threadline.errors import ThreadlineError
from threadline.session import Session

OnInterceptorError: TypeAlias = Literal["abort", "continue"]


class InterceptorError(ThreadlineError):
    """An interceptor stops the request; people are told `user_message`."""

    code = "intercepted"

    def __init__(self, user_message: str, code: str | None = None, details: Any = None) -> None:
        super().__init__(user_message)
        self.user_message = user_message
        self.details = details
        if code is not None:
            self.code = code  # type: ignore[misc]


@dataclass(slots=True)
class LLMRequest:
    """What goes to the model. Messages are `{"role", "content"}`; all of it may be changed."""

    messages: list[dict[str, Any]]
    tools: list[Tool]
    system: str
    context: dict[str, Any]
    session: Session

    def get_latest_user_message(self) -> str:
        """What was said last; the empty string where nobody said anything."""
        said = (message for message in reversed(self.messages) if message.get("role") == "user")
        return next((str(message.get("content", "")) for message in said), "")

    def add_system_context(self, text: str) -> None:
        """Add a paragraph to the instructions."""
        self.system = f"{self.system}\n\n{text}" if self.system else text


@dataclass(slots=True)
class LLMResponse:
    """What came back. `tool_calls` are `{"name", "input"}`, `usage` counts tokens."""

    text: str
    tool_calls: list[dict[str, JSON]] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    raw: object = None
    session: Session = field(default_factory=Session)

    def has_tool_calls(self) -> bool:
        return bool(self.tool_calls)

    def get_text_length(self) -> int:
        return len(self.text)


RequestInterceptor: TypeAlias = Callable[[LLMRequest], Any]
ResponseInterceptor: TypeAlias = Callable[[LLMResponse], Any]
Interceptors: TypeAlias = Callable[..., Any] | Iterable[Callable[..., Any]] | None


def as_list(given: Interceptors) -> tuple[Callable[..., Any], ...]:
    """One or several, in their order."""
    if given is None:
        return ()
    return (given,) if callable(given) else tuple(given)


@dataclass(frozen=True, slots=True)
class InterceptedDriver:
    """`driver`, with what it is asked and what it says passing through interceptors, in their order."""

    driver: AgentDriver
    requests: Sequence[RequestInterceptor]
    responses: Sequence[ResponseInterceptor]
    on_error: OnInterceptorError = "abort"

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        try:
            task = await self._asked(task)
        except InterceptorError as stopped:
            yield Said(stopped.user_message)
            return
        answer = _Answer()
        async with aclosing(self.driver.run(answer.watching(task))) as events:
            async for event in events:
                if not (self.responses and answer.holds_back(event)):
                    yield event
        if self.responses:
            yield Said(await self._answered(answer, task))

    async def _asked(self, task: Task) -> Task:
        request = LLMRequest(
            messages=[_message(turn) for turn in task.turns],
            tools=list(task.tools.values()),
            system=task.system,
            context=dict(task.context) if isinstance(task.context, Mapping) else {},
            session=task.session,
        )
        request = await self._through(self.requests, request, task.session)
        return replace(
            task,
            turns=[_turn(message) for message in request.messages],
            tools={tool.name: tool for tool in request.tools},
            system=request.system,
            context=request.context,
        )

    async def _answered(self, answer: _Answer, task: Task) -> str:
        response = LLMResponse(answer.text, answer.calls, answer.usage, answer, task.session)
        try:
            return (await self._through(self.responses, response, task.session)).text
        except InterceptorError as stopped:
            return stopped.user_message

    async def _through(self, chain: Sequence[Callable[..., Any]], passed: _P, session: Session) -> _P:
        """Each gets what the one before gave back, or the same object where that gave nothing back."""
        for interceptor in chain:
            try:
                given = await called_with(interceptor, session, _with_session(passed))
            except InterceptorError:
                raise
            except Exception:
                if self.on_error == "abort":
                    raise
                continue
            passed = given if isinstance(given, type(passed)) else passed
        passed.session = session
        return passed


_P = TypeVar("_P", LLMRequest, LLMResponse)


def _with_session(passed: _P) -> Callable[[Session], _P]:
    def give(session: Session) -> _P:
        passed.session = session
        return passed

    return give


class _Answer:
    """What a driver says and does, gathered."""

    def __init__(self) -> None:
        self.text = ""
        self.calls: list[dict[str, JSON]] = []
        self.usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}

    def holds_back(self, event: DriverEvent) -> bool:
        if isinstance(event, Said):
            self.text += event.text
        elif isinstance(event, Used):
            self.usage["input_tokens"] += event.input_tokens
            self.usage["output_tokens"] += event.output_tokens
            self.usage["total_tokens"] += event.input_tokens + event.output_tokens
        return isinstance(event, Said)

    def watching(self, task: Task) -> Task:
        async def call(tool: str | Tool, arguments: Mapping[str, JSON]) -> ToolOutcome:
            self._note([(tool, arguments)])
            return await task.call(tool, arguments)

        async def call_all(wishes: Sequence[Wish]) -> list[ToolOutcome]:
            self._note(wishes)
            return await task.call_all(wishes)

        return replace(task, call=call, call_all=call_all)

    def _note(self, wishes: Sequence[Wish]) -> None:
        for tool, arguments in wishes:
            name = tool.name if isinstance(tool, Tool) else tool
            self.calls.append({"name": name, "input": dict(arguments)})


def _message(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.user:
        message["user"] = turn.user
    if turn.at:
        message["at"] = turn.at
    if turn.data is not None:
        message["data"] = turn.data
    return message


def _turn(message: Mapping[str, Any]) -> Turn:
    return Turn(
        str(message.get("role", "user")),
        str(message.get("content", "")),
        str(message.get("user", "")),
        int(message.get("at", 0)),
        message.get("data"),
    )
