"""Master keys: they encrypt nothing but the data keys of sessions, so that changing one is quick.

The file has a line for each, `<id> <32 bytes in base64>`; the first wraps, the others still unwrap. To change
the key, put a new line on top, run `threadline keys rotate`, then take the old line away.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from threadline.errors import ConfigurationError, StoreError

KEY_BYTES = 32
NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key as it is stored, and by which master key."""

    master: str
    data: bytes


class Wrapping(Protocol):
    """Where master keys are: here, or a key management service that an application puts in this place."""

    @property
    def current(self) -> str:
        """The id of the key that wraps, without spaces."""

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """Under the current master key. `context` is whose key it is; it unwraps as nobody else's."""

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """Raises StoreError where the master key is not known, or is another one."""


class MasterKeys:
    """A `Wrapping` by keys that this process holds."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        if not keys:
            raise ConfigurationError("There is no master key; `threadline keys new` makes one.")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        self.current = keys[0][0]

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        nonce = os.urandom(NONCE_BYTES)
        return Wrapped(self.current, nonce + self._ciphers[self.current].encrypt(nonce, key, context))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        cipher = self._ciphers.get(wrapped.master)
        if cipher is None:
            raise StoreError(
                f"This data is encrypted under the master key {wrapped.master}, which was not given."
            )
        try:
            return cipher.decrypt(wrapped.data[:NONCE_BYTES], wrapped.data[NONCE_BYTES:], context)
        except InvalidTag as error:
            raise StoreError(
                f"The master key {wrapped.master} is not the one that this data is encrypted under."
            ) from error


def new_line() -> str:
    """A fresh master key as a line of the file."""
    return f"k{secrets.token_hex(4)} {base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def read_master_keys(path: Path) -> MasterKeys:
    """Raises ConfigurationError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The file of master keys {path} cannot be read: {error}.") from error
    return parse_master_keys(text, str(path))


def parse_master_keys(text: str, where: str) -> MasterKeys:
    """The keys of a file's text, or of a variable's, where commas may stand for ends of lines."""
    lines = [line.strip() for line in text.replace(",", "\n").splitlines()]
    keys = [_parse_line(line, where) for line in lines if line and not line.startswith("#")]
    if len({key_id for key_id, _ in keys}) != len(keys):
        raise ConfigurationError(f"{where} names two master keys alike.")
    return MasterKeys(keys)


def _parse_line(line: str, where: str) -> tuple[str, bytes]:
    key_id, _, encoded = line.partition(" ")
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES or len(set(key)) < KEY_BYTES // 3:
        raise ConfigurationError(
            f"{where} holds a line that is no master key: an id, a space and {KEY_BYTES} random bytes in "
            "base64. `threadline keys new` makes one."
        )
    return key_id, key
