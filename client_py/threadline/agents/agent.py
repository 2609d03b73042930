"""An agent: a name, instructions, tools, and what drives it. Workers run it for sessions on a server; its own
methods run it here.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from threadline.agents.demo import DemoDriver
from threadline.agents.driver import AgentDriver, Turn
from threadline.agents.either import Reply, Stream, now_or_awaited
from threadline.agents.interceptors import (
    InterceptedDriver,
    Interceptors,
    OnInterceptorError,
    as_list,
)
from threadline.agents.message import AgentMessage, GivenMessages, read_turns, read_words
from threadline.agents.prepared import PreparedDriver
from threadline.agents.response import (
    AgentResponse,
    AgentResult,
    PendingToolCall,
    ToolApproval,
    executed_in,
)
from threadline.agents.solo import Solo, decide
from threadline.agents.streaming import StreamEvent, stream_events
from threadline.agents.surroundings import Provider, Validator
from threadline.agents.tokens import ESTIMATE, TokenCounter
from threadline.agents.tool import Tool, as_tool
from threadline.agents.windows import Window
from threadline.document.events import Event
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Run
from threadline.document.steps import StepType
from threadline.errors import ConfigurationError, SessionError
from threadline.run import RunResult
from threadline.session import Session

DEFAULT_NAME = "assistant"
DEMO_MODEL = "demo"
MAX_WAITING = 1_000

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")


class Agent:
    """What an agent author writes.

    tools:                  functions, or what `@tool` made of them
    model:                  `demo` for the driver that needs no key; any name that pydantic-ai knows, such as
                            `openai:gpt-5-mini`; or a model object of pydantic-ai
    models:                 other models that a run may ask for
    name:                   how sessions and people call it, 1 to 64 characters of `[A-Za-z0-9._@-]`
    system_prompt:          instructions that do not change
    system_context:         a text, or a function of the run's context
    model_config:           settings of the model, such as `temperature`
    toolsets:               toolsets of pydantic-ai, such as MCP servers
    driver:                 whatever implements `AgentDriver`, in the place of a model
    request_interceptors, response_interceptors: one or several functions, in their order
    on_interceptor_error:   what other exceptions of theirs do: `abort` the run, or `continue`
    window:                 which part of the history it is given
    max_context_tokens:     a history that is still longer fails with `context_too_long`
    providers, validators:  what it is told beside the conversation, never stored
    """

    def __init__(
        self,
        tools: Iterable[Tool | Callable[..., Any]] | None = None,
        model: Any = DEMO_MODEL,
        *,
        provider: str = "",
        name: str = DEFAULT_NAME,
        description: str = "",
        system_prompt: str = "",
        system_context: str | Callable[[Mapping[str, Any]], str] | None = None,
        model_config: Mapping[str, Any] | None = None,
        toolsets: Sequence[Any] = (),
        models: Sequence[str] = (),
        driver: AgentDriver | None = None,
        request_interceptors: Interceptors = None,
        response_interceptors: Interceptors = None,
        on_interceptor_error: OnInterceptorError = "abort",
        window: Window | None = None,
        max_context_tokens: int | None = None,
        counter: TokenCounter = ESTIMATE,
        providers: Iterable[Provider] = (),
        validators: Iterable[Validator] = (),
    ) -> None:
        if _NAME.fullmatch(name) is None:
            raise ConfigurationError(
                f"An agent's name is 1 to 64 characters of A-Z a-z 0-9 . _ @ -; {name!r} is not."
            )
        self.name = name
        self.description = description
        self.system_prompt = system_prompt
        self.system_context = system_context
        self.tools = _by_name(map(as_tool, tools or ()))
        if provider and isinstance(model, str) and ":" not in model:
            model = f"{provider}:{model}"
        inner = driver or driver_for(model, model_config, toolsets, models)
        requests, responses = as_list(request_interceptors), as_list(response_interceptors)
        if requests or responses:
            inner = InterceptedDriver(inner, requests, responses, on_interceptor_error)
        self.model = model if isinstance(model, str) else str(getattr(model, "model_id", model))
        self.driver: AgentDriver = PreparedDriver(
            inner,
            self.system_for,
            tuple(providers),
            tuple(validators),
            window,
            max_context_tokens,
            counter,
        )
        self._waiting: OrderedDict[str, Solo] = OrderedDict()

    def system_for(self, context: Mapping[str, Any], override: str = "") -> str:
        """The instructions of one run: the prompt, or what replaces it, then what the context adds."""
        added = self.system_context(context) if callable(self.system_context) else self.system_context
        return "\n\n".join(part for part in (override or self.system_prompt, added) if part)

    def __repr__(self) -> str:
        return f"<Agent {self.name}: {len(self.tools)} tools, {self.model}>"

    # answering messages

    def run(
        self,
        messages: GivenMessages,
        context: Mapping[str, Any] | None = None,
        session: Session | Mapping[str, Any] | None = None,
    ) -> AgentResponse:
        """Answer the last of `messages`. Awaited where a loop runs, called plainly where none does.

        `session` is a Session or its state as a dict; the state afterwards is in the response. Calls that the
        last message approves or rejects (`data.tool_calls`) are carried out first. Raises ValueError for an
        empty history, SessionError where the agent failed.
        """
        solo = self._solo(messages, context, session)
        return now_or_awaited(lambda: self._responded(solo))

    __call__ = run

    def chat(
        self,
        messages: GivenMessages,
        context: Mapping[str, Any] | None = None,
        session: Session | Mapping[str, Any] | None = None,
    ) -> AgentMessage:
        """As `run`, as a message for the wire: the state is in `data.session`."""
        solo = self._solo(messages, context, session)

        async def chatted() -> AgentMessage:
            return (await self._responded(solo)).to_message()

        return now_or_awaited(chatted)

    def run_stream(
        self,
        messages: GivenMessages,
        context: Mapping[str, Any] | None = None,
        session: Session | Mapping[str, Any] | None = None,
    ) -> Stream[StreamEvent]:
        """As `run`, event by event: texts, calls made, calls that wait, and `done` or `error` at the end."""
        solo = self._solo(messages, context, session)

        async def events() -> AsyncIterator[StreamEvent]:
            async for event in stream_events(solo.events(), lambda: self._response(solo)):
                yield event

        return Stream(events)

    def generate(self, history: GivenMessages | Session, context: Mapping[str, Any] | None = None) -> Reply:
        """A reply to a history, or to the transcript of a session; nothing is added to it."""
        session = history if isinstance(history, Session) else None
        given = history.get_history() if isinstance(history, Session) else history
        solo = self._solo(given, context, session)

        async def generated() -> Reply:
            return Reply((await self._responded(solo)).text)

        return now_or_awaited(generated)

    # going on

    def resume(self, waiting: str | AgentResponse | Session) -> AgentResponse:
        """Go on with what waits: a conversation by its id, a response, or a session with a run that waits or
        a message that nobody has answered.

        Raises SessionError where nothing waits.
        """
        solo = self._found(waiting)
        return now_or_awaited(lambda: self._responded(solo))

    def pending(self, session: Session) -> list[PendingToolCall]:
        """Calls of a session's latest run that wait for a word, also after it was loaded again."""
        run = session.document.runs.latest()
        if run is None or run.status is not RunStatus.WAITING:
            return []
        return _pending_of(session, run)

    def _found(self, waiting: str | AgentResponse | Session) -> Solo:
        if isinstance(waiting, Session):
            return self._waiting_in(waiting)
        key = waiting.conversation_id if isinstance(waiting, AgentResponse) else waiting
        solo = self._waiting.get(key)
        if solo is None:
            raise SessionError(f"No conversation {key} waits here.", session_id=key, code="session_not_found")
        return solo

    def _waiting_in(self, session: Session) -> Solo:
        """The run that waits, or a new one for the last message; the reply goes into the transcript."""
        run = session.document.runs.latest()
        turns = [Turn(m.role, m.text, m.author.user, m.created_at, m.data) for m in session.messages]
        if run is not None and run.status is RunStatus.WAITING:
            asked = [turn for turn in turns if turn.at <= run.created_at]
            return Solo(self, session, session, run.id, asked or turns)
        if not turns or turns[-1].role != "user":
            raise SessionError("Nothing in this session waits for an answer.", session_id=session.id)
        return Solo.begin(self, turns, session=session, record=session)

    # working toward a goal

    def execute(
        self,
        goal: str,
        *,
        context: Mapping[str, Any] | str | None = None,
        max_steps: int | None = None,
        max_tokens: int | None = None,
        timeout_seconds: int | None = None,
        tools: Sequence[str] | None = None,
        model: str = "",
        session: Session | None = None,
        check: bool = True,
    ) -> RunResult:
        """Work toward a goal. Raises TimeoutError, and SessionError where it failed; with `check=False` the
        result says so instead.
        """
        limits = _limits(max_steps, max_tokens, timeout_seconds)
        solo = self._toward(goal, context, limits, tools, model, session)

        async def executed() -> RunResult:
            await solo.perform()
            return _checked(solo) if check else _result(solo)

        return now_or_awaited(executed)

    def execute_stream(
        self,
        goal: str,
        *,
        context: Mapping[str, Any] | str | None = None,
        max_steps: int | None = None,
        max_tokens: int | None = None,
        timeout_seconds: int | None = None,
        tools: Sequence[str] | None = None,
        model: str = "",
        session: Session | None = None,
    ) -> Stream[Event]:
        """As `execute`, as events from `session_start` to `done`. A failure is an event."""
        limits = _limits(max_steps, max_tokens, timeout_seconds)
        return Stream(self._toward(goal, context, limits, tools, model, session).events)

    def _toward(
        self,
        goal: str,
        context: Mapping[str, Any] | str | None,
        limits: Mapping[str, int | None],
        tools: Sequence[str] | None,
        model: str,
        session: Session | None,
    ) -> Solo:
        if not goal:
            raise ValueError("goal cannot be empty")
        unknown = [name for name in tools or () if name not in self.tools]
        if unknown:
            raise SessionError(f"{self.name} has no tool {unknown[0]}.", code="tool_unknown")
        session = session if session is not None else Session()
        return Solo.begin(
            self,
            [Turn("user", goal)],
            session=session,
            record=session,
            goal=goal,
            context=context,
            limits=limits,
            tools=tools,
            model=model,
        )

    # inside

    def _solo(
        self,
        messages: GivenMessages,
        context: Mapping[str, Any] | None,
        session: Session | Mapping[str, Any] | None,
    ) -> Solo:
        turns = read_turns(messages)
        given = session if isinstance(session, Session) else Session.from_dict(session)
        words = [word for word in read_words(turns[-1]) if word.name in self.tools]
        return Solo.begin(self, turns, session=given, record=Session(), context=context or {}, words=words)

    async def _responded(self, solo: Solo) -> AgentResponse:
        await solo.perform()
        response = self._response(solo)
        run = solo.run
        if run.error is not None:
            raise SessionError(run.error.message, session_id=solo.record.id, code=run.error.code)
        return response

    def _response(self, solo: Solo) -> AgentResponse:
        run = solo.run
        result = solo.handed.result if solo.handed is not None else None
        result = result if isinstance(result, AgentResult) else AgentResult()
        pending = [*_pending_of(solo.record, run), *map(_proposed, result.pending_tools)]
        self._keep(solo, waits=run.status is RunStatus.WAITING)
        usage = {
            "input_tokens": run.usage.input_tokens,
            "output_tokens": run.usage.output_tokens,
            "total_tokens": run.usage.total_tokens,
            "source": run.usage.source,
            "cost_usd": run.usage.cost_usd,
        }
        calls = [step for step in run.steps if step.type == StepType.TOOL_CALL]
        return AgentResponse(
            text=solo.reply,
            tool_calls=[{"id": step.call, "name": step.name, "input": step.input} for step in calls],
            executed_tools=[*executed_in(run), *result.executed_tools],
            pending_tools=pending,
            usage=usage,
            raw=run,
            conversation_id=solo.record.id,
            session=solo.session.to_dict(),
            agent=self.name,
            metadata=result.metadata,
        )

    def _keep(self, solo: Solo, *, waits: bool) -> None:
        """Conversations that wait are kept, the newest of them, until they are resumed."""
        if not waits:
            self._waiting.pop(solo.record.id, None)
            return
        self._waiting[solo.record.id] = solo
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)


