"""What was valid and is not any more: a token, a device, or everything a user was given so far.

The list is in the ledger, shared by all nodes, and each keeps a copy, which `edge.access_watch` refreshes.
An entry lasts as long as a token can.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from threadline.errors import Unauthorized
from threadline_server.backplane.base import Backplane
from threadline_server.edge.authentication import Principal, Proof

KIND = "revoked"


class Subject(StrEnum):
    TOKEN = "token"  # noqa: S105
    DEVICE = "device"
    USER = "user"


class Revocations:
    """`is_revoked` looks at the copy of this node; `refresh` renews it."""

    def __init__(self, backplane: Backplane, now_s: Callable[[], float], kept_s: float) -> None:
        self._backplane = backplane
        self._now_s = now_s
        self._kept_s = kept_s
        self._since_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._since_s)

    async def add(self, subject: Subject, name: str) -> None:
        """From now on nothing of it that was issued until now is good."""
        key = f"{subject}:{name}"
        value = repr(self._now_s()).encode()
        ttl_ms = round(self._kept_s * 1000)
        while not await self._backplane.swap_value(
            KIND, key, await self._backplane.get_value(KIND, key), value, ttl_ms
        ):
            pass
        self._since_s[key] = float(value)

    async def refresh(self) -> None:
        stored = await self._backplane.list_values(KIND)
        self._since_s = {key: float(value) for key, value in stored.items()}

    def is_revoked(self, principal: Principal) -> bool:
        """A mere name is not: nothing was given out with it that could be taken back."""
        if not self._since_s or principal.proof is Proof.NAME:
            return False
        for subject, name in (
            (Subject.TOKEN, principal.token),
            (Subject.DEVICE, principal.device_id),
            (Subject.USER, principal.user),
        ):
            since_s = self._since_s.get(f"{subject}:{name}") if name else None
            if since_s is not None and principal.issued_s <= since_s:
                return True
        return False

    def check(self, principal: Principal) -> Principal:
        """Raises Unauthorized for one that was revoked."""
        if self.is_revoked(principal):
            raise Unauthorized("This token was revoked; sign in again.")
        return principal
