"""After a run: do two devices that join one of the run's sessions see the same, and is the work counted?"""

from __future__ import annotations

import re
from typing import Any

import httpx
import pycrdt
import servers
import websockets

from threadline.protocol.limits import Limits
from threadline.protocol.sync import SyncStep1, SyncStep2, Update
from threadline.protocol.ywebsocket import AwarenessUpdate, QueryAwareness, decode_from_server, encode

_LIMITS = Limits(max_step2_bytes=1 << 30)  # a session of 100,000 messages has 29 MB


async def check(target: servers.Running, *, written: bool) -> dict[str, Any]:
    """`converged`, with content where any was `written`, and what the metrics say was judged and appended."""
    base = f"127.0.0.1:{target.port}"
    async with httpx.AsyncClient(base_url=f"http://{base}", trust_env=False) as client:
        headers = {"Authorization": f"Bearer {target.server.token}"}
        listed = await client.get("/api/v1/sessions", params={"limit": 1}, headers=headers)
        metrics = (await client.get("/metrics")).text
        session = listed.json()["sessions"][0]["id"]
    url = f"ws://{base}/sync/{session}{target.server.query}"
    first, second = await _content(url), await _content(url)
    return {"converged": bool(first) is written and first == second, **_counters(metrics)}


async def _content(url: str) -> object:
    """What a device has that joins: a step 2 and the updates that follow it, up to the answer to a query that
    was sent last.
    """
    doc: pycrdt.Doc[Any] = pycrdt.Doc()
    messages = doc.get("messages", type=pycrdt.Map)
    synced = False
    async with websockets.connect(url, max_size=None, proxy=None) as socket:
        await socket.send(encode(SyncStep1(b"\x00")))
        await socket.send(encode(QueryAwareness()))
        async for frame in socket:
            message = decode_from_server(frame if isinstance(frame, bytes) else frame.encode(), _LIMITS)
            if isinstance(message, SyncStep2 | Update):
                doc.apply_update(message.update)
                synced = True
            elif synced and isinstance(message, AwarenessUpdate):
                return messages.to_py()
    return None


def _counters(metrics: str) -> dict[str, float]:
    found = re.findall(r"^(threadline_\w+_total)(?:\{[^}]*\})? ([0-9.e+]+)$", metrics, re.MULTILINE)
    totals: dict[str, float] = {}
    for name, value in found:
        totals[name] = totals.get(name, 0.0) + float(value)
    return totals
