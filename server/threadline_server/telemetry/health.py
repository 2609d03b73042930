"""Health: *live* means the loop turns; *ready* means that this node should get new devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Check = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Readiness:
    """`checks` maps what was asked to its answer; ready when all of them hold."""

    checks: dict[str, bool]

    @property
    def ready(self) -> bool:
        return all(self.checks.values())


class Health:
    """Named checks, each cheap and never blocking."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    def readiness(self) -> Readiness:
        return Readiness({name: check() for name, check in self._checks.items()})
