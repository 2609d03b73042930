"""Which heads are kept where there are more documents than that."""

from __future__ import annotations

from threadline.ids import SessionId
from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.embedded.heads import Head, Heads, SessionState


def add(heads: Heads, name: str) -> None:
    session = SessionState(SessionId(name), "lineage")
    heads.add(Head(DocumentName(name), session, 1, 0, {}))
    heads.trim()


def kept(heads: Heads, names: str) -> str:
    """Which are there; looking at them is no use of them."""
    return "".join(name for name in names if name in heads._heads)


def test_the_oldest_is_forgotten_that_was_not_used_since_the_last_round() -> None:
    heads = Heads(limit=3)
    for name in "abc":
        add(heads, name)
    add(heads, "d")
    assert kept(heads, "abcd") == "bcd", "all were new, so the oldest goes"
    assert heads.get(DocumentName("b")) is not None
    add(heads, "e")
    assert kept(heads, "bcde") == "bde"


def test_the_one_that_came_last_stays_though_all_others_are_in_use() -> None:
    """An append waits for it: it would be read from the store again and again."""
    heads = Heads(limit=3)
    for name in "abcdefg":
        add(heads, name)
        assert name in heads._heads
        for other in kept(heads, "abcdefg"):
            assert heads.get(DocumentName(other)) is not None
    assert len(heads) == 3


def test_what_is_used_all_the_time_stays_however_many_come() -> None:
    heads = Heads(limit=10)
    read = 0
    for number in range(1_000):
        add(heads, f"d{number}")
        if heads.get(DocumentName("in use")) is None:
            add(heads, "in use")
            read += 1
    assert len(heads) == 10
    assert read <= 1_000 // 90, "once in a round in which all are in use"
