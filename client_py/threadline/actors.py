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

    __hash__ = str.__hash__  # an enum's own is a call of Python, for each question of a write rule


@dataclass(init=False, slots=True, unsafe_hash=True)
class Actor:
    """`user` is authenticated, never taken from a document; `device` is a label for people."""

    user: str
    role: Role
    device: str
    name: str

    def __init__(self, user: str, role: Role, device: str = "", name: str = "") -> None:
        self.user = user
        self.role = role
        self.device = device
        self.name = name
