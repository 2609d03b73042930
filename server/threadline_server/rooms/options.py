"""The bounds and waits of rooms, with their defaults; the app fills them from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from threadline.protocol.limits import DEFAULT_LIMITS, MIB, Limits


@dataclass(frozen=True, slots=True)
class RoomOptions:
    grace_s: float = 30.0
    """How long a room without members stays loaded."""

    compact_turns: int = 1_000
    """Turns in the tail that ask for a new base."""

    compact_bytes: int = MIB
    """Bytes in the tail that ask for a new base; of a large document as many as its base has."""

    compact_on_unload_turns: int = 50
    """A room that unloads with a longer tail leaves a new base behind, so that the next load is quick."""

    pause_bytes: int = 8 * MIB
    """Bytes of one room that the store has not taken or synced, above which its writers are not read."""

    refuse_bytes: int = 80 * MIB
    """The same, above which a writer is sent away: it fits one full step 2 more than `pause_bytes`."""

    max_session_bytes: int = 256 * MIB
    """Stored bytes of one document, above which nothing more of a device is taken."""

    max_early_turns: int = 10_000
    """Turns of other nodes that came ahead of the one that is next."""

    ask_again_s: float = 1.0
    """At most one step 1 per member in this time for what it holds and the log lacks."""

    awareness_expiry_s: float = 30.0
    """As in y-protocols: a state not renewed for so long is gone."""

    max_present_devices: int = 10_000
    """Devices present in one room, those of other nodes included."""

    max_awareness_per_member: int = 16
    """Client ids that one member may announce."""

    awareness_per_second: float = 30.0
    """Presence changes of one member a second that are relayed at once, after two seconds' worth; of what is
    above the newest is relayed a little later. 0 relays everything."""

    max_departed: int = 256
    """Clocks of departed devices that a room remembers, so that one that comes back is seen at once."""

    sweep_every_s: float = 5.0
    """Between two rounds that expire awareness, drop unused encodings and unload idle rooms."""

    recent_bytes: int = MIB
    """Updates kept behind a cached encoding, so that a storm of joins encodes once: twice as many bytes, and
    of a large document twice as many as the encoding has."""

    load_attempts: int = 3
    """Failed loads in a row after which a session is quarantined."""

    quarantine_s: float = 300.0
    """How long a quarantined session is refused before one more attempt."""

    load_timeout_s: float = 60.0
    """One load from the store."""

    examination_memory_bytes: int = 2048 * MIB
    """Address space of the child process that first reads a session which ended a process before."""

    examination_timeout_s: float = 30.0
    """Its time."""

    stop_wait_s: float = 5.0
    """How long a stopping node waits for its last turns to become durable."""

    limits: Limits = DEFAULT_LIMITS
