"""What a replica keeps of what it encoded, and what it puts off."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count as counted
from typing import Any

import pytest
from pycrdt import Doc, Text

from threadline.protocol.sync import EMPTY_UPDATE
from threadline_server.rooms import replica as replicas
from threadline_server.rooms.replica import MOST_AT_ONCE, Replica, ReplicaBroken
from threadline_server.rooms.seat import NO_MARK

NOTHING = b"\x00"


def typed(letters: str) -> list[bytes]:
    """An update for each letter."""
    doc: Doc[Any] = Doc(client_id=9)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    for letter in letters:
        doc.get("typed", type=Text).insert(0, letter)
    return updates


def of_size(size: int) -> Replica:
    doc: Doc[Any] = Doc(client_id=7)
    doc.get("text", type=Text).insert(0, "x" * size)
    replica = Replica()
    replica.integrate([doc.get_update()])
    return replica


def test_what_was_encoded_for_a_base_is_given_to_who_comes_with_nothing() -> None:
    replica = of_size(1_000)
    base = replica.encode()
    assert replica.encoded
    replica.integrate(typed("a"), recent_limit=10_000)
    difference = replica.difference(NOTHING)
    assert difference.step2 is base
    assert len(difference.updates) == 1


@pytest.mark.parametrize(("size", "kept"), [(100_000, False), (2_000_000, True)])
def test_what_nobody_asks_for_is_let_go_unless_it_is_dear(size: int, kept: bool) -> None:
    replica = of_size(size)
    replica.encode()
    for _ in range(10):
        replica.drop_unused()
    assert replica.encoded is kept


def test_a_document_that_was_never_encoded_is_given_as_it_came() -> None:
    replica = Replica()
    few, more = typed("few"), typed("x" * 100)
    replica.integrate(few, recent_limit=10_000)
    difference = replica.difference(NOTHING)
    assert [difference.step2, *difference.updates] == few
    assert difference.whole
    replica.integrate(more, recent_limit=10_000)
    assert not replica.encoded
    assert not replica.difference(NOTHING).updates


@pytest.mark.parametrize("failed", [True, False])
def test_an_encoding_made_elsewhere_is_followed_by_what_came_since(failed: bool) -> None:
    replica = of_size(1_000)
    elsewhere = replica.encode()
    replica.begin_encoding()
    update, *_ = typed("a")
    replica.integrate([update], recent_limit=10_000)
    replica.take_encoding(None if failed else bytes(bytearray(elsewhere)), recent_limit=10_000)
    difference = replica.difference(NOTHING)
    assert (difference.step2, difference.updates) == (elsewhere, (update,))
    assert (difference.step2 is elsewhere) is failed


def test_an_encoding_made_elsewhere_is_of_no_use_when_much_came_since() -> None:
    replica = of_size(1_000)
    replica.begin_encoding()
    replica.integrate(typed("a" * 2_000), recent_limit=1_000_000)
    replica.take_encoding(b"made before", recent_limit=1_000_000)
    assert not replica.encoded


@pytest.mark.parametrize(("size", "kept"), [(100_000, False), (10_000_000, True)])
def test_more_updates_may_follow_an_encoding_that_is_large(size: int, kept: bool) -> None:
    replica = of_size(size)
    replica.encode()
    for update in typed("a" * 2_000):
        replica.integrate([update])
    assert replica.encoded is kept


def large_and(count: int) -> tuple[Replica, list[bytes]]:
    """A large document that somebody had, and what came since."""
    replica = of_size(2_000_000)
    replica.encode()
    since = typed("x" * count)
    replica.integrate(since, recent_limit=10_000)
    return replica, since


@pytest.mark.parametrize("count", [0, 1, 10])
def test_what_a_peer_missed_of_a_large_document_is_given_as_it_came(count: int) -> None:
    replica, _ = large_and(20)
    mark, level = replica.mark, b"not looked at"
    missed = typed("y" * count)
    replica.integrate(missed, recent_limit=10_000)
    difference = replica.missed(mark, level)
    given = [difference.step2, *difference.updates]
    assert given == (missed or [EMPTY_UPDATE])
    assert not difference.whole


def test_what_it_missed_is_known_after_a_new_encoding_until_the_next_round() -> None:
    replica, _ = large_and(5)
    mark, level = replica.mark, replica.state_vector()
    before, after = typed("before"), typed("after")
    replica.integrate(before, recent_limit=10_000)
    elsewhere = bytes(bytearray(replica.update_from(NOTHING)))
    replica.begin_encoding()
    replica.integrate(after, recent_limit=10_000)
    replica.take_encoding(elsewhere, recent_limit=10_000)
    difference = replica.missed(mark, level)
    assert [difference.step2, *difference.updates] == [*before, *after]
    replica.drop_unused()
    assert replica.missed(mark, level) == replica.difference(level)


def test_what_it_missed_of_another_replica_is_found_out() -> None:
    replica, _ = large_and(5)
    level = of_size(10).state_vector()
    assert replica.missed(NO_MARK, level) == replica.difference(level)


@pytest.mark.parametrize("encoding", [True, False])
def test_what_comes_without_end_is_not_kept_without_end(encoding: bool) -> None:
    replica, _ = large_and(0)
    if encoding:
        replica.begin_encoding()
    for client in range(20):
        replica.integrate([of_size(500_000 + client).encode()], recent_limit=1 << 20)
    assert not replica.encoded
    replica.take_encoding(b"late", recent_limit=1 << 20)
    assert not replica.encoded


def test_what_replaced_itself_is_not_given_for_long() -> None:
    """A document that is known to be small is encoded, and not given as megabytes of its past."""
    replica = of_size(1_000)
    replica.encode()
    for size in range(600_000, 600_005):
        replica.integrate([of_size(size).encode()], recent_limit=1 << 20)
    assert not replica.encoded


def test_a_large_document_is_not_encoded_for_who_comes_with_nothing() -> None:
    """However much came since it was, until a new encoding is there."""
    replica, since = large_and(5_000)
    assert replica.encoded
    assert len(replica.difference(NOTHING).updates) == len(since)
    never = Replica()
    pasted = [of_size(900_000).encode() for _ in range(4)]
    never.integrate(pasted, recent_limit=1 << 20)
    assert [never.difference(NOTHING).step2, *never.difference(NOTHING).updates] == pasted


NO_UPDATE = b"\x01\x01\x09"
"""It ends where its client id was to follow."""


def read(replica: Replica) -> str:
    return str(replica.document().get("typed", type=Text))


@pytest.mark.parametrize("count", [1, 3, 40])
def test_what_is_put_off_is_there_for_whoever_looks(count: int) -> None:
    updates = typed("x" * count)
    at_once = Replica()
    at_once.integrate(updates)
    looks: list[Callable[[Replica], object]] = [
        read,
        Replica.state_vector,
        Replica.clocks,
        Replica.encode,
        lambda replica: replica.update_from(NOTHING),
        lambda replica: replica.difference(at_once.state_vector()),
        lambda replica: replica.empty,
    ]
    for look in looks:
        replica = Replica()
        for update in updates:
            replica.put_off([update], recent_limit=10_000)
        assert look(replica) == look(at_once)


def test_what_is_put_off_comes_before_what_is_integrated_at_once() -> None:
    updates = typed("abc")
    replica = Replica()
    replica.put_off(updates[:1])
    replica.integrate_some(updates[1:2])
    replica.put_off(updates[2:])
    assert read(replica) == "cba"


def test_of_updates_that_take_long_fewer_are_integrated_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By half at a time, and at once again when they do not."""
    replica = Replica()
    updates = typed("abcdefgh")
    reached: list[int] = []
    for each_ns in (1_000_000, 1_000_000, 200_000, 10):
        clock = counted(0, each_ns)
        monkeypatch.setattr(replicas, "perf_counter_ns", clock.__next__)
        replica.integrate([updates.pop(0)])
        reached.append(replica.at_once)
    assert reached == [MOST_AT_ONCE // 2, MOST_AT_ONCE // 4, 2, MOST_AT_ONCE]
    assert read(replica) == "dcba"


def test_who_was_level_gets_what_was_put_off_since() -> None:
    updates = typed("abcd")
    replica = Replica()
    replica.integrate(updates[:2])
    level = replica.state_vector()
    replica.put_off(updates[2:])
    peer = Replica()
    peer.integrate(updates[:2])
    peer.integrate(list(replica.difference(level).parts))
    assert read(peer) == "dcba"


def test_a_replica_that_broke_says_so_to_all_who_look() -> None:
    replica = Replica()
    replica.put_off([*typed("a"), NO_UPDATE])
    for look in (replica.document, replica.state_vector, replica.encode, replica.settle):
        with pytest.raises(ReplicaBroken):
            look()
