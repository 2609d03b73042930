"""The key of an offline store: where it comes from, and how it seals what is kept.

AES-256-GCM under a key derived (HKDF-SHA256) from the application's and a salt of the file, so that one key
may serve many files; each value has a nonce of its own and is bound to its document and its place in it.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from threadline.errors import ConfigurationError, StoreError

KEY_BYTES = 32
SALT_BYTES = 16
_NONCE_BYTES = 12
_PURPOSE = b"threadline offline store"

StoreKey: TypeAlias = bytes | str | Path
"""32 bytes, or a file whose first line ends with them in base64, as `threadline keys new` prints it."""


class Sealing(Protocol):
    def seal(self, data: bytes, place: str) -> bytes: ...

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Raises StoreError for what was not sealed here, for that place."""


class Unsealed:
    """Keeps everything as it is."""

    def seal(self, data: bytes, place: str) -> bytes:
        return data

    def unseal(self, sealed: bytes, place: str) -> bytes:
        return sealed


class Sealed:
    def __init__(self, key: bytes, salt: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_PURPOSE).derive(key)
        self._cipher = AESGCM(derived)

    def seal(self, data: bytes, place: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, place.encode())

    def unseal(self, sealed: bytes, place: str) -> bytes:
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, text, place.encode())
        except (InvalidTag, ValueError) as error:
            raise StoreError("A value of the offline store was changed, or sealed by another key.") from error


def read_key(given: StoreKey) -> bytes:
    """The 32 bytes. Raises ConfigurationError, without repeating what is no key."""
    if isinstance(given, bytes):
        return _checked(given, "The key of the offline store")
    path = Path(given).expanduser()
    try:
        lines = path.read_text(encoding="ascii").split("\n")
        return _checked(base64.b64decode(lines[0].split()[-1], validate=True), f"The key in {path}")
    except (OSError, ValueError, IndexError, binascii.Error) as error:
        raise ConfigurationError(
            f"No key of an offline store can be read from {path}; make one with `threadline keys new > FILE`."
        ) from error


def _checked(key: bytes, name: str) -> bytes:
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{name} has {len(key)} bytes; it must be {KEY_BYTES} random ones.")
    return key
