"""Tokens that the server gives out and keeps: keys of services, and the tokens of linked devices.

`tlk_<id>_<secret>`. What is kept is a digest of the secret, which has 256 random bits, so that a fast digest
is enough; whoever reads the store can use none of them. They are listed and revoked by their ids.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from threadline.errors import LimitExceeded, SessionNotFound, Unauthorized
from threadline.ids import UserId, is_agent
from threadline_server.backplane.base import Backplane
from threadline_server.edge.authentication import Principal, Proof

PREFIX = "tlk_"
KIND = "kept_token"
MAX_PER_USER = 50


class TokenKind(StrEnum):
    SERVICE = "service"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class KeptToken:
    """`label` is what its owner calls it; `expires_s` is None for one that lasts until it is revoked."""

    id: str
    user: UserId
    name: str
    kind: TokenKind
    label: str
    created_s: float
    expires_s: float | None
    digest: str


class KeptTokens:
    def __init__(self, backplane: Backplane, now_s: Callable[[], float]) -> None:
        self._backplane = backplane
        self._now_s = now_s

    async def issue(
        self, owner: Principal, kind: TokenKind, label: str, life_s: float | None
    ) -> tuple[KeptToken, str]:
        """A new token for `owner`, and its text, which is not kept. Raises LimitExceeded."""
        if len(await self.of_user(owner.user)) >= MAX_PER_USER:
            raise LimitExceeded(f"There are {MAX_PER_USER} keys and devices already; revoke one first.")
        secret = secrets.token_urlsafe(32)
        now_s = self._now_s()
        kept = KeptToken(
            id=secrets.token_hex(8),
            user=owner.user,
            name=owner.name,
            kind=kind,
            label=label,
            created_s=now_s,
            expires_s=None if life_s is None else now_s + life_s,
            digest=_digest(secret),
        )
        ttl_ms = 0 if life_s is None else round(life_s * 1000)
        await self._backplane.swap_value(KIND, kept.id, None, _encode(kept), ttl_ms)
        return kept, f"{PREFIX}{kept.id}_{secret}"

    async def authenticate(self, token: str) -> Principal:
        """Raises Unauthorized."""
        token_id, _, secret = token.removeprefix(PREFIX).partition("_")
        stored = await self._backplane.get_value(KIND, token_id[:64])
        kept = None if stored is None else _decode(stored)
        if kept is None or not hmac.compare_digest(kept.digest, _digest(secret)):
            raise Unauthorized("This key is not known here, or was revoked.")
        if kept.expires_s is not None and kept.expires_s <= self._now_s():
            raise Unauthorized("This key has expired.")
        return Principal(
            kept.user,
            kept.name,
            token=kept.id,
            device_id=kept.id,
            issued_s=kept.created_s,
            expires_s=kept.expires_s,
            proof=Proof.SERVICE if kept.kind is TokenKind.SERVICE else Proof.DEVICE,
        )

    async def of_user(self, user: str) -> list[KeptToken]:
        """Oldest first."""
        stored = await self._backplane.list_values(KIND)
        kept = [token for token in map(_decode, stored.values()) if token.user == user]
        return sorted(kept, key=lambda token: token.created_s)

    async def of_agents(self) -> list[KeptToken]:
        """Keys with which agents come, oldest first."""
        stored = await self._backplane.list_values(KIND)
        kept = [token for token in map(_decode, stored.values()) if is_agent(token.user)]
        return sorted(kept, key=lambda token: token.created_s)

    async def forget(self, user: str, token_id: str) -> None:
        """Raises SessionNotFound when `user` has no such token."""
        stored = await self._backplane.get_value(KIND, token_id)
        if stored is None or _decode(stored).user != user:
            raise SessionNotFound("You have no key or device with this id.", code="token_not_found")
        await self._backplane.swap_value(KIND, token_id, stored, None)

    async def drop(self, token_id: str) -> None:
        """As `forget`, whoever has it; idempotent."""
        stored = await self._backplane.get_value(KIND, token_id)
        if stored is not None:
            await self._backplane.swap_value(KIND, token_id, stored, None)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _encode(kept: KeptToken) -> bytes:
    fields = [kept.id, kept.user, kept.name, kept.kind, kept.label, kept.created_s, kept.expires_s]
    return json.dumps([*fields, kept.digest]).encode()


def _decode(stored: bytes) -> KeptToken:
    token_id, user, name, kind, label, created_s, expires_s, digest = json.loads(stored)
    return KeptToken(token_id, UserId(user), name, TokenKind(kind), label, created_s, expires_s, digest)
