"""Forwarding: every update framed once per dialect, one write per member with all its frames together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from threadline_server.rooms.catching_up import joined, update_frames
from threadline_server.rooms.contributor import Contributor
from threadline_server.rooms.member import Encoder
from threadline_server.rooms.seat import Seat

_NOBODY: Final[frozenset[Contributor | None]] = frozenset()


def fan_out(
    seats: Iterable[Seat],
    updates: Sequence[bytes],
    senders: Sequence[Contributor | None] | None,
    fall_behind: Callable[[Seat], None],
) -> int:
    """Send `updates` to everyone who did not send them; gives back the number of writes.

    `senders[i]` sent `updates[i]`; None when all came from other nodes. `fall_behind` is for a
    member that does not keep up: it gets nothing from there on until it drains, then one difference.
    """
    sole = _sole(senders)
    sending = frozenset(senders) if senders is not None and sole is None else _NOBODY
    framed: dict[Encoder, list[bytes]] = {}
    encoder: Encoder | None = None
    pieces: list[bytes] = []
    writes = 0
    for seat in seats:
        if seat.behind is not None or seat is sole:
            continue
        if sending and seat in sending:
            assert senders is not None
            others = [update for update, sender in zip(updates, senders, strict=True) if sender is not seat]
            for data in joined(update_frames(others, seat.encoder)):
                seat.write(data)
        else:
            if seat.encoder is not encoder:
                encoder = seat.encoder
                pieces = framed.get(encoder) or _frame(framed, encoder, updates)
            for data in pieces:
                seat.write(data)
        writes += 1
        if seat.member.congested:
            fall_behind(seat)
    return writes


def _sole(senders: Sequence[Contributor | None] | None) -> Contributor | None:
    """Who sent all of it; None where that is nobody."""
    if not senders:
        return None
    first = senders[0]
    for sender in senders:
        if sender is not first:
            return None
    return first


def _frame(framed: dict[Encoder, list[bytes]], encoder: Encoder, updates: Sequence[bytes]) -> list[bytes]:
    pieces = joined(update_frames(updates, encoder))
    framed[encoder] = pieces
    return pieces


def broadcast(seats: Iterable[Seat], frame: Callable[[Encoder], bytes]) -> None:
    """Write one frame to every member that keeps up, framed once per dialect."""
    framed: dict[Encoder, bytes] = {}
    for seat in seats:
        if seat.behind is not None:
            continue
        encoder = seat.encoder
        data = framed.get(encoder)
        if data is None:
            data = framed[encoder] = frame(encoder)
        if data:
            seat.write(data)
