"""Why the server ends a document or a socket, and what the client does next.

44xx: stop, and tell the person why. 45xx, 1012 and 1013: come back after a jittered wait. The number travels
in the WebSocket close frame; the reason, there and in Hocuspocus' messages, is `name: detail`.
`close_codes.json` holds the same table for TypeScript; a test keeps the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from threadline.protocol.limits import MAX_CLOSE_REASON_BYTES


@dataclass(frozen=True, slots=True)
class CloseCode:
    """`sentence` says what happened and what to do."""

    code: int
    name: str
    sentence: str

    @property
    def comes_back(self) -> bool:
        """Whether a client should connect again, after a jittered wait."""
        return self.code in (1006, 1011, 1012, 1013) or 4500 <= self.code < 4600

    def reason(self, detail: str = "") -> str:
        """The reason string, `name` or `name: detail`."""
        return f"{self.name}: {detail}" if detail else self.name


NORMAL = CloseCode(1000, "normal", "The conversation was left on purpose; nothing to do.")
RESTARTING = CloseCode(1012, "restarting", "The server restarts; come back after a short random wait.")
OVERLOADED = CloseCode(
    1013, "overloaded", "The server has no room right now; come back after a short random wait."
)

MALFORMED = CloseCode(
    4400, "malformed", "A message could not be read; update or fix the client before it connects again."
)
UNAUTHORIZED = CloseCode(4401, "unauthorized", "The token is missing, wrong or expired; sign in again.")
FORBIDDEN = CloseCode(4403, "forbidden", "You may not do this in this session; ask its owner for access.")
SESSION_NOT_FOUND = CloseCode(4404, "session_not_found", "There is no such session; check the name.")
REPLICA_REJECTED = CloseCode(
    4409,
    "replica_rejected",
    "A change was refused for good; set this replica aside and join again with a new one.",
)
SESSION_DELETED = CloseCode(4410, "session_deleted", "The session was deleted; keep your copy or export it.")
LINEAGE_MISMATCH = CloseCode(
    4412,
    "lineage_mismatch",
    "This copy is of another session that had the same name; import it instead of joining.",
)
TOO_LARGE = CloseCode(4413, "too_large", "A message is larger than the limit; send less at once.")
INVALID_NAME = CloseCode(
    4422, "invalid_name", "The name of the session is not allowed; use 1 to 128 of A-Z a-z 0-9 . _ : @ -"
)
QUARANTINED = CloseCode(
    4423, "quarantined", "The session's data cannot be read safely; ask the operator to repair it."
)
QUOTA_EXCEEDED = CloseCode(
    4427, "quota_exceeded", "The session or the user has reached a quota; delete something first."
)
TOO_FAST = CloseCode(
    4429, "too_fast", "Messages kept coming faster than the limit; slow down before connecting again."
)
TOO_MANY_DOCUMENTS = CloseCode(
    4430, "too_many_documents", "This socket has too many documents; close some, or open another socket."
)
NOT_AUTHENTICATED = CloseCode(
    4431, "not_authenticated", "Too much was sent before a token; send the token first."
)

INTERNAL_ERROR = CloseCode(
    4500, "internal_error", "The server failed at this; come back after a short random wait."
)
STORE_UNAVAILABLE = CloseCode(
    4503,
    "store_unavailable",
    "The store cannot be reached; come back after a short random wait, nothing is lost.",
)
TOO_SLOW = CloseCode(4505, "too_slow", "Messages were not read for too long; come back and catch up.")
AUTHENTICATION_TIMEOUT = CloseCode(
    4507, "authentication_timeout", "No token arrived in time; come back and send it."
)
IDLE_TIMEOUT = CloseCode(4508, "idle_timeout", "Nothing was heard for too long; come back and catch up.")
ROOM_RELOADED = CloseCode(
    4509, "room_reloaded", "The server loads the session again; come back and catch up."
)

CLOSE_CODES: tuple[CloseCode, ...] = (
    NORMAL,
    RESTARTING,
    OVERLOADED,
    MALFORMED,
    UNAUTHORIZED,
    FORBIDDEN,
    SESSION_NOT_FOUND,
    REPLICA_REJECTED,
    SESSION_DELETED,
    LINEAGE_MISMATCH,
    TOO_LARGE,
    INVALID_NAME,
    QUARANTINED,
    QUOTA_EXCEEDED,
    TOO_FAST,
    TOO_MANY_DOCUMENTS,
    NOT_AUTHENTICATED,
    INTERNAL_ERROR,
    STORE_UNAVAILABLE,
    TOO_SLOW,
    AUTHENTICATION_TIMEOUT,
    IDLE_TIMEOUT,
    ROOM_RELOADED,
)

BY_CODE = {close.code: close for close in CLOSE_CODES}
BY_NAME = {close.name: close for close in CLOSE_CODES}


def parse_reason(reason: str) -> tuple[CloseCode | None, str]:
    """(close code, detail) of a reason string; (None, the whole) when it names none of ours."""
    name, _, detail = reason.partition(": ")
    close = BY_NAME.get(name)
    return (close, detail) if close is not None else (None, reason)


def fit_reason(reason: str, limit: int = MAX_CLOSE_REASON_BYTES) -> bytes:
    """`reason` as UTF-8 cut to `limit` bytes, never inside a character."""
    return reason.encode(errors="replace")[:limit].decode(errors="ignore").encode()


def should_come_back(code: int) -> bool:
    """What a client does after a close with `code`, codes of other servers included: 44xx and 1000 stop."""
    return not (code == NORMAL.code or 4400 <= code < 4500)


def to_json() -> list[dict[str, object]]:
    """The table as `close_codes.json` holds it."""
    return [
        {"code": c.code, "name": c.name, "sentence": c.sentence, "comesBack": c.comes_back}
        for c in CLOSE_CODES
    ]
