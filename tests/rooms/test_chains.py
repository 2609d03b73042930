"""An update in many small pieces says the same when they are put together, and costs a library little."""

from __future__ import annotations

import random

import pytest
from pycrdt import Array, Doc, Text
from tests.rooms.forged import section, string, struct, update, value
from tests.rooms.open_rules import OpenRules
from tests.rooms.said import document_of, said

from threadline.actors import Actor, Role
from threadline.protocol.varint import encode_uint
from threadline_server.rooms.chains import MANY, Joining
from threadline_server.rooms.gate import Gate, MalformedUpdate
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS
from threadline_server.rooms.replica import Replica
from threadline_server.rooms.turns import FOR_EVER
from threadline_server.rooms.update_reader import read_update

ADA = Actor("ada", Role.EDITOR)
EVE = Actor("eve", Role.EDITOR)


def joined(data: bytes) -> bytes | None:
    joining = Joining(read_update(data, DEFAULT_GATE_LIMITS, whole=True), 2)
    assert joining.advance(FOR_EVER)
    return joining.joined


def typed(client: int, letters: str, *, root: str = "t") -> bytes:
    """Letter by letter, each after the last."""
    places = [sum(1 + (letter > "\uffff") for letter in letters[:at]) for at in range(len(letters))]
    rest = [
        string(letter, origin=(client, place - 1))
        for letter, place in zip(letters[1:], places[1:], strict=True)
    ]
    return section(client, 0, string(letters[0], parent=root), *rest)


def numbers(client: int, count: int) -> bytes:
    one = b"\x01\x7d\x05"
    rest = [struct(8, one, origin=(client, clock)) for clock in range(count - 1)]
    return section(client, 0, struct(8, one, parent="a"), *rest)


@pytest.mark.parametrize("letters", ["abc", "héllo wörld", "a👍b👍👍c", "x" * 300])
def test_letters_become_one_string(letters: str) -> None:
    data = update(typed(7, letters))
    short = joined(data)
    assert short is not None
    assert len(short) < 20 + len(letters.encode())
    assert said(document_of(short)) == said(document_of(data))
    assert document_of(short).get_state() == document_of(data).get_state()


def test_values_become_one_list() -> None:
    data = update(numbers(7, 200))
    short = joined(data)
    assert short is not None
    assert len(short) < 450
    array: Array[object] = document_of(short).get("a", type=Array)
    assert array.to_py() == [5.0] * 200


def test_what_does_not_follow_stays() -> None:
    first = string("a", parent="t")
    for other in (
        string("b", origin=(7, 0), right=(8, 0)),
        string("b", parent="t"),
        string("b", origin=(8, 0)),
        value("b", origin=(7, 0)),
    ):
        assert joined(update(section(7, 0, first, other, other))) is None


def test_values_at_a_key_stay() -> None:
    data = update(
        section(7, 0, value("1", parent="m", key="k"), *[value("x", origin=(7, at)) for at in range(5)])
    )
    flagged = data.replace(bytes((0x88,)), bytes((0xA8,)))  # as every honest client says it
    assert joined(flagged) is None


def test_edits_into_the_middle_of_a_chain_find_their_place() -> None:
    """Others wrote between the letters, and deleted some, before and after they came as one."""
    rng = random.Random(1)
    for _ in range(30):
        letters = "".join(rng.choice("abcdeé") for _ in range(rng.randrange(3, 40)))
        chain = update(typed(7, letters))
        other: Doc[Text] = document_of(chain, client_id=rng.choice((3, 9)))
        text: Text = other.get("t", type=Text)
        for _ in range(5):
            at = len(letters[: rng.randrange(len(letters))].encode())
            if rng.random() < 0.7:
                text.insert(len(str(text).encode()[:at].decode(errors="ignore").encode()), "Z")
        edits = other.get_update(document_of(chain).get_state())
        short = joined(chain)
        assert short is not None
        assert said(document_of(short, edits)) == said(document_of(chain, edits)) == said(other)


def test_the_gate_passes_on_the_joined_update() -> None:
    gate = Gate(OpenRules())
    data = update(typed(7, "x" * (MANY + 2)), deletes={7: [(0, 1)]})
    verdict = gate.admit(data, ADA)
    assert verdict.update is not None
    assert len(verdict.update) < len(data) / 3
    assert gate.admit(data, ADA, whole=True).update is None
    assert str(document_of(verdict.update).get("t", type=Text)) == "x" * (MANY + 1)


def test_a_chain_that_is_known_in_part() -> None:
    gate = Gate(OpenRules())
    begun = gate.admit(update(typed(7, "x" * 10)), ADA)
    verdict = gate.admit(update(typed(7, "x" * 200)), ADA)
    assert begun.update is not None and verdict.update is not None
    assert str(document_of(begun.update, verdict.update).get("t", type=Text)) == "x" * 200


def test_short_updates_stay_as_they_came() -> None:
    data = update(typed(7, "word"))
    assert Gate(OpenRules()).admit(data, ADA).update == data


def test_a_key_is_not_written_for_the_first_time_again_and_again() -> None:
    writes = [value("v", parent="m", key="k") for _ in range(300)]
    with pytest.raises(MalformedUpdate, match="too often"):
        Gate(OpenRules()).admit(update(section(7, 0, *writes)), EVE)


def test_deletions_are_passed_on_in_order() -> None:
    gate = Gate(OpenRules())
    gate.admit(update(section(7, 0, string("x" * 100, parent="t"))), ADA)
    backwards = update(deletes={7: [(clock, 1) for clock in range(98, 0, -2)]})
    verdict = gate.admit(backwards, ADA)
    assert verdict.update == update(deletes={7: [(clock, 1) for clock in range(2, 100, 2)]})


def test_a_key_that_javascript_cannot_hold() -> None:
    with pytest.raises(MalformedUpdate, match="JavaScript"):
        Gate(OpenRules()).admit(update(section(7, 0, value("v", parent="m", key="__proto__"))), EVE)


def test_a_list_of_many_values_is_short_work_for_the_library() -> None:
    """Un-joined, 20,000 of them took 18 seconds; joined they are one item."""
    verdict = Gate(OpenRules()).admit(update(numbers(7, 20_000)), ADA)
    assert verdict.update is not None
    assert verdict.update.startswith(b"\x01\x01\x07\x00\x08\x01\x01a" + encode_uint(20_000))


def test_a_replica_takes_many_updates_in_parts() -> None:
    replica = Replica()
    replica.integrate(split(200))
    array: Array[object] = replica.document().get("a", type=Array)
    assert array.to_py() == [5.0] * 200


def split(count: int) -> list[bytes]:
    """Values that are appended one at a time, as a log has them."""
    one = b"\x01\x7d\x05"
    first = update(section(7, 0, struct(8, one, parent="a")))
    return [
        first,
        *(update(section(7, at, struct(8, one, origin=(7, at - 1)))) for at in range(1, count)),
    ]
