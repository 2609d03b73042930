"""This device's copy of one document: replica, channel and what the offline store keeps, together."""

from __future__ import annotations

import asyncio
from typing import Protocol

from threadline.changed import Changed
from threadline.channel import Channel, Phase, Stopped
from threadline.connections import Connections
from threadline.offline_file import OwnRange, SetAside
from threadline.offline_store import OfflineStore
from threadline.presence import Presence
from threadline.protocol.credentials import Credentials
from threadline.protocol.notices import Hello, Notice
from threadline.replica import Replica

_FRAME_OVERHEAD_BYTES = 1024


class CopyOwner(Protocol):
    """Who the document is for; called synchronously, must not raise."""

    def copy_greeted(self, copy: DeviceCopy, hello: Hello) -> None: ...

    def copy_stopped(self, copy: DeviceCopy, stopped: Stopped) -> None: ...

    def copy_noted(self, copy: DeviceCopy, notice: Notice) -> None: ...


class DeviceCopy:
    """name:      the document as it is called on the wire
    lineage:   which session this is a copy of; empty until the server or the store has told
    role:      what this user may do in it, as last told
    changed:   notified whenever the content, the phase or what is acknowledged is different
    was_kept:  the store had a copy, so the document can be used without a connection
    """

    def __init__(
        self,
        name: str,
        connections: Connections,
        store: OfflineStore | None,
        device: str,
        changed: Changed,
        owner: CopyOwner,
    ) -> None:
        self.name = name
        self.lineage = ""
        self.role = ""
        self.changed = changed
        self.was_kept = False
        self._connections = connections
        self._store = store
        self._device = device
        self._owner = owner
        self._earlier: list[OwnRange] = []
        self._told = (0, 0)
        self.replica, self.presence = self._fresh()
        self.channel = Channel(name, self.replica, self.presence, self._credentials)
        self.channel.owner = self

    @property
    def is_live(self) -> bool:
        return self.channel.phase is Phase.LIVE

    @property
    def is_joined(self) -> bool:
        """Whether the server may still say something about it."""
        return self.channel.phase not in (Phase.OFFLINE, Phase.STOPPED)

    @property
    def is_cut_off(self) -> bool:
        """There is no connection for it right now."""
        return self._connections.has_failed(self.name)

    async def load(self) -> None:
        """Take up what the store has of this document."""
        copy = await self._store.load(self.name) if self._store is not None else None
        if copy is None:
            return
        self.replica.on_update = _ignore
        for update in copy.updates:
            self.replica.feed_whole(update)
        self.replica.on_update = self._keep
        self.lineage, self.role, self.was_kept = copy.lineage, copy.role, True
        self._earlier = [own for own in copy.own if own.waiting]
        self.channel.version = 1 if self._earlier else 0

    def join(self) -> None:
        self._connections.add(self.channel)

    def leave(self) -> None:
        """Nothing of this document is sent or received any more."""
        self._connections.remove(self.channel)
        self.replica.on_update = _ignore

    async def set_aside(self, stopped: Stopped) -> SetAside:
        """Keep the document as it is for the user to look at or import, out of the way of a new one."""
        data = self.replica.everything()
        aside = SetAside(self.name, self.lineage, stopped.code, stopped.sentence, data)
        if self._store is not None:
            await self._store.set_aside(aside)
        return aside

    async def forget(self) -> None:
        if self._store is not None:
            await self._store.forget(self.name)

    def start_over(self, *, same_session: bool) -> None:
        """An empty replica under a new client id, which joins at once; the old one is left to its holder."""
        says = self.presence.mine
        self.replica.on_update = _ignore
        self.replica, self.presence = self._fresh()
        self.presence.set(**says)
        self._earlier, self._told = [], (0, 0)
        if not same_session:
            self.lineage = ""
        self.channel.start_over(self.replica, self.presence)
        self._connections.rejoin(self.channel)

    # what the channel tells

    def on_hello(self, hello: Hello) -> None:
        self.lineage, self.role = hello.lineage, hello.role
        most = hello.limits.get("max_frame_bytes")
        if most is not None and most > 2 * _FRAME_OVERHEAD_BYTES:
            self.channel.max_update_bytes = int(most) - _FRAME_OVERHEAD_BYTES
        if self._store is not None:
            self._store.keep_place(self.name, hello.lineage, hello.role)
        self._owner.copy_greeted(self, hello)
        self.changed.notify()

    def on_notice(self, notice: Notice) -> None:
        self._owner.copy_noted(self, notice)
        self.changed.notify()

    def on_progress(self) -> None:
        self._keep_own()
        self.changed.notify()

    def on_stopped(self, stopped: Stopped) -> None:
        self._owner.copy_stopped(self, stopped)
        self.changed.notify()

    # keeping

    def _fresh(self) -> tuple[Replica, Presence]:
        replica = Replica()
        replica.on_update = self._keep
        presence = Presence(replica.client_id, asyncio.get_running_loop().time)
        presence.on_change = self.changed.notify
        return replica, presence

    def _keep(self, update: bytes) -> None:
        self.changed.notify()
        if self._store is None:
            return
        self._store.keep(self.name, update)
        if self._store.wants_whole(self.name):  # not now: the transaction is still open
            asyncio.get_running_loop().call_soon(self._fold, self.replica)

    def _fold(self, replica: Replica) -> None:
        store = self._store
        if store is not None and replica is self.replica and store.wants_whole(self.name):
            store.keep_whole(self.name, replica.everything())

    def _keep_own(self) -> None:
        if self._store is None:
            return
        told = (self.replica.own_clock, self.channel.acknowledged_clock)
        if told != self._told:
            self._told = told
            self._store.keep_own(self.name, OwnRange(self.replica.client_id, *told))
        if self._earlier and self.channel.is_saved:
            earlier, self._earlier = self._earlier, []
            for own in earlier:
                self._store.keep_own(self.name, OwnRange(own.client, own.written, own.written))

    def _credentials(self) -> Credentials:
        return Credentials(self._connections.token.value, self._device, self.lineage)


def _ignore(update: bytes) -> None:
    """Nothing is kept of it."""
