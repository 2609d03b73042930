"""Write the golden fixtures that Python and TypeScript tests read. Run it after a change of the codec that
is meant, and read the difference before it is committed:

    python tests/document/make_fixtures.py
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from pycrdt import Doc, Map, Text

from threadline.document import digest as digests
from threadline.document.companion import CompanionDocument
from threadline.document.intents import ApprovalIntent, CancelIntent, OnBusy, RunIntent, TitleIntent, Verdict
from threadline.document.lifecycle import Cause, RunStatus
from threadline.document.messages import Author, MessageStatus, Seq
from threadline.document.order_key import Suffix, key_between
from threadline.document.runs import Usage
from threadline.document.session_document import SessionDocument
from threadline.document.state import FlatState, decode, difference, escape, replacement
from threadline.document.steps import Fault, StepType

FIXTURES = Path(__file__).parents[2] / "client_py" / "threadline" / "document" / "fixtures"


def suffix_source(first: int = 1) -> Suffix:
    """s0001V, s0002V, ...: what the fixtures use in place of randomness."""
    numbers = count(first)
    return lambda: f"s{next(numbers):04d}V"


def order_keys() -> list[dict[str, Any]]:
    pairs: list[tuple[str | None, str | None]] = [
        (None, None),
        ("a0s0001V", None),
        (None, "a0s0001V"),
        (None, "Zzs0001V"),
        ("Zzs0001V", None),
        ("azs0001V", None),
        ("bzzs0001V", None),
        (None, "b00s0001V"),
        (None, "Z0s0001V"),
        ("a0s0001V", "a1s0002V"),
        ("a0s0001V", "a2s0002V"),
        ("a0s0001V", "a0s0002V"),
        ("a0s0001V", "a0t0001V"),
        ("a0zzz", "a1V"),
        ("a0A", "a0B0001"),
        ("a0", "a0V"),
        ("zzzzzzzzzzzzzzzzzzzzzzzzzzzV", None),
        (None, "A00000000000000000000000000V"),
    ]
    cases = []
    for low, high in pairs:
        try:
            key: str | None = key_between(low, high, lambda: "s0009V")
        except ValueError:
            key = None
        cases.append({"low": low, "high": high, "suffix": "s0009V", "key": key})
    return cases


def state_decode() -> list[dict[str, Any]]:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("leaves", {"/a": 1, "/b": "x", "/c": None, "/d": True, "/e": 1.5}),
        (
            "nested dict",
            {"/trip/~{": True, "/trip/city": "Berlin", "/trip/dates/~{": True, "/trip/dates/in": 1},
        ),
        ("empty containers", {"/d/~{": True, "/l/~[": True}),
        ("list in order of its keys", {"/l/~[": True, "/l/*a1V": "second", "/l/*a0V": "first"}),
        ("list of dicts", {"/l/~[": True, "/l/*a0V/~{": True, "/l/*a0V/n": 1}),
        ("list of lists", {"/l/~[": True, "/l/*a0V/~[": True, "/l/*a0V/*a0V": 1}),
        ("escapes", {"/a~1b": 1, "/m~0n": 2, "/~2star": 3, "/": 4, "/d/~{": True, "/d/~2x~1y": 5}),
        ("a container beats a scalar", {"/t": 5, "/t/~{": True, "/t/x": 1}),
        ("a list marker beats a dict marker", {"/t/~{": True, "/t/~[": True, "/t/x": 1, "/t/*a0V": 2}),
        ("a dict without its marker, written concurrently with its removal", {"/t/x": 1}),
        ("a list without its marker", {"/t/*a0V": 1}),
        ("an element without its marker is gone", {"/l/~[": True, "/l/*a0V/qty": 3, "/l/*a1V": "kept"}),
        ("an element is a scalar with a leftover beneath", {"/l/~[": True, "/l/*a0V": 1, "/l/*a0V/qty": 3}),
        (
            "order keys that are none are ignored",
            {"/l/~[": True, "/l/*": 1, "/l/*a0": 2, "/l/*a00": 3, "/l/*ä1": 4},
        ),
        ("marks that are unknown are ignored", {"/a": 1, "/a/~@": 99, "/b/~?": True, "/c/~~": 1, "/d~": 2}),
        ("a foreign key is a top-level leaf", {"budget": 150, "trip/x": 1}),
        (
            "the pointer form beats a foreign key",
            {"budget": 150, "/budget": 200, "trip": 1, "/trip/~{": True},
        ),
        ("json in one leaf", {"/a": {"b": [1, {"c": None}]}}),
        ("segments beneath a mark are ignored", {"/a/~{/b": 1}),
    ]
    return [{"name": name, "entries": entries, "value": decode(entries)} for name, entries in cases]


def state_write() -> list[dict[str, Any]]:
    cart = {"cart": [{"name": "pen", "qty": 1}, {"name": "ink", "qty": 2}]}
    cases: list[tuple[str, dict[str, Any], str, Any, bool]] = [
        ("a scalar", {}, "budget", 150, False),
        ("an equal scalar is not touched", {"budget": 150}, "budget", 150, False),
        ("true is not 1", {"flag": True}, "flag", 1, False),
        ("a dict", {}, "trip", {"city": "Berlin", "dates": {}, "tags": []}, False),
        (
            "one field of a dict",
            {"trip": {"city": "Berlin", "nights": 2}},
            "trip",
            {"city": "Rome", "nights": 2},
            False,
        ),
        ("a field less", {"trip": {"city": "Berlin", "nights": 2}}, "trip", {"city": "Berlin"}, False),
        ("a dict becomes a scalar", {"trip": {"city": "Berlin"}}, "trip", "none", False),
        ("a scalar becomes a list", {"trip": "none"}, "trip", ["a", "b"], False),
        ("append", {"l": ["a", "b"]}, "l", ["a", "b", "c"], False),
        ("prepend", {"l": ["a", "b"]}, "l", ["z", "a", "b"], False),
        ("insert between", {"l": ["a", "b"]}, "l", ["a", "x", "y", "b"], False),
        ("remove the first", {"l": ["a", "b", "c"]}, "l", ["b", "c"], False),
        ("remove and append", {"l": ["a", "b"]}, "l", ["b", "x"], False),
        ("a scalar element is edited in place", {"l": ["a", "b", "c"]}, "l", ["a", "x", "c"], False),
        (
            "a field of an element",
            cart,
            "cart",
            [{"name": "pen", "qty": 5}, {"name": "ink", "qty": 2}],
            False,
        ),
        (
            "another element takes the place",
            cart,
            "cart",
            [{"name": "cup", "qty": 1}, {"name": "ink", "qty": 2}],
            False,
        ),
        (
            "elements change places",
            cart,
            "cart",
            [{"name": "ink", "qty": 2}, {"name": "pen", "qty": 1}],
            False,
        ),
        (
            "elements without a name, one field equal",
            {"l": [{"x": 1, "y": 1}]},
            "l",
            [{"x": 1, "y": 2}],
            False,
        ),
        ("elements without a name, nothing equal", {"l": [{"x": 1, "y": 1}]}, "l", [{"x": 2, "y": 2}], False),
        ("lists in lists", {"l": [[1], [2, 3]]}, "l", [[1], [2, 4], [5]], False),
        ("keys that need escapes", {}, "a/b~*", {"*x": 1, "~y": {"/": 2}, "": 3}, False),
        ("replaced as a whole", {"l": ["a", "b"]}, "l", ["a", "b"], True),
        ("a replaced dict", {"trip": {"city": "Berlin", "nights": 2}}, "trip", {"city": "Berlin"}, True),
    ]
    return [_write_case(*case) for case in cases]


def _write_case(name: str, before: dict[str, Any], key: str, value: Any, whole: bool) -> dict[str, Any]:
    doc: Doc[Any] = Doc()
    suffix = suffix_source()
    state = FlatState(doc.get("state", type=Map), suffix=suffix)
    for top, item in before.items():
        state.set(top, item)
    entries = _entries(doc)
    first = int(suffix()[1:5]) + 1
    plan = replacement if whole else difference
    path = "/" + escape(key)
    change = plan(entries, path, value, suffix_source(first))
    after = {k: v for k, v in entries.items() if k not in change.delete} | change.set
    return {
        "name": name,
        "entries": entries,
        "key": key,
        "value": value,
        "whole": whole,
        "first_suffix": first,
        "set": dict(sorted(change.set.items())),
        "delete": sorted(change.delete),
        "after": decode(after),
    }


def _entries(doc: Doc[Any]) -> dict[str, Any]:
    stored = digests.content(doc, {"state": Map})["state"]
    assert isinstance(stored, dict)
    return dict(sorted(stored.items()))


def canonical_values() -> list[dict[str, Any]]:
    values: list[Any] = [
        None,
        True,
        0,
        -0.0,
        1.0,
        -1,
        0.1,
        1.5e-7,
        1e-6,
        123456789.125,
        1e20,
        1e21,
        1.7976931348623157e308,
        5e-324,
        2**53 - 1,
        "",
        'quote " backslash \\ newline \n tab \t bell \u0007 del \u007f',
        "é 日本 😀   ",
        [],
        {},
        {"b": [1, 2], "a": {"": None}, "é": 1, "\U0001f600": 2, "\uffff": 3},
    ]
    return [
        {"json": value, "canonical": digests.canonical(value), "sha256": digests.digest(value)}
        for value in values
    ]


def session(client_id: int = 7) -> SessionDocument:
    """One session with something of everything in it."""
    document = SessionDocument(Doc(client_id=client_id), suffix=suffix_source())
    document.meta.schema = 1
    document.meta.title = "Berlin in May"
    document.meta.context.set("location", {"city": "Köln", "timezone": "Europe/Berlin"})
    document.state.set("budget", 150)
    document.state.set("cart", [{"name": "pen", "qty": 1}, {"name": "ink 🖋", "qty": 2.5}])
    document.counters.add("views", 3)
    _write_messages(document)
    _write_intents(document)
    _write_run(document)
    return document


def _write_messages(document: SessionDocument) -> None:
    ada, bob = Author("ada", "phone", "Ada"), Author("bob", "laptop", "Bob")
    messages = document.messages
    messages.create("ada/1", role="user", author=ada, created_at=1000, text="Find hotels in Berlin")
    messages.create(
        "bob/1", role="user", author=bob, created_at=900, text="Under $150 a night", parent="ada/1"
    )
    messages.create("ada/2", role="user", author=ada, created_at=2000, text="never mind")
    messages.create("ada/3", role="user", author=ada, created_at=5000, text="not stamped yet")
    messages.create("bob/2", role="user", author=bob, created_at=4000, text="nor this", data={"x": [1]})
    messages.stamp("ada/1", Seq(1, "n1"), 1010)
    messages.stamp("bob/1", Seq(2, "n2"), 1020)
    messages.stamp("ada/2", Seq(2, "n1"), 1030)
    messages.set_status("ada/2", MessageStatus.RETRACTED)
    root = document.doc.get("messages", type=Map)
    root["ada/4"] = Map({"role": "user", "created_at": 1, "text": Text("an author is missing")})
    root["ada/5"] = "not a message"


def _write_intents(document: SessionDocument) -> None:
    add = document.intents.add
    add(
        RunIntent(
            id="ada/r1",
            device="phone",
            at=1001,
            message="ada/1",
            agent="travel",
            limits={"max_steps": 3},
            on_busy=OnBusy.STEER,
            tools=("find_hotels",),
        )
    )
    add(CancelIntent(id="bob/c1", device="laptop", at=1002, run="ada/r1", reason="enough"))
    add(
        ApprovalIntent(
            id="bob/a1",
            device="laptop",
            at=1003,
            run="ada/r1",
            call="call-1",
            decision=Verdict.APPROVE,
            arguments_hash="0123456789abcdef",
        )
    )
    add(TitleIntent(id="ada/t1", device="phone", at=1004, title="Berlin"))
    document.doc.get("intents", type=Map)["ada/x"] = {"kind": "later", "at": 1}


def _write_run(document: SessionDocument) -> None:
    intent = document.intents.get("ada/r1")
    assert isinstance(intent, RunIntent)
    run = document.runs.create(intent, at=1100, agent="travel", input_text="Find hotels in Berlin")
    run.transition(RunStatus.RUNNING, Cause.WORKER, at=1200, attempt=1)
    thought = run.steps.begin(StepType.THINKING, at=1200)
    thought.text.insert(0, "A city: Berlin 🏨.")
    thought.end(1210)
    call = run.steps.begin(
        StepType.TOOL_CALL, at=1210, call="call-1", name="find_hotels", input={"city": "Berlin"}
    )
    call.end(1230)
    run.steps.begin(
        StepType.TOOL_RESULT, at=1230, call="call-1", name="find_hotels", output=["Adler", "Bär"]
    ).end(1230)
    run.steps.begin(
        StepType.ERROR, at=1231, name="book", error=Fault("tool_failed", "no rooms").to_json()
    ).end(1231)
    document.messages.create(
        "agent:travel/m1",
        role="assistant",
        author=Author("agent:travel", "", "travel"),
        created_at=1240,
        status=MessageStatus.STREAMING,
        run="ada/r1",
        parent="ada/1",
    )
    run.set(message="agent:travel/m1")
    answer = run.steps.begin(StepType.OUTPUT, at=1240, start=0)
    for piece in ("Two hotels 🏨: ", "Adler ", "and Bär."):
        document.messages.append_text("agent:travel/m1", piece)
    answer.end(1290, end=31)
    run.set_usage(Usage(20, 9, "estimate"))
    document.messages.set_status("agent:travel/m1", MessageStatus.COMPLETE)
    run.transition(RunStatus.COMPLETED, Cause.WORKER, at=1300)


def session_fixture() -> dict[str, Any]:
    document = session()
    return {
        "update": document.doc.get_update().hex(),
        "content": json.loads(digests.canonical(digests.content(document.doc, digests.SESSION_ROOTS))),
        "digest": document.digest(),
        "title": document.meta.title,
        "context": document.meta.context.to_dict(),
        "state": document.state.to_dict(),
        "counters": document.counters.to_dict(),
        "transcript": document.messages.ids(),
        "transcript_with_retracted": document.messages.ids(retracted=True),
        "unstamped": document.messages.unstamped(),
        "intents": [intent.id for intent in document.intents.by_time()],
        "runs": document.runs.ids(),
        "events": [event.to_json() for event in document.events("ada/r1")],
        "events_after_5_output_11": [event.to_json() for event in document.events("ada/r1", "5.output.11")],
    }


def foreign_values() -> dict[str, Any]:
    """What only a foreign peer writes, as the bytes of an update, and how every reader sees it."""
    entries: dict[str, Any] = {
        "/nan": float("nan"),
        "/inf": float("inf"),
        "/bytes": b"\x00\xff",
        "/big": 2**60,
        "/float": 2.0**60,
        "/nested": {"a": [float("-inf"), b"x"]},
    }
    doc: Doc[Any] = Doc(client_id=9)
    root = doc.get("state", type=Map)
    for key, value in entries.items():
        root[key] = value
    root["/shared"] = Map({"x": 1})
    document = SessionDocument(doc)
    return {
        "update": doc.get_update().hex(),
        "canonical_state": digests.canonical(digests.content(doc, {"state": Map})["state"]),
        "digest": document.digest(),
    }


def companion() -> dict[str, Any]:
    document = CompanionDocument(Doc(client_id=8))
    document.draft.text = "Under $150 🏨"
    document.draft.text = "Under $120 🏨 a night"
    document.read.mark("phone", 3)
    document.read.mark("laptop", 5)
    document.state.set("theme", "dark")
    return {
        "update": document.doc.get_update().hex(),
        "draft": document.draft.text,
        "read_up_to": document.read.up_to,
        "state": document.state.to_dict(),
        "digest": document.digest(),
    }


def main() -> None:
    fixtures = {
        "order_keys": order_keys(),
        "state_decode": state_decode(),
        "state_write": state_write(),
        "canonical": canonical_values(),
        "session": session_fixture(),
        "foreign_values": foreign_values(),
        "companion": companion(),
    }
    FIXTURES.mkdir(exist_ok=True)
    for name, value in fixtures.items():
        text = json.dumps(value, indent=1, ensure_ascii=True)
        (FIXTURES / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
