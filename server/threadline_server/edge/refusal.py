"""Which close code an error means at the door."""

from __future__ import annotations

import structlog

from threadline.errors import (
    Forbidden,
    LimitExceeded,
    LineageMismatch,
    SessionClosed,
    SessionDeleted,
    SessionNotFound,
    StoreError,
    ThreadlineError,
    Unauthorized,
)
from threadline.protocol import close_codes
from threadline.protocol.close_codes import CloseCode
from threadline.protocol.errors import MalformedFrame, Oversized

CLOSE_CODE: tuple[tuple[type[Exception], CloseCode], ...] = (
    (Unauthorized, close_codes.UNAUTHORIZED),
    (Forbidden, close_codes.FORBIDDEN),
    (SessionNotFound, close_codes.SESSION_NOT_FOUND),
    (SessionDeleted, close_codes.SESSION_DELETED),
    (SessionClosed, close_codes.RESTARTING),
    (LineageMismatch, close_codes.LINEAGE_MISMATCH),
    (LimitExceeded, close_codes.QUOTA_EXCEEDED),
    (Oversized, close_codes.TOO_LARGE),
    (MalformedFrame, close_codes.MALFORMED),
    (StoreError, close_codes.STORE_UNAVAILABLE),
    (TimeoutError, close_codes.STORE_UNAVAILABLE),
    (ValueError, close_codes.INVALID_NAME),
)

_log = structlog.get_logger()


def refusal_of(error: Exception) -> tuple[CloseCode, str]:
    """The close code and a detail for people. An error that nobody foresaw is logged here."""
    named = close_codes.BY_NAME.get(getattr(error, "code", ""))
    if named is not None:
        return named, _detail(error)
    for kind, close in CLOSE_CODE:
        if isinstance(error, kind):
            return close, _detail(error)
    _log.error("a document could not be opened", exc_info=error)
    return close_codes.INTERNAL_ERROR, ""


def _detail(error: Exception) -> str:
    if isinstance(error, ThreadlineError):
        return error.message
    return "" if isinstance(error, TimeoutError) else str(error)
