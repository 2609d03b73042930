"""A session: one conversation with its state, messages and runs, as a dict-like object.

`Session()` stands alone, in memory or in a file of this machine; `client.open(...)` gives a `LiveSession`,
which has the same surface and follows the server; `Session.over(document)` is a view of another's document.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self, TypeVar, cast, overload

from pycrdt import Doc, Map

from threadline.document.companion import CompanionDocument, Draft
from threadline.document.counters import Counters
from threadline.document.messages import Message, Messages, MessageStatus
from threadline.document.meta import CONTEXT_PREFIX
from threadline.document.runs import Runs
from threadline.document.session_document import SessionDocument
from threadline.document.state import FlatState, escape
from threadline.document.values import JSON, load_as
from threadline.errors import SessionError
from threadline.export import Exported, fill, to_export
from threadline.guard import OPEN, Guard, GuardedCounters, GuardedState
from threadline.ids import parse_session_id, uuid7
from threadline.markdown import read_markdown, write_markdown
from threadline.sensitive import warn_of
from threadline.session_file import SavedSession, SessionFile
from threadline.transcript import (
    CountTokens,
    NewMessage,
    Scribe,
    estimate_tokens,
    history,
    token_count,
)
from threadline.undo import UndoStack

T = TypeVar("T")

_MISSING = object()
"""No value, where None is one."""


class Session:
    """A dict of JSON values, Pydantic models and dataclasses, with a transcript beside it.

    id:         its name, 1 to 128 characters of `[A-Za-z0-9._:@-]`
    user_id:    whose session it is
    document:   the typed views that this is built on
    """

    def __init__(
        self, data: Mapping[str, object] | None = None, *, session_id: str | None = None, user_id: str = ""
    ) -> None:
        self.id = parse_session_id(session_id or uuid7())
        self.user_id = user_id
        self.device = ""
        self._guard: Guard = OPEN
        self._parent: Session | None = None
        self._children: dict[str, Session] = {}
        self._store: SessionFile | None = None
        self._modified = False
        self._companion = CompanionDocument(Doc())
        self._adopt(SessionDocument(Doc()))
        if data:
            self.document.state.update(data)

    @classmethod
    def over(
        cls, document: SessionDocument, *, session_id: str, user_id: str = "", guard: Guard = OPEN
    ) -> Self:
        """A view of a document that lives elsewhere, such as a worker's replica; `undo` has nothing to do."""
        session = cls(session_id=session_id, user_id=user_id)
        session._guard = guard
        session._adopt(document, undoable=False)
        return session

    def _adopt(self, document: SessionDocument, *, undoable: bool = True) -> None:
        self.document = document
        self._undo = UndoStack(document.doc) if undoable else None
        self._scribe = Scribe(document.messages, self.user_id, self._now_ms)
        doc = document.doc
        self._state = GuardedState("state", doc.get("state", type=Map), self._guard)
        self._context = GuardedState("meta", doc.get("meta", type=Map), self._guard, CONTEXT_PREFIX)
        self._counters = GuardedCounters(doc.get("counters", type=Map), self._guard, self._remember)

    def _remember(self, take_back: Callable[[], bool]) -> None:
        if self._undo is not None:
            self._undo.remember(take_back)

    def _edit(self) -> AbstractContextManager[object]:
        """One step of the undo stack."""
        return self._undo.edit() if self._undo is not None else nullcontext()

    # a dict

    @overload
    def get(self, key: str, default: None = None) -> Any: ...

    @overload
    def get(self, key: str, default: T) -> Any | T: ...

    @overload
    def get(self, key: str, default: None = None, *, as_type: type[T]) -> T | None: ...

    @overload
    def get(self, key: str, default: T, *, as_type: type[T]) -> T: ...

    def get(self, key: str, default: object = None, *, as_type: type[Any] | None = None) -> Any:
        """The value of a key, `default` where there is none.

        With `as_type` it comes back as that model or dataclass; data that does not fit is given back raw.
        """
        value = self._read(key)
        if value is _MISSING:
            return default
        return value if as_type is None else load_as(cast(JSON, value), as_type)

    def set(self, key: str, value: object, ttl: float | None = None) -> None:
        """Write the difference between what is stored and `value`; it is gone after `ttl` seconds, if given.

        Raises NotSerializable, and Refused where the rules of a live session say no.
        """
        warn_of(key, value)
        with self._edit():
            self._state.set(key, value, expires_at_ms=self._expiry(ttl))
        self._modified = True

    def replace(self, key: str, value: object, ttl: float | None = None) -> None:
        """Write all of `value`: what others put into the old one meanwhile does not stay. Raises as `set`."""
        warn_of(key, value)
        with self._edit():
            self._state.replace(key, value, expires_at_ms=self._expiry(ttl))
        self._modified = True

    def update(self, values: Mapping[str, object]) -> None:
        """Set several keys, all or none. Raises as `set`."""
        for key, value in values.items():
            warn_of(key, value)
            self._guard.write(_state_path(key))
        if not values:
            return
        with self._edit():
            self._state.update(values)
        self._modified = True

    def delete(self, key: str) -> None:
        """Remove a key; one that is missing is no error. Raises Refused."""
        with self._edit():
            self._modified |= self._state.delete(key)

    def clear(self) -> None:
        """Remove every key. Raises Refused."""
        with self._edit():
            self._modified |= self._state.clear()

    def has(self, key: str) -> bool:
        return self._read(key) is not _MISSING

    def keys(self) -> list[str]:
        return list(self.to_dict())

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pairs of key and plain JSON value."""
        return iter(self.to_dict().items())

    def to_dict(self) -> dict[str, Any]:
        """A copy of the state as plain JSON."""
        values = self.document.state.to_dict()
        for key in self.document.state.expired(self._now_ms()):
            values.pop(key, None)
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, object] | None) -> Self:
        """A session with this state, not modified. None gives an empty one."""
        return cls(data)

    @property
    def is_modified(self) -> bool:
        """Whether the state was changed here since it was made, loaded or saved."""
        return self._modified

    @property
    def is_empty(self) -> bool:
        return not self.to_dict()

    def __len__(self) -> int:
        return len(self.to_dict())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.has(key)

    def __getitem__(self, key: str) -> Any:
        value = self._read(key)
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: object) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {len(self)} keys, {len(self.messages)} messages>"

    # beside the state

    @property
    def messages(self) -> Messages:
        """The transcript: indexing and slicing give messages as they are now, in transcript order."""
        return self.document.messages

    @messages.setter
    def messages(self, wanted: Iterable[Message | NewMessage]) -> None:
        """Put another list in its place, such as `[summary, *session.messages[-10:]]`.

        What is not in it is retracted. New messages are `{"role", "content"}`, or a text, which a summary is.
        """
        self._assign(list(wanted))

    @property
    def runs(self) -> Runs:
        return self.document.runs

    @property
    def counters(self) -> Counters:
        return self._counters

    @property
    def context(self) -> FlatState:
        """What the session was opened with: `location`, `timezone`, `preferences` and the like."""
        return self._context

    @property
    def draft(self) -> Draft:
        """What this user is composing; it follows the user from device to device."""
        return self._companion.draft

    @property
    def companion(self) -> CompanionDocument:
        """What is this user's alone: the draft, read markers and a state that nobody else sees."""
        return self._companion

    @property
    def title(self) -> str:
        return self.document.meta.title

    @title.setter
    def title(self, title: str) -> None:
        self._guard.write(("meta", "title"), title)
        self.document.meta.title = title

    def add_message(self, role: str, content: str, **fields: Any) -> Message:
        """Add to the transcript. `fields`: data, attachments, parent, run, name.

        Raises ValueError for a role that is none of user, assistant (or agent), system, tool; Refused.
        """
        message = self._write_message(role, content, fields)
        self._remember(lambda: self._retract(message.id))
        return message

    def get_history(self, limit: int | None = None) -> list[dict[str, str]]:
        """The last `limit` messages, or all, as `{"role", "content"}`."""
        messages = self.messages[-limit:] if limit else self.messages[:]
        return history(messages)

    def token_count(self, count: CountTokens = estimate_tokens) -> int:
        """About how many tokens the transcript is; `count` may be a model's own tokeniser."""
        return token_count(self.messages, count)

    def undo(self) -> bool:
        """Take back one's own last edit; what others did since stays. False where there is nothing."""
        return self._undo is not None and self._undo.undo()

    def export(self, format: str = "json") -> Exported | str:  # noqa: A002  (the name of the API)
        """The session as JSON data (`json`) or as Markdown text (`markdown`). Raises ValueError."""
        data = to_export(self.document, session_id=self.id, user_id=self.user_id)
        if format == "json":
            return data
        if format == "markdown":
            return write_markdown(data)
        raise ValueError(f"There is no export format {format!r}; there are json and markdown.")

    @classmethod
    def import_(cls, data: Mapping[str, Any] | str) -> Self:
        """A session of its own from an export, as JSON data or as Markdown text. Raises SessionError,
        NotSerializable, ValueError.
        """
        data = read_markdown(data) if isinstance(data, str) else data
        session = cls(session_id=data.get("session_id"), user_id=str(data.get("user_id") or ""))
        fill(session.document, data, now_ms=session._now_ms())
        return session

    # a life without a server

    @classmethod
    def create(cls, user_id: str, *, session_id: str | None = None, store: str | Path | None = None) -> Self:
        """A new session of a user, saved in `store` (a file; by default the user's own)."""
        session = cls(session_id=session_id, user_id=user_id)
        session._store = SessionFile(store)
        session.save()
        return session

    @classmethod
    def load(cls, session_id: str, *, store: str | Path | SessionFile | None = None) -> Self:
        """A session as it was saved. Raises SessionNotFound."""
        file = store if isinstance(store, SessionFile) else SessionFile(store)
        saved = file.load(session_id)
        session = cls(session_id=saved.id, user_id=saved.user)
        session.document.doc.apply_update(saved.data)
        session._store = file
        if saved.parent:
            session._parent = cls.load(saved.parent, store=store)
        return session

    def save(self) -> Awaitable[None]:
        """Keep it: at once where it stands alone; a live session is awaited until all of it is durable."""
        store = self._store = self._store or SessionFile()
        parent = self._parent.id if self._parent is not None else ""
        store.save(SavedSession(self.id, self.user_id, parent, self.document.doc.get_update()))
        self._modified = False
        return _Done()

    def child(self, session_id: str | None = None) -> Session:
        """A session of its own below this one: it reads this one's keys where it has none itself."""
        child = type(self)(session_id=session_id, user_id=self.user_id)
        child._parent, child._store = self, self._store
        self._children[child.id] = child
        return child

    @property
    def children(self) -> list[Session]:
        """The sessions below this one, oldest first: those made here, and those saved beside it."""
        store = self._store
        for session_id in store.children(self.id) if store is not None else ():
            if session_id not in self._children:
                child = type(self).load(session_id, store=store)
                child._parent = self
                self._children[session_id] = child
        return list(self._children.values())

    def branch(self, at: Message | str | None = None) -> Session:
        """A copy that goes on by itself, with the messages up to `at`, or all of them."""
        data = to_export(self.document, session_id=uuid7(), user_id=self.user_id)
        if at is not None:
            ids = [message["id"] for message in data["messages"]]
            last = at.id if isinstance(at, Message) else at
            if last not in ids:
                raise SessionError(f"There is no message {last} in this session.", session_id=self.id)
            data["messages"] = data["messages"][: ids.index(last) + 1]
        data["parent"] = self.id
        return Session.import_(data)

    @property
    def parent(self) -> Session | None:
        return self._parent

    def __await__(self) -> Generator[Any, None, Self]:
        """Ready to be used: at once here, when it is joined for a live session."""
        yield from ()
        return self

    # inside

    def _read(self, key: str) -> object:
        state = self.document.state
        value = state.get(key)
        expires = state.expires_at_ms(key)
        gone = expires is not None and expires <= self._now_ms()
        if not gone and (value is not None or key in state):
            return value
        return self._parent._read(key) if self._parent is not None else _MISSING

    def _expiry(self, ttl: float | None) -> int | None:
        if ttl is None:
            return None
        if ttl <= 0:
            raise ValueError("A time to live is a number of seconds above zero.")
        return self._now_ms() + int(ttl * 1000)

    def _write_message(self, role: str, content: str, fields: Mapping[str, Any]) -> Message:
        return self._scribe.add({"role": role, "content": content, **fields})

    def _assign(self, wanted: list[Message | NewMessage]) -> None:
        with self.document.transaction():
            self._scribe.assign(wanted)

    def _retract(self, message_id: str) -> bool:
        message = self.messages.get(message_id)
        if message is None or message.status == MessageStatus.RETRACTED:
            return False
        self._guard.write(("messages", message_id, "status"), MessageStatus.RETRACTED)
        self.messages.set_status(message_id, MessageStatus.RETRACTED)
        return True

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class _Done:
    """Something awaitable that has happened already."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


def _state_path(key: str) -> tuple[str, str]:
    return ("state", f"/{escape(key)}")
