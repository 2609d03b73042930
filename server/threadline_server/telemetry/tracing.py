"""What the server asks of whoever keeps traces. Where nobody does, it is None and nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

Attributes = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of something that is over. Times are Unix nanoseconds."""

    name: str
    start_ns: int
    end_ns: int


class Span(Protocol):
    """Something that goes on."""

    def child(self, name: str, attributes: Attributes) -> Span: ...

    def note(self, attributes: Attributes) -> None: ...

    def fail(self, code: str) -> None: ...

    def end(self) -> None: ...


class Tracing(Protocol):
    def record(
        self, name: str, start_ns: int, end_ns: int, attributes: Attributes, parts: Sequence[Part]
    ) -> None:
        """Something that is over, with its parts. Must not block and not raise."""

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """Something that goes on in this task: what libraries trace meanwhile is within it."""

    def close(self) -> None:
        """Send what was gathered; may take a few seconds."""
