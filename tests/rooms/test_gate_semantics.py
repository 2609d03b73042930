"""What is known, what is next, what is not yet; whose client id it is; what a refusal leaves behind."""

from __future__ import annotations

import pytest
from pycrdt import Map, Text
from tests.rooms.forged import (
    collected,
    deleted,
    embed,
    made_type,
    section,
    skipped,
    string,
    struct,
    update,
    value,
)
from tests.rooms.open_rules import OpenRules
from tests.rooms.said import document_of

from threadline.actors import Actor, Role
from threadline.document.judgement import ContentKind
from threadline.document.rules import SESSION_RULES
from threadline.errors import Refused
from threadline.protocol.varint import encode_text
from threadline_server.backplane.base import ClockRange
from threadline_server.rooms.gate import Gate, IndexDamaged, MalformedUpdate
from threadline_server.rooms.update_reader import ARRAY, MAP, TEXT

ADA = Actor("ada", Role.EDITOR)
BOB = Actor("bob", Role.EDITOR)


@pytest.fixture
def rules() -> OpenRules:
    return OpenRules()


@pytest.fixture
def gate(rules: OpenRules) -> Gate:
    """Ada has written "hello" as client 1 into `t`."""
    gate = Gate(rules)
    gate.admit(update(section(1, 0, string("hello", parent="t"))), ADA)
    return gate


def text_of(*updates: bytes) -> str:
    return str(document_of(*updates).get("t", type=Text))


# known, next, not yet


def test_a_struct_known_in_part_is_trimmed(gate: Gate) -> None:
    longer = update(section(1, 0, string("hello world", parent="t")))
    verdict = gate.admit(longer, ADA)
    assert verdict.update == update(section(1, 5, string(" world", origin=(1, 4))))
    assert verdict.ranges == (ClockRange(1, 5, 11),)
    assert not verdict.gap


def test_what_is_known_in_part_is_judged_where_it_is() -> None:
    """Not at the key that the struct names when it is sent again: it goes where its first unit is."""
    gate = Gate(SESSION_RULES)
    gate.admit(update(section(1, 0, value("a", parent="state", key="/agent:plan"))), Actor("eve", Role.AGENT))
    again = update(section(1, 0, deleted(2, parent="state", key="/mine")))
    with pytest.raises(Refused, match="agent:plan"):
        gate.admit(again, Actor("eve", Role.EDITOR))


def test_a_string_is_trimmed_by_utf_16_units(gate: Gate) -> None:
    gate.admit(update(section(2, 0, string("👍é", right=(1, 0)))), BOB)
    longer = string("👍é漢👍!", right=(1, 0))
    verdict = gate.admit(update(section(2, 0, longer)), BOB)
    assert verdict.update == update(section(2, 3, string("漢👍!", origin=(2, 2), right=(1, 0))))


def test_values_and_collected_structs_are_trimmed(gate: Gate) -> None:
    values = b"\x77" + encode_text("a") + b"\x75\x01\x7d\x05" + b"\x7e"
    gate.admit(update(section(2, 0, struct(8, b"\x01" + values[:3], parent="a"))), BOB)
    verdict = gate.admit(update(section(2, 0, struct(8, b"\x03" + values, parent="a"))), BOB)
    assert verdict.update == update(section(2, 1, struct(8, b"\x02" + values[3:], origin=(2, 0))))
    gate.admit(update(section(3, 0, collected(2))), BOB)
    verdict = gate.admit(update(section(3, 0, collected(5))), BOB)
    assert verdict.update == update(section(3, 2, collected(3)))
    gate.admit(update(section(4, 0, deleted(2, parent="t"))), BOB)
    verdict = gate.admit(update(section(4, 0, deleted(5, parent="t"))), BOB)
    assert verdict.update == update(section(4, 2, deleted(3, origin=(4, 1))))


def test_a_known_prefix_is_dropped_and_the_rest_is_taken(gate: Gate) -> None:
    first = string("hello", parent="t")
    second = string("!", origin=(1, 4))
    verdict = gate.admit(update(section(1, 0, first, second)), ADA)
    assert verdict.update == update(section(1, 5, second))


def test_a_skip_over_what_is_known_is_no_gap(gate: Gate) -> None:
    verdict = gate.admit(update(section(1, 0, skipped(5), string("!", origin=(1, 4)))), ADA)
    assert verdict.update == update(section(1, 5, string("!", origin=(1, 4))))
    assert not verdict.gap


