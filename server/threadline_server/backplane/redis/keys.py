"""What is called what in Redis.

    tl:{trip}:session             hash: lineage, record, active, version; fence, holder, until; or deleted
    tl:{trip}:documents           set of the session's documents that have a log
    tl:{trip}:doc:<document>      hash: p position, b position of the base, g its generation;
                                  per client id the clock where it continues; w:<node> the node's last turn
    tl:{trip}:log:<document>      stream: entry `<position>-0`, field t
    tl:{trip}:base:<document>:<g> hash: base, index
    tl:{trip}:lock:<document>     who compacts
    tl:{trip}:decisions, :blobs   hashes
    tl:{trip}                     the session's channel
    tl:{i07}:places, :f:<facet>   the catalogue's index, part 7 of 16: hash and sorted sets
    tl:{h3}                       run hints, channel 3 of 8

All keys of a session share a hash tag, so they lie in one slot and one script may use them; so does its
channel. The index cannot lie there, and one slot would be too little for it: sessions are spread over its
parts by name.
"""

from __future__ import annotations

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
        f"{prefix}base:{document}:",
    )


@dataclass(frozen=True, slots=True)
class IndexPart:
    slot: int
    places: str
    facets: str


def _index_part(number: int) -> IndexPart:
    tag = f"i{number:02}"
    return IndexPart(slot_of(tag), f"{PREFIX}{{{tag}}}:places", f"{PREFIX}{{{tag}}}:f:")


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
