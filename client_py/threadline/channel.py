"""One document on the wire, as this device sees it: what to send, what arrived, what is acknowledged.

No socket, no clock: messages go in, messages come out of `take`, and the owner hears of what matters. A
channel lives as long as its document; connections come and go:

    offline -> authenticating -> joining -> live -> offline (connection lost) ...
                                                 -> stopped (a 44xx reason; `start_over` begins again)

What is acknowledged is counted exactly. The server answers every step 2 and every update with one SyncStatus,
in the order they were sent. A new connection begins a new count with a step 2 that holds everything the
server lacks, so its acknowledgement covers all that was made before it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pycrdt import merge_updates

from threadline.errors import ProtocolError
from threadline.presence import Presence
from threadline.protocol import hocuspocus
from threadline.protocol.awareness import decode_awareness, encode_awareness
from threadline.protocol.close_codes import CloseCode, parse_reason
from threadline.protocol.credentials import Credentials, encode_credentials
from threadline.protocol.errors import UnknownMessage
from threadline.protocol.hocuspocus import ClientMessage, ServerMessage
from threadline.protocol.notices import Hello, Notice, decode_note
from threadline.protocol.sync import SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate, PermissionDenied, QueryAwareness
from threadline.replica import Replica

PROVIDER_VERSION = "4.8.0"
"""The dialect spoken; servers send an application ping only to providers that state a version."""

MAX_UNSENT_UPDATES = 1_000
"""Local updates that wait for the socket; more are folded into one."""

_log = logging.getLogger("threadline.channel")


class Phase(StrEnum):
    OFFLINE = "offline"
    AUTHENTICATING = "authenticating"
    JOINING = "joining"
    LIVE = "live"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a document does not come back by itself. `close` is None for a reason that has no close code."""

    close: CloseCode | None
    detail: str

    @property
    def code(self) -> str:
        return self.close.name if self.close is not None else "refused"

    @property
    def sentence(self) -> str:
        """What happened, for people, with the detail where there is one."""
        if self.close is None:
            return self.detail
        return f"{self.close.sentence} ({self.detail})" if self.detail else self.close.sentence


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message to be acknowledged: it covers local changes up to `version`, own clocks up to `clock`."""

    version: int
    clock: int


class ChannelOwner(Protocol):
    """Who has the document; called synchronously, must not raise."""

    def on_hello(self, hello: Hello) -> None: ...

    def on_notice(self, notice: Notice) -> None: ...

    def on_progress(self) -> None:
        """The phase or what is acknowledged changed."""

    def on_stopped(self, stopped: Stopped) -> None: ...


class Channel:
    """One document of a connection.

    The connection sets `wake` (`take` has something to give), `on_comes_back` (the server ended this document
    for now: join again on the same socket after a wait), `on_token_wanted` (it asks for a fresh token) and
    `on_unwritable` (it will never take what was written here, since its user only reads: leave and stop).
    """

    def __init__(
        self, name: str, replica: Replica, presence: Presence, credentials: Callable[[], Credentials]
    ) -> None:
        self.name = name
        self.replica = replica
        self.presence = presence
        self.phase = Phase.OFFLINE
        self.stopped: Stopped | None = None
        self.hello: Hello | None = None
        self.read_only = False
        self.owner: ChannelOwner | None = None
        self.wake: Callable[[], None] = _nothing
        self.on_comes_back: Callable[[], None] = _nothing
        self.on_token_wanted: Callable[[], None] = _nothing
        self.on_unwritable: Callable[[], None] = _nothing
        self.epoch = 0
        self.version = 0
        self.saved_version = 0
        self.acknowledged_clock = 0
        self.max_update_bytes = 512 * 1024
        self._credentials = credentials
        self._sent: deque[_Sent] = deque()
        self._answered = False
        self._asked = 0
        self._has_gap = False
        self._unsent: list[bytes] = []
        self._replies: list[ClientMessage] = []
        self._awareness_due = False
        replica.on_local = self._local_update
        presence.on_own = self._own_presence

    @property
    def is_saved(self) -> bool:
        """Everything made here is durable on the server."""
        return self.saved_version >= self.version

    @property
    def waiting(self) -> int:
        """Local changes that are not acknowledged yet."""
        return self.version - self.saved_version

    # the connection's side

    def connected(self) -> None:
        """A new socket is there: say who we are and what we have."""
        if self.phase is Phase.STOPPED:
            return
        self._reset_count()
        self._set_phase(Phase.AUTHENTICATING)
        self._replies = [self._authenticate()]
        self._ask()
        self._awareness_due = True
        self.wake()

    def disconnected(self) -> None:
        """The socket is gone. What was not acknowledged goes out with the next step 2."""
        self._reset_count()
        self.presence.forget_others()
        if self.phase is not Phase.STOPPED:
            self._set_phase(Phase.OFFLINE)

    def take(self) -> list[ClientMessage]:
        """What is to be sent now, in order; each message is given once."""
        messages, self._replies = self._replies, []
        if self._answered and self._unsent:
            messages += self._updates()
        if self._awareness_due and self.phase in (Phase.JOINING, Phase.LIVE):
            self._awareness_due = False
            messages.append(AwarenessUpdate(encode_awareness([self.presence.entry()])))
        return messages

    def authenticate_again(self) -> None:
        """The token that the server asked for is there."""
        self._replies.append(self._authenticate())
        self.wake()

    def renew_presence(self) -> None:
        """Time for y-protocols' renewal, which is a heartbeat too."""
        self._awareness_due = True
        self.wake()

    def leave(self) -> list[ClientMessage]:
        """The last messages of a document that its user closes."""
        if self.phase in (Phase.OFFLINE, Phase.STOPPED):
            return []
        gone = AwarenessUpdate(encode_awareness([self.presence.farewell()]))
        return [*self.take(), gone, hocuspocus.CloseDocument()]

    def start_over(self, replica: Replica, presence: Presence) -> None:
        """Go on with another replica, after a reset."""
        self.replica.on_local = _no_update
        self.presence.on_own = _nothing
        self.replica, self.presence = replica, presence
        replica.on_local = self._local_update
        presence.on_own = self._own_presence
        self.stopped = None
        self.saved_version = self.version
        self.acknowledged_clock = 0
        self._set_phase(Phase.OFFLINE)

    def stop(self, stopped: Stopped) -> None:
        """End this document's part: it does not join again by itself."""
        if self.phase is Phase.STOPPED:
            return
        self._reset_count()
        self.stopped = stopped
        self.presence.forget_others()
        self._set_phase(Phase.STOPPED)
        if self.owner is not None:
            self.owner.on_stopped(stopped)

    def receive(self, message: ServerMessage) -> None:
        """Take one message of the server. Raises ProtocolError where it cannot be followed."""
        if self.phase in (Phase.OFFLINE, Phase.STOPPED):
            return
        match message:
            case Update(update):
                self._feed(update)
            case hocuspocus.SyncStatus(applied):
                self._status(applied)
            case AwarenessUpdate(update):
                self.presence.receive(decode_awareness(update))
            case SyncStep1(state_vector):
                self._answer(state_vector)
            case SyncStep2(update):
                self._joined(update)
            case hocuspocus.Stateless(payload):
                self._note(payload)
            case _:
                self._receive_rare(message)

    # messages

    def _receive_rare(self, message: ServerMessage) -> None:
        match message:
            case hocuspocus.Authenticated(scope):
                self.read_only = scope is hocuspocus.Scope.READONLY
                if self.phase is Phase.AUTHENTICATING:  # a renewed token is granted on a live document too
                    self._set_phase(Phase.JOINING)
                self.wake()
            case hocuspocus.TokenRequested():
                self.on_token_wanted()
            case PermissionDenied(reason):
                self.stop(Stopped(*parse_reason(reason)))
            case hocuspocus.CloseDocument(reason):
                self._closed(reason or "")
            case QueryAwareness():
                self.renew_presence()
            case _:
                _log.debug("%s: nothing to do for %s", self.name, type(message).__name__)

    def _feed(self, update: bytes) -> None:
        if self.replica.feed(update):
            return
        self._ask()

    def _ask(self) -> None:
        self._asked += 1
        self._replies.append(SyncStep1(self.replica.state_vector()))
        self.wake()

    def _answer(self, state_vector: bytes) -> None:
        """The server says what it has: give it the rest.

        In answer to our own step 1, one status follows. Unasked, it lacks something before what we sent: then
        this step 2 settles those messages and has no status of its own.
        """
        self._unsent.clear()
        self._replies.append(SyncStep2(self.replica.difference(state_vector)))
        if self._asked:
            self._asked -= 1
            self._sent.append(_Sent(self.version, self.replica.own_clock))
        elif self._sent:
            self._has_gap = True
            self._sent[-1] = _Sent(self.version, self.replica.own_clock)
        self._answered = True
        self.wake()

    def _joined(self, update: bytes) -> None:
        self.replica.feed_whole(update)
        self._set_phase(Phase.LIVE)

    def _status(self, applied: bool) -> None:
        if not self._sent:
            raise ProtocolError("The server acknowledged more than was sent.")
        sent = self._sent.popleft()
        if not applied:
            if self.read_only:  # else the reason follows as a close of this document
                self.on_unwritable()
            return
        if self._has_gap and self._sent:
            return  # statuses do not come in order now; all of them together mean that all is stored
        self._has_gap = False
        self.saved_version = max(self.saved_version, sent.version)
        self.acknowledged_clock = max(self.acknowledged_clock, sent.clock)
        self._progress()

    def _note(self, payload: str) -> None:
        try:
            note = decode_note(payload)
        except UnknownMessage:
            return
        if isinstance(note, Hello):
            self.hello = note
        if self.owner is None:
            return
        if isinstance(note, Hello):
            self.owner.on_hello(note)
        else:
            self.owner.on_notice(note)

    def _closed(self, reason: str) -> None:
        close, detail = parse_reason(reason)
        if close is not None and close.comes_back:
            self.disconnected()
            self.on_comes_back()
            return
        self.stop(Stopped(close, detail))

    # local changes

    def _local_update(self, update: bytes) -> None:
        self.version += 1
        if self._answered:
            self._unsent.append(update)
            if len(self._unsent) >= MAX_UNSENT_UPDATES:
                self._unsent = [merge_updates(*self._unsent)]
            self.wake()
        self._progress()

    def _updates(self) -> list[ClientMessage]:
        """Unsent changes as few messages; what exceeds a frame travels as a step 2, which may be large."""
        merged = self._unsent[0] if len(self._unsent) == 1 else merge_updates(*self._unsent)
        self._unsent = []
        self._sent.append(_Sent(self.version, self.replica.own_clock))
        return [Update(merged) if len(merged) <= self.max_update_bytes else SyncStep2(merged)]

    def _own_presence(self) -> None:
        self._awareness_due = True
        self.wake()

    def _authenticate(self) -> ClientMessage:
        return hocuspocus.Authenticate(encode_credentials(self._credentials()), PROVIDER_VERSION)

    def _reset_count(self) -> None:
        self._sent.clear()
        self._unsent.clear()
        self._replies.clear()
        self._answered = self._has_gap = False
        self._asked = 0
        self.epoch += 1

    def _set_phase(self, phase: Phase) -> None:
        self.phase = phase
        self._progress()

    def _progress(self) -> None:
        if self.owner is not None:
            self.owner.on_progress()


def _nothing() -> None:
    """Nobody is listening."""


def _no_update(update: bytes) -> None:
    """A replica that was set aside is not sent any more."""
