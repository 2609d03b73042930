"""The proof of who this device is: fixed, or fetched anew whenever the server asks."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from threadline.errors import Unauthorized

TokenSource = str | Callable[[], str | Awaitable[str]]


class Token:
    """`value` is what to send now; `refresh` asks the source again."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self.value = source if isinstance(source, str) else ""

    @property
    def renewable(self) -> bool:
        return not isinstance(self._source, str)

    async def refresh(self) -> None:
        """Raises Unauthorized where the source fails, whatever its reason."""
        if isinstance(self._source, str):
            return
        try:
            value = self._source()
            self.value = await value if inspect.isawaitable(value) else value
        except Exception as error:
            raise Unauthorized(f"No token could be fetched: {error}") from error
