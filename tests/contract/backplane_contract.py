"""What every backplane must do.

An adapter's own test subclasses `BackplaneContract` and gives the `deployment`:

class TestEmbedded(BackplaneContract):
    @pytest_asyncio.fixture
    async def deployment(self, tmp_path): ...
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.contract.writing import (
    LINEAGE,
    Deployment,
    Reader,
    Writer,
    a_document,
    a_session,
    eventually,
    eventually_true,
)

from threadline.errors import SessionDeleted, SessionNotFound, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import (
    Append,
    BlobNotFound,
    ClockRange,
    DocumentName,
    Entry,
    Position,
    RunHint,
    SessionQuery,
    StaleFence,
    StaleRange,
    Turn,
    WrongLineage,
)

TRIP = SessionId("trip")
TRIP_DOCUMENT = DocumentName("trip")


async def next_hint(hints: AsyncIterator[RunHint]) -> RunHint:
    return await anext(hints)


class LogContract:
    """Appending, loading and following."""

    @pytest.mark.asyncio
    async def test_positions_count_from_one_and_taken_comes_before_durable(
        self, deployment: Deployment
    ) -> None:
        writer = await a_document(await deployment.node())
        outcomes = [await writer.put(writer.next_turn(f"turn {n}")) for n in range(5)]
        assert [outcome.position for outcome in outcomes] == [1, 2, 3, 4, 5]
        assert all(outcome.events == ["taken", "durable"] for outcome in outcomes)

    @pytest.mark.asyncio
    async def test_one_call_appends_to_many_documents(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writers = [await a_document(node, f"trip-{n}") for n in range(20)]
        pairs = [writer.prepare(writer.next_turn()) for writer in writers]
        node.append([append for append, _ in pairs])
        assert [(await outcome.end()).position for _, outcome in pairs] == [1] * 20

    @pytest.mark.asyncio
    async def test_loading_gives_back_what_was_appended(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        turns = [writer.next_turn(f"turn {n}", length=n + 1) for n in range(4)]
        for turn in turns:
            await writer.put(turn)
        stored = await node.load(TRIP_DOCUMENT)
        assert [logged.turn for logged in stored.tail] == turns
        assert [logged.position for logged in stored.tail] == [1, 2, 3, 4]
        assert (stored.lineage, stored.base, stored.position) == (LINEAGE, None, 4)

    @pytest.mark.asyncio
    async def test_an_empty_document_has_a_lineage_and_nothing_else(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.create_session(a_session())
        stored = await node.load(DocumentName("trip~ada"))
        assert (stored.lineage, stored.base, stored.index, stored.tail) == (LINEAGE, None, None, ())

    @pytest.mark.asyncio
    async def test_an_unknown_session_has_no_documents(self, deployment: Deployment) -> None:
        node = await deployment.node()
        with pytest.raises(SessionNotFound):
            await node.load(TRIP_DOCUMENT)
        writer = Writer(node, TRIP_DOCUMENT)
        assert isinstance((await writer.put(writer.turn())).refusal, WrongLineage)

    @pytest.mark.asyncio
    async def test_a_document_that_was_not_loaded_can_be_appended_to(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.create_session(a_session())
        writer = Writer(node, TRIP_DOCUMENT)
        outcomes = [writer.begin(writer.next_turn()) for _ in range(3)]
        assert [(await outcome.end()).position for outcome in outcomes] == [1, 2, 3]

    @pytest.mark.asyncio
    async def test_a_large_turn_survives(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write("x" * 1_000_000, length=1_000_000)
        (logged,) = (await node.load(TRIP_DOCUMENT)).tail
        assert logged.turn.entries[0].update == b"x" * 1_000_000

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("start", "why"), [(2, "known in part"), (4, "a gap")])
    async def test_a_range_that_does_not_continue_the_log_is_refused(
        self, deployment: Deployment, start: int, why: str
    ) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write(length=3)
        outcome = await writer.put(writer.turn(why, start=start, length=2))
        assert isinstance(outcome.refusal, StaleRange)
        assert outcome.events == ["refused"]
        assert (await node.load(TRIP_DOCUMENT)).position == 1
        assert await writer.write("goes on") == 2

    @pytest.mark.asyncio
    async def test_one_stale_entry_refuses_the_whole_turn(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write(length=3)
        good = Entry("ada", "owner", (ClockRange(writer.client, 3, 5), ClockRange(99, 0, 1)), b"good", 1)
        stale = Entry("bob", "editor", (ClockRange(98, 1, 2),), b"stale", 1)
        outcome = await writer.put(Turn(node.node, "epoch-1", (good, stale)))
        assert isinstance(outcome.refusal, StaleRange)
        outcome = await writer.put(Turn(node.node, "epoch-1", (good,)))
        assert outcome.position == 2

    @pytest.mark.asyncio
    async def test_entries_of_one_turn_may_continue_each_other(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        entries = tuple(
            Entry("ada", "owner", (ClockRange(7, n, n + 1),), f"part {n}".encode(), 5 - n) for n in range(3)
        )
        turn = Turn(node.node, "epoch-1", entries)
        assert (await writer.put(turn)).position == 1
        writer.clock = 3
        assert await writer.write() == 2
        assert (await node.load(TRIP_DOCUMENT)).tail[0].turn == turn

    @pytest.mark.asyncio
    async def test_one_turn_may_extend_thousands_of_clients(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        writer = Writer(node, TRIP_DOCUMENT)
        ranges = tuple(ClockRange(client, 0, client) for client in range(1, 2_501))
        turn = Turn(node.node, "epoch-1", (Entry("ada", "owner", ranges, b"restored", 5),))
        assert (await writer.put(turn)).position == 1
        assert (await node.load(TRIP_DOCUMENT)).tail[0].turn == turn
        last = Writer(node, TRIP_DOCUMENT, client=2_500)
        assert isinstance((await last.put(last.turn(start=2_499))).refusal, StaleRange)
        assert (await last.put(last.turn(start=2_500))).position == 2

    @pytest.mark.asyncio
    async def test_a_turn_of_deletes_only_extends_no_clock(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write()
        deletes = Turn(node.node, "epoch-1", (Entry("ada", "owner", (), b"delete set", 5),))
        assert (await writer.put(deletes)).position == 2
        assert await writer.write() == 3

    @pytest.mark.asyncio
    async def test_a_retry_of_the_same_turn_succeeds_once(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write()
        turn = writer.next_turn("sent twice")
        first, again = writer.begin(turn), writer.begin(turn)
        assert (await first.end()).events == (await again.end()).events == ["taken", "durable"]
        assert first.position == again.position == 2
        assert (await node.load(TRIP_DOCUMENT)).position == 2

    @pytest.mark.asyncio
    async def test_the_next_turn_may_follow_before_the_last_is_durable(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        order: list[tuple[str, int]] = []
        outcomes = []
        for n in range(50):
            append, outcome = writer.prepare(writer.next_turn(f"{n}"))
            append.on_durable = self._remember(order, "durable", n, append)
            outcomes.append(outcome)
            node.append([append])
            await outcome.taken()
        await eventually(lambda: len(order) == 50)
        assert order == [("durable", n) for n in range(50)]
        assert [outcome.position for outcome in outcomes] == list(range(1, 51))

    @staticmethod
    def _remember(order: list[tuple[str, int]], event: str, n: int, append: Append):  # type: ignore[no-untyped-def]
        return lambda told: order.append((event, n)) if told is append else None

    @pytest.mark.asyncio
    async def test_another_lineage_is_refused(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        writer.lineage = "lineage-0"
        assert isinstance((await writer.put(writer.turn())).refusal, WrongLineage)
        assert (await node.load(TRIP_DOCUMENT)).position == 0

    @pytest.mark.asyncio
    async def test_reading_gives_turns_after_a_position(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(10):
            await writer.write()
        turns = await node.read(TRIP_DOCUMENT, Position(4), limit=3)
        assert [turn.position for turn in turns] == [5, 6, 7]
        assert await node.read(TRIP_DOCUMENT, Position(10)) == ()
        assert await node.read(DocumentName("trip~ada"), Position(0)) == ()

    @pytest.mark.asyncio
    async def test_a_follower_gets_every_turn_once_in_order(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(700):
            writer.begin(writer.next_turn())
        early = Reader().follow(node, TRIP_DOCUMENT)
        for _ in range(10):
            await writer.write()
        late = Reader().follow(node, TRIP_DOCUMENT, after=705)
        live = Reader().follow(node, TRIP_DOCUMENT, after=710)
        for _ in range(10):
            await writer.write()
        await eventually(lambda: late.positions[-1:] == [720] and early.positions[-1:] == [720])
        await eventually(lambda: live.positions[-1:] == [720])
        assert early.positions == list(range(1, 721))
        assert late.positions == list(range(706, 721))
        assert live.positions == list(range(711, 721))

    @pytest.mark.asyncio
    async def test_a_closed_follower_gets_nothing(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        closed, open_one = Reader(), Reader()
        closed.follow(node, TRIP_DOCUMENT).following.close()
        closed.following.close()
        open_one.follow(node, TRIP_DOCUMENT)
        await writer.write()
        await eventually(lambda: open_one.positions == [1])
        assert closed.positions == []

    @pytest.mark.asyncio
    async def test_everything_is_there_after_a_restart(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for n in range(5):
            await writer.write(f"before {n}")
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"base", b"index", Position(2))
        await node.put_blob(TRIP, "plot", b"picture")
        await node.decide(TRIP, "intent", "run")
        await node.close()
        node = await deployment.node()
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.index, stored.base_position) == (b"base", b"index", 2)
        assert [logged.position for logged in stored.tail] == [3, 4, 5]
        writer.backplane = node
        assert isinstance((await writer.put(writer.turn(start=4))).refusal, StaleRange)
        assert await writer.write() == 6
        assert await node.get_blob(TRIP, "plot") == b"picture"
        assert await node.decide(TRIP, "intent", "another") == "run"


class CompactionContract:
    """Bases and what they replace."""

    @pytest.mark.asyncio
    async def test_a_base_replaces_the_turns_it_covers(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(6):
            await writer.write()
        base, index = b"b" * 300_000, b"i" * 200_000
        await node.compact(TRIP_DOCUMENT, LINEAGE, base, index, Position(4))
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.index, stored.base_position) == (base, index, 4)
        assert [logged.position for logged in stored.tail] == [5, 6]
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"newer", b"", Position(6))
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.index, stored.position, stored.tail) == (b"newer", b"", 6, ())

    @pytest.mark.asyncio
    async def test_clocks_outlive_the_turns_that_set_them(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write(length=10)
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"base", b"index", Position(1))
        other = await deployment.node("b") if deployment.many_nodes else node
        await other.load(TRIP_DOCUMENT)
        stranger = Writer(other, TRIP_DOCUMENT)
        assert isinstance((await stranger.put(stranger.turn(start=0))).refusal, StaleRange)
        assert (await stranger.put(stranger.turn(start=10))).position == 2

    @pytest.mark.asyncio
    async def test_an_older_base_changes_nothing(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(4):
            await writer.write()
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"newer", b"", Position(3))
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"older", b"", Position(2))
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.base_position, stored.position) == (b"newer", 3, 4)

    @pytest.mark.asyncio
    async def test_a_base_must_fit_the_log(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write()
        with pytest.raises(WrongLineage):
            await node.compact(TRIP_DOCUMENT, "lineage-0", b"base", b"", Position(1))
        with pytest.raises(StoreError):
            await node.compact(TRIP_DOCUMENT, LINEAGE, b"base", b"", Position(2))
        assert (await node.load(TRIP_DOCUMENT)).base is None

    @pytest.mark.asyncio
    async def test_two_compactions_at_once_leave_the_newer_base(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(20):
            await writer.write()
        async with asyncio.TaskGroup() as tasks:
            for through in (5, 20, 10, 20):
                base = bytes([through]) * 300_000
                tasks.create_task(node.compact(TRIP_DOCUMENT, LINEAGE, base, b"index", Position(through)))
        stored = await node.load(TRIP_DOCUMENT)
        assert (stored.base, stored.index) == (bytes([20]) * 300_000, b"index")
        assert stored.base_position == 20
        assert stored.tail == ()

    @pytest.mark.asyncio
    async def test_appends_go_on_during_a_compaction(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(100):
            await writer.write()
        reader = Reader().follow(node, TRIP_DOCUMENT, after=100)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                node.compact(TRIP_DOCUMENT, LINEAGE, b"b" * 2_000_000, b"i" * 500_000, Position(100))
            )
            for _ in range(100):
                await writer.write()
        stored = await node.load(TRIP_DOCUMENT)
        assert [logged.position for logged in stored.tail] == list(range(101, 201))
        await eventually(lambda: reader.positions == list(range(101, 201)))

    @pytest.mark.asyncio
    async def test_companions_are_documents_of_their_own(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write()
        companion = Writer(node, DocumentName("trip~ada"))
        await node.load(companion.document)
        assert await companion.write() == 1
        assert await node.list_documents(TRIP) == ("trip", "trip~ada")


class DeletionContract:
    """Nothing of a deleted session is left but its tombstone."""

    @pytest.mark.asyncio
    async def test_a_deleted_session_is_gone_and_its_id_stays_taken(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        await writer.write()
        await node.put_blob(TRIP, "plot", b"picture")
        reader, companion_reader = Reader(), Reader()
        reader.follow(node, TRIP_DOCUMENT)
        companion_reader.follow(node, DocumentName("trip~ada"))
        await eventually(lambda: reader.positions == [1])
        await node.delete_session(TRIP)
        await eventually(lambda: reader.deleted == companion_reader.deleted == 1)
        for attempt in (node.load(TRIP_DOCUMENT), node.get_session(TRIP), node.create_session(a_session())):
            with pytest.raises(SessionDeleted):
                await attempt
        with pytest.raises((BlobNotFound, SessionDeleted)):
            await node.get_blob(TRIP, "plot")
        assert isinstance((await writer.put(writer.turn())).refusal, WrongLineage)
        assert (await node.list_sessions(SessionQuery())).sessions == ()
        assert await node.list_documents(TRIP) == ()

    @pytest.mark.asyncio
    async def test_deleted_sessions_are_found_with_their_lineages(self, deployment: Deployment) -> None:
        node = await deployment.node()
        for name in ("a", "b", "c"):
            await node.create_session(a_session(name, lineage=f"lineage-{name}"))
        assert [buried async for buried in node.tombstones()] == []
        for name in ("a", "c"):
            await node.delete_session(SessionId(name))
        buried = sorted([tombstone async for tombstone in node.tombstones()])
        assert buried == [("a", "lineage-a"), ("c", "lineage-c")]

    @pytest.mark.asyncio
    async def test_deleting_twice_or_nothing_is_no_error(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        await node.delete_session(TRIP)
        await node.delete_session(TRIP)
        await node.delete_session(SessionId("never-was"))

    @pytest.mark.asyncio
    async def test_every_turn_and_base_of_a_long_session_goes(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        for _ in range(1_200):
            outcome = writer.begin(writer.next_turn())
        await outcome.end()
        await node.compact(TRIP_DOCUMENT, LINEAGE, b"b" * 3_000_000, b"", Position(20))
        await node.delete_session(TRIP)
        assert await node.read(TRIP_DOCUMENT, Position(0)) == ()


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


class LeaseContract:
    """Leases, fences, decisions, hints, blobs."""

    @pytest.mark.asyncio
    async def test_one_holder_at_a_time_with_growing_fences(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        first = await node.acquire_lease(TRIP, "worker-1", 60_000)
        assert first is not None
        assert await node.acquire_lease(TRIP, "worker-2", 60_000) is None
        renewed = await node.renew_lease(first, 60_000)
        assert renewed is not None
        assert renewed.fence == first.fence
        await node.release_lease(renewed)
        second = await node.acquire_lease(TRIP, "worker-2", 60_000)
        assert second is not None
        assert second.fence.token > first.fence.token
        assert await node.renew_lease(first, 60_000) is None
        await node.release_lease(first)
        assert await node.renew_lease(second, 60_000) is not None

    @pytest.mark.asyncio
    async def test_a_lease_runs_out(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        first = await node.acquire_lease(TRIP, "worker-1", 30)
        assert first is not None

        async def another_gets_it() -> bool:
            return await node.acquire_lease(TRIP, "worker-2", 60_000) is not None

        await eventually_true(another_gets_it)
        assert await node.renew_lease(first, 60_000) is None

    @pytest.mark.asyncio
    async def test_an_old_fence_writes_nothing(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        first = await node.acquire_lease(TRIP, "worker-1", 60_000)
        assert first is not None
        assert (await writer.put(writer.next_turn(), first.fence)).position == 1
        await node.release_lease(first)
        second = await node.acquire_lease(TRIP, "worker-2", 60_000)
        assert second is not None
        outcome = await writer.put(writer.turn(), first.fence)
        assert isinstance(outcome.refusal, StaleFence)
        with pytest.raises(StaleFence):
            await node.decide(TRIP, "approval", "yes", first.fence)
        assert await node.decide(TRIP, "approval", "no", second.fence) == "no"
        assert (await writer.put(writer.next_turn(), second.fence)).position == 2

    @pytest.mark.asyncio
    async def test_the_first_decision_is_everyones(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        values = await asyncio.gather(*(node.decide(TRIP, "who", f"worker-{n}") for n in range(10)))
        assert len(set(values)) == 1
        assert await node.decide(TRIP, "else", "other") == "other"

    @pytest.mark.asyncio
    async def test_decisions_are_listed(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        await a_document(node, "other")
        assert await node.list_decisions(TRIP) == {}
        await node.decide(TRIP, "who", "Zoë")
        await node.decide(TRIP, "when", "now")
        await node.decide(SessionId("other"), "who", "Bob")
        assert await node.list_decisions(TRIP) == {"who": "Zoë", "when": "now"}
        with pytest.raises(SessionNotFound):
            await node.list_decisions(SessionId("never-was"))

    @pytest.mark.asyncio
    async def test_a_hint_reaches_who_waits_for_it(self, deployment: Deployment) -> None:
        node = await deployment.node()
        hints = node.hints()
        waiting = asyncio.ensure_future(next_hint(hints))

        async def arrived() -> bool:
            await node.hint(RunHint(TRIP, "travel"))
            return waiting.done()

        await eventually_true(arrived)
        assert await waiting == RunHint(TRIP, "travel")
        await hints.aclose()  # type: ignore[attr-defined]

    @pytest.mark.asyncio
    async def test_blobs_are_kept_by_session_and_name(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await a_document(node)
        await a_document(node, "other")
        await node.put_blob(TRIP, "../plot 1", b"one" * 100_000)
        await node.put_blob(SessionId("other"), "../plot 1", b"two")
        assert await node.get_blob(TRIP, "../plot 1") == b"one" * 100_000
        await node.put_blob(TRIP, "../plot 1", b"")
        assert await node.get_blob(TRIP, "../plot 1") == b""
        assert await node.get_blob(SessionId("other"), "../plot 1") == b"two"
        with pytest.raises(BlobNotFound):
            await node.get_blob(TRIP, "plot 2")
        with pytest.raises(SessionNotFound):
            await node.put_blob(SessionId("never-was"), "plot", b"x")


class LedgerContract:
    """Small values beside sessions."""

    @pytest.mark.asyncio
    async def test_a_value_is_there_until_it_is_swapped_for_nothing(self, deployment: Deployment) -> None:
        node = await deployment.node()
        assert await node.get_value("ticket", "a") is None
        assert await node.swap_value("ticket", "a", None, b"\x00 one \xff")
        assert await node.get_value("ticket", "a") == b"\x00 one \xff"
        assert await node.get_value("other", "a") is None
        assert not await node.swap_value("ticket", "a", None, b"two")
        assert not await node.swap_value("ticket", "a", b"two", None)
        assert await node.swap_value("ticket", "a", b"\x00 one \xff", b"")
        assert await node.get_value("ticket", "a") == b""
        assert await node.swap_value("ticket", "a", b"", None)
        assert await node.get_value("ticket", "a") is None

    @pytest.mark.asyncio
    async def test_of_many_that_take_a_value_one_gets_it(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.swap_value("ticket", "a", None, b"once")
        taken = await asyncio.gather(*(node.swap_value("ticket", "a", b"once", None) for _ in range(10)))
        assert sum(taken) == 1

    @pytest.mark.asyncio
    async def test_a_value_ends_by_itself(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.swap_value("ticket", "a", None, b"short", 50)
        await node.swap_value("ticket", "b", None, b"long", 60_000)
        await node.swap_value("ticket", "c", None, b"for ever")

        async def ended() -> bool:
            return await node.get_value("ticket", "a") is None

        await eventually_true(ended)
        assert await node.list_values("ticket") == {"b": b"long", "c": b"for ever"}
        lives = await node.list_lives("ticket")
        assert lives.keys() == {"b", "c"}
        assert 0 < lives["b"] <= 60_000
        assert lives["c"] == 0
        assert await node.swap_value("ticket", "a", None, b"again")

    @pytest.mark.asyncio
    async def test_values_outlive_a_restart(self, deployment: Deployment) -> None:
        node = await deployment.node()
        await node.swap_value("key", "a", None, b"kept")
        node = await deployment.node()
        assert await node.get_value("key", "a") == b"kept"


class BackplaneContract(
    LogContract, CompactionContract, DeletionContract, CatalogueContract, LeaseContract, LedgerContract
):
    """All of it, for one deployment."""


class ManyNodesContract:
    """What nodes of one deployment see of each other; for backplanes that have several."""

    @pytest.mark.asyncio
    async def test_a_follower_gets_what_any_node_appends(self, deployment: Deployment) -> None:
        a, b = await deployment.node("a"), await deployment.node("b")
        at_a = await a_document(a)
        at_b = Writer(b, TRIP_DOCUMENT, client=8)
        await b.load(TRIP_DOCUMENT)
        readers = [Reader().follow(node, TRIP_DOCUMENT) for node in (a, b)]
        for _ in range(20):
            await asyncio.gather(at_a.write("from a"), at_b.write("from b"))
        await eventually(lambda: all(len(reader.turns) == 40 for reader in readers))
        assert readers[0].turns == readers[1].turns
        assert readers[0].positions == list(range(1, 41))

    @pytest.mark.asyncio
    async def test_only_one_node_extends_a_client_id(self, deployment: Deployment) -> None:
        a, b = await deployment.node("a"), await deployment.node("b")
        await a_document(a)
        await b.load(TRIP_DOCUMENT)
        accepted = 0
        for start in range(40):
            pair = [Writer(node, TRIP_DOCUMENT, clock=start) for node in (a, b)]
            outcomes = [writer.begin(writer.turn(f"by {writer.backplane.node}")) for writer in pair]
            ended = [await outcome.end() for outcome in outcomes]
            assert sorted(outcome.events[-1] for outcome in ended) == ["durable", "refused"]
            accepted += 1
        assert (await a.load(TRIP_DOCUMENT)).tail == (await b.load(TRIP_DOCUMENT)).tail
        assert (await a.load(TRIP_DOCUMENT)).position == accepted

    @pytest.mark.asyncio
    async def test_a_payload_reaches_the_other_nodes_only(self, deployment: Deployment) -> None:
        a, b, c = [await deployment.node(name) for name in "abc"]
        await a_document(a)
        heard: dict[str, list[bytes]] = {"a": [], "b": [], "c": []}
        listening = [
            node.listen(TRIP_DOCUMENT, heard[name].append) for name, node in (("a", a), ("b", b), ("c", c))
        ]

        async def all_heard() -> bool:
            a.publish(TRIP_DOCUMENT, b"\x00awareness\xff")
            return bool(heard["b"] and heard["c"])

        await eventually_true(all_heard)
        assert set(heard["b"]) == {b"\x00awareness\xff"}
        assert heard["a"] == []
        for each in listening:
            each.close()

    @pytest.mark.asyncio
    async def test_every_node_learns_of_a_deletion(self, deployment: Deployment) -> None:
        a, b = await deployment.node("a"), await deployment.node("b")
        writer = await a_document(a)
        await writer.write()
        reader = Reader().follow(b, TRIP_DOCUMENT)
        await eventually(lambda: reader.positions == [1])
        await a.delete_session(TRIP)
        await eventually(lambda: reader.deleted == 1)

    @pytest.mark.asyncio
    async def test_a_lease_is_held_against_other_nodes(self, deployment: Deployment) -> None:
        a, b = await deployment.node("a"), await deployment.node("b")
        writer = await a_document(a)
        lease = await a.acquire_lease(TRIP, "worker-1", 50)
        assert lease is not None

        async def b_gets_it() -> bool:
            return await b.acquire_lease(TRIP, "worker-2", 60_000) is not None

        await eventually_true(b_gets_it)
        assert isinstance((await writer.put(writer.turn(), lease.fence)).refusal, StaleFence)
        assert await a.acquire_lease(TRIP, "worker-1", 50) is None
