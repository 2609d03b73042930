"""Data keys: one per session, kept in the ledger under a master key, and one for the catalogue.

A session's key is made with it and destroyed with it; what it encrypted is lost then, whoever has copies.
The nonce is derived from the data by a keyed hash, as in SIV modes: a turn that is sent again, because its
reply was lost, must be the same bytes again for a store to recognise it.

Sources: NIST SP 800-38D (AES-GCM, at most 2^32 nonces of 96 bits a key); RFC 8452, section 1 (derived
nonces); RFC 5297 (AES-SIV, for labels, which must stay comparable).
"""

from __future__ import annotations

import base64
import os
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from threadline.errors import StoreError
from threadline_server.backplane.base import Backplane
from threadline_server.backplane.master_keys import KEY_BYTES, NONCE_BYTES, Wrapped, Wrapping

KIND = "data_key"
MARK = b"\xff\xffTS\x01"
"""Begins what is sealed. As the beginning of an update it would announce a million clients, which no gate
lets in, so what was stored before encryption was turned on is told apart.
"""

TEXT_MARK = "\u2063sealed:"
CIPHER_KEY_BYTES = KEY_BYTES * 3


class Cipher:
    """Seals and opens by one data key. `context` is where the data lies; it opens nowhere else."""

    __slots__ = ("_gcm", "_nonce_key", "_siv")

    def __init__(self, key: bytes) -> None:
        """`key` is three keys in a row."""
        self._gcm = AESGCM(key[:KEY_BYTES])
        self._nonce_key = key[KEY_BYTES : 2 * KEY_BYTES]
        self._siv = key[2 * KEY_BYTES :]

    def seal(self, data: bytes, context: bytes) -> bytes:
        """The same bytes for the same data in the same place."""
        nonce = blake2b(context + b"\0" + data, digest_size=NONCE_BYTES, key=self._nonce_key).digest()
        return MARK + nonce + self._gcm.encrypt(nonce, data, context)

    def open(self, data: bytes, context: bytes) -> bytes:
        """What was sealed; what never was is given back as it is. Raises StoreError."""
        if not data.startswith(MARK):
            return data
        start = len(MARK)
        try:
            return self._gcm.decrypt(data[start : start + NONCE_BYTES], data[start + NONCE_BYTES :], context)
        except InvalidTag as error:
            raise StoreError("Encrypted data cannot be opened: it was changed, or its key was.") from error

    def seal_text(self, text: str, context: bytes) -> str:
        """Empty texts stay empty: they tell nothing, and cost nothing so."""
        return TEXT_MARK + _encode(self.seal(text.encode(), context)) if text else ""

    def open_text(self, text: str, context: bytes) -> str:
        if not text.startswith(TEXT_MARK):
            return text
        return self.open(_decode(text), context).decode()

    def seal_label(self, label: str) -> str:
        """The same for the same label, so that sessions are found by it."""
        return TEXT_MARK + _encode(AESSIV(self._siv).encrypt(label.encode(), None))

    def open_label(self, label: str) -> str:
        if not label.startswith(TEXT_MARK):
            return label
        try:
            return AESSIV(self._siv).decrypt(_decode(label), None).decode()
        except InvalidTag as error:
            raise StoreError("An encrypted label cannot be opened.") from error


class DataKeys:
    def __init__(self, ledger: Backplane, wrapping: Wrapping) -> None:
        self._ledger = ledger
        self._wrapping = wrapping

    async def find(self, name: str) -> Cipher | None:
        stored = await self._ledger.get_value(KIND, name)
        return None if stored is None else await self._cipher(name, stored)

    async def find_or_make(self, name: str) -> Cipher:
        """One key for everybody who asks, however many do at once."""
        while True:
            cipher = await self.find(name)
            if cipher is not None:
                return cipher
            wrapped = await self._wrapping.wrap(os.urandom(CIPHER_KEY_BYTES), name.encode())
            await self._ledger.swap_value(KIND, name, None, _stored(wrapped))

    async def destroy(self, name: str) -> None:
        stored = await self._ledger.get_value(KIND, name)
        while stored is not None and not await self._ledger.swap_value(KIND, name, stored, None):
            stored = await self._ledger.get_value(KIND, name)

    async def rotate(self) -> int:
        """Wrap every key anew that is not under the current master key; how many that were."""
        changed = 0
        for name, stored in (await self._ledger.list_values(KIND)).items():
            wrapped = _wrapped(stored)
            if wrapped.master == self._wrapping.current:
                continue
            key = await self._wrapping.unwrap(wrapped, name.encode())
            anew = _stored(await self._wrapping.wrap(key, name.encode()))
            changed += await self._ledger.swap_value(KIND, name, stored, anew)
        return changed

    async def _cipher(self, name: str, stored: bytes) -> Cipher:
        return Cipher(await self._wrapping.unwrap(_wrapped(stored), name.encode()))


def _stored(wrapped: Wrapped) -> bytes:
    return wrapped.master.encode() + b" " + wrapped.data


def _wrapped(stored: bytes) -> Wrapped:
    master, _, data = stored.partition(b" ")
    return Wrapped(master.decode(), data)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.removeprefix(TEXT_MARK))
