"""Exit codes of every verb: 0 done, 1 failed, 2 usage, 3 could not start."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    COULD_NOT_START = 3
