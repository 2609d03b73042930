"""Telling another service when a run waits or ends, for when nobody is watching.

Each notice is a POST of one JSON object without anything that people said: ids, status, the names of tools
that wait. It is signed: `Threadline-Signature: t=<Unix seconds>,v1=<hex>`, the HMAC-SHA256 of `<t>.<body>`
under the shared secret. A notice that is not taken (no answer, or one that is not 2xx) is sent again with
growing pauses; `Threadline-Delivery` names it, so whoever gets it twice can tell. Notices are delivered in
the background and never hold up a run; those that do not fit into the queue are dropped and counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from threadline.backoff import Backoff
from threadline.document.approvals import ApprovalStatus
from threadline.document.runs import Run
from threadline.ids import SessionId, uuid7

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
    senders: int = 4


@dataclass(frozen=True, slots=True)
class Notice:
    id: str
    body: bytes


class Webhooks:
    """`tell` queues a notice; `run()` sends them until it is cancelled."""

    def __init__(
        self,
        options: WebhookOptions,
        *,
        now_s: Callable[[], int] = lambda: int(time.time()),
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._options = options
        self._now_s = now_s
        self._client = client or httpx.AsyncClient(timeout=options.timeout_s, follow_redirects=False)
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(options.queued)
        self._sent = self._dropped = 0

    def tell(self, session: SessionId, run: Run) -> None:
        try:
            self._queue.put_nowait(Notice(uuid7(), body_of(session, run)))
        except asyncio.QueueFull:
            self._dropped += 1

    def stats(self) -> dict[str, float]:
        return {"sent_total": self._sent, "dropped_total": self._dropped, "queued": self._queue.qsize()}

    async def run(self) -> None:
        async with self._client, asyncio.TaskGroup() as tasks:
            for _ in range(self._options.senders):
                tasks.create_task(self._send_all())

    async def _send_all(self) -> None:
        while True:
            await self._deliver(await self._queue.get())

    async def _deliver(self, notice: Notice) -> None:
        """Until it is taken or was tried often enough."""
        pauses = Backoff(self._options.first_pause_s, self._options.most_pause_s)
        for attempt in range(self._options.attempts):
            if attempt:
                await asyncio.sleep(pauses.next_s())
            if await self._taken(notice):
                self._sent += 1
                return
        self._dropped += 1

    async def _taken(self, notice: Notice) -> bool:
        headers = {
            "content-type": "application/json",
            SIGNATURE: sign(notice.body, self._options.secret, self._now_s()),
            DELIVERY: notice.id,
        }
        try:
            answer = await self._client.post(self._options.url, content=notice.body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.is_success


def body_of(session: SessionId, run: Run) -> bytes:
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
    return json.dumps(notice, separators=(",", ":")).encode()


def sign(body: bytes, secret: bytes, at_s: int) -> str:
    """The value of the signature's header."""
    digest = hmac.new(secret, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
