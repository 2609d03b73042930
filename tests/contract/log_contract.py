"""Appending, loading and following."""

from __future__ import annotations

import pytest
from tests.contract.writing import (
    LINEAGE,
    TRIP,
    TRIP_DOCUMENT,
    Deployment,
    Reader,
    Writer,
    a_document,
    a_session,
    eventually,
)

from threadline.errors import SessionNotFound
from threadline_server.backplane.base import (
    Append,
    ClockRange,
    DocumentName,
    Entry,
    Position,
    StaleRange,
    Turn,
    WrongLineage,
)


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
    async def test_a_head_is_certain_only_while_nothing_follows_it(self, deployment: Deployment) -> None:
        node = await deployment.node()
        writer = await a_document(node)
        first, second = await writer.write(), await writer.write()
        assert not node.is_head(TRIP_DOCUMENT, first)
        assert node.is_head(TRIP_DOCUMENT, second) == (not deployment.many_nodes)

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
