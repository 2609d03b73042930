"""Presence: who is here and what they point at, as y-protocols' awareness encodes it.

    varUint(n), n x { varUint(client id) varUint(clock) varString(JSON object, or "null" when gone) }

An entry counts when its clock is higher than the known one, or equal and its state is null.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from threadline.protocol.errors import InvalidText, NotCanonical, Oversized
from threadline.protocol.limits import DEFAULT_LIMITS, MAX_AWARENESS_CLOCK, Limits
from threadline.protocol.varint import Reader, encode_text, encode_uint

State = dict[str, Any]

EMPTY_AWARENESS = b"\x00"


@dataclass(frozen=True, slots=True)
class AwarenessEntry:
    """One client's presence; `state` is None when the client is gone."""

    client: int
    clock: int
    state: State | None


def decode_awareness(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[AwarenessEntry, ...]:
    """The entries of an awareness update. Raises a MalformedFrame; a client id may appear once only."""
    return tuple(
        [
            AwarenessEntry(client, clock, parse_state(text))
            for client, clock, text in scan_awareness(data, limits)
        ]
    )


def scan_awareness(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[tuple[int, int, bytes]]:
    """(client id, clock, JSON) of each entry, the JSON unread: most are known by their clock already."""
    reader = Reader(data)
    count = reader.read_uint()
    if count > limits.max_awareness_entries:
        raise Oversized("awareness entries", count, limits.max_awareness_entries)
    entries = [_scan_entry(reader, limits) for _ in range(count)]
    reader.expect_end()
    if len({client for client, _, _ in entries}) != count:
        raise NotCanonical("a client id appears twice in one awareness update")
    return entries


def _scan_entry(reader: Reader, limits: Limits) -> tuple[int, int, bytes]:
    client = reader.read_uint()
    clock = reader.read_uint()
    if clock > MAX_AWARENESS_CLOCK:
        raise Oversized("awareness clock", clock, MAX_AWARENESS_CLOCK)
    return client, clock, reader.read_bytes(limits.max_awareness_state_bytes, "state")


def parse_state(text: bytes) -> State | None:
    """The state that `text` holds, None for `null`. Raises InvalidText."""
    if text == b"null":
        return None
    try:
        state = json.loads(text.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidText("an awareness state is not JSON in UTF-8") from error
    if state is not None and not isinstance(state, dict):
        raise InvalidText("an awareness state is neither an object nor null")
    return state


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def encode_awareness(entries: Iterable[AwarenessEntry]) -> bytes:
    return join_entries([encode_entry(entry) for entry in entries])


def encode_entry(entry: AwarenessEntry) -> bytes:
    return encode_uint(entry.client) + encode_uint(entry.clock) + _encode_state(entry.state)


def join_entries(encoded: Collection[bytes]) -> bytes:
    """The awareness update of entries that are encoded already."""
    return encode_uint(len(encoded)) + b"".join(encoded)


def _encode_state(state: State | None) -> bytes:
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return encode_text(text)
    except UnicodeEncodeError:  # a lone surrogate, which JSON can only say escaped
        return encode_text(json.dumps(state, separators=(",", ":"), allow_nan=False))
