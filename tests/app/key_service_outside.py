"""A key management service as an application would put one in, which may be away."""

from __future__ import annotations

import base64
import hashlib

from threadline_server.backplane.master_keys import MasterKeys, Wrapped


class OutsideService:
    """Its key follows from a word, so that every process of a test has the same."""

    current = "outside"

    def __init__(self) -> None:
        self.away = False
        self.asked = 0
        self._keys = MasterKeys([(self.current, hashlib.sha256(b"a key of the tests").digest())])

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        self._ask()
        wrapped = await self._keys.wrap(key, context)
        return Wrapped(wrapped.master, base64.b64encode(wrapped.data))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        self._ask()
        return await self._keys.unwrap(Wrapped(wrapped.master, base64.b64decode(wrapped.data)), context)

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise ConnectionRefusedError("nobody there")


service = OutsideService()
