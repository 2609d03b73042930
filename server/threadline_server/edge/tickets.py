"""Tickets: proof of who somebody is for one use within a minute, for clients that can only send an address.

An address ends up in logs and histories; a ticket found there is worth nothing any more. Only its digest is
kept, until it is used or its time is over.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from threadline.errors import Unauthorized
from threadline.ids import UserId
from threadline_server.backplane.base import Backplane
from threadline_server.edge.authentication import Principal, Proof

PREFIX = "tlt_"
KIND = "ticket"


class Tickets:
    def __init__(self, backplane: Backplane, now_s: Callable[[], float], life_s: float) -> None:
        self._backplane = backplane
        self._now_s = now_s
        self.life_s = life_s

    async def issue(self, principal: Principal) -> str:
        """A ticket that stands for `principal`, and for no longer than its own proof."""
        ticket = PREFIX + secrets.token_urlsafe(24)
        ttl_ms = round(self.life_s * 1000)
        await self._backplane.swap_value(KIND, _digest(ticket), None, _encode(principal), ttl_ms)
        return ticket

    async def redeem(self, ticket: str) -> Principal:
        """Once. Raises Unauthorized."""
        key = _digest(ticket)
        stored = await self._backplane.get_value(KIND, key)
        if stored is None or not await self._backplane.swap_value(KIND, key, stored, None):
            raise Unauthorized("This ticket was used or is too old; ask for another one.")
        principal = _decode(stored)
        if principal.expires_s is not None and principal.expires_s <= self._now_s():
            raise Unauthorized("The token behind this ticket has expired; sign in again.")
        return principal

    async def sweep(self) -> None:
        """Remove those whose time is over."""
        await self._backplane.list_values(KIND)


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def _encode(who: Principal) -> bytes:
    return json.dumps(encode_principal(who)).encode()


def _decode(stored: bytes) -> Principal:
    return decode_principal(json.loads(stored))


def encode_principal(who: Principal) -> list[object]:
    """As JSON, for what stands for somebody until later."""
    return [who.user, who.name, who.token, who.device_id, who.issued_s, who.expires_s, who.proof]


def decode_principal(fields: list[Any]) -> Principal:
    user, *others = fields
    return replace(Principal(UserId(user), *others), proof=Proof(others[-1]))
