"""Drives an agent by a model, through pydantic-ai: any provider it knows, streamed, with its usage.

Tools run through the task, so they are recorded, limited and approved as with every driver. Those that need
approval are deferred by pydantic-ai to the end of a step: people are asked about all of them at once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic_ai import Agent as ModelAgent
from pydantic_ai import (
    DeferredToolRequests,
    DeferredToolResults,
    ModelSettings,
    RunContext,
    ToolDefinition,
    UsageLimits,
)
from pydantic_ai import Tool as ModelTool
from pydantic_ai.agent import AgentRun
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    UserError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
)
from pydantic_ai.models import Model, infer_model, parse_model_id
from pydantic_ai.providers import infer_provider_class
from pydantic_ai.toolsets import AbstractToolset, ExternalToolset, FunctionToolset, WrapperToolset
from pydantic_ai.toolsets.abstract import ToolsetTool
from pydantic_ai.usage import RunUsage

from threadline.agents.driver import DriverEvent, Said, Task, Thought, Used
from threadline.agents.model_messages import history_of, instructions, made, said, told
from threadline.agents.tool import Tool, ToolFailed
from threadline.document.values import JSON
from threadline.errors import ConfigurationError, ThreadlineError

ModelRun: TypeAlias = AgentRun[Task, Any]

for _library in ("openai", "anthropic", "httpx", "httpcore"):
    # At their lower levels these write whole requests, which is what people said.
    if logging.getLogger(_library).level == logging.NOTSET:
        logging.getLogger(_library).setLevel(logging.WARNING)


class ModelFailed(ThreadlineError):
    """The model's provider did not answer. The message names the model and the status, never the content."""

    code = "model_failed"

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]


class PydanticDriver:
    """`model` is a name or a model object, `settings` go with every request, `toolsets` bring tools of their
    own, such as those of MCP servers. `others` are models that a run may ask for instead: a device chooses
    among what the author pays for.

    Raises ConfigurationError for a name that no provider answers to.
    """

    def __init__(
        self,
        model: Model | str,
        settings: Mapping[str, Any] | None = None,
        toolsets: Sequence[AbstractToolset[Any]] = (),
        others: Sequence[str] = (),
    ) -> None:
        for name in (model, *others):
            _check_name(name)
        self._others = frozenset(others)
        self._model = model
        self._settings = ModelSettings(**settings) if settings else None  # type: ignore[typeddict-item]
        self._toolsets = [RecordedToolset(toolset) for toolset in toolsets]
        self._agent: ModelAgent[Task, Any] = ModelAgent(
            output_type=[str, DeferredToolRequests], deps_type=Task, name="threadline"
        )

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        try:
            rounds = Rounds(self._agent, self._chosen(task), self._settings, self._toolsets, task)
            async with aclosing(rounds.play()) as events:
                async for event in events:
                    yield event
        except (AgentRunError, UserError) as error:
            raise _failure(error) from error

    def _chosen(self, task: Task) -> Model:
        """The run's own model, where it names another than the agent's. Raises ModelFailed."""
        if not task.model or task.model == self._model:
            return infer_model(self._model)
        if task.model not in self._others:
            raise ModelFailed(f"This agent does not run on the model {task.model}.", "model_not_allowed")
        return infer_model(task.model)


@dataclass(slots=True)
class Rounds:
    """One turn of the conversation: rounds with the model until nothing is deferred and nobody has more to
    say.
    """

    agent: ModelAgent[Task, Any]
    model: Model
    settings: ModelSettings | None
    toolsets: Sequence[AbstractToolset[Task]]
    task: Task

    async def play(self) -> AsyncGenerator[DriverEvent, None]:
        task = self.task
        outcomes = [await task.call(call.name, call.arguments) for call in task.earlier]
        history = [*history_of(task), *made(task.earlier, outcomes)]
        deferred: DeferredToolResults | None = None
        while True:
            async with self._begun(history, deferred) as run:
                async with aclosing(self._round(run)) as events:
                    async for event in events:
                        yield event
                assert run.result is not None
                output, history = run.result.output, run.result.all_messages()
            deferred = None
            if isinstance(output, DeferredToolRequests):
                deferred = await self._decided(output.calls)
            elif more := task.steered():
                history.append(ModelRequest(parts=said(more)))
            else:
                return

    def _begun(self, history: list[ModelMessage], deferred: DeferredToolResults | None) -> Any:
        return self.agent.iter(
            message_history=history,
            deferred_tool_results=deferred,
            model=self.model,
            model_settings=self.settings,
            instructions=instructions(self.task),
            toolsets=[*_toolsets_of(self.task.tools.values()), *self.toolsets],
            deps=self.task,
            usage_limits=UsageLimits(request_limit=None),
        )

    async def _round(self, run: ModelRun) -> AsyncGenerator[DriverEvent, None]:
        """Until the model has no more calls to make at once. What people say meanwhile goes to its next
        request.
        """
        first = True
        async for node in run:
            if not ModelAgent.is_model_request_node(node):
                continue
            if not first:
                node.request.parts = [*node.request.parts, *said(self.task.steered())]
            first = False
            before = copy(run.usage)
            async with node.stream(run.ctx) as stream:
                async for event in stream:
                    piece = _piece(event)
                    if piece is not None:
                        yield piece
            yield _used(before, run.usage)

    async def _decided(self, calls: Sequence[ToolCallPart]) -> DeferredToolResults:
        wishes = [(call.tool_name, call.args_as_dict()) for call in calls]
        outcomes = await self.task.call_all(wishes)
        return DeferredToolResults(
            calls={call.tool_call_id: told(outcome) for call, outcome in zip(calls, outcomes, strict=True)}
        )


