"""The keys that tokens are signed with. Each serves one algorithm, so no key can be taken for another's.

    kty   algorithm          least
    oct   HS256              32 bytes, not of a few repeated
    OKP   EdDSA (Ed25519)
    RSA   RS256              2048 bits

Sources: RFC 7517 (JWK), RFC 8725, sections 3.1 and 3.5 (one algorithm a key, entropy of keys).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey, RSAKey

from threadline.errors import ConfigurationError, Unauthorized

MIN_SECRET_BYTES = 32
MIN_DISTINCT_BYTES = 10
MIN_RSA_BITS = 2048
ALGORITHM_OF = {"oct": "HS256", "OKP": "EdDSA", "RSA": "RS256"}
SAME_ALGORITHM = {"Ed25519": "EdDSA"}
"""RFC 9864 gave EdDSA over Ed25519 a name of its own; both are in use."""

_PLACEHOLDERS = ("changeme", "change-me", "change_me", "secret" * 3, "password", "example", "your-")
_UNKNOWN_KEY = "This token is signed with a key that is not known here."

Key: TypeAlias = OctKey | OKPKey | RSAKey


@dataclass(frozen=True, slots=True)
class TokenKey:
    id: str
    algorithm: str
    key: Key

    def __repr__(self) -> str:
        """Without the key, which must not reach a log."""
        return f"TokenKey(id={self.id!r}, algorithm={self.algorithm!r})"


class KeySource(Protocol):
    async def find(self, key_id: str | None, algorithm: str) -> TokenKey:
        """The key that a token's header names. Raises Unauthorized."""


class TokenKeys:
    """Keys given at the start. Several ids may be valid at once, which is how keys are changed."""

    def __init__(self, keys: Iterable[TokenKey]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def signing(self) -> TokenKey | None:
        """The first that can sign, not only verify."""
        return next((key for key in self._keys if key.key.is_private), None)

    def knows(self, key_id: str | None) -> bool:
        return any(key.id == key_id for key in self._keys)

    def pick(self, key_id: str | None, algorithm: str) -> TokenKey:
        """A token without an id fits only where one key of its algorithm is known. Raises Unauthorized."""
        algorithm = SAME_ALGORITHM.get(algorithm, algorithm)
        fitting = [
            key for key in self._keys if key.algorithm == algorithm and (key_id is None or key.id == key_id)
        ]
        if len(fitting) != 1:
            raise Unauthorized(_UNKNOWN_KEY)
        return fitting[0]

    async def find(self, key_id: str | None, algorithm: str) -> TokenKey:
        return self.pick(key_id, algorithm)


class JoinedKeys:
    """Several sources, asked in order."""

    def __init__(self, sources: Iterable[KeySource]) -> None:
        self._sources = tuple(sources)

    async def find(self, key_id: str | None, algorithm: str) -> TokenKey:
        for source in self._sources:
            try:
                return await source.find(key_id, algorithm)
            except Unauthorized:
                continue
        raise Unauthorized(_UNKNOWN_KEY)


def key_of_secret(secret: str) -> TokenKey:
    """The HS256 key of a shared secret. Raises ConfigurationError for a weak one."""
    _check_secret(secret.encode())
    return _named(OctKey.import_key(secret.encode()), {})


def read_keys(path: Path) -> TokenKeys:
    """A JWK, a JWK set or one PEM key, from a file. Raises ConfigurationError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The key file {path} cannot be read: {error}.") from error
    if "-----BEGIN" in text:
        return TokenKeys([_of_pem(text, path)])
    return parse_keys(text, str(path))


def parse_keys(text: str, where: str) -> TokenKeys:
    """A JWK or JWK set; keys for other purposes are passed over. Raises ConfigurationError."""
    try:
        data = json.loads(text)
        entries = data.get("keys", [data])
        keys = [_of_jwk(entry) for entry in entries if entry.get("use", "sig") == "sig"]
    except (ValueError, TypeError, AttributeError, JoseError) as error:
        raise ConfigurationError(f"{where} is not a set of JSON web keys: {error}.") from error
    found = [key for key in keys if key is not None]
    if not found:
        raise ConfigurationError(f"{where} holds no key for HS256, EdDSA (Ed25519) or RS256.")
    if len({key.id for key in found}) != len(found):
        raise ConfigurationError(f"{where} names two keys alike; each needs a kid of its own.")
    return TokenKeys(found)


def _of_jwk(entry: dict[str, Any]) -> TokenKey | None:
    """None for a key of a kind that is not used here. Raises ConfigurationError for a weak one."""
    algorithm = ALGORITHM_OF.get(entry.get("kty", ""))
    stated = entry.get("alg", algorithm)
    if algorithm is None or SAME_ALGORITHM.get(str(stated), stated) != algorithm:
        return None
    match entry["kty"]:
        case "oct":
            key: Key = OctKey.import_key(entry)
        case "RSA":
            key = RSAKey.import_key(entry)
        case _:
            if entry.get("crv") != "Ed25519":
                return None
            key = OKPKey.import_key(entry)
    return _named(key, entry)


def _of_pem(text: str, path: Path) -> TokenKey:
    for kind in (OKPKey, RSAKey):
        try:
            return _named(kind.import_key(text), {})
        except (ValueError, TypeError, JoseError):
            continue
    raise ConfigurationError(f"The key in {path} is neither Ed25519 nor RSA.")


def _named(key: Key, entry: dict[str, Any]) -> TokenKey:
    """Checked for strength; its id is its thumbprint unless it has one."""
    if isinstance(key, OctKey):
        _check_secret(key.raw_value)
    elif isinstance(key, RSAKey) and key.public_key.key_size < MIN_RSA_BITS:
        raise ConfigurationError(
            f"An RSA key of {key.public_key.key_size} bits is too weak; it needs {MIN_RSA_BITS}."
        )
    elif isinstance(key, OKPKey) and key.curve_name != "Ed25519":
        raise ConfigurationError(f"A key on {key.curve_name} is not used here; make one on Ed25519.")
    return TokenKey(entry.get("kid") or key.thumbprint(), ALGORITHM_OF[key.key_type], key)


def _check_secret(secret: bytes) -> None:
    advice = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"'
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(
            f"A signing secret needs at least {MIN_SECRET_BYTES} bytes, this one has {len(secret)}; {advice}"
        )
    plain = secret.lower().decode(errors="replace")
    if len(set(secret)) < MIN_DISTINCT_BYTES or any(word in plain for word in _PLACEHOLDERS):
        raise ConfigurationError(f"The signing secret is a placeholder that anybody can guess; {advice}")
