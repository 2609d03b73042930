"""The parts of a base make the whole, and a session that is loaded from them is the one that was stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.rooms.devices import Device, assert_converged
from tests.rooms.forged import section, string, update, value
from tests.rooms.honest_traffic import Traffic, fuzz_cases, pass_through
from tests.rooms.houses import TRIP, House, until
from tests.rooms.open_rules import ROOTS, OpenRules
from tests.rooms.said import document_of, said
from tests.rooms.test_gate_honest_traffic import SCENARIOS

from threadline.document.rules import SESSION_RULES
from threadline_server.rooms import admission, delete_set, update_writer
from threadline_server.rooms.cuts import NO_CUTS, BaseParts, find_cuts
from threadline_server.rooms.gate import Gate
from threadline_server.rooms.loading import index_for, read_index
from threadline_server.rooms.replica import Replica
from threadline_server.rooms.update_writer import PIECE_BYTES, PIECE_STRUCTS

HERS = 77
MANY_KEYS = [value("v", parent="keys", key=f"key {number}") for number in range(20 * PIECE_STRUCTS)]
EVERY_OTHER = [(clock, 1) for clock in range(0, len(MANY_KEYS), 2)]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_writer, "PIECE_STRUCTS", 2)
    monkeypatch.setattr(admission, "MANY_PIECES", 1)
    monkeypatch.setattr(delete_set, "AT_ONCE", 1)


def parts_of(base: bytes) -> Iterator[bytes]:
    found = find_cuts(base)
    assert found != NO_CUTS
    parts = BaseParts(base, found)
    part = parts.next()
    while part is not None:
        yield part
        part = parts.next()


def replica_of(*updates: bytes) -> Replica:
    replica = Replica()
    for each in updates:
        replica.integrate([each])
    return replica


@pytest.mark.node
@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("scenario", [*SCENARIOS, "burst", "chapters"])
def test_the_parts_of_whatever_yjs_wrote_make_the_whole(scenario: str) -> None:
    rules = OpenRules(ROOTS if scenario in SCENARIOS else {})
    with Traffic(scenario, first_seed=1, cases=fuzz_cases(4)) as traffic:
        for case in traffic.cases():
            passed = pass_through(case, rules)
            base = document_of(*passed.updates).get_update()
            parts = list(parts_of(base))
            assert len(parts) > 1
            made, whole = replica_of(*parts), replica_of(base)
            assert made.clocks() == whole.clocks()
            assert made.difference(made.state_vector()) == whole.difference(whole.state_vector())
            assert said(document_of(*parts)) == case.view
            traffic.answer(passed.updates, base)


def test_no_part_is_large() -> None:
    texts = [string("x" * PIECE_BYTES, parent=f"text {number}") for number in range(10)]
    base = update(section(HERS, 0, *MANY_KEYS), section(HERS + 1, 0, *texts), deletes={HERS: EVERY_OTHER})
    assert all(len(part) < PIECE_BYTES + 1_000 for part in parts_of(base))
    assert replica_of(*parts_of(base)).encode() == replica_of(base).encode()


@pytest.mark.parametrize(
    "base",
    [
        update(section(HERS, 0, string("short", parent="text"))),
        update(section(HERS, 0, *[string("in a map of the schema", parent="state")] * 300)),
    ],
)
def test_some_bases_are_had_in_one_piece(base: bytes) -> None:
    assert find_cuts(base) == NO_CUTS


BASE = update(section(HERS, 0, *MANY_KEYS), deletes={HERS: EVERY_OTHER})


def index_of(base: bytes, cuts: bytes) -> bytes:
    gate = Gate(SESSION_RULES)
    gate.trust(base, "ada")
    return index_for(base, 7, gate.dump(), cuts)


def test_what_is_read_is_what_was_stored() -> None:
    kept = read_index(BASE, index_of(BASE, find_cuts(BASE)), SESSION_RULES)
    assert kept is not None
    assert (kept.highest, kept.cuts, kept.gate.owner(HERS)) == (7, find_cuts(BASE), "ada")


def test_cuts_that_were_changed_are_not_believed() -> None:
    index = bytearray(index_of(BASE, find_cuts(BASE)))
    index[20] ^= 1
    assert read_index(BASE, bytes(index), SESSION_RULES) is None


@pytest.mark.asyncio
@pytest.mark.parametrize("found", [True, False])
async def test_a_session_is_loaded_in_parts(
    tmp_path: Path, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where those are not of its base, it is had in one piece."""
    in_parts: list[int] = []
    integrate_some = Replica.integrate_some

    def noted(replica: Replica, updates: Sequence[bytes]) -> None:
        in_parts.extend(map(len, updates))
        integrate_some(replica, updates)

    monkeypatch.setattr(Replica, "integrate_some", noted)
    async with House(tmp_path) as house:
        room = await house.room()
        paste = Device("ada").join(room)
        paste.doc.apply_update(BASE)
        paste.sync()
        await until(lambda: paste.unsaved == 0)
        paste.leave()
        base = room.log.replica.encode()
        cuts = find_cuts(base if found else BASE)
        await house.backplane.compact(TRIP, room.lineage, base, index_of(base, cuts), room.position)
        await house.unload(room)
        in_parts.clear()
        again = await house.room()
        assert (len(base) in in_parts) is not found
        assert_converged(paste, Device("late").join(again))
        assert again.log.replica.encode() == base