def _used(before: RunUsage, now: RunUsage) -> Used:
    """What one request has added."""
    cost = None if now.cost is None else float(now.cost - (before.cost or 0))
    return Used(
        now.input_tokens - before.input_tokens, now.output_tokens - before.output_tokens, cost_usd=cost
    )


class RecordedToolset(WrapperToolset[Task]):
    """Tools of somebody else, called through the task: so they are steps of the run, within its limits."""

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Task], tool: ToolsetTool[Task]
    ) -> Any:
        async def forwarded(**arguments: Any) -> Any:
            try:
                return await self.wrapped.call_tool(name, arguments, ctx, tool)
            except Exception as error:
                raise ToolFailed(str(error) or type(error).__name__) from error

        definition = tool.tool_def
        recorded = Tool(
            forwarded,
            name,
            definition.description or "",
            definition.parameters_json_schema,
            requires_approval=definition.kind == "unapproved",
            arguments=None,
            injected=frozenset(),
        )
        return told(await ctx.deps.call(recorded, tool_args))


def _toolsets_of(tools: Any) -> list[AbstractToolset[Task]]:
    """Tools that need approval are external to pydantic-ai: it stops for them, the task makes the calls."""
    plain: list[ModelTool[Task]] = []
    external: list[ToolDefinition] = []
    for tool in tools:
        if tool.requires_approval:
            external.append(
                ToolDefinition(
                    name=tool.name, parameters_json_schema=tool.parameters, description=tool.description
                )
            )
        else:
            plain.append(_model_tool(tool))
    return [FunctionToolset(plain, id="plain"), ExternalToolset(external, id="external")]


def _model_tool(tool: Tool) -> ModelTool[Task]:
    return ModelTool.from_schema(
        _caller(tool.name),
        tool.name,
        tool.description,
        tool.parameters,
        takes_ctx=True,
        sequential=True,  # one step after another
    )


def _caller(name: str) -> Callable[..., Any]:
    async def call(ctx: RunContext[Task], **arguments: JSON) -> JSON:
        return told(await ctx.deps.call(name, arguments))

    return call


def _piece(event: object) -> Said | Thought | None:
    match event:
        case PartStartEvent(part=TextPart(content=text)) if text:
            return Said(text)
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
            return Said(text)
        case PartStartEvent(part=ThinkingPart(content=text)) if text:
            return Thought(text)
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text)) if text:
            return Thought(text)
    return None


def _check_name(model: Model | str) -> None:
    if isinstance(model, Model) or model == "test":
        return
    if not isinstance(model, str):
        raise ConfigurationError(f"{model!r} is neither a model's name nor a model of pydantic-ai.")
    provider, _ = parse_model_id(model)
    try:
        infer_provider_class(provider or "")
    except ValueError:
        raise ConfigurationError(
            f"There is no driver for the model {model!r}. Use model='demo', a name with its provider such as "
            "'openai:gpt-5-mini', a model object of pydantic-ai, or driver=, an object with `run(task)`."
        ) from None
    except ImportError as error:
        raise ConfigurationError(f"The model {model!r} needs another package: {error}") from error


_CODES: tuple[tuple[type[Exception], str, str], ...] = (
    (ModelContextWindowExceededError, "context_too_long", "was given more than it can take"),
    (ModelRateLimitError, "model_rate_limited", "is asked too often"),
    (ModelQuotaExceededError, "model_quota_exceeded", "has no quota left for this account"),
    (ModelAuthenticationError, "model_unauthorized", "does not accept the key it was given"),
    (ModelConnectionError, "model_unreachable", "cannot be reached"),
)


def _failure(error: AgentRunError | UserError) -> ThreadlineError:
    """What to tell people, without what they said: a provider's own text may repeat it."""
    if isinstance(error, UserError):
        return ConfigurationError(str(error))
    if not isinstance(error, ModelAPIError):
        return ModelFailed(
            f"The model gave an answer that is of no use ({type(error).__name__}).", "model_failed"
        )
    name = f"The model {error.model_name}"
    for kind, code, sentence in _CODES:
        if isinstance(error, kind):
            return ModelFailed(f"{name} {sentence}.", code)
    status = f" with status {error.status_code}" if isinstance(error, ModelHTTPError) else ""
    return ModelFailed(f"{name} failed{status}.", "model_failed")
