"""What the gate answers about an update that it does not refuse."""

from __future__ import annotations

from threadline_server.backplane.base import ClockRange


class Verdict:
    """What to do with an update.

    `update` is what to integrate, store and forward: the bytes received where all of it is new, a re-encoding
    where some of it is, None where nothing is. `ranges` are the clocks it adds; none where it only deletes.
    `gap` says that something was not yet. `created` are the (root, key) of the values and types it puts at
    keys of roots that, as far as its author knew, had none.
    """

    __slots__ = ("created", "gap", "ranges", "update")

    def __init__(
        self,
        update: bytes | None,
        ranges: tuple[ClockRange, ...],
        gap: bool,
        created: tuple[tuple[str, str], ...],
    ) -> None:
        self.update: bytes | None = update
        self.ranges: tuple[ClockRange, ...] = ranges
        self.gap: bool = gap
        self.created: tuple[tuple[str, str], ...] = created
