"""A hearing says the same however it is cut up, and what it gives in parts says the same as the whole."""

from __future__ import annotations

import pytest
from tests.rooms.forged import section, string, update, value
from tests.rooms.hostile_traffic import play
from tests.rooms.open_rules import OpenRules
from tests.rooms.said import document_of

from threadline.actors import Actor, Role
from threadline.document.digest import session_digest
from threadline.document.rules import SESSION_RULES
from threadline.errors import ProtocolError, Refused
from threadline_server.rooms import hearing as hearings
from threadline_server.rooms import trust, update_reader
from threadline_server.rooms.gate import Gate
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS
from threadline_server.rooms.hearing import Hearing
from threadline_server.rooms.turns import FOR_EVER
from threadline_server.rooms.update_reader import MalformedUpdate, read_update
from threadline_server.rooms.update_writer import PIECE_STRUCTS
from threadline_server.rooms.verdict import Verdict

EVE = Actor("eve", Role.EDITOR)
MANY = 1_000
KEYS = update(section(7, 0, *[value("v", parent="state", key=f"/key/{at}") for at in range(MANY)]))
AGAIN = update(section(8, 0, *[value("w", origin=(7, at)) for at in range(MANY)]), deletes={7: [(0, MANY)]})
CHAIN = update(section(9, 0, string("x", parent="t"), *[string("y", origin=(9, at)) for at in range(MANY)]))
CHAIN_AND_KEYS = update(
    section(9, 0, string("x", parent="t"), *[string("y", origin=(9, at)) for at in range(100)]),
    section(8, 0, *[value("v", parent="state", key=f"/key/{at}") for at in range(MANY)]),
)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is looked at after each struct."""
    for name in ("_READ_AT_ONCE", "_JOINED_AT_ONCE", "_JUDGED_AT_ONCE"):
        monkeypatch.setattr(hearings, name, 1)
    monkeypatch.setattr(trust, "_AT_ONCE", 1)
    monkeypatch.setattr(update_reader, "_FREED_AT_ONCE", 1)


def heard(gate: Gate, data: bytes) -> tuple[Verdict, int]:
    """The verdict, and in how many turns."""
    hearing = Hearing(gate, data, EVE, whole=False, reserved=None)
    turns = 1
    while not hearing.advance(0):
        turns += 1
    assert hearing.verdict is not None
    while not hearing.parsed.let_go(0):
        turns += 1
    assert all(section.structs == [] for section in hearing.parsed.sections)
    return hearing.verdict, turns


@pytest.mark.parametrize("kind", ["mutated", "forged"])
def test_small_steps_and_large_ones_agree(kind: str, request: pytest.FixtureRequest) -> None:
    seeds = range(100, 108)
    at_once = [play(kind, seed) for seed in seeds]
    request.getfixturevalue("one_by_one")
    for seed, session in zip(seeds, at_once, strict=True):
        stepwise = play(kind, seed)
        assert stepwise.stored == session.stored
        assert stepwise.gate.dump() == session.gate.dump()


def test_a_large_update_takes_many_turns() -> None:
    for data in (KEYS, CHAIN, CHAIN_AND_KEYS):
        whole = Gate(OpenRules()).admit(data, EVE)
        verdict, turns = heard(Gate(OpenRules()), data)
        assert turns > 10
        assert (verdict.update, verdict.ranges, verdict.created) == (
            whole.update,
            whole.ranges,
            whole.created,
        )


def test_what_is_refused_at_the_end_leaves_nothing() -> None:
    gate = Gate(SESSION_RULES)
    gate.admit(KEYS, EVE)
    before = gate.dump()
    data = update(
        section(
            11,
            0,
            *[value("v", parent="state", key=f"/other/{at}") for at in range(MANY)],
            value("v", parent="runs", key="mine"),
        )
    )
    hearing = Hearing(gate, data, EVE, whole=False, reserved=None)
    with pytest.raises((Refused, ProtocolError)):
        while not hearing.advance(0):
            pass
    assert gate.dump() == before
    gate.admit(AGAIN, EVE)


def new_clients(count: int) -> bytes:
    return update(
        *[section(100 + at, 0, value("v", parent="state", key=f"/key/{at}")) for at in range(count)]
    )


def test_so_many_client_ids_may_be_introduced_and_no_more() -> None:
    most = DEFAULT_GATE_LIMITS.max_new_clients
    gate = Gate(SESSION_RULES)
    with pytest.raises(MalformedUpdate, match="too many client ids"):
        gate.admit(new_clients(most + 1), EVE)
    assert gate.clocks() == {}
    gate.admit(new_clients(most), EVE)
    # those that are known are not counted
    gate.admit(new_clients(2 * most), EVE)
    assert len(gate.clocks()) == 2 * most


def test_too_many_client_ids_are_refused_before_the_rest_is_read() -> None:
    hearing = Hearing(Gate(SESSION_RULES), new_clients(3_000), EVE, whole=False, reserved=None)
    with pytest.raises(MalformedUpdate, match="too many client ids"):
        hearing.advance(FOR_EVER)
    assert len(hearing.parsed.sections) < 2 * DEFAULT_GATE_LIMITS.max_new_clients


def test_too_many_client_ids_in_a_whole_state_may_be_known_to_another_node() -> None:
    with pytest.raises(Refused, match="too many client ids"):
        Gate(SESSION_RULES).admit(new_clients(3_000), EVE, whole=True)


def test_the_parts_of_an_update_say_the_same() -> None:
    gate = Gate(OpenRules())
    whole, stepwise = document_of(), document_of()
    for data in (KEYS, AGAIN):
        verdict = gate.admit(data, EVE)
        assert verdict.update is not None and verdict.parts is not None
        whole.apply_update(verdict.update)
        count = 0
        while (part := verdict.parts.next()) is not None:
            stepwise.apply_update(part)
            count += 1
            structs = [each.structs for each in read_update(part, DEFAULT_GATE_LIMITS).sections]
            assert sum(map(len, structs)) <= PIECE_STRUCTS
        assert count >= MANY / PIECE_STRUCTS
        assert session_digest(stepwise) == session_digest(whole)
        assert stepwise.get_state() == whole.get_state()


def test_parts_come_in_the_order_in_which_they_hang_together() -> None:
    """Two devices of one user that wrote in turns: neither section can go in before the other."""
    mine = [string("a", parent="t"), *[string("m", origin=(22, at)) for at in range(MANY)]]
    hers = [string("h", origin=(21, at)) for at in range(MANY)]
    verdict = Gate(OpenRules()).admit(update(section(22, 0, *hers), section(21, 0, *mine)), EVE)
    assert verdict.parts is not None and verdict.update is not None
    whole, stepwise = document_of(verdict.update), document_of()
    while (part := verdict.parts.next()) is not None:
        before = stepwise.get_state()
        stepwise.apply_update(part)
        assert stepwise.get_state() != before, "it was put off"
    assert session_digest(stepwise) == session_digest(whole)


def test_a_small_update_is_given_whole() -> None:
    verdict = Gate(OpenRules()).admit(update(section(1, 0, value("v", parent="state", key="/a"))), EVE)
    assert verdict.update is not None and verdict.parts is None
