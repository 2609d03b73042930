"""A real server process on a free port, which a test may kill and start again on the same data."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0
LONGEST_LINE_BYTES = 4 << 20

_LISTENING = re.compile(r"listening on (http://\S+)", re.IGNORECASE)

MODULE = ("-m", "threadline_server")


def clean_environment() -> dict[str, str]:
    """This environment without settings of the server, so that a developer's own do not reach the tests."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("THREADLINE_") and name != "PORT"
    }


class ThreadlineProcess:
    """One verb of the command line that runs until it is stopped.

    arguments:   the verb and what follows it
    ready:       what it prints once it serves; the first group is what `start` gives back
    environment: settings, by variable
    python:      what runs it
    """

    def __init__(
        self,
        *arguments: str,
        ready: re.Pattern[str] = _LISTENING,
        program: Sequence[str] = MODULE,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        python: Path = Path(sys.executable),
    ) -> None:
        self.cwd = cwd
        self.python = python
        self.arguments = arguments
        self.program = program
        self.environment = dict(environment or {})
        self.url = ""
        self._ready = ready
        self.output: list[str] = []
        self._printed = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """What `ready` finds, once it is said. Raises AssertionError with the output when it ends instead."""
        self._process = await asyncio.create_subprocess_exec(
            self.python,
            *self.program,
            *self.arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LONGEST_LINE_BYTES,
            env=clean_environment() | {"PYTHONFAULTHANDLER": "1"} | self.environment,
            cwd=self.cwd,
        )
        listening = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(self._process, listening))
        try:
            self.url = await asyncio.wait_for(listening, START_TIMEOUT_S)
        except TimeoutError:
            await self._end(signal.SIGABRT)  # with PYTHONFAULTHANDLER it says where it stood
            raise AssertionError("the process did not start:\n" + "\n".join(self.output)) from None
        return self.url

    async def _read(self, process: asyncio.subprocess.Process, listening: asyncio.Future[str]) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.output.append(text)
            async with self._printed:
                self._printed.notify_all()
            found = self._ready.search(text)
            if found and not listening.done():
                listening.set_result(found[1])
        if not listening.done():
            listening.set_exception(AssertionError("the server ended:\n" + "\n".join(self.output)))

    async def said(self, pattern: str) -> str:
        """The first group of `pattern` in the output, once it was printed."""
        async with self._printed:
            await asyncio.wait_for(
                self._printed.wait_for(lambda: re.search(pattern, "\n".join(self.output))), START_TIMEOUT_S
            )
        found = re.search(pattern, "\n".join(self.output))
        assert found is not None
        return found[1]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def send_signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            assert self._process is not None
            self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, with_signal: signal.Signals) -> int:
        process, reader = self._process, self._reader
        assert process is not None
        assert reader is not None
        self.send_signal(with_signal)
        code = await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        await reader
        return code


class ServerProcess(ThreadlineProcess):
    """A node on a data directory; `arguments` follow `serve`, `program` is what Python runs."""

    def __init__(
        self,
        data: Path,
        *arguments: str,
        program: Sequence[str] = MODULE,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        serve = ("serve", "--port", "0", "--data", str(data))
        super().__init__(*serve, *arguments, program=program, cwd=cwd, environment=environment)
        self.data = data


@asynccontextmanager
async def server_process(
    data: Path,
    *arguments: str,
    program: Sequence[str] = MODULE,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(data, *arguments, program=program, cwd=cwd, environment=environment)
    await server.start()
    try:
        yield server
    finally:
        if server.alive:
            await server.kill()
