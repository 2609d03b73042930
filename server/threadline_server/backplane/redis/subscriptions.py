"""Sharded pub/sub: the channels of this node, each subscribed where its slot lives, again after every
break.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from threadline_server.backplane.redis.link import Link, RedisRefused, Reply
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import pack
from threadline_server.backplane.redis.topology import Topology


@dataclass(slots=True, eq=False)
class Subscription:
    """on_message: gets each payload
    on_live:    called when nothing that is published from now on can be missed, and again after each break
    """

    slot: int
    channel: bytes
    on_message: Callable[[bytes], None]
    on_live: Callable[[], None]
    live: bool = field(default=False)


class Subscriptions:
    """breaks: how often a connection was made again"""

    def __init__(self, topology: Topology) -> None:
        self.links = Links(topology, self._on_ready, on_push=self._on_push)
        self.breaks = 0
        self.messages = 0
        self._channels: dict[bytes, Subscription] = {}
        topology.on_change.append(self._subscribe_missing)

    def __len__(self) -> int:
        return len(self._channels)

    def add(
        self, slot: int, channel: str, on_message: Callable[[bytes], None], on_live: Callable[[], None]
    ) -> Subscription:
        subscription = Subscription(slot, channel.encode(), on_message, on_live)
        self._channels[subscription.channel] = subscription
        self._subscribe(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        if self._channels.get(subscription.channel) is subscription:
            del self._channels[subscription.channel]
            link = self.links.of(subscription.slot)
            if link is not None:
                link.write(pack("SUNSUBSCRIBE", subscription.channel))

    def _subscribe(self, subscription: Subscription) -> None:
        subscription.live = False
        link = self.links.of(subscription.slot)
        if link is not None:
            link.write(pack("SSUBSCRIBE", subscription.channel))

    def _on_ready(self, link: Link) -> None:
        self.breaks += 1
        topology = self.links.topology
        for subscription in self._channels.values():
            if topology.owner(subscription.slot) == link.address:
                self._subscribe(subscription)

    def _subscribe_missing(self) -> None:
        for subscription in self._channels.values():
            if not subscription.live:
                self._subscribe(subscription)

    def _on_push(self, link: Link, reply: Reply) -> None:
        if isinstance(reply, RedisRefused):
            if reply.kind == "MOVED":
                self.links.want_refresh()
            return
        kind = reply[0] if isinstance(reply, list) else b""
        if kind == b"smessage":
            self._hear(reply[1], reply[2])
        elif kind == b"ssubscribe":
            self._confirmed(reply[1])
        elif kind == b"sunsubscribe" and reply[1] in self._channels:
            self._moved_away(reply[1])

    def _hear(self, channel: bytes, payload: bytes) -> None:
        self.messages += 1
        subscription = self._channels.get(channel)
        if subscription is not None:
            subscription.on_message(payload)

    def _confirmed(self, channel: bytes) -> None:
        subscription = self._channels.get(channel)
        if subscription is not None:
            subscription.live = True
            subscription.on_live()

    def _moved_away(self, channel: bytes) -> None:
        """The slot went to another node, or this channel was given up and taken again at once."""
        self._channels[channel].live = False
        self.links.want_refresh()
        self._subscribe(self._channels[channel])