def test_a_skip_over_what_is_missing_is_one(gate: Gate) -> None:
    end = string("!", origin=(1, 4))
    verdict = gate.admit(update(section(1, 5, end, skipped(3), string("?", origin=(1, 5)))), ADA)
    assert verdict.update == update(section(1, 5, end))
    assert verdict.gap


def test_the_acceptable_rest_of_an_update_with_a_gap_is_taken(gate: Gate) -> None:
    here = section(2, 0, string("x", origin=(1, 4)))
    later = section(3, 7, string("y", origin=(1, 4)))
    waiting = section(4, 0, string("z", origin=(3, 7)))
    verdict = gate.admit(update(waiting, later, here), BOB)
    assert verdict.update == update(here)
    assert verdict.gap
    assert gate.clocks() == {1: 5, 2: 1}


def test_sections_that_wait_for_each_other_are_taken_in_any_order() -> None:
    sections = [
        section(9, 0, string("a", parent="t"), string("c", origin=(8, 0)), string("e", origin=(7, 0))),
        section(8, 0, string("b", origin=(9, 0)), string("f", origin=(9, 2))),
        section(7, 0, string("d", origin=(9, 1)), string("g", origin=(8, 1))),
    ]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        gate = Gate(OpenRules())
        whole = update(*(sections[at] for at in order))
        verdict = gate.admit(whole, ADA)
        assert verdict.update == whole
        assert not verdict.gap
        assert text_of(whole) == "abcdefg"


def test_an_empty_update_is_nothing(gate: Gate) -> None:
    verdict = gate.admit(b"\x00\x00", BOB, whole=True)
    assert verdict.update is None
    assert not verdict.ranges
    assert not verdict.gap


def test_an_empty_section_is_left_out(gate: Gate) -> None:
    end = section(1, 5, string("!", origin=(1, 4)))
    assert gate.admit(update(section(6, 0), end), ADA).update == update(end)
    assert 6 not in gate.clocks()


# client ids


def test_a_client_id_belongs_to_who_used_it_first(gate: Gate) -> None:
    assert gate.owner(1) == "ada"
    assert gate.owner(2) is None
    forged = update(section(1, 5, string("!", origin=(1, 4))))
    verdict = gate.admit(forged, BOB)
    assert verdict.update is None
    assert verdict.gap
    assert gate.admit(forged, ADA).update == forged


def test_known_structs_of_others_pass_as_known(gate: Gate) -> None:
    theirs = section(1, 0, string("hello", parent="t"))
    mine = section(2, 0, string("?", origin=(1, 4)))
    verdict = gate.admit(update(theirs, mine), BOB, whole=True)
    assert verdict.update == update(mine)
    assert not verdict.gap


def test_all_devices_of_a_user_may_extend_its_client_ids(gate: Gate) -> None:
    other_device = Actor("ada", Role.EDITOR, device="laptop")
    assert gate.admit(update(section(1, 5, string("!", origin=(1, 4)))), other_device).update


def test_trusted_updates_bind_client_ids_too() -> None:
    gate = Gate(OpenRules())
    assert gate.trust(update(section(1, 0, string("x", parent="t"))), "ada") == (ClockRange(1, 0, 1),)
    assert gate.owner(1) == "ada"
    assert gate.admit(update(section(1, 1, string("!", origin=(1, 0)))), BOB).gap


def test_the_log_may_have_no_gaps() -> None:
    with pytest.raises(MalformedUpdate):
        Gate(OpenRules()).trust(update(section(1, 3, string("x", parent="t"))), "ada")


# rules


