"""Forwarding: every update framed once per dialect, one write per member with all its frames together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from threadline_server.rooms.contributor import Contributor
from threadline_server.rooms.member import Encoder
from threadline_server.rooms.seat import Seat


def fan_out(
    seats: Iterable[Seat],
    updates: Sequence[bytes],
    senders: Sequence[Contributor | None] | None,
    level: Callable[[], bytes],
) -> int:
    """Send `updates` to everyone who did not send them; gives back the number of writes.

    `senders[i]` sent `updates[i]`; None when all came from other nodes. `level` gives the state vector that a
    member has reached with them: one that does not keep up is *behind* from there on and gets nothing until
    it drains, then one difference.
    """
    sending = frozenset(senders) if senders is not None else frozenset()
    framed: dict[Encoder, bytes] = {}
    encoder: Encoder | None = None
    data = b""
    writes = 0
    for seat in seats:
        if seat.behind is not None:
            continue
        member = seat.member
        if seat in sending:
            if len(sending) == 1:
                continue  # all of it is its own
            assert senders is not None
            member.write(_frames_for(seat, updates, senders))
        else:
            if member.encoder is not encoder:
                encoder = member.encoder
                data = framed.get(encoder) or _frame(framed, encoder, updates)
            member.write(data)
        writes += 1
        if member.congested:
            seat.behind = level()
    return writes


def _frame(framed: dict[Encoder, bytes], encoder: Encoder, updates: Sequence[bytes]) -> bytes:
    data = b"".join([encoder.update(update) for update in updates])
    framed[encoder] = data
    return data


def _frames_for(seat: Seat, updates: Sequence[bytes], senders: Sequence[Contributor | None]) -> bytes:
    frame = seat.member.encoder.update
    return b"".join(
        [frame(update) for update, sender in zip(updates, senders, strict=True) if sender is not seat]
    )


def broadcast(seats: Iterable[Seat], frame: Callable[[Encoder], bytes]) -> None:
    """Write one frame to every member that keeps up, framed once per dialect."""
    framed: dict[Encoder, bytes] = {}
    for seat in seats:
        if seat.behind is not None:
            continue
        encoder = seat.member.encoder
        data = framed.get(encoder)
        if data is None:
            data = framed[encoder] = frame(encoder)
        if data:
            seat.member.write(data)
