"""What an agent is told beside the conversation: live context, and which of the state may be stale.

Providers and validators are asked before every answer. What they give is merged into the run's context and
into the instructions; nothing of it is stored in the session.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from threadline.agents.calling import called_with
from threadline.session import Session

STALE = "stale"

Provider: TypeAlias = Callable[[Session], Any]
"""Gives a mapping, or a coroutine for one: a profile from a database, the weather, the time of day."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A key of the session whose value should not be trusted any more, and why."""

    key: str
    reason: str


Validator: TypeAlias = Callable[[Session], Any]
"""Gives a `Stale`, several, or None; or a coroutine for that."""


@dataclass(frozen=True, slots=True)
class OlderThan:
    """A validator: `session[key][stamp]` is when the value was true (Unix seconds, or ISO 8601 text).

    A value without a stamp that can be read is stale.
    """

    key: str
    max_age_s: float
    stamp: str = "updated_at"
    now_s: Callable[[], float] = time.time

    def __call__(self, session: Session) -> Stale | None:
        value = session.get(self.key)
        if value is None:
            return None
        at = _seconds(value.get(self.stamp)) if isinstance(value, dict) else None
        if at is None:
            return Stale(self.key, f"it does not say when it was true ({self.stamp})")
        if self.now_s() - at <= self.max_age_s:
            return None
        return Stale(self.key, f"it is older than {self.max_age_s:g} seconds")


async def live_context(providers: Iterable[Provider], session: Session) -> dict[str, Any]:
    """What all providers give, a later one over an earlier one."""
    merged: dict[str, Any] = {}
    for provider in providers:
        given = await called_with(provider, session, _itself)
        if isinstance(given, Mapping):
            merged.update(given)
    return merged


async def stale_state(validators: Iterable[Validator], session: Session) -> list[Stale]:
    found: list[Stale] = []
    for validator in validators:
        given = await called_with(validator, session, _itself)
        if isinstance(given, Stale):
            found.append(given)
        elif isinstance(given, Sequence):
            found.extend(item for item in given if isinstance(item, Stale))
    return found


def in_words(stale: Iterable[Stale]) -> str:
    """A paragraph for the instructions."""
    lines = [f"- {item.key}: {item.reason}" for item in stale]
    return "These values may be out of date; ask before relying on them:\n" + "\n".join(lines)


def _itself(session: Session) -> Session:
    return session


def _seconds(stamp: object) -> float | None:
    if isinstance(stamp, int | float):
        return float(stamp)
    if not isinstance(stamp, str):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None
