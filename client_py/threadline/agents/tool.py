"""Tools: functions that an agent may call, with the schema that a model sees."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, overload

import anyio.to_thread
from pydantic import BaseModel, ValidationError

from threadline.agents.loop_session import LoopSession
from threadline.agents.parameters import arguments_model, injected_parameters, parameter_schema
from threadline.document.values import JSON, to_json
from threadline.errors import ThreadlineError
from threadline.session import Session


class ToolFailed(ThreadlineError):
    """A tool raised, was given arguments that do not fit, or gave back what no document can hold."""

    code = "tool_failed"


class ArgumentsInvalid(ToolFailed):
    """The arguments do not fit the tool's parameters."""

    code = "arguments_invalid"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with a name, a description and a schema. Calling it calls the function.

    `parameters` is the JSON Schema that models see; `injected` are parameters they do not see: the session.
    """

    function: Callable[..., Any]
    name: str
    description: str
    parameters: dict[str, Any]
    requires_approval: bool
    arguments: type[BaseModel] | None
    injected: frozenset[str]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def bind(self, arguments: Mapping[str, JSON]) -> dict[str, Any]:
        """The function's arguments from JSON ones, typed as annotated. Raises ArgumentsInvalid."""
        if self.arguments is None:
            return dict(arguments)
        try:
            bound = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            raise ArgumentsInvalid(f"{self.name}: {_first_fault(error)}") from error
        given = bound.model_fields_set
        return {name: getattr(bound, name) for name in type(bound).model_fields if name in given}

    async def call(self, arguments: Mapping[str, JSON], *, session: Session, context: JSON = None) -> JSON:
        """Run the tool and give back its result as JSON. Raises ToolFailed.

        Coroutine functions run on the loop. Plain functions run on a thread, and what they do with the
        session is brought back to the loop, so that a slow tool holds up nobody.
        """
        bound = self.bind(arguments)
        try:
            if inspect.iscoroutinefunction(self.function):
                result = await self.function(**bound, **self._injections(session, context))
            else:
                result = await self._on_thread(bound, LoopSession.standing_for(session), context)
            return to_json(result)
        except ToolFailed:
            raise
        except Exception as error:
            raise ToolFailed(str(error) or type(error).__name__) from error

    async def _on_thread(self, bound: dict[str, Any], session: LoopSession, context: JSON) -> Any:
        called = partial(self.function, **bound, **self._injections(session, context))
        try:
            return await anyio.to_thread.run_sync(called, abandon_on_cancel=True)
        finally:
            session.revoke()

    def _injections(self, session: Session, context: JSON) -> dict[str, Any]:
        offered: dict[str, Any] = {"session": session, "platform_context": context}
        return {name: offered[name] for name in self.injected}


@overload
def tool(func: Callable[..., Any]) -> Tool: ...


@overload
def tool(
    func: None = None,
    *,
    description: str | None = None,
    name: str | None = None,
    requires_approval: bool = False,
    schema: dict[str, Any] | type[BaseModel] | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    func: Callable[..., Any] | None = None,
    *,
    description: str | None = None,
    name: str | None = None,
    requires_approval: bool = False,
    schema: dict[str, Any] | type[BaseModel] | None = None,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool; name, description and schema come from it unless given."""
    options: dict[str, Any] = {
        "description": description,
        "name": name,
        "requires_approval": requires_approval,
        "schema": schema,
    }
    if func is not None:
        return create_tool(func, **options)
    return partial(create_tool, **options)


def create_tool(
    func: Callable[..., Any],
    *,
    description: str | None = None,
    name: str | None = None,
    requires_approval: bool = False,
    schema: dict[str, Any] | type[BaseModel] | None = None,
) -> Tool:
    """`tool` as a plain function."""
    injected = injected_parameters(func)
    model = schema if isinstance(schema, type) else None
    if schema is None:
        model = arguments_model(func, injected)
    return Tool(
        function=func,
        name=name or str(getattr(func, "__name__", type(func).__name__)),
        description=description or inspect.getdoc(func) or "",
        parameters=schema if isinstance(schema, dict) else parameter_schema(model),
        requires_approval=requires_approval,
        arguments=model,
        injected=injected,
    )


def as_tool(candidate: Tool | Callable[..., Any]) -> Tool:
    """A tool as it is; a plain function as a tool."""
    return candidate if isinstance(candidate, Tool) else create_tool(candidate)


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]
