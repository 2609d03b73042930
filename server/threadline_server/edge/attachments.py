"""Small files of a session: kept as blobs, named by messages, and gone with the session.

What a session holds is counted in its decisions, slot by slot: each attachment takes the next free slot, and
the first to write a slot has it. So the bounds hold on all nodes together, and nothing is kept beside the
session.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

from threadline.errors import LimitExceeded, SessionError
from threadline.ids import SessionId, uuid7
from threadline_server.backplane.base import Backplane, BlobNotFound
from threadline_server.edge.options import DEFAULT_OPTIONS, EdgeOptions

MAX_NAME_CHARS = 200
MAX_KNOWN_SESSIONS = 10_000

TAKEN_TYPES = (
    "image/*", "text/*", "audio/*", "video/*", "application/json", "application/pdf", "application/zip",
    "application/gzip", "application/xml", "application/yaml", "application/rtf", "application/msword",
    "application/vnd.*", "application/x-ndjson", "application/octet-stream",
)  # fmt: skip
"""What may be attached; programs and scripts that a device would run are not among it."""

OWN_TYPES = (
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/*", "video/*", "text/plain",
    "text/csv", "text/markdown", "application/json", "application/pdf", "application/zip",
)  # fmt: skip
"""What is given back under its own type. Anything else, above all HTML and SVG, is bytes to a browser."""

OPAQUE = "application/octet-stream"

_SLOT = "/attachment/"
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


class AttachmentRefused(SessionError):
    """Files of this type, or with this name, are not taken."""

    code = "attachment_refused"


class AttachmentNotFound(SessionError):
    """The session has no such attachment."""

    code = "attachment_not_found"


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a message has of it. `size` is in bytes."""

    id: str
    name: str
    type: str
    size: int


class Attachments:
    def __init__(self, backplane: Backplane, options: EdgeOptions = DEFAULT_OPTIONS) -> None:
        self._backplane = backplane
        self._options = options
        self._held: dict[SessionId, tuple[int, int]] = {}
        self.added_total = 0
        self.added_bytes_total = 0

    async def add(self, session: SessionId, *, name: str, type: str, data: bytes) -> Attachment:  # noqa: A002
        """Keep `data`. Raises AttachmentRefused, LimitExceeded, SessionDeleted."""
        if len(data) > self._options.max_attachment_bytes:
            raise LimitExceeded(f"A file has at most {self._options.max_attachment_bytes} bytes.")
        made = Attachment(uuid7(), clean_name(name), taken_type(type), len(data))
        await self._reserve(session, made)
        await self._backplane.put_blob(session, made.id, _packed(made, data))
        self.added_total += 1
        self.added_bytes_total += made.size
        return made

    async def get(self, session: SessionId, attachment: str) -> tuple[Attachment, bytes]:
        """Raises AttachmentNotFound."""
        try:
            packed = await self._backplane.get_blob(session, attachment)
        except BlobNotFound:
            raise AttachmentNotFound("This session has no such attachment.") from None
        return _unpacked(packed)

    def stats(self) -> dict[str, float]:
        return {"added_total": self.added_total, "added_bytes_total": self.added_bytes_total}

    async def _reserve(self, session: SessionId, made: Attachment) -> None:
        mine = json.dumps([made.id, made.size])
        count, held_bytes = self._held.get(session, (0, 0))
        while True:
            self._check_room(count, held_bytes + made.size)
            first = await self._backplane.decide(session, f"{_SLOT}{count}", mine)
            count, held_bytes = count + 1, held_bytes + int(json.loads(first)[1])
            self._remember(session, count, held_bytes)
            if first == mine:
                return

    def _check_room(self, count: int, total_bytes: int) -> None:
        most, most_bytes = (
            self._options.max_attachments_per_session,
            self._options.max_attachment_bytes_per_session,
        )
        if count >= most:
            raise LimitExceeded(f"A session has at most {most} attachments.")
        if total_bytes > most_bytes:
            raise LimitExceeded(f"The attachments of a session have at most {most_bytes} bytes together.")

    def _remember(self, session: SessionId, count: int, held_bytes: int) -> None:
        if len(self._held) >= MAX_KNOWN_SESSIONS:
            self._held.clear()
        if count > self._held.get(session, (0, 0))[0]:
            self._held[session] = (count, held_bytes)


def attached(decisions: Mapping[str, str]) -> list[str]:
    """The blobs of a session, by what was decided in it: each slot names one."""
    return [str(json.loads(value)[0]) for key, value in decisions.items() if key.startswith(_SLOT)]


def clean_name(name: str) -> str:
    """The last part of a path, without the control and formatting characters by which a name can look like
    another.

    Raises AttachmentRefused where nothing is left.
    """
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs")).strip(" .")
    if not shown or len(shown) > MAX_NAME_CHARS:
        raise AttachmentRefused(f"A file needs a name of 1 to {MAX_NAME_CHARS} characters.")
    return shown


def taken_type(content_type: str) -> str:
    """The media type without parameters. Raises AttachmentRefused for one that is not taken."""
    found = content_type.partition(";")[0].strip().lower() or OPAQUE
    if not _TYPE.fullmatch(found) or not _is_one_of(found, TAKEN_TYPES):
        raise AttachmentRefused(f"Files of the type {found[:80]!r} are not taken.")
    return found


def served_type(attachment: Attachment) -> str:
    return attachment.type if _is_one_of(attachment.type, OWN_TYPES) else OPAQUE


def _is_one_of(media_type: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(media_type, pattern) for pattern in patterns)


def _packed(attachment: Attachment, data: bytes) -> bytes:
    return json.dumps(asdict(attachment)).encode() + b"\n" + data


def _unpacked(packed: bytes) -> tuple[Attachment, bytes]:
    head, _, data = packed.partition(b"\n")
    return Attachment(**json.loads(head)), data
