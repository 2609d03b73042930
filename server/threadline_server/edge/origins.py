"""Which web pages may use this server: a browser names its origin, and lets any page connect anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit


class Origins:
    """The server's own pages and those of `allowed` origins. Programs that are no browsers send no origin."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed)

    def allows(self, origin: str | None, host: str | None) -> bool:
        """`origin` and `host` are the request's headers."""
        if origin is None:
            return True
        if origin.lower() in self._allowed:
            return True
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()
