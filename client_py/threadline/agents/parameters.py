"""From a function's signature to the schema of its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from threadline.errors import ConfigurationError
from threadline.session import Session

_UNNAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def injected_parameters(func: Callable[..., Any]) -> frozenset[str]:
    """Parameters that the kit fills in and models do not see: `session: Session` and `platform_context`."""
    hints = _hints(func)
    names = inspect.signature(func).parameters
    found = {name for name in names if name == "session" and _is_session(hints.get(name))}
    if "platform_context" in names:
        found.add("platform_context")
    return frozenset(found)


def arguments_model(func: Callable[..., Any], hidden: frozenset[str]) -> type[BaseModel]:
    """A model of the arguments that a caller gives. Raises ConfigurationError for a signature that has
    none.
    """
    hints = _hints(func)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(func).parameters.items():
        if name in hidden or parameter.kind in _UNNAMED:
            continue
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints.get(name, Any), default)
    try:
        title = getattr(func, "__name__", "arguments")
        return create_model(title, __config__=ConfigDict(extra="forbid"), **fields)
    except Exception as error:
        raise ConfigurationError(f"{func!r} cannot be a tool: {error}") from error


def parameter_schema(model: type[BaseModel] | None) -> dict[str, Any]:
    """The JSON Schema of a model, without the titles that only repeat names."""
    if model is None:
        return {"type": "object", "properties": {}}
    schema = _without_titles(model.model_json_schema())
    schema.setdefault("properties", {})
    schema.pop("additionalProperties", None)
    return schema


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "properties" and isinstance(value, dict):
            cleaned[key] = {name: _without_titles(inner) for name, inner in value.items()}
        elif isinstance(value, dict):
            cleaned[key] = _without_titles(value)
        elif isinstance(value, list):
            cleaned[key] = [_without_titles(item) if isinstance(item, dict) else item for item in value]
        else:
            cleaned[key] = value
    return cleaned


def _hints(func: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(func, include_extras=True)
    except (NameError, TypeError):
        # A name that is not importable where the function was defined: what is left are the raw annotations.
        return {k: v for k, v in getattr(func, "__annotations__", {}).items() if not isinstance(v, str)} | {
            k: Session for k, v in getattr(func, "__annotations__", {}).items() if v == "Session"
        }


def _is_session(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Session)
