"""The update of somebody who types on, taken without the general machinery.

Nearly all updates are one string that its author's last unit is the origin of. Where that unit is the end of
what the client wrote, in a text that the client was just allowed to write, and nothing has come between it
and the right origin, the outcome of an admission is known: the string is judged like the one before it, and
both the row and the piece that end with the origin grow. In any other case nothing is done here.

What another node has put into the log is taken in the same way, unjudged.
"""

from __future__ import annotations

from typing import Final

from threadline.actors import Actor
from threadline_server.backplane.base import ClockRange
from threadline_server.rooms.gate_limits import MAX_CLOCK
from threadline_server.rooms.item_index import LEAF, ORDERED_LIST, ClientRuns, ItemIndex
from threadline_server.rooms.list_order import NO_PIECE, NOBODY, ListOrder
from threadline_server.rooms.update_reader import TEXT, XML_TEXT
from threadline_server.rooms.verdict import NOTHING_CREATED, Verdict

_STRING_AFTER: Final = 0x84  # a string with an origin
_STRING_BETWEEN: Final = 0xC4  # and a right origin
_SIZE_BITS: Final = 4
_SIZE_MASK: Final = 15
_LEAST_BYTES: Final = 10
_CLIENT_AT: Final = 2


def take_keystroke(index: ItemIndex, order: ListOrder, data: bytes, actor: Actor) -> Verdict | None:
    """The verdict on `data`, which the index then has; None where it is no such update, or it is not sure."""
    runs = _author(index, data)
    if runs is None or runs.judged_actor is not actor:
        return None
    return _take(index, order, data, runs, runs.judged_type)


def follow_keystroke(index: ItemIndex, order: ListOrder, data: bytes, owner: int) -> bool:
    """Whether `data`, of the user with the number `owner`, was such an update: the index has it then."""
    runs = _author(index, data)
    if runs is None or runs.owner != owner or runs.next == 0:
        return False
    type_id = runs.parents[-1]
    return _is_text(index, type_id) and _take(index, order, data, runs, type_id) is not None


def _author(index: ItemIndex, data: bytes) -> ClientRuns | None:
    """Whose `data` is, where it is one struct and no deletion."""
    end = len(data) - 1
    if end < _LEAST_BYTES or data[0] != 1 or data[1] != 1 or data[end] != 0:
        return None
    return index.by_id.get(_uint_at(data, _CLIENT_AT) >> _SIZE_BITS)


def _take(index: ItemIndex, order: ListOrder, data: bytes, runs: ClientRuns, type_id: int) -> Verdict | None:
    """Where it goes on in the text `type_id`, into which its author may write."""
    end = len(data) - 1
    at = _CLIENT_AT
    packed = _uint_at(data, at)
    at += packed & _SIZE_MASK
    client = packed >> _SIZE_BITS
    packed = _uint_at(data, at)
    at += packed & _SIZE_MASK
    clock = packed >> _SIZE_BITS
    if clock != runs.next or runs.metas[-1] != LEAF or runs.parents[-1] != type_id:
        return None
    info = data[at]
    packed = _uint_at(data, at + 1)
    at += 1 + (packed & _SIZE_MASK)
    if packed >> _SIZE_BITS != client:
        return None
    packed = _uint_at(data, at)
    at += packed & _SIZE_MASK
    if packed >> _SIZE_BITS != clock - 1:
        return None
    right_client = -1
    right_clock = 0
    right_at = at
    if info == _STRING_BETWEEN:
        packed = _uint_at(data, at)
        at += packed & _SIZE_MASK
        right_client = packed >> _SIZE_BITS
        packed = _uint_at(data, at)
        at += packed & _SIZE_MASK
        right_clock = packed >> _SIZE_BITS
    elif info != _STRING_AFTER:
        return None
    packed = _uint_at(data, at)
    size = packed >> _SIZE_BITS
    size_at = at
    at += packed & _SIZE_MASK
    if packed & _SIZE_MASK == 0 or size == 0 or at + size != end:
        return None
    clocks = _take_string(index, order, data, at, runs, type_id, right_client, right_clock)
    return None if clocks is None else Verdict(data, (clocks,), False, NOTHING_CREATED, right_at, size_at, at)


def _is_text(index: ItemIndex, type_id: int) -> bool:
    kind = index.type_kind(type_id)
    return kind == TEXT or kind == XML_TEXT  # a tuple would be searched by objects


def _uint_at(data: bytes, at: int) -> int:
    """The varUint at `at`, shifted to hold its size in bytes too; 0 where there is none in shortest form."""
    end = len(data)
    if at >= end:
        return 0
    byte = data[at]
    if byte < 0x80:
        return byte << _SIZE_BITS | 1
    value = byte & 0x7F
    shift = 7
    size = 1
    while shift <= 49 and at + size < end:
        byte = data[at + size]
        size += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return 0 if byte == 0 else value << _SIZE_BITS | size
        shift += 7
    return 0


def _take_string(
    index: ItemIndex,
    order: ListOrder,
    data: bytes,
    start: int,
    runs: ClientRuns,
    type_id: int,
    right_client: int,
    right_clock: int,
) -> ClockRange | None:
    raw = data[start:-1]
    length = len(raw)
    text: str | None = None
    if not raw.isascii():
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return None
        length = len(text.encode("utf-16-le")) >> 1
    clock = runs.next
    if clock + length > MAX_CLOCK:
        return None
    if index.type_heads[type_id] == ORDERED_LIST:
        piece = _growing_piece(index, order, runs, right_client, right_clock)
        if piece == NO_PIECE:
            return None
        order.lengths[piece] += length
    elif right_client >= 0 or index.type_heads[type_id] != runs.number:
        return None
    if text is not None:
        index.add_pairs(runs, clock, text)
    runs.next = clock + length
    return ClockRange(runs.client, clock, clock + length)


def _growing_piece(
    index: ItemIndex, order: ListOrder, runs: ClientRuns, right_client: int, right_clock: int
) -> int:
    """The piece that ends where the client stopped, if the right origin is both its own and what follows
    it."""
    ids = runs.node_ids
    if not ids:
        return NO_PIECE
    piece = ids[-1]
    if order.clocks[piece] + order.lengths[piece] != runs.next:
        return NO_PIECE
    after = order.nexts[piece]
    if right_client < 0:
        return piece if after == NO_PIECE and order.right_clients[piece] == NOBODY else NO_PIECE
    right = index.by_id.get(right_client)
    if (
        right is None
        or order.right_clients[piece] != right.number
        or order.right_clocks[piece] != right_clock
    ):
        return NO_PIECE
    follows = (
        after != NO_PIECE and order.clients[after] == right.number and order.clocks[after] == right_clock
    )
    return piece if follows else NO_PIECE
