"""How the catalogue is searched: every session stands in a few ordered lists, one for each thing one may
filter by.

A *facet* is such a list (`*` of all sessions, `u:ada` of those ada may see, `a:travel`, `s:running`, `l:red`,
`p:parent`), ordered by last activity. A query walks the shortest list that it allows and checks the rest of
its filters on each session, at most `EXAMINED_PER_PAGE` of them; a page may so be short and still have a
cursor.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import Final

from threadline.errors import ProtocolError
from threadline_server.backplane.base import SessionQuery, SessionRecord

EVERY: Final = "*"
EXAMINED_PER_PAGE: Final = 5_000
MAX_PAGE: Final = 500

_CHANGEABLE: Final = frozenset(
    ("owner", "active_ms", "title", "agent", "status", "parent", "labels", "members")
)


class BadCursor(ProtocolError):
    """A cursor that no page gave."""

    code = "bad_cursor"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a facet: everything with a smaller mark comes after it."""

    active_ms: int
    session: str


def facets_of(record: SessionRecord) -> frozenset[str]:
    """The lists in which `record` stands."""
    facets = {EVERY, f"u:{record.owner}"}
    facets.update(f"u:{user}" for user in record.members)
    facets.update(f"l:{label}" for label in record.labels)
    for kind, value in (("a", record.agent), ("s", record.status), ("p", record.parent)):
        if value:
            facets.add(f"{kind}:{value}")
    return frozenset(facets)


def facets_asked(query: SessionQuery) -> list[str]:
    """The lists that all hold every answer to `query`."""
    asked = (
        ("u", query.visible_to),
        ("u", query.user),
        ("a", query.agent),
        ("s", query.status),
        ("l", query.label),
        ("p", query.parent),
    )
    return [f"{kind}:{value}" for kind, value in asked if value is not None] or [EVERY]


def matches(record: SessionRecord, query: SessionQuery) -> bool:
    """Whether `record` is an answer to `query`, its cursor and limit aside."""
    if query.active_after_ms is not None and record.active_ms < query.active_after_ms:
        return False
    if query.active_before_ms is not None and record.active_ms > query.active_before_ms:
        return False
    if query.text and query.text.casefold() not in record.title.casefold():
        return False
    facets = facets_of(record)
    return all(facet in facets or facet == EVERY for facet in facets_asked(query))


def page_size(query: SessionQuery) -> int:
    return max(1, min(query.limit, MAX_PAGE))


def write_cursor(mark: Mark) -> str:
    return base64.urlsafe_b64encode(f"{mark.active_ms} {mark.session}".encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> Mark | None:
    """The mark in `cursor`. Raises BadCursor."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        active_ms, _, session = text.partition(" ")
        return Mark(int(active_ms), session)
    except (ValueError, binascii.Error) as error:
        raise BadCursor(
            "This cursor was not given by a list of sessions; start again without one."
        ) from error


def changed(record: SessionRecord, changes: dict[str, object]) -> SessionRecord:
    """`record` with `changes`; `members` is merged, a role of None removes. Raises TypeError for other
    fields.
    """
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise TypeError(f"A session's record has no changeable field {', '.join(sorted(unknown))}.")
    values = dict(changes)
    if "members" in values:
        values["members"] = _merged(record.members, values["members"])
    if "labels" in values:
        values["labels"] = _labels(values["labels"])
    return replace(record, **values)  # type: ignore[arg-type]  # the names are checked above


def _merged(members: dict[str, str], change: object) -> dict[str, str]:
    if not isinstance(change, dict):
        raise TypeError("members is a dict of user and role, None for a user who goes")
    merged = members | change
    return {user: role for user, role in merged.items() if role is not None}


def _labels(labels: object) -> tuple[str, ...]:
    if not isinstance(labels, (list, tuple, set, frozenset)):
        raise TypeError("labels is a list of texts")
    return tuple(dict.fromkeys(str(label) for label in labels))
