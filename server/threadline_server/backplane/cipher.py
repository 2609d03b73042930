"""Sealing and opening by one data key.

The nonce is derived from the data by a keyed hash, as in SIV modes: a turn that is sent again, because its
reply was lost, must be the same bytes again for a store to recognise it.

Sources: NIST SP 800-38D (AES-GCM, at most 2^32 nonces of 96 bits a key); RFC 8452, section 1 (derived
nonces); RFC 5297 (AES-SIV, for labels, which must stay comparable).
"""

from __future__ import annotations

import base64
from collections import deque
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from threadline.errors import StoreError
from threadline_server.backplane.master_keys import KEY_BYTES, NONCE_BYTES

MARK = b"\xff\xffTS\x01"
"""Begins what is sealed. As the beginning of an update it would announce a million clients, which no gate
lets in, so what was stored before encryption was turned on is told apart.
"""

TEXT_MARK = "\u2063sealed:"
CIPHER_KEY_BYTES = KEY_BYTES * 3

MAX_READY: Final = 2_000
"""Ciphers that stay ready, at 2.9 KB each; to make one ready takes 2 us."""


class ReadyCiphers:
    """Those that were made ready last. The oldest rests when there are too many, so that a session that idles
    keeps its key only; one still in use is made ready again.
    """

    __slots__ = ("_ciphers", "_most")

    def __init__(self, most: int = MAX_READY) -> None:
        self._ciphers: deque[Cipher] = deque()
        self._most: int = most

    def add(self, cipher: Cipher) -> None:
        self._ciphers.append(cipher)
        if len(self._ciphers) > self._most:
            self._ciphers.popleft().rest()


class Cipher:
    """Seals and opens by one data key. `context` is where the data lies; it opens nowhere else."""

    __slots__ = ("_gcm", "_key", "_nonces", "_ready")

    def __init__(self, key: bytes, ready: ReadyCiphers | None = None) -> None:
        """`key` is three keys in a row. Once it is ready it is for as long as `ready` has it."""
        self._key: bytes = key
        self._ready: ReadyCiphers | None = ready
        self._gcm: AESGCM | None = None
        self._nonces: blake2b | None = None

    def rest(self) -> None:
        self._gcm = self._nonces = None

    def _make_ready(self) -> AESGCM:
        key = self._key
        gcm = self._gcm = AESGCM(key[:KEY_BYTES])
        self._nonces = blake2b(digest_size=NONCE_BYTES, key=key[KEY_BYTES : 2 * KEY_BYTES])
        if self._ready is not None:
            self._ready.add(self)
        return gcm

    def seal(self, data: bytes, context: bytes) -> bytes:
        """The same bytes for the same data in the same place."""
        gcm = self._gcm or self._make_ready()
        assert self._nonces is not None
        hashed = self._nonces.copy()
        hashed.update(context + b"\0" + data)
        nonce = hashed.digest()
        return MARK + nonce + gcm.encrypt(nonce, data, context)

    def open(self, data: bytes, context: bytes) -> bytes:
        """What was sealed; what never was is given back as it is. Raises StoreError."""
        if not data.startswith(MARK):
            return data
        start = len(MARK)
        gcm = self._gcm or self._make_ready()
        try:
            return gcm.decrypt(data[start : start + NONCE_BYTES], data[start + NONCE_BYTES :], context)
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
        return TEXT_MARK + _encode(self._labels().encrypt(label.encode(), None))

    def open_label(self, label: str) -> str:
        if not label.startswith(TEXT_MARK):
            return label
        try:
            return self._labels().decrypt(_decode(label), None).decode()
        except InvalidTag as error:
            raise StoreError("An encrypted label cannot be opened.") from error

    def _labels(self) -> AESSIV:
        return AESSIV(self._key[2 * KEY_BYTES :])


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.removeprefix(TEXT_MARK))
