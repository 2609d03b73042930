"""One server as a user runs it, two bystanders, and a process of attackers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from tests.attacks.attackers import PEOPLES, SERVERS, Attackers, attackers, honest_people_first, on_core
from tests.attacks.bystanders import Bystanders, bystanders
from tests.attacks.mark import EDITOR, PAIR, VIEWER
from tests.server_process import ServerProcess, server_process
from tests.signing import SECRET, token_of

GUARDED = ("--auth", "token", "--auth-secret", SECRET)


async def share(url: str, session: str, owner: str, **members: str) -> None:
    """Make a session and let others in."""
    headers = {"Authorization": f"Bearer {token_of(owner)}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        made = await client.post("/api/v1/sessions", json={"id": session})
        assert made.status_code == 201, made.text
        for user, role in members.items():
            path = f"/api/v1/sessions/{session}/members/{user}"
            assert (await client.put(path, json={"role": role})).status_code == 200


@dataclass(slots=True)
class Siege:
    server: ServerProcess
    bystanders: Bystanders
    attackers: Attackers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def siege(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Siege]:
    alone = bool(request.config.getoption("--full"))
    data: Path = tmp_path_factory.mktemp("siege") / "data"
    async with AsyncExitStack() as stack:
        with on_core(SERVERS, alone=alone):
            server = await stack.enter_async_context(server_process(data, *GUARDED))
        stack.enter_context(on_core(PEOPLES, alone=alone))
        stack.enter_context(honest_people_first(alone=alone))
        await share(server.url, PAIR, "ada", **{"bob": "editor", EDITOR: "editor", VIEWER: "viewer"})
        pair = await stack.enter_async_context(bystanders(server.url))
        siege = Siege(server, pair, await stack.enter_async_context(attackers(alone=alone)))
        yield siege
        await assert_stored(siege)


async def assert_stored(siege: Siege) -> None:
    """After a kill and a restart the session has what its bystanders had."""
    pair = siege.bystanders
    digest = pair.ada.digest()
    await siege.server.kill()
    await siege.server.start()
    await asyncio.gather(pair.ada.leave(), pair.bob.leave())
    pair.ada.doc = type(pair.ada.doc)()
    await pair.ada.join(siege.server.url)
    await pair.ada.until_synced()
    assert pair.ada.digest() == digest
    assert pair.view(pair.ada.doc) == pair.expected()
