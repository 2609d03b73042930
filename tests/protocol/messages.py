"""Golden messages, as JSON has them, to the dataclasses."""

from __future__ import annotations

from typing import Any

from threadline.protocol import hocuspocus as hp
from threadline.protocol.sync import SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate, PermissionDenied, QueryAwareness


def message_of(case: dict[str, Any]) -> Any:
    message = case["message"]
    return _BY_TYPE[message["type"]](message)


_BY_TYPE: dict[str, Any] = {
    "step1": lambda m: SyncStep1(bytes.fromhex(m["stateVector"])),
    "step2": lambda m: SyncStep2(bytes.fromhex(m["update"])),
    "update": lambda m: Update(bytes.fromhex(m["update"])),
    "awareness": lambda m: AwarenessUpdate(bytes.fromhex(m["update"])),
    "queryAwareness": lambda m: QueryAwareness(),
    "denied": lambda m: PermissionDenied(m["reason"]),
    "authenticate": lambda m: hp.Authenticate(m["token"], m["version"]),
    "tokenRequested": lambda m: hp.TokenRequested(),
    "authenticated": lambda m: hp.Authenticated(hp.Scope(m["scope"])),
    "stateless": lambda m: hp.Stateless(m["payload"]),
    "close": lambda m: hp.CloseDocument(m["reason"]),
    "syncStatus": lambda m: hp.SyncStatus(m["applied"]),
    "ping": lambda m: hp.Ping(),
    "pong": lambda m: hp.Pong(),
}
