"""Reading what an update adds and needs, against what pycrdt makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from threadline.errors import ProtocolError
from threadline.update_ranges import read_ranges, read_state_vector

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _write(doc: Doc[Any], values: list[object], words: str) -> None:
    with doc.transaction():
        doc.get("map", type=Map).update({str(i): value for i, value in enumerate(values)})
        doc.get("array", type=Array).extend(values)
        text = doc.get("text", type=Text)
        text += words
        nested: Map[Any] = Map({"inner": Text(words), "list": Array(values)})
        doc.get("map", type=Map)["nested"] = nested


@given(st.lists(JSON, max_size=4), st.text(max_size=12))
def test_ranges_agree_with_the_state_vector(values: list[object], words: str) -> None:
    doc: Doc[Any] = Doc(client_id=7)
    _write(doc, values, words)
    _write(doc, values[::-1], words[::-1])
    ranges = read_ranges(doc.get_update())
    clocks = {client: end for client, (_, end) in ranges.adds.items()}
    assert clocks == read_state_vector(doc.get_state())
    assert ranges.fits({})


def test_an_update_that_came_too_early_does_not_fit() -> None:
    doc: Doc[Any] = Doc(client_id=7)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    text = doc.get("text", type=Text)
    text += "hello"
    text += " world"
    second = read_ranges(updates[1])
    assert not second.fits({})
    assert second.fits({7: 5})
    assert second.adds == {7: (5, 11)}


def test_an_update_on_another_writers_text_needs_that_text() -> None:
    first: Doc[Any] = Doc(client_id=1)
    text = first.get("text", type=Text)
    text += "abc"
    second: Doc[Any] = Doc(client_id=2)
    second.apply_update(first.get_update())
    updates: list[bytes] = []
    second.observe(lambda event: updates.append(event.update))
    copy = second.get("text", type=Text)
    copy += "d"
    del copy[0:1]
    assert not read_ranges(updates[0]).fits({})
    assert read_ranges(updates[0]).fits({1: 3})
    assert not read_ranges(updates[1]).fits({2: 1})


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (read_ranges, read_state_vector):
        try:
            read(data)
        except ProtocolError:
            continue


def test_a_cut_update_is_refused() -> None:
    doc: Doc[Any] = Doc(client_id=1)
    _write(doc, [1, "two", None], "words")
    update = doc.get_update()
    for length in range(len(update) - 1):
        with pytest.raises(ProtocolError):
            read_ranges(update[:length])
