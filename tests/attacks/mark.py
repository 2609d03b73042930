"""What an attacker knows of its victims: as much as any member of the session can know."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from tests.raw_device import RawDevice, raw_device
from tests.signing import token_of

PAIR = "trip"
"""The session of the bystanders, who also share `OWN`'s server with the attackers."""

EDITOR, VIEWER, STRANGER = "eve", "victor", "mallory"
"""An editor and a viewer of the bystanders' session, and somebody who has no business there."""


class Succeeded(Exception):
    """The server let an attack through; the message says what came of it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """url:      the server
    message:  the id of a message that ada wrote
    client:   the client id of her device
    clock:    how far it had written then
    captured: updates of hers as they were forwarded, in hex
    most:     how many structs an attacker puts into one update that may be as long as it likes
    """

    url: str
    message: str
    client: int
    clock: int
    captured: tuple[str, ...]
    most: int = 2_000

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Mark:
        fields = json.loads(text)
        return cls(**fields | {"captured": tuple(fields["captured"])})

    @asynccontextmanager
    async def member(self, user: str = EDITOR, session: str = PAIR) -> AsyncIterator[RawDevice]:
        """A joined and synced device of an attacker, with nothing unacknowledged."""
        async with raw_device(self.url, session, user, token=token_of(user)) as device:
            await device.until_saved()
            yield device


async def must_end(eve: RawDevice) -> None:
    """What was sent last is refused: the document or the socket ends, and nothing more is acknowledged."""
    known = eve.acknowledged
    await eve.until(
        lambda: eve.document_closed is not None or eve.close_code is not None or eve.acknowledged > known,
        "it was refused",
    )
    if eve.acknowledged > known:
        raise Succeeded(f"it was acknowledged to {eve.user}")


async def must_be_declined(eve: RawDevice) -> None:
    """What was sent last is refused, as to a viewer, who reads on."""
    known = eve.acknowledged
    await eve.until(lambda: eve.refused > 0 or eve.acknowledged > known, "it was refused")
    if eve.acknowledged > known:
        raise Succeeded(f"it was acknowledged to {eve.user}")
