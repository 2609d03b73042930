"""What is typed within one turn is one update, and says the same as the updates it was made of."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Text
from tests.rooms.forged import section, string, update
from tests.rooms.open_rules import OpenRules

from threadline.actors import Actor, Role
from threadline_server.backplane.base import ClockRange, Entry
from threadline_server.rooms.contributor import Witness
from threadline_server.rooms.draft import Draft
from threadline_server.rooms.gate import Gate
from threadline_server.rooms.stretch import MAX_BYTES

ADA = Actor("ada", Role.EDITOR)
PIECES = st.lists(st.sampled_from(["a", "word ", "é", "👍", "<p>"]), min_size=1, max_size=30)


class Sender(Witness):
    """Only its identity matters."""


def drafted(updates: list[bytes], senders: list[Witness] | None = None) -> list[Entry]:
    gate, draft, alone = Gate(OpenRules()), Draft(), Sender()
    for at, data in enumerate(updates):
        verdict = gate.admit(data, ADA)
        assert verdict.update is not None
        sender = alone if senders is None else senders[at]
        if verdict.text_at:
            draft.type(verdict, sender, ADA, lambda: 7)
        else:
            draft.add(Entry("ada", "editor", verdict.ranges, verdict.update, 7), sender)
    assert len(draft.entries) == len(draft.senders)
    assert draft.size == sum(map(len, updates))
    return draft.entries


def typed(before: str, after: str, pieces: list[str]) -> tuple[list[bytes], str]:
    """The updates of who types `pieces` between two texts, and what it reads in the end."""
    document: Doc[Text] = Doc(client_id=300)
    text = document.get("t", type=Text)
    updates: list[bytes] = []
    subscription = document.observe(lambda event: updates.append(event.update))
    text.insert(0, before + after)
    at = len(before.encode())
    for piece in pieces:
        text.insert(at, piece)
        at += len(piece.encode())
    del subscription
    return updates, str(text)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["", "é", "before "]), st.sampled_from(["", " after"]), PIECES)
def test_one_update_says_what_all_said(before: str, after: str, pieces: list[str]) -> None:
    updates, reads = typed(before, after, pieces)
    entries = drafted(updates)
    peer: Doc[Text] = Doc()
    text = peer.get("t", type=Text)
    for entry in entries:
        peer.apply_update(entry.update)
    assert str(text) == reads
    assert len(entries) <= 3
    ends = [clocks for entry in entries for clocks in entry.ranges]
    assert [clocks.start for clocks in ends] == [0, *(clocks.end for clocks in ends[:-1])]
    again = Gate(OpenRules())
    for entry in entries:
        again.trust(entry.update, "ada")
    alone: Doc[Text] = Doc()
    for data in updates:
        alone.apply_update(data)
    assert alone.get_state() == peer.get_state()


def keystroke(clock: int, text: str, client: int = 300) -> bytes:
    return update(section(client, clock, string(text, origin=(client, clock - 1))))


START = update(section(300, 0, string("start", parent="t")))


def test_what_others_send_between_is_kept_apart() -> None:
    first, second = Sender(), Sender()
    updates = [START, keystroke(5, "a"), keystroke(6, "b"), keystroke(7, "c")]
    entries = drafted(updates, [first, first, second, first])
    assert [entry.update for entry in entries] == updates


def test_a_stretch_has_a_bound() -> None:
    piece = "x" * 1000
    updates = [START, *(keystroke(5 + 1000 * at, piece) for at in range(40))]
    entries = drafted(updates)
    assert all(len(entry.update) < MAX_BYTES + 32 for entry in entries)
    assert entries[-1].ranges[0].end == 40_005
    assert len(entries) == 4


def test_an_entry_asked_for_early_grows_on() -> None:
    gate, draft, sender = Gate(OpenRules()), Draft(), Sender()
    draft.add(Entry("ada", "editor", gate.admit(START, ADA).ranges, START, 7), sender)
    for at, letter in enumerate("abc"):
        draft.type(gate.admit(keystroke(5 + at, letter), ADA), sender, ADA, lambda: 7)
        assert draft.entries[-1].ranges == (ClockRange(300, 5, 6 + at),)
    assert draft.entries[-1].update == keystroke(5, "abc")


def test_a_draft_that_was_passed_on_keeps_who_waits_for_it() -> None:
    gate, draft, ada = Gate(OpenRules()), Draft(), Sender()
    gate.admit(START, ADA)
    data = keystroke(5, "a")
    draft.type(gate.admit(data, ADA), ada, ADA, lambda: 7)
    draft.owe(ada, 1)
    draft.shed()
    assert (draft.entries, draft.senders) == ([], [])
    assert (draft.acknowledgements, draft.size) == ({ada: 1}, len(data))
