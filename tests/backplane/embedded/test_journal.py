"""The journal gives back what was written to it up to where it was cut off; damage before that is noticed."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline_server.backplane.base import ClockRange, Damaged, Entry, NodeId, Turn
from threadline_server.backplane.embedded.journal import (
    FILE_NAMES,
    HEADER_BYTES,
    Journal,
    Row,
    find,
    last_generation,
)
from threadline_server.backplane.embedded.journal_mark import MARK_NAME, JournalMark, expect_whole
from threadline_server.backplane.turn_bytes import encode_turn

groups_of_rows = st.lists(
    st.lists(
        st.tuples(st.integers(1, 2**63 - 1), st.binary(min_size=1, max_size=200)), min_size=1, max_size=5
    ),
    min_size=1,
    max_size=8,
)


@contextmanager
def a_journal(directory: Path, generation: int = 1) -> Iterator[Journal]:
    journal = Journal(directory, generation)
    try:
        yield journal
    finally:
        journal.close(remove=False)


def write_all(journal: Journal, groups: list[list[Row]]) -> list[int]:
    """Where each group ends."""
    return [journal.write(rows, []).end for rows in groups]


def file_of(directory: Path, generation: int) -> Path:
    return directory / FILE_NAMES[generation % 2]


@given(groups_of_rows, st.data())
def test_what_is_whole_is_found_wherever_it_is_cut(groups: list[list[Row]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with a_journal(directory, 5) as journal:
            ends = write_all(journal, groups)
        cut = data.draw(st.integers(0, ends[-1]))
        path = file_of(directory, 5)
        path.write_bytes(path.read_bytes()[:cut])
        whole = [rows for rows, end in zip(groups, ends, strict=True) if end <= cut]
        assert [row for found in find(directory, 4) for row in found.rows] == list(chain(*whole))


@given(groups_of_rows, st.data())
def test_a_bit_that_changed_in_what_was_durable_is_noticed(
    groups: list[list[Row]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with a_journal(directory) as journal, closing(JournalMark(directory)) as mark:
            ends = write_all(journal, groups)
            mark.note(journal.generation, ends[-1])
        path = file_of(directory, 1)
        content = bytearray(path.read_bytes())
        expect_whole(directory, find(directory, 0), 0)
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        with pytest.raises(Damaged, match=MARK_NAME):
            expect_whole(directory, find(directory, 0), 0)


def test_damage_in_what_was_moved_or_never_synced_is_none(tmp_path: Path) -> None:
    with a_journal(tmp_path) as journal, closing(JournalMark(tmp_path)) as mark:
        first, last = write_all(journal, [[(1, b"synced")], [(2, b"not synced")]])
        mark.note(journal.generation, first)
    file_of(tmp_path, 1).write_bytes(file_of(tmp_path, 1).read_bytes()[: last - 1])
    expect_whole(tmp_path, find(tmp_path, 0), 0)
    file_of(tmp_path, 1).unlink()
    expect_whole(tmp_path, find(tmp_path, 1), 1)
    with pytest.raises(Damaged):
        expect_whole(tmp_path, find(tmp_path, 0), 0)


def test_a_mark_that_is_damaged_itself_says_nothing(tmp_path: Path) -> None:
    with closing(JournalMark(tmp_path)) as mark:
        mark.note(1, 1_000)
    (tmp_path / MARK_NAME).write_bytes(b"?" * 20)
    expect_whole(tmp_path, [], 0)


def test_what_an_earlier_generation_left_is_not_read_again(tmp_path: Path) -> None:
    with a_journal(tmp_path) as journal:
        write_all(journal, [[(1, b"a" * 100)], [(2, b"b" * 100)]])
        journal.reuse(journal.roll())
        write_all(journal, [[(3, b"c")]])
        journal.reuse(journal.roll())
        write_all(journal, [[(4, b"a" * 100)]])
    assert [one.rows for one in find(tmp_path, 1)] == [[(3, b"c")], [(4, b"a" * 100)]]
    assert [one.rows for one in find(tmp_path, 2)] == [[(4, b"a" * 100)]]
    assert last_generation(tmp_path) == 3


def test_a_generation_counts_only_where_the_one_before_is_whole(tmp_path: Path) -> None:
    """Neither was synced when the power failed, and the later is on disk."""
    with a_journal(tmp_path) as journal:
        ends = write_all(journal, [[(1, b"first")], [(2, b"second")]])
        journal.roll()
        write_all(journal, [[(3, b"third")]])
    path = file_of(tmp_path, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[: ends[0]])
    assert [one.rows for one in find(tmp_path, 0)] == [[(1, b"first")]]
    path.write_bytes(bytes(HEADER_BYTES) + whole[HEADER_BYTES:])
    assert find(tmp_path, 0) == []
    assert [one.rows for one in find(tmp_path, 1)] == [[(3, b"third")]]


def test_a_group_that_could_not_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    with a_journal(tmp_path) as journal:
        write_all(journal, [[(1, b"a" * 50)]])
        with file_of(tmp_path, 1).open("ab") as file:
            file.write(b"half of a group")
        write_all(journal, [[(2, b"b")]])
    assert [one.rows for one in find(tmp_path, 0)] == [[(1, b"a" * 50), (2, b"b")]]


def a_turn(number: int) -> bytes:
    entry = Entry("ada", "owner", (ClockRange(7, number, number + 1),), b"%05d" % number, number)
    return encode_turn(Turn(NodeId("one"), "e", (entry,)), "trip")


def test_an_older_turn_in_the_place_of_a_newer_one_is_noticed(tmp_path: Path) -> None:
    """A power cut may leave the beginning of a group, and behind it what was there before. Each turn ends
    with its own CRC-32, which makes that of the whole group the same.
    """
    with a_journal(tmp_path, 5) as journal:
        written = journal.write([(1, a_turn(300)), (2, a_turn(400))], [])
    path = file_of(tmp_path, 5)
    whole = path.read_bytes()
    for old in (300, 400):
        older = whole.replace(a_turn(old), a_turn(200))
        assert len(older) == len(whole) == written.end
        path.write_bytes(older)
        assert [found.rows for found in find(tmp_path, 4)] == [[]]


def test_a_journal_of_the_first_version_is_read(tmp_path: Path) -> None:
    """By the bytes that it had."""
    header = struct.pack(">8sQQ", b"TLjrnl1\0", 5, 0)
    header += struct.pack(">I", crc32(header))
    body = struct.pack(">QI", 1, len(a_turn(300))) + a_turn(300)
    check = crc32(body, crc32(struct.pack(">QQ", 5, len(header))))
    file_of(tmp_path, 5).write_bytes(header + struct.pack(">II", len(body), check) + body)
    assert [found.rows for found in find(tmp_path, 4)] == [[(1, a_turn(300))]]