def test_rules_are_asked_by_path_and_content() -> None:
    rules = OpenRules()
    gate = Gate(rules)
    message = section(
        1,
        0,
        made_type(MAP, parent="m", key="id"),
        value("user", parent=(1, 0), key="role"),
        made_type(TEXT, parent=(1, 0), key="text"),
        string("hi", parent=(1, 2)),
        embed({"image": 1}, origin=(1, 4)),
        struct(6, encode_text("bold") + encode_text("true"), origin=(1, 5)),
        made_type(ARRAY, parent=(1, 0), key="steps"),
        struct(8, b"\x02\x7d\x05\x7b\x7f\xf8\x00\x00\x00\x00\x00\x00", parent=(1, 7)),
        struct(3, b"\x01\xff", parent=(1, 0), key="data"),
        deleted(1, parent=(1, 0), key="gone"),
    )
    assert gate.admit(update(message), ADA).created == {"m": ["id"]}
    asked = [("/".join(path), content.kind) for path, content in rules.asked]
    assert asked == [
        ("m/id", ContentKind.MAP),
        ("m/id/role", ContentKind.VALUE),
        ("m/id/text", ContentKind.TEXT),
        ("m/id/text/[]", ContentKind.STRING),
        ("m/id/text/[]", ContentKind.EMBED),
        ("m/id/text/[]", ContentKind.FORMAT),
        ("m/id/steps", ContentKind.ARRAY),
        ("m/id/steps/[]", ContentKind.VALUE),
        ("m/id/steps/[]", ContentKind.VALUE),
        ("m/id/data", ContentKind.BINARY),
        ("m/id/gone", ContentKind.DELETED),
    ]
    assert rules.asked[1][1].value == "user"
    assert (rules.asked[7][1].value, rules.asked[7][1].plain) == (5, True)
    assert rules.asked[8][1].plain is False


@pytest.mark.parametrize(
    ("content", "said", "plain"),
    [
        (b"\x7f", None, False),
        (b"\x7e", None, True),
        (b"\x78", True, True),
        (b"\x79", False, True),
        (b"\x7d\x45", -5, True),
        (b"\x7d\xbf\xff\xff\xff\xff\xff\xff\x1f", (1 << 53) - 1, None),
        (b"\x7c\x3f\xc0\x00\x00", 1.5, True),
        (b"\x7b\x42\x78\xbc\xfe\x56\x80\x00\x00", 1_700_000_000_000, True),
        (b"\x7a\x00\x00\x00\x00\x00\x00\x00\x05", 5, False),
        (b"\x74\x02\x00\xff", b"\x00\xff", False),
        (b"\x76\x01\x01a\x75\x01\x77\x01b", {"a": ["b"]}, True),
        (b"\x7c\x7f\x80\x00\x00", float("inf"), False),
    ],
)
def test_values_as_the_rules_see_them(content: bytes, said: object, plain: bool | None) -> None:
    rules = OpenRules()
    data = update(section(1, 0, struct(8, b"\x01" + content, parent="m", key="k")))
    try:
        Gate(rules).admit(data, ADA)
    except MalformedUpdate:
        assert plain is None
        return
    assert rules.asked[0][1].value == said
    assert type(rules.asked[0][1].value) is type(said)
    assert rules.asked[0][1].plain is (plain is not False)


def test_a_refusal_names_path_and_reason_and_changes_nothing(gate: Gate, rules: OpenRules) -> None:
    rules.forbidden[("m", "id", "role")] = "A role is 'user'."
    before = gate.dump()
    forged = section(
        1,
        5,
        string("x", origin=(1, 2), right=(1, 3)),
        made_type(MAP, parent="m", key="id"),
        value("text", parent=(1, 6), key="text"),
        string("👍", parent="new root"),
        value("assistant", parent=(1, 6), key="role"),
    )
    fresh = section(77, 0, string("y", origin=(1, 5), right=(1, 3)))
    with pytest.raises(Refused) as refusal:
        gate.admit(update(fresh, forged, deletes={1: [(0, 2)]}), ADA)
    assert refusal.value.path == "m/id/role"
    assert refusal.value.reason == "A role is 'user'."
    assert gate.dump() == before
    rules.forbidden.clear()
    assert gate.admit(update(fresh, forged), ADA).update == update(fresh, forged)


def test_a_root_outside_the_schema_passes() -> None:
    gate = Gate(OpenRules({}))
    rich = section(1, 0, string("x", parent="prosemirror"), embed({}, origin=(1, 0)))
    assert gate.admit(update(rich), ADA).update == update(rich)


def test_text_and_values_never_share_a_root() -> None:
    gate = Gate(OpenRules({}))
    gate.admit(update(section(1, 0, string("x", parent="r"))), ADA)
    with pytest.raises(MalformedUpdate):
        gate.admit(update(section(2, 0, struct(8, b"\x01\x7e", parent="r"))), BOB)
    again = Gate.load(gate.dump(), OpenRules({}))
    with pytest.raises(MalformedUpdate):
        again.admit(update(section(2, 0, struct(8, b"\x01\x7e", parent="r"))), BOB)


# what is gone


