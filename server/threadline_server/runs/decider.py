"""Writes decisions: each intent once, in log order, in the transaction that removes the intent."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import assert_never

from threadline.document.approvals import Approval
from threadline.document.intents import Intent
from threadline.document.lifecycle import Cause, RunStatus
from threadline.document.session_document import SessionDocument
from threadline.document.values import mapping_of, text_of
from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, Fence
from threadline_server.rooms.local_replica import LocalReplica
from threadline_server.runs.decisions import (
    DecideCall,
    Decision,
    Nothing,
    Rename,
    StartRun,
    StopRun,
    decide,
    in_order,
)


class Decider:
    """Decides the intents of one session under its lease.

    What may be decided once only, across workers that took over from each other, is first set in the
    backplane, where the first value wins; then it is written to the document, however often that is tried.
    """

    def __init__(
        self,
        backplane: Backplane,
        session: SessionId,
        replica: LocalReplica,
        document: SessionDocument,
        agents: Collection[str],
        default: str,
        fence: Fence,
        now_ms: Callable[[], int],
    ) -> None:
        self._backplane = backplane
        self._session = session
        self._replica = replica
        self._document = document
        self._agents = agents
        self._default = default
        self._fence = fence
        self._now_ms = now_ms
        self._arrived: list[str] = []

    async def settle(self) -> list[Decision]:
        """Decide every intent that is there and ours. Raises StoreError, and what ended the replica."""
        made: list[Decision] = []
        for intent_id in self._waiting():
            decision = decide(self._document, intent_id, self._agents, self._default)
            if decision is not None:
                made.append(await self._carry_out(intent_id, decision))
        return made

    def _waiting(self) -> list[str]:
        """Undecided intents in the order in which they came."""
        there = set(self._document.intents.ids())
        known = [intent_id for intent_id in self._arrived if intent_id in there]
        self._arrived = known + in_order(self._document, there.difference(known))
        return list(self._arrived)

    async def _carry_out(self, intent_id: str, decision: Decision) -> Decision:
        decision = await self._agreed(decision)
        with self._replica.edit():
            self._write(decision)
            self._document.intents.remove(intent_id)
        return decision

    async def _agreed(self, decision: Decision) -> Decision:
        """The decision that counts: this one, or that of a worker before us."""
        match decision:
            case StartRun():
                return await self._agreed_start(decision)
            case DecideCall():
                return await self._agreed_call(decision)
            case Rename():
                key, own = f"title:{decision.intent.id}", f"{self._fence.token}"
                won = await self._backplane.decide(self._session, key, own, self._fence)
                return decision if won == own else Nothing(decision.intent.id, "it was decided before")
        return decision

    async def _agreed_start(self, decision: StartRun) -> StartRun:
        own = json.dumps({"agent": decision.agent, "rejected": decision.fault is not None})
        won = await self._backplane.decide(self._session, f"run:{decision.intent.id}", own, self._fence)
        fields = mapping_of(json.loads(won))
        fault = decision.fault if fields.get("rejected") else None
        return replace(decision, agent=text_of(fields.get("agent"), decision.agent), fault=fault)

    async def _agreed_call(self, decision: DecideCall) -> DecideCall | Nothing:
        intent = decision.intent
        key = f"approval:{intent.run}:{intent.call}"
        won = await self._backplane.decide(self._session, key, intent.id, self._fence)
        return decision if won == intent.id else Nothing(intent.id, "another decision came first")

    # into the document

    def _write(self, decision: Decision) -> None:
        match decision:
            case StartRun():
                self._start(decision)
            case StopRun(intent=intent):
                self._stop(intent.run, intent, intent.reason)
            case DecideCall():
                self._decide_call(decision)
            case Rename(intent=intent):
                self._document.meta.title = intent.title
            case Nothing():
                pass
            case _:
                assert_never(decision)

    def _start(self, decision: StartRun) -> None:
        intent, now = decision.intent, self._now_ms()
        for run_id in decision.stop:
            reason = "rolled back" if decision.undo else "interrupted"
            self._stop(run_id, intent, reason, undo=decision.undo)
        run = self._document.runs.create(intent, at=now, agent=decision.agent, input_text=decision.input_text)
        if decision.steers:
            run.set(steers=decision.steers)
        if decision.fault is not None:
            run.transition(RunStatus.FAILED, Cause.DECIDER, at=now, error=decision.fault.to_json())

    def _stop(self, run_id: str, by: Intent, reason: str, *, undo: bool = False) -> None:
        """Note who stops a run. One in the queue ends here; one under way is ended by who executes it."""
        run = self._document.runs.writer(run_id)
        stopped_by = {"user": by.user, "device": by.device, "reason": reason, "undo": undo}
        if run.status is RunStatus.QUEUED:
            run.transition(RunStatus.CANCELLED, Cause.DECIDER, at=self._now_ms(), stopped_by=stopped_by)
        elif not run.status.is_terminal:
            run.set(stopped_by=stopped_by)

    def _decide_call(self, decision: DecideCall) -> None:
        intent = decision.intent
        approvals = self._document.runs.writer(intent.run).approvals
        pending = approvals.get(intent.call)
        assert isinstance(pending, Approval)
        approvals.put(
            replace(
                pending,
                status=decision.status,
                decided_by={"user": intent.user, "device": intent.device},
                decided_at=self._now_ms(),
                reason=intent.reason,
            )
        )
