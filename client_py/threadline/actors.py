"""Who acts on a session: an authenticated user, in a role, from a device."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an actor may do in one session. `agent` and `server` are never granted to people."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"
    AGENT = "agent"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Actor:
    """`user` is authenticated, never taken from a document; `device` is a label for people."""

    user: str
    role: Role
    device: str = ""
    name: str = ""
