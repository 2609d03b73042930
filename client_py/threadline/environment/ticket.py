"""The cookie of a rollout: which session it is, and how much of it the client has seen.

`<session id>.<state vector>`, the vector as base64url without padding. The second part is what lets any
process answer any call of a rollout: a replica that does not have everything the client saw catches up
first, so a client reads its own writes and never an older value, whichever process it reaches.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from threadline.errors import ProtocolError
from threadline.update_ranges import read_state_vector

MAX_CLOCK_CHARS = 2048
"""A vector that is longer is left out: a cookie holds 4 KB."""

MAX_AGE_S = 1_209_600

_TICKET = re.compile(rf"(rollout-[0-9a-f]{{32}})(?:\.([A-Za-z0-9_-]{{0,{MAX_CLOCK_CHARS}}}))?")


@dataclass(frozen=True, slots=True)
class Ticket:
    """`fresh`: nobody has been given this id before."""

    session: str
    clocks: dict[int, int] = field(default_factory=dict)
    fresh: bool = False
    vector: bytes = b""

    @classmethod
    def new(cls) -> Ticket:
        return cls(f"rollout-{uuid.uuid4().hex}", fresh=True)

    @classmethod
    def read(cls, text: str) -> Ticket | None:
        """None for what is none of ours."""
        found = _TICKET.fullmatch(text)
        if found is None:
            return None
        try:
            vector = _decode(found[2] or "")
            return cls(found[1], read_state_vector(vector) if vector else {}, vector=vector)
        except (ProtocolError, binascii.Error):
            return None

    def seen(self, vector: bytes) -> Ticket:
        """The ticket of a client that has seen all of this state vector."""
        return Ticket(self.session, read_state_vector(vector), vector=vector)

    def is_covered_by(self, clocks: dict[int, int]) -> bool:
        return all(clocks.get(client, 0) >= clock for client, clock in self.clocks.items())

    def __str__(self) -> str:
        vector = base64.urlsafe_b64encode(self.vector).decode().rstrip("=")
        return f"{self.session}.{vector}" if vector and len(vector) <= MAX_CLOCK_CHARS else self.session


def cookie_in(header: str, name: str) -> Ticket | None:
    """Ours among the cookies of a request; those of others are left alone."""
    try:
        cookies: SimpleCookie = SimpleCookie(header)
    except CookieError:
        return None
    found = cookies.get(name)
    return Ticket.read(found.value) if found is not None else None


def set_cookie(name: str, ticket: Ticket) -> str:
    return f"{name}={ticket}; path=/; Max-Age={MAX_AGE_S}; httponly; samesite=lax"


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
