"""Run hints over pub/sub: a few channels for all sessions, heard by every node that waits for hints."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from threadline.ids import SessionId
from threadline_server.backplane.base import NodeId, RunHint
from threadline_server.backplane.hints import Hints
from threadline_server.backplane.redis.keys import HINTS, hint_channel_of
from threadline_server.backplane.redis.link import Reply
from threadline_server.backplane.redis.links import Links
from threadline_server.backplane.redis.scripts import pack
from threadline_server.backplane.redis.subscriptions import Subscription, Subscriptions


class RunHints:
    """Subscribed once somebody of this node waits."""

    def __init__(self, node: NodeId, links: Links, subscriptions: Subscriptions) -> None:
        self._node = node
        self._links = links
        self._subscriptions = subscriptions
        self._here = Hints()
        self._subscribed: list[Subscription] = []

    def give(self, hint: RunHint) -> None:
        self._here.give(hint)
        where = hint_channel_of(hint.session)
        payload = json.dumps([self._node, hint.session, hint.agent])
        self._links.submit(where.slot, pack("SPUBLISH", where.channel, payload), _ignore)

    async def iterate(self) -> AsyncIterator[RunHint]:
        if not self._subscribed:
            self._subscribed = [
                self._subscriptions.add(where.slot, where.channel, self._hear, _nothing) for where in HINTS
            ]
        async for hint in self._here.iterate():
            yield hint

    def _hear(self, payload: bytes) -> None:
        node, session, agent = json.loads(payload)
        if node != self._node:
            self._here.give(RunHint(SessionId(session), agent))


def _ignore(reply: Reply) -> None:
    """Nobody waits for a hint that may be lost."""


def _nothing() -> None:
    return
