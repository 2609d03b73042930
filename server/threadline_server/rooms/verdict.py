"""What the gate answers about an update that it does not refuse."""

from __future__ import annotations

from threadline_server.backplane.base import ClockRange


class Verdict:
    """What to do with an update.

    `update` is what to integrate, store and forward: the bytes received where all of it is new, a re-encoding
    where some of it is, None where nothing is. `ranges` are the clocks it adds; none where it only deletes.
    `gap` says that something was not yet. `created` are the (root, key) of the values and types it puts at
    keys of roots that, as far as its author knew, had none.

    `right_at`, `size_at`, `text_at` are 0 except where the update is one string after its author's last unit,
    and no deletion: then its right origin, its size and its text begin there, and the text is all of the rest
    but one byte.
    """

    __slots__ = ("created", "gap", "ranges", "right_at", "size_at", "text_at", "update")

    def __init__(
        self,
        update: bytes | None,
        ranges: tuple[ClockRange, ...],
        gap: bool,
        created: tuple[tuple[str, str], ...],
        right_at: int = 0,
        size_at: int = 0,
        text_at: int = 0,
    ) -> None:
        self.update: bytes | None = update
        self.ranges: tuple[ClockRange, ...] = ranges
        self.gap: bool = gap
        self.created: tuple[tuple[str, str], ...] = created
        self.right_at: int = right_at
        self.size_at: int = size_at
        self.text_at: int = text_at
