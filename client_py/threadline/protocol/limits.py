"""Every bound of the wire, with its default and its unit in the name.

The server takes its values from the settings table and tells devices those that concern them in the hello.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

MAX_SAFE_INTEGER = (1 << 53) - 1
"""The largest integer that JavaScript holds exactly; no number on the wire is larger."""

MAX_ADDRESS_BYTES = 512
"""A document name, a NUL and a session-aware provider's own id."""

MAX_AWARENESS_CLOCK = (1 << 32) - 1
"""A clock counts renewals from 0, one each 15 s and one per change: a larger one is forged."""

MAX_CLOSE_REASON_BYTES = 123
"""RFC 6455, section 5.5: a control frame carries 125 bytes, two of them the code."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that an operator may change."""

    max_frame_bytes: int = 1 * MIB
    """One WebSocket message of an authenticated device, fragments together, that carries no update."""

    max_step2_bytes: int = 16 * MIB
    """A step 2 or update of a device that may write: all that was made offline, or restored."""

    max_unauthenticated_frame_bytes: int = 64 * KIB
    """One WebSocket message before any document of the socket is authenticated."""

    max_token_bytes: int = 8 * KIB
    """Token and attributes together."""

    max_stateless_bytes: int = 64 * KIB
    """The payload of one Stateless message."""

    max_state_vector_bytes: int = 256 * KIB
    """The state vector of one sync step 1."""

    max_awareness_bytes: int = 1 * MIB
    """One awareness frame."""

    max_awareness_entries: int = 10_000
    """Entries of one awareness frame; y-websocket echoes every remote state it knows."""

    max_awareness_state_bytes: int = 16 * KIB
    """One device's presence, as JSON."""

    max_pending_documents: int = 32
    """Documents of one socket that wait for their authentication."""

    max_documents_per_socket: int = 100
    """Documents open on one socket."""

    max_pending_frames: int = 100
    """Frames of one document that wait for its authentication."""

    max_pending_bytes: int = 512 * KIB
    """Bytes of one socket that wait for authentication."""

    authentication_deadline_s: float = 30.0
    """From the first frame for a document until it is authenticated."""

    idle_timeout_s: float = 75.0
    """Silence (no frame and no pong) after which a socket counts as dead; devices are pinged well before."""

    heartbeat_s: float = 20.0
    """The server pings every socket this often; stock clients come back after 30 s of silence."""

    close_timeout_s: float = 5.0
    """From our close frame to the peer's, then the transport is cut."""

    frames_per_turn: int = 128
    """Frames of one socket handled before the others have their turn."""

    frames_per_second: float = 50_000.0
    """Sustained frames of one socket; a faster one is not read for a while."""

    bytes_per_second: float = 32.0 * MIB
    """Sustained bytes of one socket, read as above."""

    burst_s: float = 4.0
    """Seconds of the sustained rate that may come at once."""

    abuse_s: float = 60.0
    """A sender that is too fast for so long without a break is sent away."""

    large_frame_bytes: int = 64 * KIB
    """Frames above this size count against `large_frames_bytes`."""

    large_frames_bytes: int = 256 * MIB
    """Bytes of large frames that all sockets of a node may have announced and not yet completed."""

    max_denials: int = 8
    """Denied tokens of one socket, after which it is closed."""

    high_water_bytes: int = 1 * MIB
    """Unsent bytes of one member above which it is *behind* and gets one diff when it drains."""


DEFAULT_LIMITS = Limits()
