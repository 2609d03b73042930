"""Very many sessions, and questions about them: few answers among many, many among all, none at all."""

from __future__ import annotations

from tests.contract.writing import a_session

from threadline_server.backplane.base import SessionQuery, SessionRecord

SESSIONS = 20_000
FULL_SESSIONS = 1_000_000
USERS = 1_000

QUERIES = {
    "all, newest first": SessionQuery(),
    "of one user": SessionQuery(user="user7"),
    "of one user, by status": SessionQuery(visible_to="user7", status="idle"),
    "by label": SessionQuery(label="red"),
    "a rare status": SessionQuery(status="rare", agent="home"),
    "by agent, from the middle": SessionQuery(agent="home", active_before_ms=SESSIONS // 2),
    "a title that nobody wrote": SessionQuery(text="never written"),
}


def nth_session(number: int) -> SessionRecord:
    return a_session(
        f"s{number}",
        owner=f"user{number % USERS}",
        active_ms=number,
        status="rare" if number == 3 else "idle",
        agent="home",
        title=f"Trip {number}",
        labels=("red",) if number % 100 == 0 else (),
    )
