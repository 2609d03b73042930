"""Decisions are pure: a document and an intent give one, and nothing is written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pycrdt import Doc

from threadline.document.approvals import Approval, ApprovalStatus
from threadline.document.intents import (
    ApprovalIntent,
    CancelIntent,
    Intent,
    OnBusy,
    RunIntent,
    TitleIntent,
    Verdict,
)
from threadline.document.lifecycle import Cause, RunStatus
from threadline.document.messages import Author, Seq
from threadline.document.session_document import SessionDocument
from threadline_server.runs.decisions import (
    BUSY,
    DecideCall,
    Decision,
    Nothing,
    Rename,
    StartRun,
    StopRun,
    decide,
    in_order,
)

ASK = RunIntent(id="ada/r", device="phone", at=1, message="ada/m")


def a_document() -> SessionDocument:
    document = SessionDocument(Doc())
    document.messages.create("ada/m", role="user", author=Author("ada"), created_at=1, text="hello")
    return document


def ask(document: SessionDocument, intent: Intent, agents: tuple[str, ...] = ("a", "b")) -> Decision | None:
    if document.intents.get(intent.id) is None:
        document.intents.add(intent)
    before = document.doc.get_state()
    decision = decide(document, intent.id, agents, agents[0])
    assert document.doc.get_state() == before
    return decision


def test_a_run_starts_with_what_was_said() -> None:
    assert ask(a_document(), ASK) == StartRun(ASK, "a", "hello")
    named = replace(ASK, agent="b")
    assert ask(a_document(), named) == StartRun(named, "b", "hello")


def test_an_intent_for_an_agent_elsewhere_is_not_ours() -> None:
    assert ask(a_document(), replace(ASK, agent="c")) is None


def test_a_run_that_is_there_is_not_started_again() -> None:
    document = a_document()
    document.runs.create(ASK, at=1, agent="a")
    assert isinstance(ask(document, ASK), Nothing)


@pytest.mark.parametrize(
    ("on_busy", "expected"),
    [
        (OnBusy.ENQUEUE, {}),
        (OnBusy.STEER, {}),
        (OnBusy.REJECT, {"fault": BUSY}),
        (OnBusy.INTERRUPT, {"stop": ("bob/r",)}),
        (OnBusy.ROLLBACK, {"stop": ("bob/r",), "undo": True}),
    ],
)
def test_what_happens_while_another_is_active(on_busy: OnBusy, expected: dict[str, object]) -> None:
    document = a_document()
    document.runs.create(RunIntent(id="bob/r"), at=1, agent="a")
    intent = replace(ASK, on_busy=on_busy)
    decision = ask(document, intent)
    assert isinstance(decision, StartRun)
    assert decision == replace(StartRun(intent, "a", "hello"), **expected)  # type: ignore[arg-type]


def test_cancelling() -> None:
    document = a_document()
    cancel = CancelIntent(id="bob/c", run="ada/r")
    assert isinstance(ask(document, cancel), Nothing)
    document.intents.add(ASK)
    assert ask(document, cancel) is None
    run = document.runs.create(ASK, at=1, agent="a")
    assert ask(document, cancel) == StopRun(cancel)
    run.transition(RunStatus.CANCELLED, Cause.DECIDER, at=2)
    assert isinstance(ask(document, cancel), Nothing)


def test_deciding_a_call() -> None:
    document = a_document()
    run = document.runs.create(ASK, at=1, agent="a")
    approve = ApprovalIntent(id="bob/a", run="ada/r", call="c", decision=Verdict.APPROVE, arguments_hash="h")
    assert isinstance(ask(document, approve), Nothing)
    pending = Approval("c", "book", {}, "h", asked_at=1)
    run.approvals.put(pending)
    assert ask(document, approve) == DecideCall(approve, ApprovalStatus.APPROVED)
    other_arguments = replace(approve, id="bob/b", arguments_hash="x")
    assert isinstance(ask(document, other_arguments), Nothing)
    reject = replace(approve, id="bob/d", decision=Verdict.REJECT, arguments_hash="")
    assert ask(document, reject) == DecideCall(reject, ApprovalStatus.REJECTED)
    run.approvals.put(replace(pending, status=ApprovalStatus.APPROVED))
    assert isinstance(ask(document, reject), Nothing)


def test_renaming_and_nonsense() -> None:
    document = a_document()
    title = TitleIntent(id="bob/t", title="Berlin")
    assert ask(document, title) == Rename(title)
    assert isinstance(decide(document, "bob/unknown", ("a",), "a"), Nothing)


def test_intents_that_arrive_together_are_in_the_order_of_their_messages() -> None:
    document = a_document()
    for number, message in ((2, "bob/1"), (1, "ada/1")):
        user = message.partition("/")[0]
        document.messages.create(message, role="user", author=Author(user), created_at=1)
        document.messages.stamp(message, Seq(number, "n"), 1)
    document.intents.add(RunIntent(id="bob/first", at=1, message="bob/1"))
    document.intents.add(RunIntent(id="ada/second", at=9, message="ada/1"))
    document.intents.add(CancelIntent(id="ada/later", at=5, run="x"))
    document.intents.add(CancelIntent(id="ada/sooner", at=4, run="x"))
    order = in_order(document, document.intents.ids())
    assert order == ["ada/second", "bob/first", "ada/sooner", "ada/later"]
