"""Clocks of single processes, set by libfaketime while they run.

Only the time of day is set. What measures how long something takes is nobody's to set, in life as here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)
DAY_S, HOUR_S = 86_400, 3_600


def library() -> str | None:
    """libfaketime; None where it is not installed."""
    return next((path for path in LIBRARIES if Path(path).exists()), None)


class SetClock:
    """The clock of one process. `environment` is what it has to be started with."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(0)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": library() or "",
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead_s: int) -> None:
        """So much ahead of the true time; negative for behind."""
        behind = self._path.with_suffix(".new")
        behind.write_text(f"{ahead_s:+d}s\n")
        behind.replace(self._path)
