"""Every error of Threadline, in one tree.

    ThreadlineError
    ├── ProtocolError          the peer misbehaved: bytes or frames that the protocol does not allow
    ├── Refused                a write rule said no; carries the path and the reason
    ├── ReplicaRejected        the server ended this replica's line; reset it to carry on
    ├── LineageMismatch        this copy belongs to another session that had the same id
    ├── Unauthorized           no, or not enough, proof of who you are
    ├── Forbidden              known, but not allowed to do this
    ├── SessionError           a session or a run failed; carries the session's id
    │   ├── SessionNotFound
    │   ├── SessionDeleted
    │   └── SessionClosed
    ├── NotSerializable        a value that a document cannot hold
    ├── StoreError             the store could not keep or give back data
    │   └── StoreBusy          another process holds the data directory
    ├── LimitExceeded          a bound of the settings table was reached
    └── ConfigurationError     a setting is wrong; the message says the fix

`code` is stable and the same in HTTP envelopes, close reasons and logs.
"""

from __future__ import annotations

from typing import ClassVar


class ThreadlineError(Exception):
    """The root of the tree. `code` names the error for programs, `message` says it to people."""

    code: ClassVar[str] = "threadline_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ProtocolError(ThreadlineError):
    """The peer sent something that the protocol does not allow."""

    code = "protocol_error"


class Refused(ThreadlineError):
    """A write rule refused a change. `path` is where, `reason` why."""

    code = "refused"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ReplicaRejected(ThreadlineError):
    """The server will never hold what this replica wrote last; it must be reset to go on."""

    code = "replica_rejected"

    def __init__(self, session_id: str, reason: str) -> None:
        super().__init__(f"session {session_id}: {reason}")
        self.session_id = session_id
        self.reason = reason


class LineageMismatch(ThreadlineError):
    """A local copy is of another session that once had this id; import it instead of joining with it."""

    code = "lineage_mismatch"


class Unauthorized(ThreadlineError):
    """No valid proof of identity came with the request."""

    code = "unauthorized"


class Forbidden(ThreadlineError):
    """The caller is known but may not do this."""

    code = "forbidden"


class SessionError(ThreadlineError):
    """A session, or a run in it, failed. `code` may be narrower than the class's own."""

    code = "session_error"

    def __init__(self, message: str, *, session_id: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.session_id = session_id
        if code is not None:
            self.code = code  # type: ignore[misc]


class SessionNotFound(SessionError):
    """No such session, or none that the caller may see."""

    code = "session_not_found"


class SessionDeleted(SessionError):
    """The session was deleted; its id is kept by a tombstone."""

    code = "session_deleted"


class SessionClosed(SessionError):
    """The conversation was closed for sending."""

    code = "session_closed"


class NotSerializable(ThreadlineError, TypeError):
    """A value that the session document cannot hold, named by its path."""

    code = "not_serializable"


class StoreError(ThreadlineError):
    """The store failed to keep or give back data."""

    code = "store_error"


class StoreBusy(StoreError):
    """Another process holds the data directory."""

    code = "store_busy"


class LimitExceeded(ThreadlineError):
    """A documented bound was reached."""

    code = "limit_exceeded"


class ConfigurationError(ThreadlineError):
    """A setting is missing, unknown or contradicts another; the message says the fix."""

    code = "configuration_error"
