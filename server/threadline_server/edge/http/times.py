"""Times of documents and records, Unix milliseconds, as times that JSON can carry."""

from __future__ import annotations

from datetime import UTC, datetime


def time_of(ms: int) -> datetime:
    """A device may write any number: one that is no time becomes the epoch."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
