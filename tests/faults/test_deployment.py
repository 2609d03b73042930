"""Three nodes, two workers and Redis under a fault every second: nothing that was promised is lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from pycrdt import Doc
from tests.faults.deployment import Deployment, deployment
from tests.faults.injury import Injuries, Tally
from tests.faults.roaming import Roamer
from tests.waiting import until

from threadline.document.digest import session_digest
from threadline_server.backplane.base import DocumentName, NodeId
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.backplane.redis.keys import document_keys

DEVICES = 3
FAULT_EVERY_S = 1.0
ASK_EVERY_S = 48.0
PATIENCE_S = 120.0

pytestmark = pytest.mark.redis


@dataclass(frozen=True, slots=True)
class Size:
    sessions: int
    seconds: float


SHORT = Size(sessions=8, seconds=15.0)
FULL = Size(sessions=30, seconds=150.0)


@dataclass(slots=True)
class Outcome:
    """acknowledged: updates that were while faults went on; the rest were once they had ended."""

    faults: Tally = field(default_factory=Tally)
    updates: int = 0
    acknowledged: int = 0
    lost: int = 0
    runs: int = 0
    joins: int = 0
    lost_messages: int = 0
    converged_s: float = 0.0

    def table(self) -> str:
        rows = [
            ("updates", self.updates),
            ("acknowledged under faults", self.acknowledged),
            ("acknowledged and lost", self.lost),
            ("runs, each ended once", self.runs),
            ("joins of devices", self.joins),
            ("messages of pub/sub lost", self.lost_messages),
            ("seconds to converge", f"{self.converged_s:.1f}"),
        ]
        lines = [f"  {name:<34}{value:>9}" for name, value in rows]
        lines.append(f"  {'faults':<34}{'count':>9}{'append in flight':>20}")
        for kind, count in sorted(self.faults.count.items()):
            lines.append(f"  {kind:<34}{count:>9}{self.faults.in_flight[kind]:>20}")
        return "\n".join(lines)


class Audit:
    """Compares what devices were promised when Redis died with what it still had when it came back."""

    def __init__(self, there: Deployment, roamers: Sequence[Roamer]) -> None:
        self.lost = 0
        self._redis = there.redis
        self._roamers = roamers
        self._promised: list[tuple[Roamer, int]] = []

    def remember(self) -> None:
        self._promised = [(roamer, roamer.raw.durable_clock) for roamer in self._roamers]

    def compare(self) -> None:
        with self._redis.client as client:
            for roamer, promised in self._promised:
                if promised:
                    head = document_keys(DocumentName(roamer.raw.session)).head
                    kept = int(client.hget(head, str(roamer.raw.doc.client_id)) or 0)
                    self.lost += max(0, promised - kept)


async def faults_under_load(size: Size, chance: random.Random) -> Outcome:
    outcome = Outcome()
    async with deployment(3, 2, chance=chance) as there:
        roamers = [
            Roamer(f"session-{n}", f"user-{n}-{m}", lambda: there.some_url(chance), chance)
            for n in range(size.sessions)
            for m in range(DEVICES)
        ]
        async with asyncio.TaskGroup() as lives:
            for roamer in roamers:
                lives.create_task(roamer.live())
            await _until(lambda: all(roamer.joins for roamer in roamers), "every device is in")
            await _injure(there, roamers, size, chance, outcome)
            began = time.monotonic()
            outcome.acknowledged = sum(len(roamer.promised) for roamer in roamers)
            await _converge(there, roamers)
            outcome.converged_s = time.monotonic() - began
            for roamer in roamers:
                roamer.stop()
    outcome.updates = sum(len(roamer.ledger.writes) for roamer in roamers)
    outcome.runs = sum(len(roamer.asked) for roamer in roamers)
    outcome.joins = sum(roamer.joins for roamer in roamers)
    outcome.lost_messages = sum(place.way.lost_messages for place in there.places)
    return outcome


async def _injure(
    there: Deployment, roamers: Sequence[Roamer], size: Size, chance: random.Random, outcome: Outcome
) -> None:
    """A fault every second, and a run asked for every other; back when all faults have ended."""
    audit = Audit(there, roamers)
    injuries = Injuries(there, chance, before_redis_dies=audit.remember, after_redis_is_back=audit.compare)
    end = time.monotonic() + size.seconds
    async with asyncio.TaskGroup() as faults:
        asking = faults.create_task(_ask_again_and_again(roamers, chance))
        while time.monotonic() < end:
            if drawn := injuries.draw():
                kind, injure = drawn
                outcome.faults.note(kind, any(roamer.in_flight for roamer in roamers))
                faults.create_task(injure())
            await asyncio.sleep(FAULT_EVERY_S)  # the rhythm of the faults
        asking.cancel()
    outcome.lost += audit.lost
    for roamer in roamers:
        roamer.stop_writing()


async def _ask_again_and_again(roamers: Sequence[Roamer], chance: random.Random) -> None:
    while True:
        await chance.choice(roamers).ask()
        await asyncio.sleep(ASK_EVERY_S / len(roamers))  # as often per device, whatever the size


async def _converge(there: Deployment, roamers: Sequence[Roamer]) -> None:
    """All is acknowledged, every run has ended as it should, and devices and the log hold the same."""
    await _until(lambda: all(roamer.settled for roamer in roamers), "all was acknowledged", roamers)
    await _until(lambda: not any(roamer.unanswered() for roamer in roamers), "all runs ended", roamers)
    log = RedisBackplane(there.redis.url, node=NodeId("auditor"))
    await log.open()
    try:
        for session in sorted({roamer.raw.session for roamer in roamers}):
            members = [roamer for roamer in roamers if roamer.raw.session == session]
            await _until(partial(_equal, members), f"{session} is equal", members)
            assert await _digest_in(log, session) == members[0].raw.digest()
    finally:
        await log.close()
    for roamer in roamers:
        expected = {key for _, key in roamer.ledger.writes}
        assert expected <= set(roamer.raw.state)
        assert roamer.typed_as_meant
        assert roamer.wrongly_answered() == []
        assert roamer.refusals == []


def _equal(members: Sequence[Roamer]) -> bool:
    return all(roamer.settled for roamer in members) and len({r.raw.digest() for r in members}) == 1


async def _digest_in(log: RedisBackplane, session: str) -> str:
    """Of the document as the log alone has it."""
    stored = await log.load(DocumentName(session))
    doc: Doc[Any] = Doc()
    for update in (stored.base, *(entry.update for turn in stored.tail for entry in turn.turn.entries)):
        if update is not None:
            doc.apply_update(update)
    return session_digest(doc)


async def _until(condition: Callable[[], bool], what: str, roamers: Sequence[Roamer] = ()) -> None:
    """Many devices: asking at each frame would cost more than it tells."""
    await until(condition, what, patience_s=PATIENCE_S, every_s=0.1, told=lambda: _unsettled(roamers))


def _unsettled(roamers: Sequence[Roamer]) -> str:
    unsettled = [
        f"{roamer.raw.user}: durable {roamer.raw.durable_clock} of {roamer.raw.clock}, "
        f"closed {roamer.raw.close_code} {roamer.raw.document_closed}, open runs {roamer.unanswered()}, "
        f"refusals {roamer.refusals}"
        for roamer in roamers
        if not roamer.settled or roamer.unanswered()
    ]
    return "; ".join([f"{len(unsettled)} devices", *unsettled[:5]])


@pytest.mark.asyncio
async def test_a_deployment_loses_nothing(full: bool, figures: Callable[[str], None]) -> None:
    size = FULL if full else SHORT
    outcome = await faults_under_load(size, random.Random())
    figures(
        f"3 nodes, 2 workers, {size.sessions} sessions, {size.sessions * DEVICES} devices, "
        f"{size.seconds:.0f} s of faults:\n{outcome.table()}"
    )
    assert outcome.lost == 0
    assert sum(outcome.faults.in_flight.values()) > 0
