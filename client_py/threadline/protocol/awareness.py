"""Presence: who is here and what they point at, as y-protocols' awareness encodes it.

    varUint(n), n x { varUint(client id) varUint(clock) varString(JSON object, or "null" when gone) }

An entry counts when its clock is higher than the known one, or equal and its state is null.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from threadline.protocol.errors import InvalidText, NotCanonical, Oversized
from threadline.protocol.limits import DEFAULT_LIMITS, MAX_AWARENESS_CLOCK, Limits
from threadline.protocol.varint import Reader, encode_text, encode_uint

State = dict[str, Any]

EMPTY_AWARENESS: Final = b"\x00"
GONE: Final = b"null"
"""The state of a device that left."""


@dataclass(frozen=True, slots=True)
class AwarenessEntry:
    """One client's presence; `state` is None when the client is gone."""

    client: int
    clock: int
    state: State | None


class ScannedAwareness:
    """Entries whose states are unread: most are known by their clock already. They are kept as columns, since
    ten thousand in one update would be as many objects for the cycle collector to look at.
    """

    __slots__ = ("_data", "_ends", "_starts", "clients", "clocks")

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Raises a MalformedFrame."""
        self._data: bytes = data
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.clients: list[int] = []
        self.clocks: list[int] = []
        reader = Reader(data)
        count = reader.read_uint()
        if count > limits.max_awareness_entries:
            raise Oversized("awareness entries", count, limits.max_awareness_entries)
        most = limits.max_awareness_state_bytes
        for _ in range(count):
            self.clients.append(reader.read_uint())
            self.clocks.append(reader.read_uint())
            self._starts.append(reader.pass_by_bytes(most, "state"))
            self._ends.append(reader.position)
        if count and max(self.clocks) > MAX_AWARENESS_CLOCK:
            raise Oversized("awareness clock", max(self.clocks), MAX_AWARENESS_CLOCK)
        reader.expect_end()
        if len(set(self.clients)) != count:
            raise NotCanonical("a client id appears twice in one awareness update")

    def __len__(self) -> int:
        return len(self.clients)

    def is_gone(self, at: int) -> bool:
        """Whether the state is `null`."""
        return self._ends[at] - self._starts[at] == len(GONE) and self.text(at) == GONE

    def text(self, at: int) -> bytes:
        """The JSON of a state."""
        return self._data[self._starts[at] : self._ends[at]]


def decode_awareness(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[AwarenessEntry, ...]:
    """The entries of an awareness update. Raises a MalformedFrame; a client id may appear once only."""
    scanned = ScannedAwareness(data, limits)
    return tuple(
        [
            AwarenessEntry(scanned.clients[at], scanned.clocks[at], parse_state(scanned.text(at)))
            for at in range(len(scanned))
        ]
    )


def parse_state(text: bytes) -> State | None:
    """The state that `text` holds, None for `null`. Raises InvalidText."""
    if text == GONE:
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
