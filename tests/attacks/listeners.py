"""Devices that hear all that is sent in some sessions, in a process of their own, where it costs nobody time.

Reads the URL and the names of the sessions as one line of JSON, and answers with an empty line once a device
of ada's is in each of them. At the next line it tells what each was sent, in order, as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tests.attacks.attackers import started, yield_to_honest_people
from tests.raw_device import RawDevice, raw_device
from tests.signing import token_of

from threadline.protocol.sync import SyncStep2, Update

PATIENCE_S = 120.0


class Listeners:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def heard(self) -> dict[str, list[bytes]]:
        """By session, the updates that its device was sent."""
        told: dict[str, list[str]] = json.loads(await self._exchange(b""))
        return {session: [bytes.fromhex(each) for each in updates] for session, updates in told.items()}

    async def begin(self, url: str, sessions: Sequence[str]) -> None:
        await self._exchange(json.dumps({"url": url, "sessions": sessions}).encode())

    async def _exchange(self, line: bytes) -> bytes:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            answer = await self._process.stdout.readline()
        assert answer, "the listeners' process ended"
        return answer


@asynccontextmanager
async def listeners(url: str, sessions: Sequence[str], *, alone: bool) -> AsyncIterator[Listeners]:
    async with started("tests.attacks.listeners", alone=alone) as process:
        these = Listeners(process)
        await these.begin(url, sessions)
        yield these


async def listen(url: str, sessions: Sequence[str]) -> None:
    async with AsyncExitStack() as stack:
        devices = [
            await stack.enter_async_context(raw_device(url, session, "ada", token=token_of("ada")))
            for session in sessions
        ]
        print(flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for device in devices:
            await device.until_answered()
        print(json.dumps({device.session: updates_of(device) for device in devices}), flush=True)


def updates_of(device: RawDevice) -> list[str]:
    return [frame.update.hex() for frame in device.frames if isinstance(frame, SyncStep2 | Update)]


def main() -> None:
    yield_to_honest_people()
    told = json.loads(sys.stdin.readline())
    asyncio.run(listen(told["url"], told["sessions"]))


if __name__ == "__main__":
    main()
