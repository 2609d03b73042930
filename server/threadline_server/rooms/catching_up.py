"""The frames that bring members level: a difference, or what just came, framed for their dialect.

What is large is not copied to stand in a frame, or to be put together with what follows it: fifty devices
that join at once would copy it fifty times, twice over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from threadline_server.rooms.member import Encoder
from threadline_server.rooms.replica import Difference, size_of

_LARGE_BYTES: Final = 64 * 1024


def step2_frames(difference: Difference, encoder: Encoder) -> list[bytes]:
    """The parts in order. The step 2 comes last: with it a client calls itself synced, and must have all."""
    *before, last = difference.parts
    frames = update_frames(before, encoder)
    if len(last) < _LARGE_BYTES:
        return [*frames, encoder.step2(last)]
    return [*frames, encoder.step2_head(len(last)), last]


def update_frames(updates: Sequence[bytes], encoder: Encoder) -> list[bytes]:
    """Each in order, for a member that is synced."""
    frames: list[bytes] = []
    for update in updates:
        if len(update) < _LARGE_BYTES:
            frames.append(encoder.update(update))
        else:
            frames += (encoder.update_head(len(update)), update)
    return frames


def joined(frames: list[bytes]) -> list[bytes]:
    """What to write: as few pieces as possible without copying what is large."""
    if len(frames) == 1:
        return frames
    if size_of(frames) < _LARGE_BYTES:
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
