"""Rules that an application declares for its own roots, at a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from pycrdt import Map
from tests.raw_device import raw_device
from tests.server_process import server_process

RULES = """from threadline.actors import Role
from threadline.document.root_rules import RootRule

ROOTS = {"board": RootRule(writers=frozenset({Role.OWNER}))}
"""


@pytest.mark.asyncio
async def test_a_root_that_its_owner_alone_writes(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RULES)
    arguments = ("--root-rules", "mine:ROOTS")
    async with (
        server_process(tmp_path / "data", *arguments, cwd=tmp_path) as server,
        raw_device(server.url, "trip", "ada") as ada,
        raw_device(server.url, "trip", "bob") as bob,
    ):
        ada.doc.get("board", type=Map)["rule"] = "mine"
        await ada.flush()
        await ada.until_saved()
        await bob.until(lambda: bob.doc.get("board", type=Map).get("rule") == "mine", "it came")
        bob.doc.get("board", type=Map)["rule"] = "ours"
        await bob.flush()
        await bob.until(lambda: bob.document_closed is not None, "it was refused")
        assert "board is not written by the role editor" in str(bob.document_closed)
        await ada.until_answered()
        assert ada.doc.get("board", type=Map)["rule"] == "mine"
