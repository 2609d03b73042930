"""`threadline chat` as a program: its input is typed, its output is what is on the screen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.client.conftest import PATIENCE_S, Place, until
from tests.client.test_runs import TRAVEL
from tests.server_process import clean_environment


class Terminal:
    """One `threadline chat`, with a store of its own."""

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.name = name
        self.screen = ""
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, session: str = "trip", *options: str) -> None:
        self.screen = ""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "threadline_server", "chat", self.place.url, session, "--token", self.name),
            *("--store", str(self.place.path / f"{self.name}.sqlite"), "--device", "Terminal", *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=clean_environment(),
        )

    async def type(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def until(self, text: str) -> None:
        """Until `text` is on the screen."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while text not in self.screen:
                    data = await self._process.stdout.read(4096)
                    assert data, f"the program ended; the screen has:\n{self.screen}"
                    self.screen += data.decode()
        except TimeoutError:
            raise AssertionError(f"{text!r} did not come; the screen has:\n{self.screen}") from None

    async def end(self) -> int:
        """End the input, take what is still written; the exit code."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        output, _ = await asyncio.wait_for(self._process.communicate(), PATIENCE_S)
        self.screen += output.decode()
        assert self._process.returncode is not None
        return self._process.returncode

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    try:
        yield place
    finally:
        await place.stop()


@pytest_asyncio.fixture
async def terminal(place: Place) -> AsyncIterator[Terminal]:
    terminal = Terminal(place, "ada")
    try:
        yield terminal
    finally:
        await terminal.kill()


@pytest.mark.asyncio
async def test_a_conversation_in_a_terminal(place: Place, terminal: Terminal) -> None:
    await place.start()
    await place.work(TRAVEL)
    await terminal.start()
    await terminal.until("connected")
    await terminal.type("set budget 150")
    await terminal.until("travel uses set_budget(amount=150)")
    await terminal.until("The budget is 150.")
    await terminal.until("· saved")
    await terminal.type("/state budget")
    await terminal.until("· 150")
    await terminal.type('book hotel "Adlon"')
    await terminal.until("/approve or /reject")
    async with place.connect("bob", device="Phone") as bob:
        other = await bob.open("trip")
        await terminal.until("here: ada, bob")
        other.add_message("user", "Take it!")
        await terminal.until("bob: Take it!")
        await terminal.type("/approve")
        await until(other, lambda: other.get("hotel") == "Adlon")
        assert "Terminal" in {member.device for member in other.presence}
    await terminal.until("Adlon.\n")
    await terminal.type("/nope")
    await terminal.until("there is no /nope")
    await terminal.type("/title Berlin")
    await terminal.type("/export")
    await terminal.until("# Berlin")
    await terminal.type("/quit")
    assert await terminal.end() == 0


@pytest.mark.asyncio
async def test_what_is_typed_offline_is_sent_later(place: Place, terminal: Terminal) -> None:
    await place.start()
    await terminal.start()
    await terminal.until("connected")
    await place.stop()
    await terminal.until("offline; what you write is kept")
    await terminal.type("set budget 70")
    await terminal.until("saving…")
    await terminal.type("/quit")
    await terminal.until("kept here and sent when you come back")
    assert await terminal.end() == 0
    await place.start()
    await place.work(TRAVEL)
    await terminal.start()
    await terminal.until("The budget is 70.")
    await terminal.type("/quit")
    assert await terminal.end() == 0


@pytest.mark.asyncio
async def test_piped_input_waits_for_its_answers(place: Place, terminal: Terminal) -> None:
    await place.start()
    await place.work(TRAVEL)
    await terminal.start("other")
    await terminal.type("set budget 9")
    assert await terminal.end() == 0
    assert "The budget is 9." in terminal.screen


@pytest.mark.asyncio
async def test_what_is_wrong_is_said_in_a_sentence(place: Place, terminal: Terminal) -> None:
    await place.start()
    await terminal.start("not a name")
    assert await terminal.end() == 2
    assert "session id" in terminal.screen
    stranger = Terminal(place, "agent:x")
    await stranger.start()
    assert await stranger.end() == 1
    assert "Traceback" not in stranger.screen
    assert "reserved" in stranger.screen
