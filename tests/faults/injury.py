"""The faults of a deployment: what each does, for how long, and how it is mended."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.deployment import LEASE_S, Deployment, Place

STOPPED_S = 1.5 * LEASE_S
CUT_S = (0.5, 2.0)
LOSSY_S = 2.0
LOST_SHARE = 0.3
DELAY_S = 0.3

Injure = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Tally:
    """in_flight: faults that came while some update was on its way, sent and not acknowledged."""

    count: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, in_flight: bool) -> None:
        self.count[kind] += 1
        self.in_flight[kind] += in_flight


class Injuries:
    """Injures one thing at a time, never the last sound node or worker; every injury ends by itself.

    before_redis_dies, after_redis_is_back: what an audit asks between the two sees nothing but what Redis
    itself kept, because no node can reach it yet
    """

    def __init__(
        self,
        there: Deployment,
        chance: random.Random,
        *,
        before_redis_dies: Callable[[], None],
        after_redis_is_back: Callable[[], None],
    ) -> None:
        self._there = there
        self._chance = chance
        self._before_redis_dies = before_redis_dies
        self._after_redis_is_back = after_redis_is_back
        self._redis_faulty = False
        self.kinds: dict[str, Callable[[], Injure | None]] = {
            "kill -9 of a node": lambda: self._on(self._there.nodes, self._kill),
            "kill -9 of a worker": lambda: self._on(self._there.workers, self._kill),
            "kill -9 of Redis": self._on_redis,
            "node stopped past the lease": lambda: self._on(self._there.nodes, self._stop),
            "worker stopped past the lease": lambda: self._on(self._there.workers, self._stop),
            "cut between a node and Redis": lambda: self._on(self._there.nodes, self._cut),
            "pub/sub loses messages": lambda: self._on(self._there.nodes, self._lose),
            "pub/sub is late": lambda: self._on(self._there.nodes, self._delay),
        }

    def draw(self) -> tuple[str, Injure] | None:
        """A kind that is possible now, and what does it; None while all that may be is injured."""
        kinds = list(self.kinds)
        self._chance.shuffle(kinds)
        for kind in kinds:
            injure = self.kinds[kind]()
            if injure is not None:
                return kind, injure
        return None

    def _on(self, places: Sequence[Place], fault: Callable[[Place], Awaitable[None]]) -> Injure | None:
        sound = [place for place in places if not place.faulty]
        if len(sound) < 2:
            return None
        place = self._chance.choice(sound)

        async def injure() -> None:
            place.faulty = True
            try:
                await fault(place)
            finally:
                place.faulty = False

        return injure

    def _on_redis(self) -> Injure | None:
        return None if self._redis_faulty else self._kill_redis

    async def _kill(self, place: Place) -> None:
        await place.process.kill()
        await place.process.start()

    async def _stop(self, place: Place) -> None:
        place.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(STOPPED_S)  # the fault itself
        finally:
            place.process.send_signal(signal.SIGCONT)

    async def _cut(self, place: Place) -> None:
        place.way.cut()
        try:
            await asyncio.sleep(self._chance.uniform(*CUT_S))  # the fault itself
        finally:
            if not self._redis_faulty:
                place.way.mend()

    async def _lose(self, place: Place) -> None:
        place.way.lost_share = LOST_SHARE
        try:
            await asyncio.sleep(LOSSY_S)  # the fault itself
        finally:
            place.way.lost_share = 0.0

    async def _delay(self, place: Place) -> None:
        place.way.delay_s = DELAY_S
        try:
            await asyncio.sleep(LOSSY_S)  # the fault itself
        finally:
            place.way.delay_s = 0.0

    async def _kill_redis(self) -> None:
        self._redis_faulty = True
        self._there.redis.kill()
        self._before_redis_dies()
        for place in self._there.places:
            place.way.cut()
        try:
            await asyncio.to_thread(self._there.redis.start)
            self._after_redis_is_back()
        finally:
            self._redis_faulty = False
            for place in self._there.places:
                place.way.mend()
