"""Unmodified `y-websocket` and `@hocuspocus/provider` in a Node process, driven from a test."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PATIENCE_S = 30.0


class Node:
    """One Node process with any number of devices. `ask` sends a command and waits for its answer."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self._url = url.replace("http", "ws", 1)
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def ask(self, op: str, device: str, **details: Any) -> Any:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "op": op, "device": device, **details}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()
        try:
            return await asyncio.wait_for(answer, PATIENCE_S)
        except TimeoutError:
            if op == "until":
                details["events"] = await self.ask("read", device, expression="d.events")
            raise AssertionError(f"{device} waited in vain: {details}") from None

    async def read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            answer = self._answers.pop(message["id"])
            if answer.done():
                continue
            if "error" in message:
                answer.set_exception(AssertionError(message["error"]))
            else:
                answer.set_result(message["ok"])

    async def hocuspocus(self, device: str, session: str, token: str = "", **details: Any) -> NodeDevice:
        url = f"{self._url}/sync"
        await self.ask("open", device, kind="hocuspocus", url=url, session=session, token=token, **details)
        return NodeDevice(self, device)

    async def ywebsocket(self, device: str, session: str, token: str = "", **details: Any) -> NodeDevice:
        params = {"token": token} if token else {}
        url = f"{self._url}/sync"
        await self.ask("open", device, kind="y-websocket", url=url, session=session, params=params, **details)
        return NodeDevice(self, device)


class NodeDevice:
    """One provider with its document. Expressions are JavaScript over the device `d` of `devices.mjs`."""

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = name

    async def until(self, expression: str) -> None:
        await self._node.ask("until", self._name, expression=expression)

    async def until_synced(self) -> None:
        await self.until("d.synced")

    async def until_saved(self) -> None:
        await self.until("d.synced && !d.unsynced")

    async def read(self, expression: str) -> Any:
        return await self._node.ask("read", self._name, expression=expression)

    async def set(self, key: str, value: object) -> None:
        await self._node.ask("set", self._name, key=key, value=value)

    async def do(self, op: str, **details: Any) -> Any:
        return await self._node.ask(op, self._name, **details)


@asynccontextmanager
async def node_devices(url: str) -> AsyncIterator[Node]:
    """A Node process whose devices connect to the server at `url`; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        "node",
        "devices.mjs",
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    node = Node(process, url)
    reading = asyncio.create_task(node.read())
    try:
        yield node
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE_S)
        await reading
