"""Devices that go from node to node as nodes fail, write all the while, and know what they were promised."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from pycrdt import Map
from tests.faults.teller import answer_to
from tests.faults.writers import Ledger
from tests.raw_device import RawDevice
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from threadline.backoff import Backoff
from threadline.document.intents import RunIntent
from threadline.document.lifecycle import RunStatus
from threadline.document.messages import Author
from threadline.document.session_document import SessionDocument
from threadline.ids import new_entry_id

OUTSTANDING = 8
JOIN_S = 5.0
SILENT_S = 4.0
MOST_AWAY_S = 2.0
PAUSE_S = (0.1, 0.6)

Away = (OSError, InvalidHandshake, InvalidMessage, ConnectionClosed, TimeoutError)


class Roamer:
    """One device. `where` says which node to go to; `live` goes on until `stop`.

    asked:    the runs asked for, with the words of their messages
    ends:     how often each run of the session was seen to end
    pauses_s: how long it took, each time the connection was lost, until the session was there again
    """

    def __init__(self, session: str, user: str, where: Callable[[], str], chance: random.Random) -> None:
        self.raw = RawDevice(session, user)
        self.ledger = Ledger()
        self.asked: dict[str, str] = {}
        self.ends: Counter[str] = Counter()
        self.joins = 0
        self.refusals: list[str] = []
        self.pauses_s: list[float] = []
        self._where = where
        self._chance = chance
        self._backoff = Backoff(most_s=MOST_AWAY_S, chance=chance.random)
        self._lost_at: float | None = None
        self._writing = True
        self._living = True
        self._view = SessionDocument(self.raw.doc)
        self._message = ""
        self._text = ""
        self._promised_at = (0, 0.0)
        self._watched = self.raw.doc.get("runs", type=Map).observe_deep(self._runs_changed)

    def stop_writing(self) -> None:
        self._writing = False

    def stop(self) -> None:
        self._living = False

    async def live(self) -> None:
        while self._living:
            try:
                await self._join()
                await self._stay()
            except Away:
                pass
            finally:
                await self.raw.abandon()
            await asyncio.sleep(self._backoff.next_s())  # as a device waits before it comes back

    async def _join(self) -> None:
        async with asyncio.timeout(JOIN_S):
            await self.raw.join(self._where())
            await self.raw.until(self._joined_or_ended)
        self.joins += 1
        self._backoff.reset()
        if self._lost_at is not None:
            self.pauses_s.append(time.monotonic() - self._lost_at)
            self._lost_at = None
        self._promised_at = (self.raw.acknowledged, time.monotonic())

    def _joined_or_ended(self) -> bool:
        return self.raw.synced or self._ended

    @property
    def _ended(self) -> bool:
        return self.raw.close_code is not None or self.raw.document_closed is not None

    async def _stay(self) -> None:
        while self._living and not self._ended and not self._silent():
            if self._writing and self.in_flight < OUTSTANDING:
                await self._write_one()
            await self._pause()
        self._lost_at = time.monotonic()
        if self.raw.document_closed is not None:
            self.refusals.append(self.raw.document_closed)

    async def _pause(self) -> None:
        """As people pause between keystrokes; ends with the connection."""
        try:
            async with asyncio.timeout(self._chance.uniform(*PAUSE_S)):
                await self.raw.until(lambda: self._ended)
        except TimeoutError:
            return

    def _silent(self) -> bool:
        """Nothing was acknowledged for a while although something is owed."""
        acknowledged, since = self._promised_at
        if self.raw.acknowledged != acknowledged or not self.in_flight:
            self._promised_at = (self.raw.acknowledged, time.monotonic())
            return False
        return time.monotonic() - since > SILENT_S

    async def _write_one(self) -> None:
        number = len(self.ledger.writes)
        if not self._message:
            self._message = await self.raw.say("")
        if number % 4 == 3:
            self._type(f"{number}, ")
        key = f"/{self.raw.user}/{number}"
        self.raw.doc.get("state", type=Map)[key] = number
        self.ledger.writes.append((self.raw.clock, key))
        await self.raw.flush()

    def _type(self, words: str) -> None:
        text = self.raw.text_of(self._message)
        text.insert(len(text), words)
        self._text += words

    async def ask(self) -> None:
        """Say something and ask for an answer, connected or not."""
        message, run = new_entry_id(self.raw.user), new_entry_id(self.raw.user)
        words = f"{self.raw.user} asks for {len(self.asked)}"
        with self.raw.doc.transaction():
            author = Author(self.raw.user, self.raw.device, self.raw.user)
            self._view.messages.create(message, role="user", author=author, created_at=1, text=words)
            self._view.intents.add(RunIntent(id=run, at=len(self.asked), message=message))
        self.asked[run] = words
        with contextlib.suppress(ConnectionClosed):
            await self.raw.flush()

    def _runs_changed(self, events: list[Any]) -> None:
        """A run that came and ended while this device was away arrives whole."""
        for event in events:
            if not event.path:
                came = [run for run, change in event.keys.items() if change["action"] != "delete"]
                self._count_ends({run: event.target[run] for run in came})
            elif len(event.path) == 1 and "status" in event.keys:
                self._count_ends({event.path[0]: event.target})

    def _count_ends(self, changed: dict[str, Map[Any]]) -> None:
        for run, fields in changed.items():
            self.ends[run] += RunStatus(fields["status"]).is_terminal

    # what is owed, and what came of it

    @property
    def in_flight(self) -> int:
        return self.raw.sent - self.raw.acknowledged

    @property
    def settled(self) -> bool:
        """Joined, and everything written is acknowledged."""
        return self.raw.synced and not self._ended and self.raw.durable_clock >= self.raw.clock

    @property
    def promised(self) -> set[str]:
        return self.ledger.promised(self.raw.durable_clock)

    @property
    def typed_as_meant(self) -> bool:
        return not self._message or str(self.raw.text_of(self._message)) == self._text

    def unanswered(self) -> list[str]:
        """Runs asked for that have not ended, as this device sees it."""
        statuses = {run: self._view.runs.status(run) for run in self.asked}
        return [run for run, status in statuses.items() if status is None or not status.is_terminal]

    def wrongly_answered(self) -> list[str]:
        """What is wrong with the answers: not exactly one for a run, not to the letter, or ended twice."""
        wrong = []
        answers: dict[str, list[str]] = {run: [] for run in self.asked}
        for message in self._view.messages:
            if message.run in answers and message.role == "assistant":
                answers[message.run].append(message.text)
        for run, words in self.asked.items():
            status = self._view.runs.status(run)
            if status is not RunStatus.COMPLETED:
                wrong.append(f"{run} is {status}: {self._view.runs.get(run)}")
            elif answers[run] != [answer_to(words)]:
                wrong.append(f"{run} was answered with {answers[run]}")
            if self.ends[run] != 1:
                wrong.append(f"{run} ended {self.ends[run]} times")
        return wrong
