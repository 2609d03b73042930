"""How many runs ended how, by hour and agent: what the metrics of a period are made of.

The numbers lie in the ledger, a value for each day of everybody together and of each user who asked. A
process gathers what ends while it writes, so that many runs cost few writes; each write is a compare-and-set,
so that workers add up. A process that is killed loses what it had not written: what ended in that moment.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from threadline.changed import Changed
from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Run
from threadline.document.values import text_of
from threadline.errors import StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane
from threadline_server.telemetry.metrics import Labelled

KIND = "tally"
EVERYBODY = "*"
KEPT = timedelta(days=100)
PAUSE_S = 1.0


@dataclass(slots=True)
class Count:
    """`timed` runs took `duration_ms` together; the others never started."""

    runs: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    timed: int = 0
    duration_ms: int = 0
    tokens: int = 0
    cost_usd: float = 0.0

    def add(self, other: Count) -> None:
        for name, more in asdict(other).items():
            setattr(self, name, getattr(self, name) + more)

    @property
    def avg_duration_ms(self) -> float | None:
        return self.duration_ms / self.timed if self.timed else None

    @property
    def success_rate(self) -> float | None:
        """Percent of runs that were completed; None where there were none."""
        return 100 * self.completed / self.runs if self.runs else None


def count_of(run: Run) -> Count:
    return Count(
        runs=1,
        completed=int(run.status is RunStatus.COMPLETED),
        failed=int(run.status in (RunStatus.FAILED, RunStatus.TIMEOUT, RunStatus.MAX_STEPS_REACHED)),
        cancelled=int(run.status is RunStatus.CANCELLED),
        timed=int(run.duration_ms is not None),
        duration_ms=run.duration_ms or 0,
        tokens=run.usage.total_tokens,
        cost_usd=run.usage.cost_usd or 0.0,
    )


Hour = tuple[str, int]
"""Agent, and hour of the day."""

Day = dict[Hour, Count]


class Tally:
    """`note` counts a run that has ended; `run` writes until it is cancelled."""

    def __init__(self, backplane: Backplane) -> None:
        self._backplane = backplane
        self._noted: dict[str, Day] = {}
        self._changed = Changed()
        self._since_start = Count()
        self._ended = dict.fromkeys((str(status) for status in RunStatus if status.is_terminal), 0)

    def note(self, session: SessionId, run: Run) -> None:
        """Must not block. Runs that have not ended do not count."""
        if not run.status.is_terminal or run.ended_at is None:
            return
        count = count_of(run)
        self._since_start.add(count)
        self._ended[str(run.status)] += 1
        at = datetime.fromtimestamp(run.ended_at / 1000, UTC)
        for whose in {EVERYBODY, text_of(run.requested_by.get("user"), EVERYBODY)}:
            day = self._noted.setdefault(_place(whose, at), defaultdict(Count))
            day[run.agent, at.hour].add(count)
        self._changed.notify()

    def stats(self) -> dict[str, float | Labelled]:
        """Of this process since its start."""
        counts = asdict(self._since_start)
        totals = {f"{name}_total": counts[name] for name in ("runs", "completed", "failed", "cancelled")}
        return {**totals, "tokens_total": counts["tokens"], "ended_total": Labelled("status", self._ended)}

    async def run(self) -> None:
        while True:
            await self._changed.until(lambda: bool(self._noted))
            if not await self.flush():
                await asyncio.sleep(PAUSE_S)

    async def flush(self) -> bool:
        """Write what was noted; what could not be written is kept. Whether all of it was."""
        noted, self._noted = self._noted, {}
        for place, day in noted.items():
            try:
                await self._add(place, day)
            except StoreError:
                kept = self._noted.setdefault(place, defaultdict(Count))
                _merge(kept, day)
        return not self._noted

    async def _add(self, place: str, more: Day) -> None:
        kept_ms = round(KEPT.total_seconds() * 1000)
        while True:
            old = await self._backplane.get_value(KIND, place)
            day = _read(old)
            _merge(day, more)
            if await self._backplane.swap_value(KIND, place, old, _write(day), kept_ms):
                return

    async def total(self, user: str | None, agent: str | None, since: datetime, until: datetime) -> Count:
        """Of the runs of a user, or of everybody, that ended in these hours. Raises StoreError."""
        total, whose = Count(), user or EVERYBODY
        for midnight in _days(since, until):
            day = _read(await self._backplane.get_value(KIND, _place(whose, midnight)))
            for (name, hour), count in day.items():
                begins = midnight + timedelta(hours=hour)
                if agent in (None, name) and begins + timedelta(hours=1) > since and begins <= until:
                    total.add(count)
        return total


def _place(whose: str, at: datetime) -> str:
    return f"{whose}/{at:%Y-%m-%d}"


def _days(since: datetime, until: datetime) -> Iterator[datetime]:
    day = since.replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= until:
        yield day
        day += timedelta(days=1)


def _merge(day: Day, more: Day) -> None:
    for hour, count in more.items():
        day[hour].add(count)


def _read(value: bytes | None) -> Day:
    day: Day = defaultdict(Count)
    for agent, hour, *numbers in json.loads(value) if value is not None else ():
        day[agent, hour].add(Count(*numbers))
    return day


def _write(day: Day) -> bytes:
    rows = [[agent, hour, *asdict(count).values()] for (agent, hour), count in day.items()]
    return json.dumps(rows, separators=(",", ":")).encode()
