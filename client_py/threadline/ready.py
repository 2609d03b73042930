"""Results that may be awaited although they are there."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Self


class Ready:
    """Awaiting it gives it: so a call form with `await` and one without have the same type."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()
        return self
