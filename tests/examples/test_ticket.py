"""The cookie of a rollout: what it says its client has seen."""

from __future__ import annotations

import pytest

from threadline import Session
from threadline.environment.ticket import Ticket, cookie_in, set_cookie
from threadline.update_ranges import read_state_vector


def test_a_replica_that_lacks_what_the_client_saw_does_not_cover_its_ticket() -> None:
    ahead, behind = Session(), Session()
    ahead.counters.add("count", 1)
    ticket = Ticket.read(str(Ticket.new().seen(ahead.document.doc.get_state())))
    assert ticket is not None
    assert not ticket.is_covered_by(read_state_vector(behind.document.doc.get_state()))
    behind.document.doc.apply_update(ahead.document.doc.get_update())
    assert ticket.is_covered_by(read_state_vector(behind.document.doc.get_state()))


@pytest.mark.parametrize(
    "text", ["", "x", "rollout-1", "rollout-" + "0" * 32 + ".!", "rollout-" + "0" * 32 + "._"]
)
def test_what_is_no_ticket_begins_anew(text: str) -> None:
    assert Ticket.read(text) is None


def test_ours_is_found_among_other_cookies() -> None:
    ticket = Ticket.new()
    line = set_cookie("ours", ticket).split(";")[0]
    found = cookie_in(f"other=1; {line}; more=2", "ours")
    assert found is not None
    assert found.session == ticket.session
