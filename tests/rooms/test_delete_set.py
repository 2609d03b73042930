"""Whatever is added in whatever order is written once, in order, and comes back in parts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline_server.rooms import delete_set
from threadline_server.rooms.delete_set import AT_ONCE, DeleteParts, DeleteSet
from threadline_server.rooms.gate_limits import DEFAULT_GATE_LIMITS
from threadline_server.rooms.update_reader import read_update

Ranges = list[tuple[int, int, int]]
RANGES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 300), st.integers(1, 6)), max_size=30)


def encoded(ranges: Ranges) -> bytes:
    deletes = DeleteSet()
    for client, start, length in ranges:
        deletes.add(client, start, start + length)
    assert deletes.count == len(ranges)
    return deletes.encode()


def read(update: bytes) -> Ranges:
    return read_update(update, DEFAULT_GATE_LIMITS).deletes


def units(ranges: Ranges) -> set[tuple[int, int]]:
    return {(client, at) for client, start, length in ranges for at in range(start, start + length)}


@given(RANGES)
def test_ranges_are_put_in_order_and_joined(ranges: Ranges) -> None:
    written = read(b"\x00" + encoded(ranges))
    assert units(written) == units(ranges)
    for (client, start, length), (another, after, _) in pairwise(written):
        assert client != another or start + length < after


@given(ranges=RANGES, at_once=st.integers(1, 4))
def test_the_parts_say_the_same(ranges: Ranges, at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delete_set, "AT_ONCE", at_once)
        whole = b"of an update" + encoded(ranges)
        parts = DeleteParts(whole, len(b"of an update"))
        said: Ranges = []
        part = parts.next()
        while part is not None:
            some = read(part)
            assert 0 < len(some) <= at_once
            said += some
            part = parts.next()
    assert said == read(b"\x00" + encoded(ranges))


def test_a_part_has_no_more_than_so_many() -> None:
    parts = DeleteParts(encoded([(7, clock, 1) for clock in range(0, 10 * AT_ONCE, 2)]))
    sizes = []
    part = parts.next()
    while part is not None:
        sizes.append(len(read(part)))
        part = parts.next()
    assert sizes == [AT_ONCE] * 5
