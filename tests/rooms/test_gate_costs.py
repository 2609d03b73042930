"""What one update can make the gate do is bounded, and so is what the index costs to keep.

Work is counted in calls and steps, never in seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from pycrdt import Doc, Map, Text
from tests.rooms.forged import collected, made_type, section, string, struct, update, value
from tests.rooms.open_rules import ROOTS, OpenRules

from threadline.actors import Actor, Role
from threadline.document.judgement import ContentKind
from threadline.protocol.varint import encode_uint
from threadline_server.rooms.gate import Gate, MalformedUpdate
from threadline_server.rooms.gate_limits import GateLimits
from threadline_server.rooms.update_reader import MAP

ADA = Actor("ada", Role.EDITOR)
EVE = Actor("eve", Role.EDITOR)


def calls(work: Callable[[], object]) -> int:
    """How many Python functions `work` calls."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_writing_at_one_crowded_place_runs_out_of_steps() -> None:
    """Every struct between the first and the last unit has to pass by all that are there."""
    gate = Gate(OpenRules(), GateLimits(max_list_steps=2_000))
    gate.admit(update(section(1, 0, string("a", parent="t"))), ADA)
    gate.admit(update(section(2, 0, string("z", origin=(1, 0)))), ADA)
    between = [string("x", origin=(1, 0), right=(2, 0)) for _ in range(60)]
    gate.admit(update(section(9, 0, *between)), ADA)
    crowd = [string("y", origin=(1, 0), right=(2, 0)) for _ in range(60)]
    with pytest.raises(MalformedUpdate):
        gate.admit(update(section(10, 0, *crowd)), EVE)
    assert gate.admit(update(section(10, 0, *crowd[:20])), EVE).update


@pytest.mark.parametrize(("most", "accepted"), [(59, False), (60, True)])
def test_one_struct_passes_by_a_bounded_number_of_pieces(most: int, accepted: bool) -> None:
    """Nothing else is done in between, however much the update may cost in all."""
    gate = Gate(OpenRules(), GateLimits(max_struct_steps=most))
    gate.admit(update(section(1, 0, string("a", parent="t"), string("z", origin=(1, 0)))), ADA)
    for client in range(10, 70):
        gate.admit(update(section(client, 0, string("x", origin=(1, 0), right=(1, 1)))), ADA)
    last = update(section(99, 0, string("y", origin=(1, 0), right=(1, 1))))
    if accepted:
        assert gate.admit(last, EVE).update
    else:
        with pytest.raises(MalformedUpdate):
            gate.admit(last, EVE)
    gate.trust(last, "eve")  # what the log has is taken


def test_a_deletion_of_much_that_is_deleted_is_short_work() -> None:
    gate = Gate(OpenRules())
    gate.admit(update(section(1, 0, collected(1_000_000_000))), ADA)
    assert calls(lambda: gate.admit(update(deletes={1: [(0, 1_000_000_000)]}), ADA)) < 100


def test_doubtful_deletions_are_settled_in_one_pass() -> None:
    """Nested maps, the innermost named first, none of which the sender may delete."""

    def deletion(depth: int) -> int:
        gate = Gate(OpenRules(deletes=False))
        structs = [made_type(MAP, parent="m", key="k")]
        structs += [made_type(MAP, parent=(1, clock), key="k") for clock in range(depth - 1)]
        gate.admit(update(section(1, 0, *structs)), ADA)
        ranges = [(clock, 1) for clock in reversed(range(1, depth))]
        replace = section(2, 0, value("v", origin=(1, 0)))
        data = update(replace, deletes={1: ranges})
        return calls(lambda: gate.admit(data, EVE))

    assert deletion(60) < 2.3 * deletion(30)


def test_values_outside_the_schema_are_asked_about_once() -> None:
    rules = OpenRules({})
    data = update(section(1, 0, struct(8, encode_uint(5_000) + b"\x7e" * 5_000, parent="list")))
    Gate(rules).admit(data, ADA)
    assert len(rules.asked) == 1


def test_a_keystroke_costs_the_same_in_a_long_document() -> None:
    def typing(messages: int) -> int:
        gate = Gate(OpenRules(ROOTS))
        gate.admit(update(section(1, 0, string("x" * 1_000, parent="t"))), ADA)
        for client in range(2, messages):
            gate.admit(
                update(section(client, 0, string("y", origin=(1, client), right=(1, client + 1)))), ADA
            )
        data = update(section(5_000, 0, string("a", origin=(1, 900), right=(1, 901))))
        return calls(lambda: gate.admit(data, EVE))

    assert typing(800) <= typing(20) + 5


def message(text: str) -> dict[str, object]:
    return {
        "role": "user",
        "author": {"user": "ada", "device": "phone", "name": "Ada"},
        "created_at": 1_700_000_000_000,
        "text": Text(text),
        "status": "complete",
        "run": None,
        "parent": None,
    }


def session_of(messages: int, devices: int = 5) -> bytes:
    """Messages as devices write them, stamped by a server."""
    everything: Doc[Map[object]] = Doc(client_id=1)
    for device in range(devices):
        document: Doc[Map[object]] = Doc(client_id=1_000_000 + device)
        written = document.get("messages", type=Map)
        for number in range(messages // devices):
            key = f"ada/0190a5c0-{device:04x}-7000-8000-{number:012x}"
            written[key] = Map(message(f"message {number} of device {device}"))
        everything.apply_update(document.get_update())
    stamped: Any = everything.get("messages", type=Map)
    for seq, key in enumerate(sorted(stamped.keys())):
        stamped[key]["seq"] = seq
        stamped[key]["received_at"] = 1_700_000_000_000
    return everything.get_update()


def test_an_item_costs_at_most_sixteen_bytes() -> None:
    messages = 2_000
    items_per_message = 11
    gate = Gate(OpenRules({"messages": ContentKind.MAP}))
    gate.trust(session_of(messages), "ada")
    stats = gate.stats()
    assert stats["rows"] <= 5 * messages + 10
    assert stats["bytes"] <= 16 * items_per_message * messages
    assert Gate.load(gate.dump(), OpenRules()).stats()["bytes"] <= 1.02 * stats["bytes"]


def test_a_streamed_answer_is_one_row() -> None:
    gate = Gate(OpenRules())
    gate.admit(update(section(1, 0, string("token", parent="t"))), ADA)
    for at in range(1, 1_000):
        gate.admit(update(section(1, 5 * at, string("token", origin=(1, 5 * at - 1)))), ADA)
    stats = gate.stats()
    assert (stats["rows"], stats["pieces"], stats["units"]) == (1, 0, 5_000)


def test_refused_updates_leave_nothing_behind() -> None:
    rules = OpenRules()
    rules.forbidden[("m", "forbidden")] = "No."
    gate = Gate(rules)
    gate.admit(update(section(1, 0, string("hello", parent="t"))), EVE)
    size = len(gate.dump())
    for number in range(200):
        structs = [
            value("v", parent="m", key=f"key {number}"),
            string("👍", parent=f"root {number}"),
            made_type(MAP, parent="m", key=f"map {number}"),
            value("v", parent=(1_000 + number, 3), key=f"inner {number}"),
            string("x", origin=(1, 2), right=(1, 3)),
            value("v", parent="m", key="forbidden"),
        ]
        with pytest.raises(Exception, match="forbidden"):
            gate.admit(update(section(1_000 + number, 0, *structs), deletes={1: [(0, 1)]}), EVE)
    assert len(gate.dump()) == size
