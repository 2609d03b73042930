"""A Jupyter kernel with limits on time, memory and output, which says when it has died.

The kernel is a process of the same user, without this process's environment. That keeps accidents apart; it
protects neither the files nor the network of that user from code that means harm.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any, Protocol

from jupyter_client.manager import AsyncKernelManager

START_S = 60.0
REPLY_S = 5.0
POLL_S = 0.25
STOP_AGAIN_S = 1.0
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
STOPPED_BETWEEN = {
    "status": "error",
    "ename": "KeyboardInterrupt",
    "evalue": "the kernel was stopped between two steps",
}
ATTACHED = ("image/png", "image/svg+xml", "text/html")

_PREPARE = """
def __prepare(memory_bytes):
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
__prepare({memory})
def __variables():
    import json, types
    skipped = (types.ModuleType, types.FunctionType, type, types.BuiltinFunctionType)
    found = {{}}
    for name, value in list(get_ipython().user_ns.items()):
        if name.startswith("_") or name in ("In", "Out", "exit", "quit", "open", "get_ipython"):
            continue
        if isinstance(value, skipped):
            continue
        shape = getattr(value, "shape", None)
        size = len(value) if hasattr(value, "__len__") else None
        found[name] = {{
            "type": type(value).__name__,
            "shape": list(shape) if shape is not None else ([size] if size is not None else []),
            "value": repr(value)[:80],
        }}
        if len(found) >= 200:
            break
    return json.dumps(found)
