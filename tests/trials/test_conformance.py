"""The trial of a server, tried: our own keeps every promise, one that lies is found out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.signing import SECRET, token_of
from websockets.asyncio.server import ServerConnection, serve

from threadline.protocol import hocuspocus
from threadline.protocol.hocuspocus import Authenticate, Authenticated, Scope, SyncStatus
from threadline.protocol.sync import EMPTY_UPDATE, SyncStep1, SyncStep2, Update
from threadline_server.app import running_server
from threadline_server.cli.exits import Exit
from threadline_server.cli.main import run
from threadline_server.settings import load
from threadline_server.trials.conformance import Finding, conformance
from threadline_server.trials.device import Dialect
from threadline_server.trials.load import Load, Plan
from threadline_server.trials.promises import PROMISES, Promise, Server


async def tried(url: str, promises: Sequence[Promise] = PROMISES, *, patience_s: float = 30) -> list[Finding]:
    return [finding async for finding in conformance(Server(url, "ada", patience_s), promises)]


@pytest.mark.asyncio
async def test_our_own_server_keeps_every_promise(tmp_path: Path) -> None:
    async with running_server(load({"port": 0, "data": tmp_path}, {})) as server:
        findings = await tried(server.url)
        assert [(f.promise.sentence, f.broken) for f in findings if f.broken] == []
        assert len(findings) == sum(len(promise.dialects) for promise in PROMISES)
        async with httpx.AsyncClient(base_url=server.url) as client:
            headers = {"Authorization": "Bearer ada"}
            left = (await client.get("/api/v1/sessions", headers=headers)).json()["sessions"]
        assert left == []


@asynccontextmanager
async def lying_server() -> AsyncIterator[str]:
    """It lets everybody in, says at once that all is stored, and keeps and forwards nothing."""

    async def lie(socket: ServerConnection) -> None:
        async for data in socket:
            frame = hocuspocus.decode_from_client(data if isinstance(data, bytes) else b"")
            answers: list[hocuspocus.ServerMessage] = []
            match frame.message:
                case Authenticate():
                    answers = [Authenticated(Scope.READ_WRITE), SyncStep1(b"\x00")]
                case SyncStep1():
                    answers = [SyncStep2(EMPTY_UPDATE)]
                case Update() | SyncStep2():
                    answers = [SyncStatus(True)]
            for answer in answers:
                await socket.send(hocuspocus.encode(frame.address, answer))

    async with serve(lie, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def named(*names: str) -> list[Promise]:
    """Promises by their checks, in the dialect of the liar."""
    native = (Dialect.HOCUSPOCUS,)
    return [replace(one, dialects=native) for one in PROMISES if one.check.__name__ in names]


@pytest.mark.asyncio
async def test_a_server_that_says_stored_and_keeps_nothing_is_found_out() -> None:
    broken = named("says_hello", "keeps", "forwards", "refuses_forgery", "relays_presence")
    kept = named("answers_step1", "acknowledges_once")
    async with lying_server() as url:
        of_broken = await tried(url, broken, patience_s=0.1)
        of_kept = await tried(url, kept)
    assert len(of_broken) == len(broken)
    assert all(finding.broken for finding in of_broken)
    assert [finding.broken for finding in of_kept] == ["", ""]


@pytest.mark.asyncio
async def test_the_verbs_report_and_end_as_they_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with lying_server() as url:
        code = await asyncio.to_thread(run, ["conformance", url, "--patience-s", "0.02"])
    assert code is Exit.FAILED
    assert "FAIL  hocuspocus" in capsys.readouterr().out
    assert await asyncio.to_thread(run, ["conformance", url]) is Exit.FAILED
    assert "does not answer as a Threadline server" in " ".join(capsys.readouterr().err.split())
    async with running_server(load({"port": 0, "data": tmp_path}, {})) as server:
        arguments = [
            "load",
            server.url,
            "--devices",
            "6",
            "--sessions",
            "2",
            "--step-s",
            "0.2",
            "--most",
            "50",
        ]
        await asyncio.to_thread(run, [*arguments, "--slow-ms", "20000"])
    said = capsys.readouterr().out
    assert "All devices joined" in said
    assert "It carried" in said or "too much for it" in said


@pytest.mark.asyncio
async def test_load_counts_what_was_saved_and_delivered(tmp_path: Path) -> None:
    plan = Plan(devices=6, sessions=2, step_s=0.2, most_rate=50, slow_s=60)
    async with running_server(load({"port": 0, "data": tmp_path}, {})) as server:
        steps = [step async for step in Load(server.url, "ada", plan, lambda text: None).steps()]
    (step,) = steps
    assert step.updates > 0
    assert step.deliveries >= 1.5 * step.updates  # two others in each session


@pytest.mark.asyncio
async def test_a_server_that_asks_for_signed_tokens(tmp_path: Path) -> None:
    settings = {"port": 0, "data": tmp_path, "auth": "token", "auth_secret": SECRET, "url_tokens": "any"}
    async with running_server(load(settings, {})) as server:
        first = PROMISES[:5]
        findings = [one async for one in conformance(Server(server.url, token_of("ada")), first)]
        assert len(findings) > len(first)
        assert [(f.promise.sentence, f.broken) for f in findings if f.broken] == []
