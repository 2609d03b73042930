"""Fifty runs at once on one worker, each streaming 50 tokens a second to two devices: is any of them jerky?

    python bench/runs_at_once.py [--runs 50] [--seconds 8]

A device notes when each piece of the answer reaches it; the gap is the time from one piece to the next, and
the figure is the 99th percentile of the worst device. Prints one JSON object; `converged` says that every run
ended well and said everything.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from threadline.agents import Agent
from threadline.agents.demo import DemoDriver
from threadline.agents.pace import Pace

HERE = Path(__file__).parent
TOKENS_PER_S = 50
DEVICES_PER_RUN = 2
SERVER_CORE, DEVICE_CORE = 0, 1
PATIENCE_S = 120.0

SYNC, UPDATE = 0, 2  # the first two bytes of a y-websocket message that carries an update
NOTHING_YET = bytes((SYNC, 0, 1, 0))  # a step 1 with an empty state vector

agent = Agent(name="demo", driver=DemoDriver(Pace(TOKENS_PER_S)))


class Device:
    """Listens to one session and notes when updates come."""

    def __init__(self) -> None:
        self.at_s: list[float] = []

    async def listen(self, socket: ClientConnection) -> None:
        await socket.send(NOTHING_YET)
        async for message in socket:
            if isinstance(message, bytes) and message[:2] == bytes((SYNC, UPDATE)):
                self.at_s.append(time.monotonic())

    def gaps_ms(self) -> list[float]:
        return [(later - earlier) * 1000 for earlier, later in itertools.pairwise(self.at_s)]


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measured(url: str, pid: int, runs: int, seconds: float) -> dict[str, Any]:
    words = " ".join(f"word{number:04}" for number in range(round(seconds * TOKENS_PER_S)))
    sessions = [f"run{number}" for number in range(runs)]
    devices = {session: [Device() for _ in range(DEVICES_PER_RUN)] for session in sessions}
    headers = {"Authorization": "Bearer bench"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as http:
        for session in sessions:
            (await http.post("/api/v1/sessions", json={"id": session})).raise_for_status()
        async with asyncio.TaskGroup() as tasks:
            sockets = [
                (await connect(f"{url.replace('http', 'ws')}/sync/{session}?token=bench"), device)
                for session in sessions
                for device in devices[session]
            ]
            listening = [tasks.create_task(device.listen(socket)) for socket, device in sockets]
            asked = [
                http.post(f"/api/v1/sessions/{session}/runs", json={"goal": words}) for session in sessions
            ]
            began_s, began_cpu_s = time.monotonic(), cpu_s(pid)
            for answer in await asyncio.gather(*asked):
                answer.raise_for_status()
            whole = await asyncio.gather(*(said_everything(http, session, words) for session in sessions))
            took_s = time.monotonic() - began_s
            used_s = cpu_s(pid) - began_cpu_s
            for socket, _ in sockets:
                await socket.close()
            await asyncio.wait(listening)
    each = [device.gaps_ms() for of_run in devices.values() for device in of_run]
    every = [gap for gaps in each for gap in gaps]
    return {
        "gap_p99_ms": max(percentile(gaps, 99) for gaps in each),
        "gap_p50_ms": statistics.median(every),
        "gap_max_ms": max(every),
        "runs": runs,
        "devices": len(each),
        "took_s": took_s,
        "srv_cpu": used_s / took_s,
        "tokens_s": runs * len(words.split()) / took_s,
        "converged": all(whole),
    }


async def said_everything(http: httpx.AsyncClient, session: str, words: str) -> bool:
    """Wait for the end of a session's run; whether its answer has every word once."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            seen = (await http.get(f"/api/v1/sessions/{session}")).json()
            if seen["status"] not in ("created", "queued", "running"):
                return bool(seen["status"] == "completed" and seen["output"] == f"You said: {words}")
            await asyncio.sleep(1)


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else float("inf")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as scratch:
        command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "threadline_server", "serve"]
        command += ["--port", "0", "--data", scratch, "--agent", "runs_at_once:agent", "--log-level", "error"]
        server = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split("istening on ")[1].split()[0]
            os.sched_setaffinity(0, {DEVICE_CORE})
            print(json.dumps(asyncio.run(measured(url, server.pid, options.runs, options.seconds))))
        finally:
            server.terminate()
            server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
