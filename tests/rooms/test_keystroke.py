"""The short way through the gate gives what the long way gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Text
from tests.rooms.forged import section, string, update, value
from tests.rooms.open_rules import OpenRules

from threadline.actors import Actor, Role
from threadline_server.rooms.gate import Gate, MalformedUpdate
from threadline_server.rooms.hearing import Hearing
from threadline_server.rooms.turns import FOR_EVER

ADA = Actor("ada", Role.EDITOR)
BOB = Actor("bob", Role.EDITOR)


def long_way(gate: Gate, data: bytes, actor: Actor) -> tuple[object, ...]:
    hearing = Hearing(gate, data, actor, whole=False, reserved=None)
    hearing.advance(FOR_EVER)
    verdict = hearing.verdict
    assert verdict is not None
    return verdict.update, verdict.ranges, verdict.gap, verdict.created


def either_way(gate: Gate, data: bytes, actor: Actor) -> tuple[object, ...]:
    verdict = gate.admit(data, actor)
    return verdict.update, verdict.ranges, verdict.gap, verdict.created


Edit = tuple[int, int, str]
edits = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 5), st.sampled_from(["a", "word", "é", "👍", ""])),
    max_size=40,
)


def type_and_compare(script: list[Edit]) -> None:
    gates = (Gate(OpenRules()), Gate(OpenRules()))
    followed, trusted = Gate(OpenRules()), Gate(OpenRules())
    documents: list[Doc[Text]] = [Doc(client_id=1), Doc(client_id=2)]
    texts = [document.get("t", type=Text) for document in documents]
    news: list[bytes] = []
    kept = [document.observe(lambda event: news.append(event.update)) for document in documents]
    places = [0, 0]
    for who, jump, typed in script:
        content = str(texts[who])
        if jump < 3:
            places[who] = (0, len(content), len(content) // 2)[jump]
        places[who] = min(places[who], len(content))
        texts[who].insert(len(content[: places[who]].encode()), typed)
        places[who] += len(typed)
        if jump == 5 and content:
            del texts[who][0 : len(str(texts[who])[0].encode())]
        for data in news[:]:
            actor = (ADA, BOB)[who]
            taken = either_way(gates[0], data, actor)
            assert taken == long_way(gates[1], data, actor)
            if isinstance(taken[0], bytes):
                assert followed.follow(taken[0], actor.user)
                trusted.trust(taken[0], actor.user)
            documents[1 - who].apply_update(data)
        news.clear()
    assert gates[0].dump() == gates[1].dump()
    assert followed.dump() == trusted.dump()
    del kept


@settings(deadline=None, max_examples=60)
@given(edits)
def test_both_ways_agree(script: list[Edit]) -> None:
    """Two devices type at the end, in the middle and at the start of one text, and see each other's words."""
    try:
        type_and_compare(script)
    except BaseException as error:
        if (
            type(error).__name__ != "PanicException"
        ):  # no Exception: hypothesis would not say for which script
            raise
        raise AssertionError(f"the document library failed: {error}") from error


FIRST = update(section(300, 0, string("héy👍", parent="t")))
TYPED = update(section(300, 5, string("x👍y", origin=(300, 4))))


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """`TYPED` with noise in it, or instead of some of it."""
    noise = draw(st.binary(max_size=24))
    at = draw(st.integers(0, 12))
    rest = at if draw(st.booleans()) else at + len(noise)
    return TYPED[:at] + noise + TYPED[rest:]


@settings(deadline=None, max_examples=200)
@given(broken())
def test_both_ways_agree_on_what_is_no_keystroke(changed: bytes) -> None:
    gates = (Gate(OpenRules()), Gate(OpenRules()))
    results: list[object] = []
    for gate, way in zip(gates, (either_way, long_way), strict=True):
        way(gate, FIRST, ADA)
        try:
            results.append(way(gate, changed, ADA))
        except MalformedUpdate as error:
            results.append(str(error))
    assert results[0] == results[1]
    assert gates[0].dump() == gates[1].dump()


@settings(deadline=None, max_examples=200)
@given(broken())
def test_what_another_node_wrote_is_followed_as_it_is_trusted(changed: bytes) -> None:
    gates = (Gate(OpenRules()), Gate(OpenRules()))
    refused: list[bool] = []
    for gate, way in zip(gates, (gates[0].follow, gates[1].trust), strict=True):
        gate.trust(FIRST, "ada")
        try:
            way(changed, "ada")
            refused.append(False)
        except MalformedUpdate:
            refused.append(True)
    assert refused[0] == refused[1]
    assert refused[0] or gates[0].dump() == gates[1].dump()


def test_characters_are_not_followed_into_what_is_no_text() -> None:
    gate = Gate(OpenRules())
    gate.trust(update(section(7, 0, value("one", parent="a"))), "ada")
    with pytest.raises(MalformedUpdate):
        gate.follow(update(section(7, 1, string("!", origin=(7, 0)))), "ada")


def test_another_user_cannot_type_on() -> None:
    gate = Gate(OpenRules())
    gate.admit(update(section(7, 0, string("mine", parent="t"))), ADA)
    verdict = gate.admit(update(section(7, 4, string("!", origin=(7, 3)))), BOB)
    assert verdict.update is None
    assert verdict.gap


def test_a_role_that_changed_is_asked_again() -> None:
    rules = OpenRules()
    gate = Gate(rules)
    gate.admit(update(section(7, 0, string("mine", parent="t"))), ADA)
    rules.asked.clear()
    gate.admit(update(section(7, 4, string("!", origin=(7, 3)))), ADA)
    assert not rules.asked
    gate.admit(update(section(7, 5, string("!", origin=(7, 4)))), Actor("ada", Role.VIEWER))
    assert [path for path, _ in rules.asked] == [("t", "[]")]
