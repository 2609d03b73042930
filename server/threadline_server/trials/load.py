"""How much a server carries: devices in sessions write more and more, until acknowledgements become slow.

The figures are those of server, network and this program together: it is one process, and says so when it is
itself what is too slow.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from threadline.ids import uuid7
from threadline_server.trials.conformance import delete_sessions
from threadline_server.trials.device import Device

FIRST_RATE = 50
JOINS_AT_ONCE = 20
TICK_S = 0.02
LEAST_KEPT = 0.9
OWN_LAG_S = 0.1
DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`devices` in `sessions`, evenly; each step lasts `step_s` and doubles the updates a second up to
    `most_rate`. A step is too much when one acknowledgement in a hundred takes longer than `slow_s`.
    """

    devices: int = 100
    sessions: int = 10
    step_s: float = 3.0
    most_rate: int = 12_800
    slow_s: float = 0.25


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds, and a second's worth of counts."""

    wanted: int
    updates: float
    deliveries: float
    p50_s: float
    p99_s: float
    own_lag_s: float

    def is_too_much(self, plan: Plan) -> bool:
        return self.p99_s > plan.slow_s or self.updates < LEAST_KEPT * self.wanted

    @property
    def is_our_own_fault(self) -> bool:
        """This program was late itself, so the step says little about the server."""
        return self.own_lag_s > OWN_LAG_S


@dataclass(slots=True)
class Writer:
    """A device with the times at which it sent what is not acknowledged yet."""

    device: Device
    number: int
    latencies_s: list[float] = field(default_factory=list)
    _sent_s: deque[float] = field(default_factory=deque)
    _count: int = 0

    async def join(self) -> None:
        await self.device.until_synced()
        await self.device.until_saved()
        self.device.on_saved = self._saved

    async def write(self) -> None:
        self._count += 1
        self._sent_s.append(time.perf_counter())
        await self.device.set(f"/load/{self.number}", self._count)

    def _saved(self) -> None:
        if self._sent_s:
            self.latencies_s.append(time.perf_counter() - self._sent_s.popleft())

    @property
    def waits(self) -> bool:
        return bool(self._sent_s)


class Load:
    """`joined_s` is how long it took until all devices were there. Raises NotReached and WaitedInVain."""

    def __init__(self, url: str, token: str, plan: Plan, tell: Callable[[str], None]) -> None:
        self._url = url
        self._token = token
        self._plan = plan
        self._tell = tell
        self._sessions = [f"load-{uuid7()}" for _ in range(plan.sessions)]
        self.joined_s = 0.0

    async def steps(self) -> AsyncIterator[Step]:
        """Until one is too much; the sessions are deleted at the end."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(delete_sessions, self._url, self._token, self._sessions)
            writers = await self._join(stack)
            rate = FIRST_RATE
            while rate <= self._plan.most_rate:
                step = await self._step(writers, rate)
                yield step
                if step.is_too_much(self._plan) or step.is_our_own_fault:
                    return
                rate *= 2

    async def _join(self, stack: AsyncExitStack) -> Sequence[Writer]:
        began_s = time.perf_counter()
        writers: list[Writer] = []
        for first in range(0, self._plan.devices, JOINS_AT_ONCE):
            numbers = range(first, min(first + JOINS_AT_ONCE, self._plan.devices))
            writers += await asyncio.gather(*(self._enter(stack, number) for number in numbers))
            self._tell(f"{len(writers)} of {self._plan.devices} devices")
        self.joined_s = time.perf_counter() - began_s
        return writers

    async def _enter(self, stack: AsyncExitStack, number: int) -> Writer:
        session = self._sessions[number % len(self._sessions)]
        device = Device(self._url, session, self._token, applies=False)
        writer = Writer(await stack.enter_async_context(device), number)
        await writer.join()
        return writer

    async def _step(self, writers: Sequence[Writer], rate: int) -> Step:
        received = sum(writer.device.received for writer in writers)
        for writer in writers:
            writer.latencies_s.clear()
        began_s = time.perf_counter()
        lag_s = await self._write(writers, rate, began_s)
        await _drained(writers)
        took_s = time.perf_counter() - began_s
        latencies_s = sorted(one for writer in writers for one in writer.latencies_s)
        delivered = sum(writer.device.received for writer in writers) - received
        return Step(
            wanted=rate,
            updates=len(latencies_s) / took_s,
            deliveries=delivered / took_s,
            p50_s=_part(latencies_s, 0.5),
            p99_s=_part(latencies_s, 0.99),
            own_lag_s=lag_s,
        )

    async def _write(self, writers: Sequence[Writer], rate: int, began_s: float) -> float:
        """`rate` updates a second, one device after the other; the longest this program was late."""
        written = 0
        most_late_s = 0.0
        while (passed_s := time.perf_counter() - began_s) < self._plan.step_s:
            due = int(passed_s * rate)
            while written < due:
                await writers[written % len(writers)].write()
                written += 1
            slept_s = time.perf_counter()
            await asyncio.sleep(TICK_S)
            most_late_s = max(most_late_s, time.perf_counter() - slept_s - TICK_S)
        return most_late_s


async def _drained(writers: Sequence[Writer]) -> None:
    """A moment for what is on its way; what comes later is too late to count."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            for writer in writers:
                while writer.waits:  # noqa: ASYNC110  # bounded, and a queue without an event
                    await asyncio.sleep(TICK_S)


def _part(ordered_s: Sequence[float], part: float) -> float:
    """The value below which so much lies; infinite where there is none, since nothing was acknowledged."""
    return ordered_s[min(len(ordered_s) - 1, int(len(ordered_s) * part))] if ordered_s else float("inf")
