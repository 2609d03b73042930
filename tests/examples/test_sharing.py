"""A session of one user, shared with another and taken back, where everybody has a token."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.app.conftest import guarded_node
from tests.client.conftest import PATIENCE_S, until
from tests.signing import token_of

import threadline
from threadline.errors import Forbidden


@pytest.mark.asyncio
@pytest.mark.row("S2-31")
async def test_a_session_is_shared_and_taken_back(tmp_path: Path) -> None:
    async with (
        guarded_node(tmp_path) as server,
        threadline.connect(server.url, token=token_of("ada")) as ada,
        threadline.connect(server.url, token=token_of("bob")) as bob,
    ):
        hers = await ada.open("notebook")
        hers["cell"] = "df.plot()"
        await hers.saved(PATIENCE_S)
        with pytest.raises(Forbidden):
            await bob.open("notebook")
        await ada.members.grant("notebook", "bob", "editor")
        his = await bob.open("notebook")
        assert his.role == "editor"
        his["cell"] += " # bob"
        await until(hers, lambda: hers["cell"] == "df.plot() # bob")
        await ada.members.remove("notebook", "bob")
        async with asyncio.timeout(PATIENCE_S):
            await his.changed.until(lambda: his.problem is not None)
        assert his.problem is not None
        assert his.problem.code == "forbidden"
        his.leave()
        with pytest.raises(Forbidden):
            await bob.open("notebook")
        hers["still"] = "open"
        await hers.saved(PATIENCE_S)


@pytest.mark.asyncio
@pytest.mark.row("S2-31")
async def test_a_link_lets_one_person_in(tmp_path: Path) -> None:
    async with (
        guarded_node(tmp_path) as server,
        threadline.connect(server.url, token=token_of("ada")) as ada,
        threadline.connect(server.url, token=token_of("bob")) as bob,
        threadline.connect(server.url, token=token_of("eve")) as eve,
    ):
        hers = await ada.open("notebook")
        link = await hers.share("viewer")
        await bob.invitations.accept(link)
        his = await bob.open("notebook")
        assert his.role == "viewer"
        with pytest.raises(Forbidden):
            await eve.invitations.accept(link)
        with pytest.raises(Forbidden):
            await eve.open("notebook")