def test_what_is_written_into_a_collected_place_goes_on_as_collected(gate: Gate) -> None:
    gate.admit(update(section(2, 0, collected(4))), BOB)
    verdict = gate.admit(update(section(3, 0, string("x👍", origin=(2, 3)), string("y", parent="t"))), BOB)
    assert verdict.update == update(section(3, 0, collected(3), string("y", parent="t")))
    assert not verdict.gap


def test_a_parent_that_came_deleted_may_have_been_a_type(gate: Gate) -> None:
    gate.admit(update(section(2, 0, deleted(1, parent="m", key="k"), deleted(2, parent="a"))), BOB)
    for parent in ((2, 0), (2, 2)):
        clock = gate.next_clock(3)
        verdict = gate.admit(update(section(3, clock, value("v", parent=parent, key="k"))), BOB)
        assert verdict.update == update(section(3, clock, collected(1)))


def test_a_container_deleted_live_still_takes_what_comes_late(gate: Gate) -> None:
    made = update(section(2, 0, made_type(MAP, parent="m", key="k"), value("v", parent=(2, 0), key="in")))
    gone = update(deletes={2: [(0, 2)]})
    late = update(section(3, 0, value("w", origin=(2, 1)), value("x", parent=(2, 0), key="other")))
    stored = [gate.admit(made, BOB).update, gate.admit(gone, BOB).update, gate.admit(late, ADA).update]
    assert stored == [made, gone, late]
    assert document_of(*(each for each in stored if each)).get("m", type=Map).to_py() == {}


# what was never between its neighbours


def test_origins_that_were_never_neighbours_are_rewritten(gate: Gate) -> None:
    """Unit 3 was written after unit 2, so nobody can have written between unit 0 and unit 3."""
    verdict = gate.admit(update(section(2, 0, string("x", origin=(1, 0), right=(1, 3)))), BOB)
    assert verdict.update == update(section(2, 0, string("x", origin=(1, 2), right=(1, 3))))
    assert gate.list_order("t") == [[1, 0, 3], [2, 0, 1], [1, 3, 2]]
    verdict = gate.admit(update(section(3, 0, string("y", right=(1, 4)))), BOB)
    assert verdict.update == update(section(3, 0, string("y", origin=(1, 3), right=(1, 4))))
    verdict = gate.admit(update(section(4, 0, string("z", origin=(2, 0)))), BOB)
    assert verdict.update == update(section(4, 0, string("z", origin=(2, 0), right=(1, 3))))
    verdict = gate.admit(update(section(5, 0, string("!", origin=(4, 0), right=(4, 0)))), BOB)
    assert verdict.update == update(section(5, 0, string("!", origin=(4, 0), right=(1, 3))))


# keeping what is known


def test_what_was_dumped_can_be_loaded(gate: Gate) -> None:
    again = Gate.load(gate.dump(), OpenRules())
    assert again.clocks() == {1: 5}
    assert again.owner(1) == "ada"
    assert again.admit(update(section(1, 5, string("!", origin=(1, 4)))), ADA).update
    assert again.state_vector() == bytes.fromhex("010106")


@pytest.mark.parametrize("at", [0, 3, 5, 20, -6, -1])
def test_a_damaged_dump_is_not_loaded(gate: Gate, at: int) -> None:
    data = bytearray(gate.dump())
    data[at] ^= 1
    with pytest.raises(IndexDamaged):
        Gate.load(bytes(data), OpenRules())


def test_a_dump_that_ends_early_is_not_loaded(gate: Gate) -> None:
    data = gate.dump()
    for end in range(0, len(data), 7):
        with pytest.raises(IndexDamaged):
            Gate.load(data[:end], OpenRules())


def test_a_value_is_at_the_key_of_the_one_that_it_replaces_however_that_was_replaced() -> None:
    """The first of two values at a key, which other keys of the same map came after, written in one go."""
    gate = Gate(SESSION_RULES)
    message = update(
        section(
            7,
            0,
            made_type(MAP, parent="messages", key="ada/00000000-0000-7000-8000-000000000001"),
            value("user", parent=(7, 0), key="role"),
            value("user", origin=(7, 1)),
            value("complete", parent=(7, 0), key="status"),
        )
    )
    gate.admit(message, ADA)
    with pytest.raises(Refused) as refused:
        gate.admit(update(section(7, 4, value("agent", origin=(7, 1)))), ADA)
    assert refused.value.path == "messages/ada/00000000-0000-7000-8000-000000000001/role"
    gate.admit(update(section(7, 4, value("user", origin=(7, 1)))), ADA)
