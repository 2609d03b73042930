"""The audit log: who joined, was granted, invited, revoked, who allowed which call, what was deleted; and
never what was said.

Each event is a line of the ordinary log under the name `audit`, and one of JSON in a file where one is set.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import structlog

_log = structlog.get_logger()


class Audit:
    """`file` is appended to and readable by its owner alone; None for none. Raises OSError."""

    def __init__(self, now_ms: Callable[[], int], file: Path | None = None) -> None:
        self._now_ms = now_ms
        self._file: TextIO | None = None
        self.events_total = 0
        if file is not None:
            self._file = _opened(file)

    def record(self, event: str, *, by: str, **details: str) -> None:
        """`event` such as `member.granted`; `by` is the user who did it."""
        self.events_total += 1
        _log.info("audit", action=event, by=by, **details)
        if self._file is not None:
            line = {"at_ms": self._now_ms(), "event": event, "by": by, **details}
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()

    def record_often(self, event: str, *, by: str, **details: str) -> None:
        """As `record`, for what happens so often that it belongs into a file alone."""
        if self._file is not None:
            self.record(event, by=by, **details)

    def stats(self) -> dict[str, float]:
        return {"events_total": self.events_total}

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _opened(path: Path) -> TextIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return path.open("a", encoding="utf-8")
