"""Pairing: a device shows a one-time code that its person read on the server's terminal, and gets a token.

A code serves once. Guessing is bounded: after a few wrong tries the code is replaced, and the people at the
terminal see the new one.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from threadline.errors import StoreError, Unauthorized
from threadline.ids import parse_user_id
from threadline_server.edge.authentication import Principal

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without what people confuse: 0 and O, 1, I and L, U and V."""

CODE_CHARS = 8
WRONG_TRIES = 5
TOKEN_LIFE_S = 30 * 24 * 3600
KEY_BYTES = 32
KEY_FILE = "pairing.key"

_ALGORITHM = "HS256"
_ISSUER = "threadline-pairing"
_AUDIENCE = "threadline"


def new_code() -> str:
    """About 39 bits, as `XXXX-XXXX`."""
    characters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))
    return f"{characters[:4]}-{characters[4:]}"


def kept_key(directory: Path) -> bytes:
    """The signing key of this data directory, made at the first call, so that tokens outlive a restart.

    Raises StoreError where it can be neither read nor made.
    """
    path = directory / KEY_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _write_once(path, secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"The pairing key {path} cannot be used ({error.strerror}); check the directory's rights."
        ) from error
    if len(key) != KEY_BYTES:
        raise StoreError(f"The pairing key {path} is damaged; delete it and pair the devices again.")
    return key


def _write_once(path: Path, key: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


class Pairing:
    """An `Authenticator` of tokens that it gave out itself for codes.

    `on_code` is told each code, the first one included.
    """

    def __init__(self, key: bytes, *, now_s: Callable[[], int], on_code: Callable[[str], None]) -> None:
        self._key = OctKey.import_key(key)
        self._now_s = now_s
        self._on_code = on_code
        self._claims = jwt.JWTClaimsRegistry(
            now=now_s,
            iss={"essential": True, "value": _ISSUER},
            aud={"essential": True, "value": _AUDIENCE},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
        )
        self._renew()

    @property
    def code(self) -> str:
        return self._code

    def _renew(self) -> None:
        self._code = new_code()
        self._wrong = 0
        self._on_code(self._code)

    def redeem(self, code: str, name: str) -> str:
        """A token for the user `name`. Raises ValueError for the name, Unauthorized for the code."""
        user = parse_user_id(name)
        if not hmac.compare_digest(_plain(code).encode(), _plain(self._code).encode()):
            self._wrong += 1
            if self._wrong >= WRONG_TRIES:
                self._renew()
            raise Unauthorized("This pairing code is wrong or was used; read the newest one at the server.")
        self._renew()
        now_s = self._now_s()
        claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": user, "iat": now_s, "exp": now_s + TOKEN_LIFE_S}
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key, [_ALGORITHM])

    async def authenticate(self, token: str, *, in_url: bool = False) -> Principal:
        if not token:
            raise Unauthorized("Pair this device first: open /pair and enter the code shown at the server.")
        try:
            claims = jwt.decode(token, self._key, [_ALGORITHM]).claims
            self._claims.validate(claims)
            user = parse_user_id(str(claims["sub"]))
        except (JoseError, ValueError) as error:
            raise Unauthorized("This token is not valid here any more; pair the device again.") from error
        return Principal(user, user)


def _plain(code: str) -> str:
    """A code as typed by people: spaces, dashes and case do not matter."""
    return "".join(code.split()).replace("-", "").upper()
