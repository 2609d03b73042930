from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline.protocol.awareness import AwarenessEntry, decode_awareness, encode_awareness
from threadline.protocol.errors import InvalidText, MalformedFrame, Oversized
from threadline.protocol.limits import MAX_AWARENESS_CLOCK, MAX_SAFE_INTEGER, Limits
from threadline.protocol.varint import encode_text

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_ENTRIES = st.lists(
    st.builds(
        AwarenessEntry,
        st.integers(0, MAX_SAFE_INTEGER),
        st.integers(0, MAX_AWARENESS_CLOCK),
        st.none() | st.dictionaries(st.text(), _JSON, max_size=4),
    ),
    unique_by=lambda entry: entry.client,
    max_size=5,
).map(tuple)


@pytest.mark.golden_file("awareness")
def test_golden(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    entries = tuple(AwarenessEntry(e["client"], e["clock"], e["state"]) for e in case["entries"])
    assert decode_awareness(data) == entries
    assert encode_awareness(entries) == data


@given(_ENTRIES)
def test_round_trip(entries: tuple[AwarenessEntry, ...]) -> None:
    assert decode_awareness(encode_awareness(entries)) == entries


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        decode_awareness(data)
    except MalformedFrame:
        return


def test_a_lone_surrogate_survives_escaped() -> None:
    entry = AwarenessEntry(1, 1, {"text": "\ud800"})
    assert decode_awareness(encode_awareness([entry])) == (entry,)


def test_deep_nesting_is_refused_without_a_crash() -> None:
    text = "[" * 7000
    with pytest.raises(InvalidText):
        decode_awareness(b"\x01\x01\x01" + encode_text(text))


def test_size_of_one_state_is_bounded() -> None:
    data = encode_awareness([AwarenessEntry(1, 1, {"a": "x" * 100})])
    with pytest.raises(Oversized):
        decode_awareness(data, Limits(max_awareness_state_bytes=50))
