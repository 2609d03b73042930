"""The bounds of the edge that are no bounds of the wire, with their defaults; the app fills them from the
settings.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EdgeOptions:
    max_token_life_s: float = 86_400.0
    """Longest time between `iat` and `exp` of a signed token."""

    ticket_life_s: float = 60.0
    """How long a ticket waits for its one use."""

    link_life_s: float = 300.0
    """How long the code for linking a device waits to be used and confirmed."""

    link_poll_s: float = 2.0
    """How often a device that waits to be linked, or to confirm, asks how it stands."""

    link_tries_per_minute: int = 10
    """Codes for linking a device, right or wrong, that one address may try a minute."""

    device_token_life_s: float = 7_776_000.0
    """How long a linked device stays signed in."""

    max_connections_per_user: int = 2_000
    """Open documents of one authenticated user on one node."""

    max_connections_per_address: int = 1_000
    """Open WebSocket connections from one address on one node; those from this machine are not counted."""

    max_sessions_per_user: int = 10_000
    """Sessions that one authenticated user may own."""

    max_attachment_bytes: int = 4_194_304
    """Size of one attached file."""

    max_attachments_per_session: int = 200
    """Files attached to one session."""

    max_attachment_bytes_per_session: int = 67_108_864
    """Size of all files attached to one session together."""

    max_request_head_bytes: int = 32_768
    """Request line and headers of one HTTP request or handshake."""

    request_head_s: float = 20.0
    """From opening a socket, or the first byte of a request, until its headers are there."""

    request_body_s: float = 120.0
    """From the headers of an HTTP request until its body is there."""

    requests_per_minute: int = 1_200
    """HTTP requests of one caller (its token, or its address) a minute."""

    refusals_per_minute: int = 60
    """Requests and handshakes of one address a minute that failed to prove who they are."""


DEFAULT_OPTIONS = EdgeOptions()
