"""The counter environment."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from threadline.environment import Environment, action
from threadline.session import Session


class Row(BaseModel):
    initial_count: int


class Target(BaseModel):
    expected_count: int


class Change(BaseModel):
    count: int


class StatefulCounter(Environment):
    """The count is one of the session's counters, so concurrent changes add up, whoever makes them."""

    name = "counter_environment"

    def seed(self, session: Session, task: Row) -> None:
        session.counters.add("count", task.initial_count - session.counters["count"])
        session.set("initial_count", task.initial_count)

    def verify(self, session: Session, task: Target, response: dict[str, Any]) -> float:
        return float(session.counters["count"] == task.expected_count)

    @action
    def increment_counter(self, session: Session, change: Change) -> dict[str, bool]:
        session.counters.add("count", change.count)
        return {"success": True}

    @action
    def decrement_counter(self, session: Session, change: Change) -> dict[str, bool]:
        session.counters.add("count", -change.count)
        return {"success": True}

    @action
    def get_counter_value(self, session: Session) -> dict[str, int]:
        return {"count": int(session.counters["count"])}
