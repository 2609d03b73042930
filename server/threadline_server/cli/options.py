"""The flags of a verb, made from the fields of `Settings`: an option has one name and one sentence."""

from __future__ import annotations

import functools
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from threadline_server.settings import Settings, flag_of, is_bound, load, variable_of

P = ParamSpec("P")
R = TypeVar("R")


def settings_options(*fields: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command the flags of these settings (none named: all) as one `settings` argument; `--config` is
    always one of them.
    """
    names = ("config", *fields) if fields else tuple(Settings.model_fields)

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def with_settings(**arguments: Any) -> R:
            flags = {name: arguments.pop(name) for name in names}
            return command(settings=load(flags, os.environ), **arguments)

        decorated: Callable[..., R] = with_settings
        for name in reversed(names):
            decorated = _option(name, Settings.model_fields[name])(decorated)
        return decorated

    return decorate


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., R]], Callable[..., R]]:
    repeated = isinstance(field.default, tuple)
    return click.option(
        flag_of(name),
        name,
        type=_type_of(field.annotation),
        multiple=repeated,
        default=None,
        hidden=is_bound(name),
        help=f"{field.description} {_default_in_words(field.default)} [{variable_of(name)}]",
    )


def _default_in_words(default: object) -> str:
    return "" if default in (None, ()) else f"Default {default}."


def _type_of(annotation: Any) -> click.ParamType[Any] | type:
    """The click type that parses `annotation`, a field's type: X, X | None or tuple[X, ...]."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType, tuple):
        return _type_of(inner[0])
    if origin is Literal:
        return click.Choice(inner)
    if annotation is Path:
        return click.Path(path_type=Path)
    return annotation if annotation in (int, float) else str
