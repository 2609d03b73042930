"""What operators see of a server, and who is one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.conftest import api_of, device_of, guarded_node

from threadline_server.app import running_server
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.edge.node_book import NodeBook, NodeEntry
from threadline_server.settings import load

OVERVIEW = "/api/v1/admin"
PAGE = Path(__file__).parents[2] / "web_demo" / "src" / "admin" / "admin_page.tsx"


@pytest.mark.asyncio
async def test_operators_see_sessions_devices_numbers_and_health(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, operators=("ada",)) as server:
        async with api_of(server, "bob") as bob:
            refused = await bob.get(OVERVIEW)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        async with device_of(server, "trip", "bob") as device, api_of(server, "ada") as ada:
            await device.set("/secret", "nobody's business")
            await device.until_saved()
            seen = (await ada.get(OVERVIEW)).json()
            assert seen["ready"] is True
            assert set(seen["checks"]) == {"accepting", "store", "connections"}
            assert seen["durability"] == "fsync"
            (session,) = seen["sessions"]
            assert (session["id"], session["owner"], session["members"]) == ("trip", "bob", 1)
            assert ("trip", "bob", "owner") in {
                (row["document"], row["user"], row["role"]) for row in seen["devices"]
            }
            (node,) = seen["nodes"]
            assert (node["kind"], node["connections"], node["silent"]) == ("node", 1, False)
            assert seen["numbers"]["threadline_rooms_updates_total"] >= 1
            assert seen["numbers"]["process_resident_memory_bytes"] > 0
            assert "business" not in (await ada.get(OVERVIEW)).text


@pytest.mark.asyncio
async def test_a_node_has_every_number_that_the_page_plots(tmp_path: Path) -> None:
    plotted = set(re.findall(r'"((?:threadline|process)_\w+)"', PAGE.read_text()))
    assert len(plotted) > 5
    flags = {"operators": ("ada",), "agent": ("threadline.agents.travel:agent",)}
    async with guarded_node(tmp_path, **flags) as server, api_of(server, "ada") as ada:
        assert plotted <= (await ada.get(OVERVIEW)).json()["numbers"].keys()


@pytest.mark.asyncio
async def test_a_key_of_an_operator_looks_for_it(tmp_path: Path) -> None:
    async with guarded_node(tmp_path, operators=("ada",)) as server:
        async with api_of(server, "ada") as ada:
            key = (await ada.post("/api/v1/keys", json={"label": "monitor"})).json()["token"]
        async with api_of(server, "", key) as monitor:
            assert (await monitor.get(OVERVIEW)).status_code == 200


@pytest.mark.asyncio
async def test_where_any_token_is_a_name_everybody_may_look(tmp_path: Path) -> None:
    async with (
        running_server(load({"port": 0, "data": tmp_path}, {})) as server,
        api_of(server, "", "eve") as eve,
    ):
        assert (await eve.get(OVERVIEW)).status_code == 200


@pytest.mark.asyncio
async def test_nodes_that_are_silent_are_told_apart_and_those_that_left_are_gone(tmp_path: Path) -> None:
    store = EmbeddedBackplane(tmp_path)
    await store.open()
    mine = NodeEntry(
        "a", "node", "1", started_ms=0, seen_ms=100_000, connections=1, rooms=2, members=3, runs=0
    )
    other = replace(mine, name="b", kind="worker", seen_ms=0)
    here, there = NodeBook(store, lambda: mine, 30), NodeBook(store, lambda: other, 30)
    await there.announce()
    await there.announce()
    assert await here.entries() == [mine, other]
    assert (here.is_silent(mine, 100_000), here.is_silent(other, 100_000)) == (False, True)
    await there.leave()
    assert await here.entries() == [mine]
    await store.close()