"""


@dataclass(frozen=True, slots=True)
class KernelLimits:
    time_s: float = 30.0
    memory_bytes: int = 2 * 1024**3
    output_chars: int = 20_000
    attachment_chars: int = 500_000


@dataclass(slots=True)
class Executed:
    """`status`: `ok`, `error`, `time_limit` or `kernel_died`. `attachments`: `{"type", "data"}`."""

    status: str = "ok"
    output: str = ""
    error: str = ""
    attachments: list[dict[str, str]] = field(default_factory=list)
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "\n".join(part for part in (self.output.rstrip(), self.error) if part)


class Kernel:
    def __init__(self, workspace: Path, limits: KernelLimits | None = None) -> None:
        self.limits = limits or KernelLimits()
        self._workspace = workspace
        self._manager: Any = None
        self._client: Any = None
        self._sockets = ""
        self._turn = asyncio.Lock()
        self._runs_code = False
        self._stop_wanted = False
        self._stopped_at = -STOP_AGAIN_S

    async def execute(self, code: str) -> Executed:
        """Run `code`, starting a kernel where there is none. One execution at a time."""
        async with self._turn:
            self._stop_wanted, self._stopped_at = False, -STOP_AGAIN_S
            if self._manager is None:
                await self._start()
            return await self._run(code)

    async def interrupt(self) -> None:
        """As the stop button of a notebook: the code that runs ends with a KeyboardInterrupt.

        Code that waits for its kernel is stopped when it begins: a kernel that is starting would die of it.
        """
        self._stop_wanted = True
        await self._stop_code()

    async def close(self) -> None:
        self._runs_code = False
        manager, client = self._manager, self._client
        self._manager = self._client = None
        if client is not None:
            client.stop_channels()
        if manager is not None:
            await manager.shutdown_kernel(now=True)
            shutil.rmtree(self._sockets, ignore_errors=True)

    async def restart(self) -> None:
        """A new kernel at the next execution; what runs is stopped, variables are gone."""
        await self.interrupt()
        async with self._turn:
            await self.close()

    @property
    def pid(self) -> int:
        """Of the kernel's process; 0 without one."""
        return int(getattr(self._manager.provisioner, "pid", 0)) if self._manager is not None else 0

    async def _start(self) -> None:
        self._sockets = tempfile.mkdtemp()  # only this user can reach the kernel
        place = str(Path(self._sockets) / "kernel")
        self._manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=place)
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        await self._manager.start_kernel(cwd=str(self._workspace), env=environment)
        self._client = self._manager.client()
        self._client.start_channels()
        await self._client.wait_for_ready(timeout=START_S)
        prepared = await self._run(_PREPARE.format(memory=self.limits.memory_bytes), own=True)
        if prepared.status != "ok":
            await self.close()
            raise RuntimeError(f"the kernel did not start: {prepared.error}")

    async def _run(self, code: str, *, own: bool = False) -> Executed:
        done = Executed()
        expressions = {} if own else {"variables": "__variables()"}
        asked = self._client.execute(code, user_expressions=expressions, store_history=not own)
        try:
            async with asyncio.timeout(self.limits.time_s):
                await self._collect(asked, done, own=own)
        except TimeoutError:
            await self._stop(asked, done)
        finally:
            self._runs_code = False
        if done.status != "kernel_died" and not own:
            await self._read_reply(asked, done)
        return done

    async def _stop(self, asked: str, done: Executed) -> None:
        await self.interrupt()
        try:
            async with asyncio.timeout(POLL_S * 20):
                await self._collect(asked, done)
        except TimeoutError:
            await self.close()
        done.status, done.error = "time_limit", f"Stopped after {self.limits.time_s:g} seconds."

    async def _collect(self, asked: str, done: Executed, *, own: bool = False) -> None:
        """Take what the kernel says until it is idle again, or dead. What is our own is not to be stopped."""
        while True:
            try:
                message = await self._client.get_iopub_msg(timeout=POLL_S)
            except Empty:
                if not await self._manager.is_alive():
                    done.status, done.error = "kernel_died", "The kernel died; its variables are gone."
                    await self.close()
                    return
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return
            if message["msg_type"] == "execute_input" and not own:
                await self._begin()
            self._take(message["msg_type"], content, done)

    async def _begin(self) -> None:
        self._runs_code = True
        if self._stop_wanted:
            await self._stop_code()

    async def _stop_code(self) -> None:
        """A kernel that is told again and again while it stops can die of it."""
        now = time.monotonic()
        if self._runs_code and now - self._stopped_at >= STOP_AGAIN_S:
            self._stopped_at = now
            await self._manager.interrupt_kernel()

    def _take(self, kind: str, content: dict[str, Any], done: Executed) -> None:
        if kind == "stream":
            self._print(content["text"], done)
        elif kind in ("execute_result", "display_data"):
            data = content["data"]
            attached = [{"type": mime, "data": data[mime]} for mime in ATTACHED if mime in data]
            done.attachments += [a for a in attached if len(a["data"]) <= self.limits.attachment_chars][:8]
            if not attached:
                self._print(data.get("text/plain", "") + "\n", done)
        elif kind == "error":
            done.status, done.error = "error", f"{content['ename']}: {content['evalue']}"

    def _print(self, text: str, done: Executed) -> None:
        room = self.limits.output_chars - len(done.output)
        if room > 0:
            done.output += text[:room] + ("\n[output cut]" if len(text) > room else "")

    async def _read_reply(self, asked: str, done: Executed) -> None:
        if self._client is None:
            return
        reply = await self._reply(asked)
        if done.status == "ok" and reply["status"] == "error":  # an interrupt also ends the telling of it
            done.status, done.error = "error", f"{reply['ename']}: {reply['evalue']}"
        told = reply.get("user_expressions", {}).get("variables", {})
        if told.get("status") == "ok":
            done.variables = json.loads(ast.literal_eval(told["data"]["text/plain"]))
        elif done.status != "ok":
            done.variables = await self._variables_now()

    async def _reply(self, asked: str) -> dict[str, Any]:
        """The kernel replies before it says that it is idle, and not at all where it was stopped outside the
        code.
        """
        while True:
            try:
                reply = await self._client.get_shell_msg(timeout=REPLY_S)
            except Empty:
                return STOPPED_BETWEEN
            if reply["parent_header"].get("msg_id") == asked:
                return dict(reply["content"])

    async def _variables_now(self) -> dict[str, dict[str, Any]]:
        """After an error, when expressions are not evaluated with the code."""
        return (await self._run("None")).variables


class Runtime(Protocol):
    """What runs a session's code. `Kernel` is the one that is here; another can be put in its place."""

    async def execute(self, code: str) -> Executed: ...

    async def interrupt(self) -> None: ...

    async def restart(self) -> None: ...

    async def close(self) -> None: ...


class Kernels:
    """One kernel per session, at most `most` at once: the one used longest ago is closed for a new one."""

    def __init__(self, workspace: Path, make: Callable[[Path], Runtime] = Kernel, most: int = 8) -> None:
        self.workspace = workspace
        self.enabled = False
        self.make = make
        self._most = most
        self._kernels: dict[str, Runtime] = {}

    async def of(self, session_id: str) -> Runtime:
        kernel = self._kernels.pop(session_id, None)
        if kernel is None:
            while len(self._kernels) >= self._most:
                await self._kernels.pop(next(iter(self._kernels))).close()
            kernel = self.make(self.workspace)
        self._kernels[session_id] = kernel
        return kernel

    async def close(self, session_id: str) -> None:
        if (kernel := self._kernels.pop(session_id, None)) is not None:
            await kernel.close()

    async def close_all(self) -> None:
        for session_id in list(self._kernels):
            await self.close(session_id)
