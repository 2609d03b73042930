"""What is called what in Redis.

    tl:{trip}:session             hash: lineage, record, active, version; fence, holder, until;
                                  cold: and cold:~<user>, the object with that document; or deleted
    tl:{trip}:documents           set of the session's documents that have a log
    tl:{trip}:doc:<document>      hash: p position, b position of the base, g its generation;
                                  per client id the clock where it continues; w:<node> the node's last turn
    tl:{trip}:log:<document>      stream: entry `<position>-0`, field t
    tl:{trip}:base:<document>:<g> hash: base, index
    tl:{trip}:lock:<document>     who compacts
    tl:{trip}:decisions, :blobs   hashes
    tl:{trip}                     the session's channel
    tl:{i07}:places, :f:<facet>   the catalogue's index, part 7 of 16: hash and sorted sets
    tl:{i07}:warm                 sorted set of its sessions that have documents in Redis, by last activity
    tl:{h3}                       run hints, channel 3 of 8
    tl:{v:<kind>}                 hash of the ledger's values of one kind

All keys of a session share a hash tag, so they lie in one slot and one script may use them; so does its
channel. The index cannot lie there, and one slot would be too little for it: sessions are spread over its
parts by name.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import DocumentName

PREFIX: Final = "tl:"
INDEX_PARTS: Final = 16
HINT_CHANNELS: Final = 8
SLOTS: Final = 16384
_UUID_CHARS: Final = 36
_UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def slot_of(tag: str) -> int:
    """The Cluster slot of every key with the hash tag `tag`."""
    return crc_hqx(tag.encode(), 0) % SLOTS


@dataclass(frozen=True, slots=True)
class SessionKeys:
    id: SessionId
    slot: int
    prefix: str
    session: str
    documents: str
    decisions: str
    blobs: str
    channel: str


@dataclass(frozen=True, slots=True)
class DocumentKeys:
    of: SessionKeys
    head: str
    log: str
    lock: str
    cold: str
    _base: str

    def base(self, generation: int) -> str:
        return f"{self._base}{generation}"


@lru_cache(maxsize=8192)
def session_keys(session: SessionId) -> SessionKeys:
    channel = f"{PREFIX}{{{session}}}"
    prefix = f"{channel}:"
    return SessionKeys(
        session,
        slot_of(session),
        prefix,
        f"{prefix}session",
        f"{prefix}documents",
        f"{prefix}decisions",
        f"{prefix}blobs",
        channel,
    )


@lru_cache(maxsize=8192)
def document_keys(document: DocumentName) -> DocumentKeys:
    """Raises ValueError for what is no document's name."""
    keys = session_keys(split_document_name(document)[0])
    prefix = keys.prefix
    return DocumentKeys(
        keys,
        f"{prefix}doc:{document}",
        f"{prefix}log:{document}",
        f"{prefix}lock:{document}",
        f"cold:{document[len(keys.id) :]}",
        f"{prefix}base:{document}:",
    )


@dataclass(frozen=True, slots=True)
class IndexPart:
    slot: int
    places: str
    warm: str
    facets: str


def _index_part(number: int) -> IndexPart:
    tag = f"i{number:02}"
    return IndexPart(
        slot_of(tag), f"{PREFIX}{{{tag}}}:places", f"{PREFIX}{{{tag}}}:warm", f"{PREFIX}{{{tag}}}:f:"
    )


def member_of(session: str) -> bytes:
    """How a session stands in the index: a canonical UUID takes 17 bytes instead of 36.

    Members of equal activity are ordered by these bytes.
    """
    if len(session) == _UUID_CHARS and _UUID.fullmatch(session):
        return b"\0" + bytes.fromhex(session.replace("-", ""))
    return session.encode()


def session_of(member: bytes) -> SessionId:
    """The session that `member_of` made this of."""
    if member[:1] != b"\0":
        return SessionId(member.decode())
    digits = member[1:].hex()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return SessionId("-".join(parts))


INDEX: Final = tuple(map(_index_part, range(INDEX_PARTS)))


def index_part_of(session: str) -> IndexPart:
    return INDEX[crc_hqx(session.encode(), 0x5A5A) % INDEX_PARTS]


@dataclass(frozen=True, slots=True)
class HintChannel:
    slot: int
    channel: str


HINTS: Final = tuple(
    HintChannel(slot_of(f"h{number}"), f"{PREFIX}{{h{number}}}") for number in range(HINT_CHANNELS)
)


def hint_channel_of(session: str) -> HintChannel:
    return HINTS[crc_hqx(session.encode(), 0) % HINT_CHANNELS]


@dataclass(frozen=True, slots=True)
class LedgerKey:
    slot: int
    key: str


@lru_cache(maxsize=64)
def ledger_key(kind: str) -> LedgerKey:
    """Where the ledger keeps one kind. No session's key ends with the brace of its hash tag."""
    tag = f"v:{kind}"
    return LedgerKey(slot_of(tag), f"{PREFIX}{{{tag}}}")
