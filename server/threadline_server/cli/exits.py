"""Exit codes of every verb: 0 done, 1 failed, 2 usage, 3 could not start."""

from __future__ import annotations

from enum import IntEnum

from threadline.errors import ThreadlineError


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    COULD_NOT_START = 3


class CouldNotStart(ThreadlineError):
    """Something outside the command line keeps the node from starting; the message says what to change."""

    code = "could_not_start"
