"""What the gate answers about an update that it does not refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from mypy_extensions import mypyc_attr

from threadline_server.backplane.base import ClockRange
from threadline_server.rooms.update_writer import Parts

Created: TypeAlias = Mapping[str, Sequence[str]]
"""Keys of new top-level entries, by their root."""

NOTHING_CREATED: Final[Created] = {}

Maps: TypeAlias = Mapping[str, Sequence[tuple[int, int]]]
"""(client, clock) of maps that are new top-level entries, by their root."""

NO_MAPS: Final[Maps] = {}


@mypyc_attr(acyclic=True)
class Verdict:
    """What to do with an update.

    `update` is what to integrate, store and forward: the bytes received where all of it is new, a re-encoding
    where some of it is, None where nothing is. `ranges` are the clocks it adds; none where it only deletes.
    `gap` says that something was not yet. `created` has the keys of roots at which it puts values and
    types and, as far as its author knew, there were none; `maps` has which of these are maps.

    `parts` are there for an update that is large: the same in updates that are not.

    `right_at`, `size_at`, `text_at` are 0 except where the update is one string after its author's last unit,
    and no deletion: then its right origin, its size and its text begin there, and the text is all of the rest
    but one byte.
    """

    __slots__ = ("created", "gap", "maps", "parts", "ranges", "right_at", "size_at", "text_at", "update")

    def __init__(
        self,
        update: bytes | None,
        ranges: tuple[ClockRange, ...],
        gap: bool,
        created: Created,
        right_at: int = 0,
        size_at: int = 0,
        text_at: int = 0,
    ) -> None:
        self.update: bytes | None = update
        self.ranges: tuple[ClockRange, ...] = ranges
        self.gap: bool = gap
        self.parts: Parts | None = None
        self.created: Created = created
        self.maps: Maps = NO_MAPS
        self.right_at: int = right_at
        self.size_at: int = size_at
        self.text_at: int = text_at
