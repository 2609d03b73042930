"""Records of sessions, and finding them."""

from __future__ import annotations

import pytest
from tests.contract.writing import TRIP, Deployment, a_document, a_session, eventually_true

from threadline.errors import SessionNotFound
from threadline.ids import SessionId
from threadline_server.backplane.base import SessionQuery


class CatalogueContract:
    """Finding sessions."""

    @pytest.mark.asyncio
    async def test_the_first_creation_wins(self, deployment: Deployment) -> None:
        node = await deployment.node()
        first = await node.create_session(a_session(lineage="first", title="Berlin"))
        second = await node.create_session(a_session(lineage="second"))
        assert first == second == await node.get_session(TRIP)
        assert second.lineage == "first"

    @pytest.mark.asyncio
    async def test_a_record_keeps_every_field(self, deployment: Deployment) -> None:
        node = await deployment.node()
        record = a_session(
            title="Zürich, 東京",
            agent="travel",
            status="running",
            parent="root",
            labels=("red", "blue"),
            members={"bob": "editor"},
        )
        await node.create_session(record)
        assert await node.get_session(TRIP) == record

    @pytest.mark.asyncio
    async def test_an_update_changes_what_it_names(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.create_session(a_session(members={"bob": "editor", "eve": "viewer"}))
        record = await node.update_session(
            TRIP, title="Rome", labels=["new"], members={"eve": None, "dan": "editor"}
        )
        assert record.title == "Rome"
        assert record.labels == ("new",)
        assert record.members == {"bob": "editor", "dan": "editor"}
        assert await node.get_session(TRIP) == record
        with pytest.raises(TypeError):
            await node.update_session(TRIP, lineage="forged")
        with pytest.raises(SessionNotFound):
            await node.update_session(SessionId("other"), title="x")

    @pytest.mark.asyncio
    async def test_lists_are_filtered_and_ordered_by_activity(self, deployment: Deployment) -> None:
        node = await deployment.node()
        for n in range(12):
            await node.create_session(
                a_session(
                    f"s{n:02}",
                    owner="ada" if n % 2 else "bob",
                    active_ms=1_000 + n,
                    agent="travel" if n % 3 == 0 else "home",
                    status="running" if n % 4 == 0 else "idle",
                    parent="s00" if n > 9 else "",
                    labels=("red",) if n in (2, 7) else (),
                    members={"eve": "viewer"} if n in (2, 5) else {},
                    title=f"Trip {n} to ÅLAND" if n == 4 else f"Trip {n}",
                )
            )

        async def found(**filters: object) -> list[int]:
            page = await node.list_sessions(SessionQuery(**filters))  # type: ignore[arg-type]
            assert page.cursor is None
            return [int(record.id[1:]) for record in page.sessions]

        assert await found() == list(range(11, -1, -1))
        assert await found(visible_to="eve") == [5, 2]
        assert await found(visible_to="ada") == [11, 9, 7, 5, 3, 1]
        assert await found(user="bob", visible_to="eve") == [2]
        assert await found(agent="travel") == [9, 6, 3, 0]
        assert await found(agent="travel", status="running") == [0]
        assert await found(status="running") == [8, 4, 0]
        assert await found(label="red") == [7, 2]
        assert await found(parent="s00") == [11, 10]
        assert await found(active_after_ms=1_009) == [11, 10, 9]
        assert await found(active_before_ms=1_002) == [2, 1, 0]
        assert await found(text="åland") == [4]
        assert await found(user="nobody") == []
        await node.update_session(SessionId("s00"), status="idle", active_ms=9_000, owner="eve")
        assert await found(status="running") == [8, 4]
        assert await found(visible_to="eve") == [0, 5, 2]
        assert (await found())[0] == 0

    @pytest.mark.asyncio
    async def test_pages_give_every_session_once(self, deployment: Deployment) -> None:
        node = await deployment.node()
        names = {f"s{n}" for n in range(23)}
        for name in names:
            await node.create_session(a_session(name, active_ms=5_000 + len(name)))
        seen: list[str] = []
        cursor = None
        while True:
            page = await node.list_sessions(SessionQuery(limit=5, cursor=cursor, user="ada"))
            seen.extend(record.id for record in page.sessions)
            assert len(page.sessions) <= 5
            cursor = page.cursor
            if cursor is None:
                break
        assert len(seen) == 23
        assert set(seen) == names

    @pytest.mark.asyncio
    async def test_an_append_makes_its_session_active(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await node.create_session(a_session("newer", active_ms=2_000))
        await writer.write()

        async def is_first() -> bool:
            page = await node.list_sessions(SessionQuery())
            return page.sessions[0].id == "trip"

        await eventually_true(is_first)
        assert (await node.get_session(TRIP)).active_ms == 1_700_000_000_000
