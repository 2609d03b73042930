"""Linking a further device, "continue on my phone", by the rules of RFC 8628.

A device that is signed in asks for a code and shows it. The new device claims it and gets a number; the first
one shows the same number and confirms; the new one then exchanges its claim for a device token.

Against guessing (RFC 8628, 5.1): a code has 59 bits, waits for minutes, and is claimed once; tries are
counted by address. A code that somebody guessed or photographed still brings nothing: the first device shows
who claimed it, and decides (5.4). Kept are digests; claims have 256 random bits (5.2).

    waiting -- claim --> claimed -- confirm --> confirmed -- exchange --> gone
                            \\-- refuse ---> refused
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from threadline.errors import Forbidden, LimitExceeded, SessionError, SessionNotFound, Unauthorized
from threadline_server.backplane.base import Backplane
from threadline_server.edge.authentication import Principal
from threadline_server.edge.kept_tokens import KeptToken, KeptTokens, TokenKind
from threadline_server.edge.options import EdgeOptions
from threadline_server.edge.pairing import new_code, plain
from threadline_server.edge.revocations import Revocations
from threadline_server.edge.tickets import decode_principal, encode_principal

KIND = "device_link"
CODE_CHARS = 12
MAX_OPEN_PER_USER = 5


class Stage(StrEnum):
    WAITING = "waiting"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class DeviceLink:
    """`maker` is who is signed in on the first device; `session` is where to go on, empty for nowhere.

    `device` is what the new one calls itself and `number` what both show, empty until it has claimed.
    """

    id: str
    maker: Principal
    session: str
    expires_s: float
    stage: Stage = Stage.WAITING
    device: str = ""
    number: str = ""
    claim: str = ""


class LinkRefused(Forbidden):
    """The first device said no (RFC 8628, 3.5)."""

    code = "access_denied"


class LinkExpired(Unauthorized):
    """The code or the claim was used, or its time is over (RFC 8628, 3.5)."""

    code = "expired_token"


class DeviceLinks:
    def __init__(
        self,
        backplane: Backplane,
        kept: KeptTokens,
        revocations: Revocations,
        now_s: Callable[[], float],
        options: EdgeOptions,
    ) -> None:
        self._backplane = backplane
        self._kept = kept
        self._revocations = revocations
        self._now_s = now_s
        self._options = options
        self.poll_s = options.link_poll_s

    async def make(self, maker: Principal, session: str) -> tuple[DeviceLink, str]:
        """A link and its code, which is not kept. Raises LimitExceeded."""
        await self._require_room(maker)
        code = new_code(CODE_CHARS)
        link = DeviceLink(_id_of(code), maker, session, self._now_s() + self._options.link_life_s)
        await self._swap(link.id, None, link)
        return link, code

    async def claim(self, code: str, device: str) -> tuple[DeviceLink, str]:
        """For the new device: the link, and a claim to exchange later. Raises LinkExpired."""
        stored, link = await self._find(_id_of(code))
        if link.stage is not Stage.WAITING:
            raise _expired()
        secret = secrets.token_urlsafe(32)
        number = f"{secrets.randbelow(90) + 10}"
        claimed = replace(link, stage=Stage.CLAIMED, device=device, number=number, claim=_digest(secret))
        if not await self._swap(link.id, stored, claimed):
            raise _expired()
        return claimed, f"{link.id}.{secret}"

    async def look(self, user: str, link_id: str) -> DeviceLink:
        """For the first device. Raises SessionNotFound with the code `link_not_found`."""
        return (await self._own(user, link_id))[1]

    async def confirm(self, user: str, link_id: str) -> DeviceLink:
        """Raises SessionError with the code `link_not_claimed` where there is nothing to confirm."""
        return await self._decide(user, link_id, Stage.CONFIRMED)

    async def refuse(self, user: str, link_id: str) -> DeviceLink:
        """Also withdraws a code that nobody has claimed."""
        return await self._decide(user, link_id, Stage.REFUSED)

    async def exchange(self, claim: str) -> tuple[DeviceLink, KeptToken, str] | None:
        """For the new device: the link and its token, once; None while the first device has not decided.

        Raises LinkRefused, LinkExpired, LimitExceeded, or Unauthorized where the first device was revoked.
        """
        link_id, _, secret = claim.partition(".")
        stored, link = await self._find(link_id[:64])
        if not hmac.compare_digest(link.claim, _digest(secret)):
            raise _expired()
        if link.stage is Stage.REFUSED:
            raise LinkRefused("The other device said no.")
        if link.stage is not Stage.CONFIRMED:
            return None
        self._revocations.check(link.maker)
        if not await self._swap(link.id, stored, None):
            raise _expired()
        life_s = self._options.device_token_life_s
        kept, token = await self._kept.issue(link.maker, TokenKind.DEVICE, link.device, life_s)
        return link, kept, token

    async def _require_room(self, maker: Principal) -> None:
        stored = await self._backplane.list_values(KIND)
        count = sum(_decode(value).maker.user == maker.user for value in stored.values())
        if count >= MAX_OPEN_PER_USER:
            raise LimitExceeded(f"There are {count} codes waiting already; use one, or wait some minutes.")

    async def _decide(self, user: str, link_id: str, stage: Stage) -> DeviceLink:
        stored, link = await self._own(user, link_id)
        if stage is Stage.CONFIRMED and link.stage is not Stage.CLAIMED:
            raise SessionError("There is no device to confirm, or it was decided.", code="link_not_claimed")
        decided = replace(link, stage=stage)
        if not await self._swap(link.id, stored, decided):
            raise SessionError("This was decided meanwhile.", code="link_not_claimed")
        return decided

    async def _own(self, user: str, link_id: str) -> tuple[bytes, DeviceLink]:
        stored = await self._backplane.get_value(KIND, link_id)
        link = None if stored is None else _decode(stored)
        if stored is None or link is None or link.maker.user != user or self._now_s() >= link.expires_s:
            raise SessionNotFound("This code was used, or its time is over.", code="link_not_found")
        return stored, link

    async def _find(self, link_id: str) -> tuple[bytes, DeviceLink]:
        stored = await self._backplane.get_value(KIND, link_id)
        link = None if stored is None else _decode(stored)
        if stored is None or link is None or self._now_s() >= link.expires_s:
            raise _expired()
        return stored, link

    async def _swap(self, link_id: str, old: bytes | None, new: DeviceLink | None) -> bool:
        if new is None:
            return await self._backplane.swap_value(KIND, link_id, old, None)
        ttl_ms = max(1, round((new.expires_s - self._now_s()) * 1000))
        return await self._backplane.swap_value(KIND, link_id, old, _encode(new), ttl_ms)


def _expired() -> LinkExpired:
    return LinkExpired("This code is wrong, was used, or is too old; ask the other device for a new one.")


def _id_of(code: str) -> str:
    return _digest(plain(code))[:32]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _encode(link: DeviceLink) -> bytes:
    fields = [link.id, encode_principal(link.maker), link.session, link.expires_s]
    return json.dumps([*fields, link.stage, link.device, link.number, link.claim]).encode()


def _decode(stored: bytes) -> DeviceLink:
    link_id, maker, session, expires_s, stage, *claimed = json.loads(stored)
    return DeviceLink(link_id, decode_principal(maker), session, expires_s, Stage(stage), *claimed)
