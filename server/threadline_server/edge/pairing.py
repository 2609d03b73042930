"""Pairing: a device shows a one-time code that its person read on the server's terminal, and is let in.

A code serves once. Guessing is bounded: after a few wrong tries the code is replaced, and the people at the
terminal see the new one. Devices that are in let further ones in by `edge.device_links`.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from threadline.errors import Unauthorized
from threadline.ids import UserId, parse_user_id

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without what people confuse: 0 and O, 1, I and L, U and V."""

CODE_CHARS = 8
GROUP_CHARS = 4
WRONG_TRIES = 5


def new_code(characters: int = CODE_CHARS) -> str:
    """In groups of four, `XXXX-XXXX`; each character has 4.9 bits."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(characters))
    return "-".join(drawn[start : start + GROUP_CHARS] for start in range(0, characters, GROUP_CHARS))


def plain(code: str) -> str:
    """A code as typed by people: spaces, dashes and case do not matter."""
    return "".join(code.split()).replace("-", "").upper()


class Pairing:
    """`on_code` is told each code, the first one included."""

    def __init__(self, *, on_code: Callable[[str], None]) -> None:
        self._on_code = on_code
        self._renew()

    @property
    def code(self) -> str:
        return self._code

    def _renew(self) -> None:
        self._code = new_code()
        self._wrong = 0
        self._on_code(self._code)

    def redeem(self, code: str, name: str) -> UserId:
        """The user `name`, let in. Raises ValueError for the name, Unauthorized for the code."""
        user = parse_user_id(name)
        if not hmac.compare_digest(plain(code).encode(), plain(self._code).encode()):
            self._wrong += 1
            if self._wrong >= WRONG_TRIES:
                self._renew()
            raise Unauthorized("This pairing code is wrong or was used; read the newest one at the server.")
        self._renew()
        return user
