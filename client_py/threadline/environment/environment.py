"""What an author of an environment writes: how a rollout begins, what its tools do, what its end is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar, get_type_hints

from pydantic import BaseModel

from threadline.errors import ConfigurationError
from threadline.session import Session

_ACTION = "__environment_action__"

F = TypeVar("F", bound=Callable[..., Any])


def action(method: F) -> F:
    """Make a method a tool: `POST /<its name>`.

    It takes the rollout's session and, where it has arguments, one Pydantic model of them; what it gives back
    is the JSON that the model sees.
    """
    setattr(method, _ACTION, True)
    return method


class Environment:
    """Base class. Methods may be plain or coroutine functions; `session` is the rollout's own.

    name:   part of the cookie's name, characters of `[A-Za-z0-9_.-]`
    seed:   `seed(self, session, task: Model)` writes what a task row asks for; seeding again replaces it
    verify: `verify(self, session, task: Model, response)` gives the reward, a number; it may ask a judge
    """

    name: ClassVar[str] = "environment"

    def seed(self, session: Session, task: Any) -> Any:
        raise NotImplementedError

    def verify(self, session: Session, task: Any, response: dict[str, Any]) -> Any:
        raise NotImplementedError

    def actions(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Its tools by name."""
        for name in dir(type(self)):
            if getattr(getattr(type(self), name), _ACTION, False):
                yield name, getattr(self, name)

    @property
    def cookie(self) -> str:
        return f"{type(self).__name__}___{self.name}"


def model_of(method: Callable[..., Any], place: int) -> type[BaseModel] | None:
    """The model that a method's parameter after `self` and the session is annotated with, None without one.

    Raises ConfigurationError for an annotation that is no model.
    """
    hints = get_type_hints(method)
    hints.pop("return", None)
    given = list(hints.items())
    if len(given) <= place:
        return None
    name, kind = given[place]
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        raise ConfigurationError(f"{method.__qualname__}: annotate {name} with a Pydantic model.")
    return kind
