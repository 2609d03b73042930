"""Golden fixtures: what Python says must be what the files say. TypeScript is held to the same files."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from pycrdt import Doc, Map

from threadline.document import digest as digests
from threadline.document.companion import CompanionDocument
from threadline.document.order_key import key_between
from threadline.document.session_document import SessionDocument
from threadline.document.state import decode, difference, escape, replacement

Fixture = Callable[[str], Any]


def numbered(first: int) -> Callable[[], str]:
    numbers = count(first)
    return lambda: f"s{next(numbers):04d}V"


def test_order_keys(golden: Fixture) -> None:
    for case in golden("order_keys"):
        if case["key"] is None:
            with pytest.raises(ValueError, match="order key"):
                key_between(case["low"], case["high"])
        else:
            key = key_between(case["low"], case["high"], numbered(9))
            assert key == case["key"]
            assert (case["low"] or "") < key
            assert case["high"] is None or key < case["high"]


def test_state_is_decoded(golden: Fixture) -> None:
    for case in golden("state_decode"):
        assert decode(case["entries"]) == case["value"], case["name"]


def test_state_is_written_by_difference(golden: Fixture) -> None:
    for case in golden("state_write"):
        plan = replacement if case["whole"] else difference
        path = "/" + escape(case["key"])
        change = plan(case["entries"], path, case["value"], numbered(case["first_suffix"]))
        assert (change.set, sorted(change.delete)) == (case["set"], case["delete"]), case["name"]
        after = {k: v for k, v in case["entries"].items() if k not in change.delete} | change.set
        assert decode(after) == case["after"], case["name"]
        assert decode(after)[case["key"]] == case["value"], case["name"]


def test_canonical_json(golden: Fixture) -> None:
    for case in golden("canonical"):
        assert digests.canonical(case["json"]) == case["canonical"]
        assert digests.digest(case["json"]) == case["sha256"]


def test_a_whole_session(golden: Fixture) -> None:
    case = golden("session")
    document = SessionDocument(Doc())
    document.doc.apply_update(bytes.fromhex(case["update"]))
    assert digests.content(document.doc, digests.SESSION_ROOTS) == case["content"]
    assert document.digest() == case["digest"]
    assert document.meta.title == case["title"]
    assert document.meta.context.to_dict() == case["context"]
    assert document.state.to_dict() == case["state"]
    assert document.counters.to_dict() == case["counters"]
    assert document.messages.ids() == case["transcript"]
    assert document.messages.ids(retracted=True) == case["transcript_with_retracted"]
    assert document.messages.unstamped() == case["unstamped"]
    assert [intent.id for intent in document.intents.by_time()] == case["intents"]
    assert document.runs.ids() == case["runs"]
    assert [event.to_json() for event in document.events("ada/r1")] == case["events"]
    later = document.events("ada/r1", "5.output.11")
    assert [event.to_json() for event in later] == case["events_after_5_output_11"]


def test_values_of_foreign_peers(golden: Fixture) -> None:
    case = golden("foreign_values")
    document = SessionDocument(Doc())
    document.doc.apply_update(bytes.fromhex(case["update"]))
    content = digests.content(document.doc, {"state": Map})
    assert digests.canonical(content["state"]) == case["canonical_state"]
    assert document.digest() == case["digest"]
    assert document.state.get("nan", 1) is None
    assert document.state.get("bytes") == "base64:AP8="


def test_a_companion(golden: Fixture) -> None:
    case = golden("companion")
    document = CompanionDocument(Doc())
    document.doc.apply_update(bytes.fromhex(case["update"]))
    assert document.draft.text == case["draft"]
    assert document.read.up_to == case["read_up_to"]
    assert document.state.to_dict() == case["state"]
    assert document.digest() == case["digest"]
