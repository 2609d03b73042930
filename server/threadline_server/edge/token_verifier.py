"""Signed tokens (JWS, compact form): who made them, for whom, until when.

What a token must have: `sub` (the user), `iss` and `aud` as configured, `iat`, and an `exp` not further from
`iat` than the longest life allowed. `nbf` is honoured, `name` is shown to people, `jti` and `device` can be
revoked.
The header may hold `alg`, `kid` and `typ` and nothing else: no keys, no addresses of keys, no extensions.
Sources: RFC 7515, RFC 7519, RFC 8725.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, extract_compact

from threadline.errors import Unauthorized
from threadline.ids import UserId, parse_user_id
from threadline_server.edge.authentication import Principal
from threadline_server.edge.token_keys import SAME_ALGORITHM, KeySource, TokenKey

ALGORITHMS = ("HS256", "EdDSA", "Ed25519", "RS256")
MAX_TOKEN_CHARS = 8192
MAX_LABEL_CHARS = 128
KEPT_TOKENS = 4_096
KEPT_TOKEN_CHARS = 1_024
LEEWAY_S = 5
_HEADER = frozenset({"alg", "kid", "typ"})
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})


class _Registry(JWSRegistry):
    """Knows `ALGORITHMS` alone. EdDSA is a name that issuers still write, and we hold it to Ed25519."""

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise Unauthorized("The algorithm of this token is not used here.")
        return self.algorithms["Ed25519" if name == "EdDSA" else name]


REGISTRY = _Registry(algorithms=ALGORITHMS)


@dataclass(frozen=True, slots=True)
class Demands:
    """What every token must state."""

    issuer: str
    audience: str
    max_life_s: float


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a token says whose signature was found good with `key`, which its header names so."""

    key_id: str | None
    algorithm: str
    key: TokenKey
    claims: Mapping[str, object]


class TokenVerifier:
    """Remembers by their digests which tokens were signed well, for as long as the same key is known, since a
    device sends one with every socket and request. Times, issuer and audience are checked each time.
    """

    def __init__(self, keys: KeySource, demands: Demands, now_s: Callable[[], float]) -> None:
        self._keys = keys
        self._demands = demands
        self._now_s = now_s
        self._signed: dict[bytes, _Signed] = {}

    async def verify(self, token: str) -> Principal:
        """Who a token is for. Raises Unauthorized, saying what is wrong without repeating the token."""
        if not token:
            raise Unauthorized("This server asks who you are; send a token.")
        if len(token) > MAX_TOKEN_CHARS or token.count(".") != 2:
            raise Unauthorized("This is not a signed token; sign in again.")
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        signed = self._signed.get(digest)
        if signed is None or signed.key is not await self._keys.find(signed.key_id, signed.algorithm):
            signed = await self._check_signature(token)
            if len(token) <= KEPT_TOKEN_CHARS:
                self._remember(digest, signed)
        return self._principal(signed.claims)

    def _remember(self, digest: bytes, signed: _Signed) -> None:
        if len(self._signed) >= KEPT_TOKENS:
            del self._signed[next(iter(self._signed))]
        self._signed[digest] = signed

    async def _check_signature(self, token: str) -> _Signed:
        try:
            key_id, algorithm = self._header_of(token)
            key = await self._keys.find(key_id, algorithm)
            assert key.algorithm == SAME_ALGORITHM.get(algorithm, algorithm)
            claims = jwt.decode(token, key.key, ALGORITHMS, REGISTRY).claims
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise Unauthorized("The signature of this token is wrong; sign in again.") from error
        return _Signed(key_id, algorithm, key, claims)

    def _header_of(self, token: str) -> tuple[str | None, str]:
        """The id of the key, and the algorithm."""
        header: Mapping[str, object] = extract_compact(token.encode(), registry=REGISTRY).headers()
        if not header.keys() <= _HEADER or str(header.get("typ", "JWT")).lower() not in _TYPES:
            raise Unauthorized("The header of this token holds what is not accepted here.")
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
            raise Unauthorized("The header of this token cannot be read.")
        if algorithm not in ALGORITHMS:
            raise Unauthorized("The algorithm of this token is not used here.")
        return key_id, algorithm

    def _principal(self, claims: Mapping[str, object]) -> Principal:
        demands = self._demands
        if claims.get("iss") != demands.issuer:
            raise Unauthorized("This token was made by another issuer.")
        if not _is_for(claims.get("aud"), demands.audience):
            raise Unauthorized("This token was made for another audience.")
        issued_s, expires_s = self._times(claims)
        return Principal(
            _user(claims.get("sub")),
            _label(claims, "name"),
            token=_label(claims, "jti"),
            device_id=_label(claims, "device"),
            issued_s=issued_s,
            expires_s=expires_s,
        )

    def _times(self, claims: Mapping[str, object]) -> tuple[float, float]:
        """(issued, expires), both checked against the clock."""
        now_s = self._now_s()
        issued_s, expires_s = _time(claims, "iat"), _time(claims, "exp")
        if expires_s <= now_s:
            raise Unauthorized("This token has expired; sign in again.")
        not_before_s = _time(claims, "nbf") if "nbf" in claims else issued_s
        if max(issued_s, not_before_s) > now_s + LEEWAY_S:
            raise Unauthorized("This token is not valid yet; check the clocks.")
        if expires_s - issued_s > self._demands.max_life_s:
            raise Unauthorized(
                f"This token lasts longer than the {self._demands.max_life_s:.0f} s allowed here."
            )
        return issued_s, expires_s


def _user(subject: object) -> UserId:
    if not isinstance(subject, str):
        raise Unauthorized("This token names no user.")
    try:
        return parse_user_id(subject)
    except ValueError as error:
        raise Unauthorized(f"The user of this token has no name that is allowed here. {error}") from error


def _is_for(stated: object, audience: str) -> bool:
    return stated == audience or (isinstance(stated, list) and audience in stated)


def _time(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unauthorized(f"This token states no {name}.")
    return float(value)


def _label(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > MAX_LABEL_CHARS or not value.isprintable():
        raise Unauthorized(f"The {name} of this token is not a short text.")
    return value
