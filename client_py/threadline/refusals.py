"""What the server's reason for stopping a document is as an exception."""

from __future__ import annotations

from threadline.channel import Stopped
from threadline.errors import (
    Forbidden,
    LimitExceeded,
    LineageMismatch,
    ProtocolError,
    ReplicaRejected,
    SessionDeleted,
    SessionError,
    SessionNotFound,
    ThreadlineError,
    Unauthorized,
)

_LIMITS = ("too_large", "too_fast", "quota_exceeded", "too_many_documents")
_PROTOCOL = ("malformed", "invalid_name", "not_authenticated")


def error_of(stopped: Stopped, session_id: str) -> ThreadlineError:
    """The exception that says why a session does not go on."""
    code, sentence = stopped.code, stopped.sentence
    match code:
        case "unauthorized":
            return Unauthorized(sentence)
        case "forbidden":
            return Forbidden(sentence)
        case "session_not_found":
            return SessionNotFound(sentence, session_id=session_id)
        case "session_deleted":
            return SessionDeleted(sentence, session_id=session_id)
        case "lineage_mismatch":
            return LineageMismatch(sentence)
        case "replica_rejected":
            return ReplicaRejected(session_id, stopped.detail)
    if code in _LIMITS:
        return LimitExceeded(sentence)
    if code in _PROTOCOL:
        return ProtocolError(sentence)
    return SessionError(sentence, session_id=session_id, code=code)
