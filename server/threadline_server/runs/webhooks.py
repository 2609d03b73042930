"""Telling another service when a run waits or ends, for when nobody is watching.

Each notice is a POST of one JSON object without anything that people said: ids, status, the names of tools
that wait. It is signed: `Threadline-Signature: t=<Unix seconds>,v1=<hex>`, the HMAC-SHA256 of `<t>.<body>`
under the shared secret. A notice that is not taken (no answer, or one that is not 2xx) is sent again with
growing pauses; `Threadline-Delivery` names it, so whoever gets it twice can tell. Notices are delivered in
the background and never hold up a run. They are kept in the store until they are taken, so a restart loses
none; those that do not fit while the store is away are dropped and counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx

from threadline.backoff import Backoff
from threadline.changed import Changed
from threadline.document.approvals import ApprovalStatus
from threadline.document.runs import Run
from threadline.errors import StoreError
from threadline.ids import SessionId, uuid7
from threadline_server.backplane.base import Backplane
from threadline_server.runs.outbox import Notice, Outbox

MARGIN_S = 1.0
"""A try is somebody else's when it took longer than its timeout by that."""

SIGNATURE = "Threadline-Signature"
DELIVERY = "Threadline-Delivery"

Tell = Callable[[SessionId, Run], None]
"""Hears of every run that waits or has ended; must not block."""


def tell_nobody(session: SessionId, run: Run) -> None:
    """Nobody asked to be told."""


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Where notices go, and how hard it is tried."""

    url: str
    secret: bytes
    attempts: int = 8
    first_pause_s: float = 1.0
    most_pause_s: float = 300.0
    timeout_s: float = 10.0
    queued: int = 1_000
    look_every_s: float = 15.0
    senders: int = 4


class Webhooks:
    """`tell` puts a notice into the outbox, in the background; `run()` sends what is due until cancelled."""

    def __init__(
        self,
        options: WebhookOptions,
        backplane: Backplane,
        *,
        now_s: Callable[[], float] = time.time,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._options = options
        self._now_s = now_s
        self._outbox = Outbox(backplane, now_s)
        self._client = client or httpx.AsyncClient(timeout=options.timeout_s, follow_redirects=False)
        self._told: deque[Notice] = deque()
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(options.queued)
        self._changed = Changed()
        self._sent = self._dropped = 0

    def tell(self, session: SessionId, run: Run) -> None:
        if len(self._told) >= self._options.queued:
            self._dropped += 1
            return
        self._told.append(Notice(uuid7(), body_of(session, run)))
        self._changed.notify()

    def stats(self) -> dict[str, float]:
        waiting = self._queue.qsize() + len(self._told)
        return {"sent_total": self._sent, "dropped_total": self._dropped, "queued": waiting}

    async def flush(self) -> None:
        """Put what was told into the outbox. Raises StoreError; what was not put stays."""
        while self._told:
            notice = self._told[0]
            await self._outbox.put(notice)
            self._told.popleft()
            with suppress(asyncio.QueueFull):  # then it is found in the outbox
                self._queue.put_nowait(notice)

    async def run(self) -> None:
        async with self._client, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_all())
            tasks.create_task(self._look_for_ever())
            for _ in range(self._options.senders):
                tasks.create_task(self._send_all())

    async def _keep_all(self) -> None:
        while True:
            await self._changed.until(lambda: bool(self._told))
            try:
                await self.flush()
            except StoreError:
                await asyncio.sleep(self._options.first_pause_s)

    async def _look_for_ever(self) -> None:
        """For what another process, or this one before it was started again, has left."""
        while True:
            with suppress(StoreError):
                for notice in await self._outbox.due():
                    await self._queue.put(notice)
            await asyncio.sleep(self._options.look_every_s)

    async def _send_all(self) -> None:
        while True:
            notice = await self._queue.get()
            with suppress(StoreError):  # it stays in the outbox, and is found again
                await self._deliver(notice)

    async def _deliver(self, notice: Notice) -> None:
        """Until it is taken, was tried often enough, is somebody else's, or is to wait for long: then it is
        found again when it is due.
        """
        mine: Notice | None = notice
        while mine is not None:
            mine = await self._outbox.claim(mine, self._options.timeout_s + MARGIN_S)
            if mine is None:
                return
            if await self._taken(mine):
                await self._outbox.remove(mine)
                self._sent += 1
                return
            if mine.tries >= self._options.attempts:
                await self._outbox.remove(mine)
                self._dropped += 1
                return
            pause_s = self._pause_s(mine)
            if pause_s > self._options.look_every_s:
                await self._outbox.postpone(mine, pause_s)
                return
            await asyncio.sleep(pause_s)

    def _pause_s(self, notice: Notice) -> float:
        bounds = self._options.first_pause_s, self._options.most_pause_s
        return Backoff(*bounds, attempts=notice.tries - 1).next_s()

    async def _taken(self, notice: Notice) -> bool:
        body = notice.body.encode()
        headers = {
            "content-type": "application/json",
            SIGNATURE: sign(body, self._options.secret, int(self._now_s())),
            DELIVERY: notice.id,
        }
        try:
            answer = await self._client.post(self._options.url, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.is_success


def body_of(session: SessionId, run: Run) -> str:
    """The notice as it is sent, and as receivers verify it."""
    waiting = [call for call in run.approvals if call.status == ApprovalStatus.PENDING]
    notice = {
        "type": f"run.{run.status}",
        "session": session,
        "run": run.id,
        "agent": run.agent,
        "status": str(run.status),
        "attempt": run.attempt,
        "error": None if run.error is None else run.error.code,
        "approvals": [{"call": call.call, "tool": call.tool} for call in waiting],
        "expires_at": min((call.expires_at for call in waiting if call.expires_at), default=None),
        "ended_at": run.ended_at,
    }
    return json.dumps(notice, separators=(",", ":"))


def sign(body: bytes, secret: bytes, at_s: int) -> str:
    """The value of the signature's header."""
    digest = hmac.new(secret, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
