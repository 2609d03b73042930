"""Calls of tools that wait for a person's word. Asked by the worker, decided by the lease holder from
intents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from threadline.document.digest import canonical
from threadline.document.shared_map import SharedMap, keys_of, value_at
from threadline.document.steps import optional_number
from threadline.document.values import JSON, mapping_of, number_of, plain, text_of, to_json


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Approval:
    """One call that waits, or was decided: by whom (`user`, `device`), when, and why.

    `started_at` is written before an approved call is made: one that is approved and was not started has not
    been made.
    """

    call: str
    tool: str
    arguments: JSON
    arguments_hash: str
    asked_at: int
    description: str = ""
    expires_at: int | None = None
    status: str = ApprovalStatus.PENDING
    decided_by: JSON = None
    decided_at: int | None = None
    reason: str = ""
    started_at: int | None = None

    def to_json(self) -> dict[str, JSON]:
        fields = asdict(self)
        del fields["call"]
        return mapping_of(to_json({key: value for key, value in fields.items() if value not in (None, "")}))


class Approvals:
    """The approvals of one run, by call id."""

    def __init__(self, entries: SharedMap) -> None:
        self._map = entries

    def __iter__(self) -> Iterator[Approval]:
        found = (self.get(call) for call in keys_of(self._map))
        return iter(sorted((a for a in found if a is not None), key=lambda a: (a.asked_at, a.call)))

    def get(self, call: str) -> Approval | None:
        fields = mapping_of(plain(value_at(self._map, call)))
        return _read(call, fields) if fields else None

    def pending(self) -> list[Approval]:
        return [approval for approval in self if approval.status == ApprovalStatus.PENDING]

    def put(self, approval: Approval) -> None:
        self._map[approval.call] = approval.to_json()


def arguments_hash(arguments: JSON) -> str:
    """A short name for what exactly is approved: the first 16 hexadecimal digits of its canonical SHA-256."""
    return hashlib.sha256(canonical(arguments).encode()).hexdigest()[:16]


def _read(call: str, fields: dict[str, JSON]) -> Approval:
    return Approval(
        call=call,
        tool=text_of(fields.get("tool")),
        arguments=fields.get("arguments"),
        arguments_hash=text_of(fields.get("arguments_hash")),
        asked_at=number_of(fields.get("asked_at")),
        description=text_of(fields.get("description")),
        expires_at=optional_number(fields.get("expires_at")),
        status=text_of(fields.get("status"), ApprovalStatus.PENDING),
        decided_by=fields.get("decided_by"),
        decided_at=optional_number(fields.get("decided_at")),
        reason=text_of(fields.get("reason")),
        started_at=optional_number(fields.get("started_at")),
    )
