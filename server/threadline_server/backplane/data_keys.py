"""Data keys: one per session, kept in the ledger under a master key, and one for the catalogue.

A session's key is made with it and destroyed with it; what it encrypted is lost then, whoever has copies.
"""

from __future__ import annotations

import os

from threadline_server.backplane.base import Backplane
from threadline_server.backplane.cipher import CIPHER_KEY_BYTES, Cipher, ReadyCiphers
from threadline_server.backplane.master_keys import Wrapped, Wrapping

KIND = "data_key"


class DataKeys:
    def __init__(self, ledger: Backplane, wrapping: Wrapping) -> None:
        self._ledger = ledger
        self._wrapping = wrapping
        self._ready = ReadyCiphers()

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
        return Cipher(await self._wrapping.unwrap(_wrapped(stored), name.encode()), self._ready)


def _stored(wrapped: Wrapped) -> bytes:
    return wrapped.master.encode() + b" " + wrapped.data


def _wrapped(stored: bytes) -> Wrapped:
    master, _, data = stored.partition(b" ")
    return Wrapped(master.decode(), data)
