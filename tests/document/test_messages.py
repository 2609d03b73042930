from __future__ import annotations

from collections.abc import Callable

import pytest
from pycrdt import Map, Text

from threadline.document.messages import Author, MessageStatus, Seq, read_seq
from threadline.document.session_document import SessionDocument
from threadline.document.text_edit import rewrite, slice_utf16, truncate, utf16_length
from threadline.errors import NotSerializable

Devices = Callable[[int], list[SessionDocument]]
Meet = Callable[..., None]
ADA = Author("ada", "phone", "Ada")


def say(document: SessionDocument, message_id: str, text: str, at: int = 0) -> None:
    document.messages.create(message_id, role="user", author=ADA, created_at=at, text=text)


def test_the_server_stamps_the_order_and_unsent_messages_come_last(devices: Devices) -> None:
    (here,) = devices(1)
    for number, message_id in enumerate(["ada/a", "ada/b", "ada/c", "ada/d"]):
        say(here, message_id, message_id, at=100 - number)
    here.messages.stamp("ada/c", Seq(1, "n2"), 1)
    here.messages.stamp("ada/a", Seq(1, "n1"), 1)
    assert here.messages.ids() == ["ada/a", "ada/c", "ada/d", "ada/b"]
    assert here.messages.unstamped() == ["ada/d", "ada/b"]
    assert here.messages.highest_seq() == 1
    assert here.messages[-1].seq is None
    assert [message.text for message in here.messages[:2]] == ["ada/a", "ada/c"]


def test_messages_written_apart_are_all_there_in_one_order(devices: Devices, meet: Meet) -> None:
    here, there = devices(2)
    say(here, "ada/a", "from here")
    say(there, "bob/b", "from there")
    meet(here, there)
    assert here.messages.ids() == there.messages.ids() == ["ada/a", "bob/b"]


def test_entries_without_a_required_key_are_not_shown(devices: Devices) -> None:
    (here,) = devices(1)
    root = here.doc.get("messages", type=Map)
    whole = {"role": "user", "author": {"user": "ada"}, "created_at": 1}
    for missing in whole:
        root[missing] = Map({key: value for key, value in whole.items() if key != missing} | {"text": Text()})
    root["text is no text"] = Map(whole | {"text": "plain"})
    root["not a map"] = 3
    assert (len(here.messages), list(here.messages), here.messages.get("role")) == (0, [], None)


def test_weird_values_of_other_fields_do_no_harm(devices: Devices) -> None:
    (here,) = devices(1)
    here.doc.get("messages", type=Map)["x"] = Map(
        {
            "role": 5,
            "author": [],
            "created_at": float("nan"),
            "status": None,
            "seq": "x",
            "attachments": 3,
            "more": b"x",
            "text": Text("t"),
        }
    )
    message = here.messages["x" in here.messages and 0]
    assert (message.role, message.author, message.created_at, message.seq) == ("user", Author(""), 0, None)
    assert (message.attachments, message.extra) == ((), {"more": "base64:eA=="})


def test_retracted_messages_stay_in_the_document_but_not_in_the_transcript(devices: Devices) -> None:
    (here,) = devices(1)
    say(here, "ada/a", "one")
    here.messages.set_status("ada/a", MessageStatus.RETRACTED)
    assert (len(here.messages), here.messages.ids(retracted=True)) == (0, ["ada/a"])
    assert here.messages.get("ada/a") is not None


def test_the_role_agent_is_stored_as_assistant_and_unknown_ones_are_refused(devices: Devices) -> None:
    (here,) = devices(1)
    message = here.messages.create("a/1", role="agent", author=ADA, created_at=1, text="hi")
    assert message.role == "assistant"
    with pytest.raises(ValueError, match="nobody"):
        here.messages.create("a/2", role="nobody", author=ADA, created_at=1)
    with pytest.raises(NotSerializable):
        here.messages.create("a/3", role="user", author=ADA, created_at=1, data={"x": object()})
    assert len(here.messages) == 1


def test_a_streamed_reply_is_one_item_and_costs_its_bytes_once(devices: Devices) -> None:
    (here,) = devices(1)
    here.messages.create(
        "agent:a/1", role="assistant", author=ADA, created_at=1, status=MessageStatus.STREAMING
    )
    empty = len(here.doc.get_update())
    for number in range(1000):
        here.messages.append_text("agent:a/1", f"tökén{number} ")
    text = here.messages[0].text
    assert len(here.doc.get_update()) - empty <= len(text.encode()) + 16


def test_bare_numbers_are_stamps_too() -> None:
    assert read_seq(3.0) == Seq(3, "")
    assert read_seq([2.0, "n"]) == Seq(2, "n")
    assert read_seq(True) is None
    assert read_seq(["x", "n"]) is None


def test_rewriting_touches_only_what_differs(devices: Devices, meet: Meet) -> None:
    here, there = devices(2)
    say(here, "ada/a", "Grüße 🏨 aus Köln")
    meet(here, there)
    rewrite(here.messages.text("ada/a"), "Grüße 🏨🏨 aus Köln")
    rewrite(there.messages.text("ada/a"), "Grüße 🏨 aus Köln am Rhein")
    meet(here, there)
    assert here.messages[0].text == there.messages[0].text == "Grüße 🏨🏨 aus Köln am Rhein"
    assert not rewrite(here.messages.text("ada/a"), here.messages[0].text)


def test_lengths_and_cuts_in_utf16_units(devices: Devices) -> None:
    (here,) = devices(1)
    say(here, "ada/a", "ä🏨b")
    assert utf16_length("ä🏨b") == 4
    assert slice_utf16("ä🏨b", 1, 3) == "🏨"
    assert slice_utf16("ä🏨b", 2) == "b"
    text = here.messages.text("ada/a")
    assert truncate(text, 3)
    assert str(text) == "ä🏨"
    assert not truncate(text, 3)
