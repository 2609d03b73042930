"""A server's side of one document, in memory: so that a channel is tested message by message.

It stores at once and acknowledges when told to, which lets a test look at every state in between.
"""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, TransactionEvent

from threadline.channel import Channel, Stopped
from threadline.presence import Presence
from threadline.protocol.credentials import Credentials
from threadline.protocol.hocuspocus import (
    Authenticate,
    Authenticated,
    ClientMessage,
    Scope,
    Stateless,
    SyncStatus,
)
from threadline.protocol.notices import Hello, Notice, ServerInfo, encode_note
from threadline.protocol.sync import SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate
from threadline.replica import Replica

HELLO = Hello(
    session="trip",
    lineage="lineage-1",
    user="ada",
    role="owner",
    device="",
    durability="process",
    server=ServerInfo("threadline", "0"),
)


class Exchange:
    """Joined channels see each other's updates. `hold` keeps acknowledgements back until `acknowledge`."""

    def __init__(self, *, scope: Scope = Scope.READ_WRITE) -> None:
        self.doc: Doc[Any] = Doc()
        self.scope = scope
        self.hold = False
        self.seen: list[ClientMessage] = []
        self._joined: list[Channel] = []
        self._owed: list[Channel] = []
        self._sender: Channel | None = None
        self.doc.observe(self._forward)

    def connect(self, *channels: Channel) -> None:
        for channel in channels:
            self._joined.append(channel)
            channel.connected()
        self.settle()

    def cut(self, channel: Channel) -> None:
        """The connection is lost, with the acknowledgements under way on it."""
        self._joined.remove(channel)
        self._owed = [owed for owed in self._owed if owed is not channel]
        channel.disconnected()

    def settle(self) -> None:
        """Carry messages until nobody has anything to say."""
        while any(self._carry(channel) for channel in list(self._joined)):
            pass

    def acknowledge(self, count: int | None = None) -> None:
        for channel in self._owed[:count]:
            channel.receive(SyncStatus(True))
        self._owed = [] if count is None else self._owed[count:]

    def _carry(self, channel: Channel) -> bool:
        messages = channel.take()
        for message in messages:
            self.seen.append(message)
            self._receive(channel, message)
        return bool(messages)

    def _receive(self, channel: Channel, message: ClientMessage) -> None:
        match message:
            case Authenticate():
                channel.receive(Authenticated(self.scope))
                channel.receive(Stateless(encode_note(HELLO)))
            case SyncStep1(state_vector):
                channel.receive(SyncStep1(self.doc.get_state()))
                channel.receive(SyncStep2(self.doc.get_update(state_vector)))
            case SyncStep2(update) | Update(update):
                self._store(channel, update)
            case AwarenessUpdate():
                for member in self._joined:
                    member.receive(message)

    def _store(self, channel: Channel, update: bytes) -> None:
        self._sender = channel
        self.doc.apply_update(update)
        self._owed.append(channel)
        if not self.hold:
            self.acknowledge()

    def _forward(self, event: TransactionEvent) -> None:
        for channel in self._joined:
            if channel is not self._sender and channel.replica is not None:
                channel.receive(Update(event.update))


class Owner:
    """Remembers what a channel told."""

    def __init__(self) -> None:
        self.hellos: list[Hello] = []
        self.notices: list[Notice] = []
        self.stops: list[Stopped] = []
        self.progress = 0

    def on_hello(self, hello: Hello) -> None:
        self.hellos.append(hello)

    def on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def on_progress(self) -> None:
        self.progress += 1

    def on_stopped(self, stopped: Stopped) -> None:
        self.stops.append(stopped)


def channel_of(name: str = "trip", *, client_id: int | None = None) -> tuple[Channel, Owner]:
    replica = Replica(client_id=client_id)
    channel = Channel(name, replica, Presence(replica.client_id, lambda: 0.0), lambda: Credentials("ada"))
    owner = Owner()
    channel.owner = owner
    return channel, owner