def driver_for(
    model: Any,
    settings: Mapping[str, Any] | None = None,
    toolsets: Sequence[Any] = (),
    others: Sequence[str] = (),
) -> AgentDriver:
    """The driver of a model, by its name or object. Raises ConfigurationError where there is none."""
    if model == DEMO_MODEL:
        return DemoDriver()
    try:
        from threadline.agents.pydantic_driver import PydanticDriver
    except ImportError as error:
        raise ConfigurationError(
            f"The model {model!r} needs pydantic-ai: pip install 'threadline[agents]'. Without it there is "
            "model='demo', or driver=, an object with `run(task)` as AgentDriver says."
        ) from error
    return PydanticDriver(model, settings, toolsets, others)


def _pending_of(record: Session, run: Run) -> list[PendingToolCall]:
    """In the order in which they were asked for."""
    place = {step.call: step.number for step in run.steps if step.type == StepType.TOOL_CALL}

    def decided(call: str, approved: bool, reason: str) -> bool:
        return decide(record, run.id, call, approved, reason)

    return [
        PendingToolCall(
            asked.call,
            asked.tool,
            asked.arguments if isinstance(asked.arguments, dict) else {},
            asked.description,
            decided,
        )
        for asked in sorted(run.approvals, key=lambda asked: place.get(asked.call, 0))
        if asked.status == "pending"
    ]


def _proposed(call: ToolApproval) -> PendingToolCall:
    return PendingToolCall(call.id, call.name, call.input, call.description)


def _result(solo: Solo) -> RunResult:
    run = solo.run
    return RunResult(
        id=run.id,
        status=run.status,
        output=solo.reply,
        steps=run.steps,
        usage=run.usage,
        duration_ms=run.duration_ms,
        tool_calls=run.tool_calls,
        error=run.error,
    )


def _checked(solo: Solo) -> RunResult:
    result = _result(solo)
    if result.status is RunStatus.TIMEOUT:
        raise TimeoutError(result.error.message if result.error else "timeout")
    if result.status is RunStatus.FAILED and result.error is not None:
        raise SessionError(result.error.message, session_id=solo.record.id, code=result.error.code)
    return result


def _limits(
    max_steps: int | None, max_tokens: int | None, timeout_seconds: int | None
) -> dict[str, int | None]:
    return {"max_steps": max_steps, "max_tokens": max_tokens, "timeout_seconds": timeout_seconds}


def _by_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    named: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in named:
            raise ConfigurationError(f"Two tools have the name {tool.name}.")
        named[tool.name] = tool
    return named
