"""Identifiers: what a session, a user and a device-created entry may be called.

Entries that devices create carry their owner, `<user>/<uuid7>`, so two nodes that have not seen each other
can accept creations without a race: nobody else may create under that key.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import NewType

SessionId = NewType("SessionId", str)
UserId = NewType("UserId", str)
EntryId = NewType("EntryId", str)
ClientId = NewType("ClientId", int)

MAX_NAME_CHARS = 128
AGENT_PREFIX = "agent:"
SERVER_USER = UserId("server:")
COMPANION_MARK = "~"
COMPANION_OF_ME = "~me"

_NAME = re.compile(r"[A-Za-z0-9._:@-]{1,128}")
_RULE = "1 to 128 characters of A-Z a-z 0-9 . _ : @ -"


def parse_session_id(text: str) -> SessionId:
    """`text` as a session id. Raises ValueError with a sentence that says what is allowed."""
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"A session id is {_RULE}; this one is not.")
    return SessionId(text)


def parse_user_id(text: str) -> UserId:
    """`text` as the name of a person or service; names of agents and of the server are reserved."""
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"A user name is {_RULE}; this one is not.")
    if text.startswith((AGENT_PREFIX, SERVER_USER)):
        raise ValueError("User names that begin with 'agent:' or 'server:' are reserved.")
    return UserId(text)


def parse_member_id(text: str) -> UserId:
    """As `parse_user_id`, but an agent may be named too. Raises ValueError."""
    if _NAME.fullmatch(text) is not None and is_agent(text):
        return UserId(text)
    return parse_user_id(text)


def is_agent(user: str) -> bool:
    return user.startswith(AGENT_PREFIX) and user != AGENT_PREFIX


def agent_user(agent_name: str) -> UserId:
    """The user name under which the agent `agent_name` writes."""
    return UserId(AGENT_PREFIX + agent_name)


def split_document_name(name: str) -> tuple[SessionId, str | None]:
    """(session id, companion's user or "me" or None) of a document name on the wire.

    `trip` is a session, `trip~me` the caller's companion document in it. Raises ValueError.
    """
    session, mark, user = name.partition(COMPANION_MARK)
    if not mark:
        return parse_session_id(session), None
    return parse_session_id(session), str(parse_member_id(user))


def uuid7(*, now_ms: int | None = None, random_bits: int | None = None) -> str:
    """A time-ordered UUID, version 7 of RFC 9562, in its canonical text form."""
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    bits = secrets.randbits(74) if random_bits is None else random_bits
    value = (
        (ms & (1 << 48) - 1) << 80
        | 0x7 << 76
        | (bits >> 62 & 0xFFF) << 64
        | 0b10 << 62
        | bits & (1 << 62) - 1
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_entry_id(user: str) -> EntryId:
    """A fresh id for something `user` creates: a message, an intent."""
    return EntryId(f"{user}/{uuid7()}")


def owner_of(entry_id: str) -> str:
    """The user an entry id belongs to; the empty string where the id carries none."""
    owner, slash, _ = entry_id.rpartition("/")
    return owner if slash else ""


def belongs_to(entry_id: str, user: str) -> bool:
    """Whether `user` is the owner of an entry id; nobody is of an id that carries none."""
    return entry_id.rfind("/") == len(user) and entry_id.startswith(user)


def new_client_id() -> ClientId:
    """A random Yjs client id. 32 bits, as Yjs itself draws them; never 0."""
    return ClientId(secrets.randbelow((1 << 32) - 1) + 1)
