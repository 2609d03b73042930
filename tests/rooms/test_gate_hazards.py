"""What a few bytes can do to the document library, and that the gate does not let them through."""

from __future__ import annotations

from contextlib import suppress

import pytest
from pycrdt import Doc, Text
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

from threadline.actors import Actor, Role
from threadline.protocol.varint import encode_text, encode_uint
from threadline_server.rooms.gate import Gate, MalformedUpdate
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS, GateLimits
from threadline_server.rooms.update_reader import read_update

ADA = Actor("ada", Role.EDITOR)
EVE = Actor("eve", Role.EDITOR)


@pytest.fixture
def gate() -> Gate:
    """Ada wrote "hello👍world" into `t` as client 1, `m.k` as client 2, two values into `a` as client 3."""
    gate = Gate(OpenRules())
    gate.admit(update(section(1, 0, string("hello👍world", parent="t"))), ADA)
    gate.admit(update(section(2, 0, value("v", parent="m", key="k"))), ADA)
    gate.admit(update(section(3, 0, value("x", parent="a"), value("y", origin=(3, 0)))), ADA)
    return gate


def refuses(gate: Gate, data: bytes, actor: Actor = EVE) -> None:
    """Refused as malformed, and nothing is different afterwards. The library can take many client ids."""
    before = gate.dump()
    assert not is_followed(before, data, actor) or len(read_update(data, DEFAULT_GATE_LIMITS).sections) > 256
    with pytest.raises(MalformedUpdate):
        gate.admit(data, actor)
    # the one thing that stays is the name of the user
    assert Gate.load(before, OpenRules()).clocks() == gate.clocks()
    assert gate.list_order("t") == Gate.load(before, OpenRules()).list_order("t")
    assert len(gate.dump()) - len(before) in (0, len(actor.user) + 1)


def is_followed(before: bytes, data: bytes, actor: Actor) -> bool:
    """Whether a node that finds it in the log calls it sound."""
    with suppress(MalformedUpdate):
        return Gate.load(before, OpenRules()).follow(data, actor.user)
    return False


def leaves_out(gate: Gate, data: bytes, actor: Actor = EVE) -> None:
    """Not yet: nothing of it is stored, and the gate says so."""
    clocks = gate.clocks()
    assert not is_followed(gate.dump(), data, actor)
    verdict = gate.admit(data, actor)
    assert verdict.update is None
    assert verdict.gap
    assert gate.clocks() == clocks


def test_updates_in_the_wrong_order_wait_for_their_turn() -> None:
    second = bytes.fromhex("01010105c4010301040568656c6c6f00")
    third = bytes.fromhex("0101010a0801016101760101717c3f80000000")
    first = bytes.fromhex("01010100040101740568656c6c6f00")
    gate = Gate(OpenRules())
    leaves_out(gate, second, ADA)
    leaves_out(gate, third, ADA)
    document: Doc[Text] = Doc()
    for each in (first, second, third):
        verdict = gate.admit(each, ADA)
        assert verdict.update == each
        document.apply_update(each)
    assert str(document.get("t", type=Text)) == "hellhelloo"


def test_a_string_in_an_array(gate: Gate) -> None:
    refuses(gate, bytes.fromhex("010107000401016104f09f988000"))
    refuses(gate, update(section(9, 0, string("x", origin=(3, 1)))))


@pytest.mark.parametrize("tag", [b"\x75\x01", b"\x76\x01\x01k"])
def test_a_value_nested_too_deeply(gate: Gate, tag: bytes) -> None:
    deep = tag * 26_000 + b"\x7e"
    refuses(gate, update(section(9, 0, struct(8, b"\x01" + deep, parent="a"))))
    shallow = tag * 60 + b"\x7e"
    assert gate.admit(update(section(9, 0, struct(8, b"\x01" + shallow, parent="a"))), EVE).update


@pytest.mark.parametrize("text", ["[" * 26_000 + "]" * 26_000, "[" * 100 + "]" * 100])
def test_an_embed_nested_too_deeply(gate: Gate, text: str) -> None:
    refuses(gate, update(section(9, 0, struct(5, encode_text(text), parent="t"))))


def test_types_nested_too_deeply_by_many_updates(gate: Gate) -> None:
    gate.admit(update(section(9, 0, made_type(0, parent="a"))), EVE)
    for depth in range(1, 64):
        gate.admit(update(section(9, depth, made_type(0, parent=(9, depth - 1)))), EVE)
    refuses(gate, update(section(9, 64, made_type(0, parent=(9, 63)))))


def test_counts_that_announce_more_than_there_is(gate: Gate) -> None:
    refuses(gate, bytes.fromhex("8080808001"))
    refuses(gate, bytes.fromhex("8080808002"))
    refuses(gate, bytes.fromhex("0001018080808001"))
    refuses(gate, b"\x01" + encode_uint(1 << 40) + b"\x09\x00")


