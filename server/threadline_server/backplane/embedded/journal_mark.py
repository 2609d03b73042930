"""How much of the journal was durable, kept beside it: what tells damage from the end.

A group whose checksum is wrong is the end of what was written, and what follows is dropped. After a power
cut that is right, nothing of it was synced. A bit that changed in what was synced looks the same; the mark
says up to where the journal must be whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from struct import Struct

from threadline_server.backplane.base import Damaged
from threadline_server.backplane.embedded.journal import Found
from threadline_server.backplane.embedded.mark_file import MarkFile, read_mark

MARK_NAME = "threadline.journal-synced"
_MARK = Struct(">QQ")  # generation, end


class JournalMark:
    """For one thread."""

    def __init__(self, directory: Path) -> None:
        self._file = MarkFile(directory / MARK_NAME)

    def note(self, generation: int, end: int) -> None:
        """So much is durable."""
        self._file.write(_MARK.pack(generation, end))

    def close(self) -> None:
        self._file.close()


def expect_whole(directory: Path, found: Sequence[Found], moved: int) -> None:
    """Raises Damaged when what was found in the journal lacks what was durable and is not in the table."""
    mark = read_mark(directory / MARK_NAME, _MARK.size)
    if mark is None:
        return
    generation, end = _MARK.unpack(mark)
    if generation <= moved:
        return
    whole = max((one.end for one in found if one.generation == generation), default=0)
    if whole < end:
        raise Damaged(
            f"The journal in {directory} is damaged: of {end} bytes that were written for good only the "
            f"first {whole} can be read. Restore the directory from a backup; or delete "
            f"{directory / MARK_NAME} to go on without the rest, which devices bring back as far as they "
            "have it."
        )
