"""Knowing that what was stored is no longer what was written.

Turns end in a CRC-32 (`turn_bytes`); bases, indexes and rows have one kept apart from them, in the place that
names them. A checksum also covers *where* something stands, so that bytes which are sound and in the wrong
place are known too. It finds accidents of disks, memory and people; it is no defence against who can write to
the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from threadline_server.backplane.base import Damaged, DocumentName, LoggedTurn, Position


def checksum(*parts: bytes | str | int) -> int:
    """A CRC-32 over `parts` and where each ends."""
    check = 0
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        check = crc32(data, crc32(b"%d:" % len(data), check))
    return check


def expect(document: DocumentName, what: str, kept: int | None, *parts: bytes | str | int) -> None:
    """Raises Damaged unless `kept` is the checksum of `parts`; None was kept before there were checksums."""
    if kept is not None and kept != checksum(*parts):
        raise Damaged(f"{what} of {document} is not what was written.")


def expect_turns(
    document: DocumentName, after: Position, turns: Sequence[LoggedTurn], at_least: int = 0
) -> None:
    """Raises Damaged when a turn is missing between `after` and the last, or up to `at_least`."""
    position = int(after)
    for logged in turns:
        position += 1
        if logged.position != position:
            raise Damaged(f"The log of {document} lacks the turn at {position}.")
    if position < at_least:
        raise Damaged(f"The log of {document} ends at {position}, and had a turn at {at_least}.")