def test_a_clock_that_leaves_no_room(gate: Gate) -> None:
    gate.admit(update(section(42, 0, string("sixsix", parent="t"))), ADA)
    refuses(gate, bytes.fromhex("01012a0600f9ffffff0f00"), ADA)
    refuses(gate, bytes.fromhex("010109ffffffffffffffff7f040101740568656c6c6f00"))
    refuses(gate, update(section(9, 1 << 31, string("x", parent="t"))))
    refuses(gate, update(section(9, 0, deleted(1 << 32, parent="t"))))


def test_a_deletion_of_what_is_not_written_yet(gate: Gate) -> None:
    gate.admit(update(section(42, 0, string("ab", parent="t"))), ADA)
    leaves_out(gate, bytes.fromhex("00012a010264"))
    verdict = gate.admit(update(deletes={42: [(1, 100)]}), ADA)
    assert verdict.update == update(deletes={42: [(1, 1)]})
    assert verdict.gap


def test_a_clock_range_out_of_order(gate: Gate) -> None:
    leaves_out(gate, bytes.fromhex("01012ae80704010174044556494c00"))


def test_a_right_origin_before_the_origin(gate: Gate) -> None:
    refuses(gate, bytes.fromhex("01020800c30103010600000200"))
    for client, right in ((8, (1, 2)), (9, (1, 3)), (10, (1, 0))):
        verdict = gate.admit(update(section(client, 0, string("x", origin=(1, 3), right=right))), EVE)
        assert verdict.update is not None
        item = read_update(verdict.update, GateLimits()).sections[0].structs[0]
        order = [(each[0], each[1] + at) for each in gate.list_order("t") for at in range(each[2])]
        place = order.index((client, 0))
        assert order[place - 1] == (item.origin_client, item.origin_clock)
        assert order[place + 1 : place + 2] in ([(item.right_client, item.right_clock)], [])


def test_origins_in_different_places(gate: Gate) -> None:
    refuses(gate, update(section(8, 0, string("x", origin=(1, 2), right=(3, 1)))))
    refuses(gate, update(section(8, 0, string("x", right=(2, 0)))))
    refuses(gate, update(section(8, 0, struct(8, b"\x01\x7e", origin=(2, 0), right=(2, 0)))))


def test_a_value_at_a_key_with_a_right_origin(gate: Gate) -> None:
    refuses(gate, update(section(8, 0, struct(8, b"\x01\x7e", right=(2, 0)))))


def test_boundaries_inside_a_character(gate: Gate) -> None:
    refuses(gate, update(section(8, 0, string("x", origin=(1, 5), right=(1, 6)))))
    refuses(gate, update(section(8, 0, string("x", origin=(1, 5)))))
    refuses(gate, update(section(8, 0, string("x", right=(1, 6)))))
    refuses(gate, update(deletes={1: [(5, 1)]}))
    refuses(gate, update(deletes={1: [(6, 2)]}))
    assert gate.admit(update(deletes={1: [(5, 2)]}), EVE).update


def test_a_struct_known_up_to_the_middle_of_a_character(gate: Gate) -> None:
    gate.admit(update(section(42, 0, string("ab", parent="t"))), EVE)
    refuses(gate, update(section(42, 0, string("a👍", parent="t"))))


def test_many_invented_client_ids(gate: Gate) -> None:
    many = [section(100 + number, 0, string("x", parent="t")) for number in range(300)]
    refuses(gate, update(*many))
    assert gate.admit(update(*many[:200]), EVE).update


def test_more_client_ids_than_a_document_may_have() -> None:
    gate = Gate(OpenRules(), GateLimits(max_clients=2))
    gate.admit(update(section(1, 0, string("x", parent="t"))), ADA)
    gate.admit(update(section(2, 0, string("x", parent="t"))), ADA)
    with pytest.raises(MalformedUpdate):
        gate.admit(update(section(3, 0, string("x", parent="t"))), ADA)


def test_more_roots_than_a_document_may_have() -> None:
    gate = Gate(OpenRules(), GateLimits(max_roots=2))
    gate.admit(update(section(1, 0, string("x", parent="r1"), string("x", parent="r2"))), ADA)
    with pytest.raises(MalformedUpdate):
        gate.admit(update(section(1, 2, string("x", parent="r3"))), ADA)
    assert gate.admit(update(section(1, 2, string("x", parent="t"))), ADA).update


