"""The frames that bring one member level: a difference, framed for its dialect.

The encoding of a whole document is framed once for all who join with nothing, and is not copied to be put
together with what follows it: fifty devices that join at once would copy it fifty times, twice over.
"""

from __future__ import annotations

from threadline_server.rooms.member import Encoder
from threadline_server.rooms.replica import Difference

_LARGE_BYTES = 64 * 1024
_MAX_KEPT = 4
"""Framings of one encoding. Sockets that call a document by another address have other frames."""


def step2_frames(difference: Difference, encoder: Encoder) -> list[bytes]:
    """The parts in order. The step 2 comes last: with it a client calls itself synced, and must have all."""
    updates = difference.updates
    if not updates:
        return [_kept(difference, encoder, last=True)]
    between = [encoder.update(update) for update in updates[:-1]]
    return [_kept(difference, encoder, last=False), *between, encoder.step2(updates[-1])]


def update_frames(difference: Difference, encoder: Encoder) -> list[bytes]:
    """The parts in order, for a member that is synced."""
    return [_kept(difference, encoder, last=False), *map(encoder.update, difference.updates)]


def _kept(difference: Difference, encoder: Encoder, *, last: bool) -> bytes:
    frame = encoder.step2 if last else encoder.update
    kept = difference.frames
    if kept is None:
        return frame(difference.step2)
    framed = kept.get((encoder, last))
    if framed is None:
        if len(kept) >= _MAX_KEPT:
            kept.clear()
        framed = kept[encoder, last] = frame(difference.step2)
    return framed


def joined(frames: list[bytes]) -> list[bytes]:
    """What to write: as few pieces as possible without copying what is large."""
    if sum(map(len, frames)) < _LARGE_BYTES:
        return [b"".join(frames)]
    pieces: list[bytes] = []
    small: list[bytes] = []
    for frame in frames:
        if len(frame) < _LARGE_BYTES:
            small.append(frame)
            continue
        pieces += [b"".join(small), frame] if small else [frame]
        small = []
    return [*pieces, b"".join(small)] if small else pieces
