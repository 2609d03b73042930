"""Threadline: sessions with an agent that continue on every device.

    async with threadline.connect("http://127.0.0.1:8000", token="ada") as client:
        session = await client.open("trip")

Names are loaded when they are first used, so that importing this package is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadline import sync
    from threadline.actors import Actor, Role
    from threadline.client import Client, connect
    from threadline.document.events import Event
    from threadline.document.intents import OnBusy
    from threadline.document.lifecycle import RunStatus
    from threadline.document.messages import Message
    from threadline.errors import (
        ConfigurationError,
        Forbidden,
        LimitExceeded,
        LineageMismatch,
        NotSerializable,
        ProtocolError,
        Refused,
        ReplicaRejected,
        SessionClosed,
        SessionDeleted,
        SessionError,
        SessionNotFound,
        StoreBusy,
        StoreError,
        ThreadlineError,
        Unauthorized,
    )
    from threadline.http_api import Unreachable
    from threadline.live_session import LiveSession
    from threadline.recovery import Recovery
    from threadline.run import Run, RunResult
    from threadline.session import Session

_MODULE_OF = {
    "Actor": "actors",
    "Role": "actors",
    "Client": "client",
    "connect": "client",
    "Event": "document.events",
    "OnBusy": "document.intents",
    "RunStatus": "document.lifecycle",
    "Message": "document.messages",
    "Unreachable": "http_api",
    "LiveSession": "live_session",
    "Recovery": "recovery",
    "Run": "run",
    "RunResult": "run",
    "Session": "session",
}
_ERRORS = (
    "ConfigurationError",
    "Forbidden",
    "LimitExceeded",
    "LineageMismatch",
    "NotSerializable",
    "ProtocolError",
    "Refused",
    "ReplicaRejected",
    "SessionClosed",
    "SessionDeleted",
    "SessionError",
    "SessionNotFound",
    "StoreBusy",
    "StoreError",
    "ThreadlineError",
    "Unauthorized",
)

__all__ = [
    "Actor",
    "Client",
    "ConfigurationError",
    "Event",
    "Forbidden",
    "LimitExceeded",
    "LineageMismatch",
    "LiveSession",
    "Message",
    "NotSerializable",
    "OnBusy",
    "ProtocolError",
    "Recovery",
    "Refused",
    "ReplicaRejected",
    "Role",
    "Run",
    "RunResult",
    "RunStatus",
    "Session",
    "SessionClosed",
    "SessionDeleted",
    "SessionError",
    "SessionNotFound",
    "StoreBusy",
    "StoreError",
    "ThreadlineError",
    "Unauthorized",
    "Unreachable",
    "connect",
    "sync",
]


def __getattr__(name: str) -> Any:
    if name == "sync":
        return import_module("threadline.sync")
    module = "errors" if name in _ERRORS else _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'threadline' has no attribute {name!r}")
    value = getattr(import_module(f"threadline.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
