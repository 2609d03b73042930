"""From what devices ask to what is done: one intent, looked at against the document, gives one decision.

Pure: the decider looks at intents in log order, and writes each decision before it looks at the next.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from threadline.document.approvals import ApprovalStatus
from threadline.document.intents import (
    ApprovalIntent,
    CancelIntent,
    Intent,
    OnBusy,
    RunIntent,
    TitleIntent,
    Verdict,
)
from threadline.document.session_document import SessionDocument
from threadline.document.steps import Fault

BUSY = Fault("busy", "Another run was active, and this one was not to wait.")


@dataclass(frozen=True, slots=True)
class StartRun:
    """Create the run, or create it failed where there is a `fault`. `stop` are runs that make way for it,
    `steers` is the one that may take its message in.
    """

    intent: RunIntent
    agent: str
    input_text: str
    fault: Fault | None = None
    stop: tuple[str, ...] = ()
    undo: bool = False
    steers: str = ""


@dataclass(frozen=True, slots=True)
class StopRun:
    intent: CancelIntent


@dataclass(frozen=True, slots=True)
class DecideCall:
    intent: ApprovalIntent
    status: ApprovalStatus


@dataclass(frozen=True, slots=True)
class Rename:
    intent: TitleIntent


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to do, and why."""

    intent_id: str
    reason: str


Decision: TypeAlias = StartRun | StopRun | DecideCall | Rename | Nothing


def decide(
    document: SessionDocument, intent_id: str, agents: Collection[str], default: str
) -> Decision | None:
    """What to do about an intent; None where it is for an agent that is not among `agents`."""
    intent = document.intents.get(intent_id)
    match intent:
        case RunIntent():
            return _run(document, intent, agents, default)
        case CancelIntent():
            return _cancel(document, intent)
        case ApprovalIntent():
            return _approval(document, intent)
        case TitleIntent():
            return Rename(intent)
    return Nothing(intent_id, "it is not an intent")


def in_order(document: SessionDocument, intent_ids: Collection[str]) -> list[str]:
    """Intents that arrived together: by their messages' places in the transcript, else by their devices'
    clocks.
    """
    return sorted(
        intent_ids, key=lambda intent_id: _place(document, document.intents.get(intent_id), intent_id)
    )


def _place(document: SessionDocument, intent: Intent | None, intent_id: str) -> tuple[float, int, str]:
    message = document.messages.get(intent.message or "") if isinstance(intent, RunIntent) else None
    number = message.seq.number if message is not None and message.seq is not None else float("inf")
    return number, 0 if intent is None else intent.at, intent_id


def _run(
    document: SessionDocument, intent: RunIntent, agents: Collection[str], default: str
) -> StartRun | Nothing | None:
    if intent.id in document.runs:
        return Nothing(intent.id, "its run is there")
    agent = intent.agent or default
    if agent not in agents:
        return None
    message = document.messages.get(intent.message) if intent.message else None
    text = message.text if message is not None else ""
    unfinished = document.runs.unfinished()
    if not unfinished:
        return StartRun(intent, agent, text)
    match intent.on_busy:
        case OnBusy.REJECT:
            return StartRun(intent, agent, text, fault=BUSY)
        case OnBusy.INTERRUPT | OnBusy.ROLLBACK:
            undo = intent.on_busy is OnBusy.ROLLBACK
            return StartRun(intent, agent, text, stop=tuple(unfinished), undo=undo)
        case OnBusy.STEER:
            return StartRun(intent, agent, text, steers=document.runs.active() or "")
    return StartRun(intent, agent, text)


def _cancel(document: SessionDocument, intent: CancelIntent) -> StopRun | Nothing | None:
    status = document.runs.status(intent.run)
    if status is None:
        # Cancelled before it was decided: both intents are here, and the run's is looked at first or never.
        return None if intent.run in document.intents.ids() else Nothing(intent.id, "there is no such run")
    return Nothing(intent.id, f"the run is {status}") if status.is_terminal else StopRun(intent)


def _approval(document: SessionDocument, intent: ApprovalIntent) -> DecideCall | Nothing:
    run = document.runs.get(intent.run)
    approval = next((a for a in run.approvals if a.call == intent.call), None) if run is not None else None
    if approval is None:
        return Nothing(intent.id, "there is no such call")
    if approval.status != ApprovalStatus.PENDING:
        return Nothing(intent.id, f"the call is {approval.status}")
    if intent.arguments_hash and intent.arguments_hash != approval.arguments_hash:
        return Nothing(intent.id, "the call's arguments are not those that were shown")
    approved = intent.decision is Verdict.APPROVE
    return DecideCall(intent, ApprovalStatus.APPROVED if approved else ApprovalStatus.REJECTED)
