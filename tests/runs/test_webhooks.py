"""Notices of runs that wait or end, sent to a real HTTP server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.runs.offices import SESSION, WAIT_S, Office, eventually, saying, scripted

from threadline.agents import DriverEvent, Said, Task, tool
from threadline.changed import Changed
from threadline.document.intents import Verdict
from threadline.document.lifecycle import RunStatus
from threadline_server.runs.outbox import KIND
from threadline_server.runs.webhooks import WebhookOptions, Webhooks

pytestmark = pytest.mark.asyncio

SECRET = b"between the two of us"


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def notice(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """Takes notices; answers with `statuses` in turn, then with 204."""

    statuses: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    changed: Changed = field(default_factory=Changed)
    url: str = ""
    taken: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        self.received.append(Received(headers, body))
        status = self.statuses.pop(0) if self.statuses else 204
        if status:
            self.taken += status < 300
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()
        self.changed.notify()

    async def until(self, count: int) -> list[Received]:
        async with asyncio.timeout(WAIT_S):
            await self.changed.until(lambda: len(self.received) >= count)
        return self.received


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(statuses))
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()


@asynccontextmanager
async def sending(office: Office, receiver: Receiver, **options: Any) -> AsyncIterator[Webhooks]:
    """What sends notices, for as long as its process lives."""
    now_s = options.pop("now_s", time.time)
    given = {"first_pause_s": 0.001, "look_every_s": 0.05, **options}
    webhooks = Webhooks(WebhookOptions(receiver.url, SECRET, **given), office.backplane, now_s=now_s)
    task = asyncio.create_task(webhooks.run())
    try:
        yield webhooks
    finally:
        task.cancel()
        await asyncio.wait([task])


def is_signed(received: Received) -> bool:
    at, given = (part.partition("=")[2] for part in received.headers["threadline-signature"].split(","))
    expected = hmac.new(SECRET, f"{at}.".encode() + received.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(given, expected)


@tool(description="Book", requires_approval=True)
def book(hotel: str) -> str:
    return f"Booked {hotel}"


async def books(task: Task) -> AsyncGenerator[DriverEvent, None]:
    yield Said((await task.call("book", {"hotel": "Adler"})).text)


async def test_a_run_that_waits_and_ends_is_told_signed_and_without_content(office: Office) -> None:
    async with (
        receiving() as receiver,
        sending(office, receiver) as webhooks,
        office.person() as ada,
        office.working(scripted(books, tools=[book]), tell=webhooks.tell),
    ):
        run_id = ada.ask("my private wish")
        (waiting,) = await receiver.until(1)
        assert (waiting.notice["type"], waiting.notice["run"]) == ("run.waiting", run_id)
        (call,) = waiting.notice["approvals"]
        assert call["tool"] == "book"
        ada.say_on_call(run_id, call["call"], Verdict.APPROVE)
        _, completed = await receiver.until(2)
        assert (completed.notice["type"], completed.notice["session"]) == ("run.completed", "trip")
        assert all(map(is_signed, receiver.received))
        assert all(b"private" not in found.body and b"Adler" not in found.body for found in receiver.received)


async def test_a_failed_run_is_told_with_its_code(office: Office) -> None:
    async def fails(task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Said("well")
        raise RuntimeError("secret reason")

    async with (
        receiving() as receiver,
        sending(office, receiver) as webhooks,
        office.person() as ada,
        office.working(scripted(fails), tell=webhooks.tell),
    ):
        ada.ask("go")
        (failed,) = await receiver.until(1)
        assert (failed.notice["status"], failed.notice["error"]) == (RunStatus.FAILED, "agent_failed")
        assert b"secret" not in failed.body


async def test_a_notice_that_is_not_taken_is_sent_again_under_its_name(office: Office) -> None:
    async with (
        receiving(500, 0, 302) as receiver,
        sending(office, receiver) as webhooks,
        office.person() as ada,
        office.working(scripted(saying("hi")), tell=webhooks.tell),
    ):
        ada.ask("hello")
        received = await receiver.until(4)
        assert len({found.headers["threadline-delivery"] for found in received}) == 1
        assert len({found.body for found in received}) == 1


async def test_what_nobody_takes_is_given_up_and_what_does_not_fit_is_dropped(office: Office) -> None:
    async with (
        receiving(500, 500) as receiver,
        sending(office, receiver, attempts=2, senders=1, queued=1) as webhooks,
        office.person() as ada,
        office.working(scripted(saying("hi"))),
    ):
        run = await ada.until_over(ada.ask("hello"))
        webhooks.tell(SESSION, run)
        await receiver.until(2)
        for _ in range(3):
            webhooks.tell(SESSION, run)
        assert webhooks.stats()["dropped_total"] >= 2
        await receiver.until(3)
        await eventually(lambda: nothing_is_left(office))
        assert len(receiver.received) == 3


async def test_a_notice_outlives_the_process_that_was_to_send_it(office: Office) -> None:
    async with receiving(*[500] * 3) as receiver, office.person() as ada:
        async with (
            sending(office, receiver, first_pause_s=60.0) as first,
            office.working(scripted(saying("hi")), tell=first.tell),
        ):
            run = await ada.until_over(ada.ask("hello"))
            await receiver.until(1)
        late = {"now_s": an_hour_later}
        async with sending(office, receiver, **late), sending(office, receiver, **late):
            await eventually(lambda: nothing_is_left(office))
        assert {found.notice["run"] for found in receiver.received} == {run.id}
        assert len({found.headers["threadline-delivery"] for found in receiver.received}) == 1
        assert len(receiver.received) == 4  # three that failed, one that was taken; none by both at once


def an_hour_later() -> float:
    return time.time() + 3600


async def nothing_is_left(office: Office) -> bool:
    return not await office.backplane.list_values(KIND)
