"""Which deletions pass, and what of them is passed on."""

from __future__ import annotations

import pytest
from pycrdt import Map
from tests.rooms.forged import made_type, section, string, struct, update, value
from tests.rooms.open_rules import OpenRules
from tests.rooms.said import document_of

from threadline.actors import Actor, Role
from threadline.document.judgement import Path
from threadline.errors import Refused
from threadline_server.rooms.gate import Gate
from threadline_server.rooms.update_reader import MAP, TEXT

ADA = Actor("ada", Role.EDITOR)
BOB = Actor("bob", Role.EDITOR)


class OwnOnly(OpenRules):
    """Everybody may put anything anywhere, and delete nothing but their own."""

    def may_delete(self, actor: Actor, path: Path, owner: str) -> bool:
        return actor.user == owner


@pytest.fixture
def gate() -> Gate:
    """Ada: "hello" as client 1 in `t`, and as client 2 the map `m.box` with `k` and a text "in" at `text`."""
    gate = Gate(OwnOnly())
    gate.admit(update(section(1, 0, string("hello", parent="t"))), ADA)
    box = section(
        2,
        0,
        made_type(MAP, parent="m", key="box"),
        value("v", parent=(2, 0), key="k"),
        made_type(TEXT, parent=(2, 0), key="text"),
        string("in", parent=(2, 2)),
    )
    gate.admit(update(box), ADA)
    return gate


def refuses(gate: Gate, data: bytes, actor: Actor, *, whole: bool = False) -> str:
    before = gate.clocks()
    with pytest.raises(Refused) as refusal:
        gate.admit(data, actor, whole=whole)
    assert gate.clocks() == before
    return refusal.value.path


def test_a_deletion_that_the_rules_grant(gate: Gate) -> None:
    data = update(deletes={1: [(1, 2)]})
    verdict = gate.admit(data, ADA)
    assert verdict.update == data
    assert not verdict.ranges


def test_a_deletion_that_they_do_not(gate: Gate) -> None:
    assert refuses(gate, update(deletes={1: [(1, 2)]}), BOB) == "t/[]"


def test_a_deletion_before_the_value_that_overwrites(gate: Gate) -> None:
    """Until the sender has told everything, it may be the trace of a value that is still to come."""
    deleted = update(deletes={2: [(1, 1)]})
    early = gate.admit(deleted, BOB)
    assert early.gap
    assert early.update is None
    assert refuses(gate, deleted, BOB, whole=True) == "m/box/k"
    late = update(section(3, 0, value("w", origin=(2, 1))))
    assert gate.admit(late, BOB).update is not None
    assert not gate.admit(deleted, BOB, whole=True).gap


def test_what_is_deleted_already_is_left_out(gate: Gate) -> None:
    gate.admit(update(deletes={1: [(1, 2)]}), ADA)
    assert gate.admit(update(deletes={1: [(1, 2)]}), BOB, whole=True).update is None
    verdict = gate.admit(update(deletes={1: [(0, 5)]}), ADA)
    assert verdict.update == update(deletes={1: [(0, 1), (3, 2)]})


def test_the_replaced_value_of_a_key_goes(gate: Gate) -> None:
    data = update(section(3, 0, value("w", origin=(2, 1))), deletes={2: [(1, 1)]})
    assert gate.admit(data, BOB).update == data
    assert gate.admit(update(deletes={2: [(1, 1)]}), BOB).update is None


def test_a_replaced_container_takes_its_contents_with_it(gate: Gate) -> None:
    data = update(section(3, 0, value("w", origin=(2, 0))), deletes={2: [(0, 5)]})
    assert gate.admit(data, BOB).update == data


def test_the_contents_of_a_container_go_with_it(gate: Gate) -> None:
    late = update(section(3, 0, value("b", parent=(2, 0), key="of bob"), string("!", origin=(2, 4))))
    gate.admit(late, BOB)
    everything = update(deletes={2: [(0, 5)], 3: [(0, 2)]})
    assert gate.admit(everything, ADA).update == everything


