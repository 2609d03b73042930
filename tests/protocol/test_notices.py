from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline.protocol.errors import InvalidText, MalformedFrame, UnknownMessage
from threadline.protocol.notices import Hello, Notice, ServerInfo, ServerNote, decode_note, encode_note


def note_of(note: dict[str, Any]) -> ServerNote:
    fields = {key: value for key, value in note.items() if key != "type"}
    if note["type"] == "notice":
        return Notice(**fields)
    return Hello(**{**fields, "server": ServerInfo(**fields["server"])})


@pytest.mark.golden_file("notices")
def test_golden(case: dict[str, Any]) -> None:
    assert decode_note(case["payload"]) == note_of(case["note"])
    assert json.loads(encode_note(note_of(case["note"]))) == case["note"]


@given(st.text(), st.text(), st.none() | st.text())
def test_notice_round_trip(code: str, message: str, path: str | None) -> None:
    notice = Notice(code, message, path)
    assert decode_note(encode_note(notice)) == notice


def test_what_a_later_server_adds_is_left_aside() -> None:
    assert decode_note('{"type":"notice","code":"a","message":"b","new":1}') == Notice("a", "b")


@pytest.mark.parametrize("payload", ["", "[]", "1", '{"type":"notice"}', '{"type":"hello"}', "[" * 100_000])
def test_refused(payload: str) -> None:
    with pytest.raises(MalformedFrame):
        decode_note(payload)


def test_an_applications_own_stateless_messages_are_told_apart() -> None:
    with pytest.raises(UnknownMessage):
        decode_note('{"type":"mine"}')
    with pytest.raises(InvalidText):
        decode_note('{"type":"notice","code":1,"message":"b"}')
