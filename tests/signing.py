"""Tokens as an issuer would sign them, and as an attacker would forge them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey, RSAKey

from threadline_server.edge.token_keys import Key
from threadline_server.edge.token_verifier import REGISTRY

SECRET = "k3J-9sLq2ZxV7bNwT1yRfH6uEoPaMc4DgXi8KjQv0W5tYsBz"
ISSUER = AUDIENCE = "threadline"


def claims_of(user: str, **others: object) -> dict[str, Any]:
    """Claims that a node takes, good for an hour; a value of None leaves one out."""
    now_s = int(time.time())
    claims = {"sub": user, "iss": ISSUER, "aud": AUDIENCE, "iat": now_s, "exp": now_s + 3600}
    return {name: value for name, value in (claims | others).items() if value is not None}


def sign(claims: dict[str, Any], key: Key | None = None, algorithm: str = "HS256", **header: object) -> str:
    secret = OctKey.import_key(SECRET.encode())
    return jwt.encode({"alg": algorithm, **header}, claims, key or secret, [algorithm], REGISTRY)


def token_of(user: str, **claims: object) -> str:
    return sign(claims_of(user, **claims))


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """The compact form with any header, put together by hand."""
    return ".".join((_part(header), _part(claims), _base64(signature)))


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def keys_of_each_kind() -> dict[str, Key]:
    """By algorithm, private parts included."""
    return {
        "HS256": OctKey.import_key(SECRET.encode()),
        "EdDSA": OKPKey.generate_key("Ed25519"),
        "RS256": RSAKey.generate_key(2048),
    }
