"""`Idempotency-Key`: a request that was sent again, because its answer was lost, is done once.

What a request makes gets its ids before it is made, and they are kept under the caller and the key. Whoever
sends it again gets the same ids, so whatever was left undone is finished and nothing is doubled.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import Header
from pydantic import BaseModel

from threadline.errors import SessionError, StoreError
from threadline.ids import UserId, new_entry_id, uuid7
from threadline_server.backplane.base import Backplane

KIND = "idempotency"
KEPT_S = 24 * 3600

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="Any text; the same request with the same key is done once within a day.",
    ),
]


class KeyReused(SessionError):
    """The key was used for another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Ids:
    """Of what a request makes."""

    session: str
    run: str
    message: str

    @classmethod
    def new(cls, user: UserId, session: str | None = None) -> Ids:
        return cls(session or uuid7(), new_entry_id(user), new_entry_id(user))


class Idempotency:
    def __init__(self, backplane: Backplane) -> None:
        self._backplane = backplane

    async def ids(self, user: UserId, key: str | None, request: BaseModel, ids: Ids) -> Ids:
        """Those of the first request with this key, otherwise `ids`. Raises KeyReused, StoreError."""
        if key is None:
            return ids
        digest = hashlib.sha256(f"{type(request).__name__} {request.model_dump_json()}".encode()).hexdigest()
        place = f"{user}/{hashlib.sha256(key.encode()).hexdigest()}"
        own = json.dumps({"digest": digest, **asdict(ids)}).encode()
        if await self._backplane.swap_value(KIND, place, None, own, KEPT_S * 1000):
            return ids
        kept = await self._backplane.get_value(KIND, place)
        if kept is None:
            raise StoreError("The key expired while it was looked up; send the request again.")
        fields = json.loads(kept)
        if fields.pop("digest") != digest:
            raise KeyReused("This idempotency key was used for another request; choose a new one.")
        return Ids(**fields)
