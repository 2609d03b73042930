"""Who somebody is. What they may do in a session is `edge.access`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from threadline.errors import Unauthorized
from threadline.ids import UserId, parse_user_id

GUEST = UserId("guest")
"""Everybody without a token, under one name: a client id is bound to its user, so the name must last."""


class Proof(StrEnum):
    """How somebody showed who they are."""

    NAME = "name"
    """Nothing was shown: a name was said where names are believed."""
    SIGNED = "signed"
    SERVICE = "service"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated user. `name` is for people and may be empty.

    `token` and `device_id` name what may be revoked, empty where that cannot be. `issued_s` and `expires_s`
    are Unix seconds, None for proof that does not end by itself.
    """

    user: UserId
    name: str = ""
    token: str = ""
    device_id: str = ""
    issued_s: float = 0.0
    expires_s: float | None = None
    proof: Proof = Proof.SIGNED


class Authenticator(Protocol):
    async def authenticate(self, token: str, *, in_url: bool = False) -> Principal:
        """Who presents `token` (empty when none came). Raises Unauthorized, saying what to do.

        `in_url`: it stood in an address, which servers and browsers write down.
        """


class TrustingAuthenticator:
    """Believes every token: it is the user's name; without one, the user is a guest. For loopback only."""

    async def authenticate(self, token: str, *, in_url: bool = False) -> Principal:
        if not token:
            return Principal(GUEST, "Guest", proof=Proof.NAME)
        try:
            return Principal(parse_user_id(token), token, proof=Proof.NAME)
        except ValueError as error:
            raise Unauthorized(f"This server takes the token as your name. {error}") from error