@pytest.mark.parametrize(
    "item",
    [
        struct(8, b"\x01\x7e", parent="t"),
        struct(3, b"\x00", parent="t"),
        struct(2, b"\x01" + encode_text("1"), parent="t"),
        struct(8, b"\x01\x7e", parent="m"),
        string("x", parent="m"),
        made_type(1, parent="m"),
        embed({}, parent="a"),
        struct(6, encode_text("bold") + encode_text("true"), parent="a"),
        embed({}, parent="m", key="k"),
        struct(4, encode_text("x"), parent="m", key="k"),
        struct(8, b"\x01\x7e", parent="a", key="k"),
    ],
)
def test_contents_that_their_type_cannot_have(gate: Gate, item: bytes) -> None:
    refuses(gate, update(section(9, 0, item)))


@pytest.mark.parametrize(
    "item",
    [
        struct(9, encode_text("guid") + b"\x76\x00", parent="a"),
        struct(11, b"\x00", parent="a"),
        struct(31, b"", parent="a"),
        struct(7, b"\x07" + encode_text("x"), parent="a"),
        struct(7, b"\x0f", parent="a"),
        struct(7, b"\x05" + encode_text("hook"), parent="x"),
        struct(2, b"\x01" + encode_text("1"), parent="a"),
        struct(8, b"\x00", parent="a"),
        struct(8, b"\x01\x00", parent="a"),
        struct(4, b"\x00", parent="t"),
        struct(4, b"\x01\xff", parent="t"),
        struct(4, b"\x03\xed\xa0\x80", parent="t"),
        struct(5, encode_text("NaN"), parent="t"),
        struct(5, encode_text("1e999"), parent="t"),
        struct(5, encode_text("9223372036854775808"), parent="t"),
        struct(5, encode_text("1" + "0" * 400), parent="t"),
        struct(5, encode_text('"\\ud83d"'), parent="t"),
        struct(5, encode_text('{"\\ud83d":1}'), parent="t"),
        struct(5, encode_text("{"), parent="t"),
        struct(6, encode_text("k" * 600) + encode_text("1"), parent="t"),
        struct(8, b"\x01\x7e", parent="m", key="k" * 600),
        string("x", parent="r" * 200),
        struct(7, b"\x03" + encode_text("p" * 200), parent="x"),
        struct(8, b"\x01\x7d\x80\x00", parent="a"),
        struct(8, b"\x01\x7d\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", parent="a"),
        struct(8, b"\x01\x76\x01" + encode_text("__proto__") + b"\x7e", parent="a"),
        collected(0),
        deleted(0, parent="a"),
        skipped(0),
        b"\x20\x01",
        b"\x2a\x01",
        b"\x04\x02\x01t\x01x",
    ],
)
def test_structs_that_nobody_writes(gate: Gate, item: bytes) -> None:
    refuses(gate, update(section(9, 0, item)))


def test_the_shape_of_an_update(gate: Gate) -> None:
    good = update(section(9, 0, string("x", parent="t")))
    assert Gate(OpenRules()).admit(good, EVE).update == good
    refuses(gate, b"")
    refuses(gate, good + b"\x00")
    refuses(gate, update(section(9, 0, string("x", parent="t")), section(9, 1, string("y", origin=(9, 0)))))
    refuses(gate, update(deletes={1: [(0, 0)]}))
    refuses(gate, update(deletes={1: [(1 << 31, 1)]}))
    for cut in range(len(good)):
        refuses(gate, good[:cut])


def test_numbers_longer_than_they_need_be(gate: Gate) -> None:
    refuses(gate, bytes.fromhex("0101890000040101740178") + b"\x00")
    refuses(gate, bytes.fromhex("8000"))
    refuses(gate, bytes.fromhex("01018fffffffffffffffff7f00040101740178") + b"\x00")


def test_a_parent_that_is_not_a_type(gate: Gate) -> None:
    refuses(gate, update(section(9, 0, string("x", parent=(1, 0)))))
    leaves_out(gate, update(section(9, 0, string("x", parent=(77, 0)))))


def test_unknown_origins_wait_and_cost_nothing(gate: Gate) -> None:
    size = len(gate.dump())
    for client in range(100, 200):
        leaves_out(gate, update(section(client, 0, string("x", origin=(5, 5)))))
    assert len(gate.dump()) - size < 10


def test_too_many_structs_or_deletes() -> None:
    limits = GateLimits(max_update_structs=10, max_update_deletes=10)
    gate = Gate(OpenRules(), limits)
    structs = [string("x", parent="t") for _ in range(11)]
    with pytest.raises(MalformedUpdate):
        gate.admit(update(section(1, 0, *structs)), ADA)
    assert gate.admit(update(section(1, 0, *structs)), ADA, whole=True).update
    ranges = [(clock, 1) for clock in range(11)]
    with pytest.raises(MalformedUpdate):
        gate.admit(update(deletes={1: ranges}), ADA)
    assert gate.admit(update(deletes={1: ranges}), ADA, whole=True).update
