"""A real process that works on runs, killed in the middle of an answer, of a tool, and around an approval."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.server_process import ServerProcess, server_process

import threadline
from threadline.document.lifecycle import RunStatus
from threadline.live_session import LiveSession
from threadline.run import Run

pytestmark = pytest.mark.asyncio

ROOT = Path(__file__).parents[2]
WAIT_S = 40.0


class Scene:
    """A server with the fragile agent, a directory where effects are counted, and a device."""

    def __init__(self, server: ServerProcess, place: Path) -> None:
        self.server = server
        self.place = place

    def effects(self, name: str) -> int:
        file = self.place / name
        return len(file.read_text().splitlines()) if file.exists() else 0

    @asynccontextmanager
    async def device(self) -> AsyncIterator[LiveSession]:
        async with threadline.connect(self.server.url, token="ada") as client:
            session = await client.open("s")
            await session.joined(WAIT_S)
            yield session

    async def asks(self, words: str, until: Callable[[Run], bool]) -> str:
        async with self.device() as session:
            run = await session.send(words)
            async with asyncio.timeout(WAIT_S):
                await session.until(lambda: until(run))
            return run.id

    async def approves(self, run_id: str) -> None:
        async with self.device() as session:
            await session.run(run_id).approve()
            async with asyncio.timeout(WAIT_S):
                await session.saved()

    async def killed(self) -> None:
        if self.server.alive:
            await self.server.kill()
        await self.server.start()

    async def ends(self, run_id: str) -> threadline.RunResult:
        async with self.device() as session:
            return await session.run(run_id).result(WAIT_S)


@asynccontextmanager
async def a_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: str = "") -> AsyncIterator[Scene]:
    monkeypatch.setenv("FRAGILE_DIR", str(tmp_path))
    monkeypatch.setenv("FRAGILE_KILL", kill)
    options = ("--agent", "tests.runs.fragile_agent:agent", "--lease-ttl-s", "1", "--scan-every-s", "0.2")
    async with server_process(tmp_path / "data", *options, cwd=ROOT) as server:
        yield Scene(server, tmp_path)


async def test_killed_in_the_middle_of_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_scene(tmp_path, monkeypatch) as scene:
        run_id = await scene.asks("count", lambda run: "20 " in run.output)
        await scene.killed()
        result = await scene.ends(run_id)
        assert (result.status, result.output) == (RunStatus.COMPLETED, "".join(f"{n} " for n in range(40)))


async def test_killed_in_the_middle_of_a_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_scene(tmp_path, monkeypatch) as scene:
        run_id = await scene.asks("look", lambda run: scene.effects("looked") == 1 and len(run.steps) == 1)
        await scene.killed()
        result = await scene.ends(run_id)
        assert (result.status, result.output) == (RunStatus.COMPLETED, "Found it")
        assert scene.effects("looked") == 2


async def test_killed_while_it_waits_for_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_scene(tmp_path, monkeypatch) as scene:
        run_id = await scene.asks("pay", lambda run: bool(run.pending))
        await scene.killed()
        await scene.approves(run_id)
        result = await scene.ends(run_id)
        assert (result.status, result.output) == (RunStatus.COMPLETED, "Let me pay. \n\nPaid 3")
        assert scene.effects("paid") == 1


@pytest.mark.parametrize(
    ("place", "said", "paid"),
    [
        ("approved", "Paid 3", 1),
        ("begun", "whether it took effect is not known", 0),
        ("done", "whether it took effect is not known", 1),
    ],
)
async def test_killed_around_an_approved_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, said: str, paid: int
) -> None:
    """It is made once, or its outcome is said to be unknown; it is never made twice."""
    async with a_scene(tmp_path, monkeypatch, place) as scene:
        run_id = await scene.asks("pay", lambda run: bool(run.pending))
        async with scene.device() as session:
            await session.run(run_id).approve()
            async with asyncio.timeout(WAIT_S):
                await session.until(lambda: not session.is_live)
        await scene.killed()
        result = await scene.ends(run_id)
        assert result.status is RunStatus.COMPLETED
        assert said in result.output
        assert result.output.count("Let me pay.") == 1
        assert scene.effects("paid") == paid