def test_contents_alone_do_not(gate: Gate) -> None:
    refuses(gate, update(deletes={2: [(1, 4)]}), BOB)
    refuses(gate, update(deletes={2: [(0, 1)]}), BOB)


def test_what_came_late_into_a_deleted_container_counts_as_deleted(gate: Gate) -> None:
    gate.admit(update(deletes={2: [(0, 5)]}), ADA)
    gate.admit(update(section(3, 0, value("b", parent=(2, 0), key="late"))), BOB)
    assert not gate.admit(update(deletes={3: [(0, 1)]}), ADA, whole=True).gap


def test_a_value_that_lost_its_key_counts_as_deleted() -> None:
    """Two devices put a value at one key at the same time: the higher client id has it."""
    gate = Gate(OwnOnly())
    low = update(section(5, 0, made_type(MAP, parent="m", key="k"), value("x", parent=(5, 0), key="in")))
    high = update(section(9, 0, value("high", parent="m", key="k")))
    gate.admit(low, ADA)
    gate.admit(high, BOB)
    assert document_of(low, high).get("m", type=Map).to_py() == {"k": "high"}
    assert not gate.admit(update(deletes={5: [(0, 2)]}), BOB, whole=True).gap
    assert gate.admit(update(deletes={5: [(0, 1)]}), BOB).update is None
    assert refuses(gate, update(deletes={9: [(0, 1)]}), ADA, whole=True) == "m/k"


def test_a_concurrent_replacement_loses_to_the_higher_client_id() -> None:
    gate = Gate(OwnOnly())
    eve = Actor("eve", Role.EDITOR)
    gate.admit(update(section(5, 0, value("first", parent="m", key="k"))), ADA)
    one = update(section(7, 0, value("seven", origin=(5, 0)), value("again", origin=(7, 0))))
    two = update(section(9, 0, value("nine", origin=(5, 0))))
    gate.admit(two, BOB)
    gate.admit(one, ADA)
    assert gate.admit(update(deletes={7: [(0, 2)]}), eve, whole=True).update is None
    assert refuses(gate, update(deletes={9: [(0, 1)]}), eve, whole=True) == "m/k"


def test_with_a_gap_a_deletion_waits_for_its_reason(gate: Gate) -> None:
    """Bob replaced ada's value in an update that is missing; what he sends now only follows from it."""
    later = update(section(3, 1, value("w2", origin=(3, 0))), deletes={2: [(1, 1)], 3: [(0, 1)]})
    verdict = gate.admit(later, BOB)
    assert verdict.update is None
    assert verdict.gap
    both = section(3, 0, value("w", origin=(2, 1)), value("w2", origin=(3, 0)))
    whole = update(both, deletes={2: [(1, 1)], 3: [(0, 1)]})
    assert gate.admit(whole, BOB, whole=True).update == whole


def test_values_joined_at_a_key_go_on_as_deleted() -> None:
    """Yjs joins values of one key that replaced each other, if all are deleted and none is collected."""
    gate = Gate(OwnOnly())
    joined = struct(8, b"\x02\x7d\x01\x7d\x02", parent="m", key="k")
    data = update(section(3, 0, joined, value("last", origin=(3, 1))), deletes={3: [(0, 2)]})
    verdict = gate.admit(data, BOB)
    shell = struct(1, b"\x02", parent="m", key="k")
    assert verdict.update == update(section(3, 0, shell, value("last", origin=(3, 1))), deletes={3: [(0, 2)]})
    assert document_of(verdict.update).get("m", type=Map).to_py() == {"k": "last"}
    longer = update(section(4, 0, struct(8, b"\x03\x7d\x01\x7d\x02\x7d\x03", parent="m", key="x")))
    gate.admit(longer, BOB)
    more = update(section(4, 0, struct(8, b"\x04\x7d\x01\x7d\x02\x7d\x03\x7d\x04", parent="m", key="x")))
    assert gate.admit(more, BOB).update == update(section(4, 3, struct(1, b"\x01", origin=(4, 2), key="x")))
