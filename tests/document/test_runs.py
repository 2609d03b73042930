from __future__ import annotations

from collections.abc import Callable

import pytest
from pycrdt import Array, Map

from threadline.document.approvals import Approval, ApprovalStatus, arguments_hash
from threadline.document.intents import RunIntent
from threadline.document.lifecycle import Cause, IllegalTransition, RunStatus
from threadline.document.runs import Limits, Usage
from threadline.document.session_document import SessionDocument
from threadline.document.steps import StepType
from threadline.document.values import JSON

Devices = Callable[[int], list[SessionDocument]]
INTENT = RunIntent(id="ada/1", device="phone", at=1, message="ada/m", goal="g", limits={"max_steps": 2})


def test_a_run_takes_over_what_was_asked(devices: Devices) -> None:
    (here,) = devices(1)
    here.runs.create(INTENT, at=5, agent="travel", input_text="hello")
    run = here.runs.get("ada/1")
    assert run is not None
    assert (run.status, run.agent, run.goal, run.number) == (RunStatus.QUEUED, "travel", "g", 1)
    assert run.input == {"message": "ada/m", "text": "hello"}
    assert run.limits == Limits(max_steps=2)
    assert run.requested_by == {"user": "ada", "device": "phone"}
    assert (run.duration_ms, run.attempt, run.tools, run.steps) == (None, 0, None, ())
    with pytest.raises(ValueError, match="already"):
        here.runs.create(INTENT, at=6, agent="travel")


def test_every_change_of_state_goes_through_the_table(devices: Devices) -> None:
    (here,) = devices(1)
    run = here.runs.create(INTENT, at=5, agent="travel")
    with pytest.raises(IllegalTransition):
        run.transition(RunStatus.WAITING, Cause.WORKER, at=6)
    run.transition(RunStatus.RUNNING, Cause.WORKER, at=7, attempt=1)
    run.transition(RunStatus.WAITING, Cause.WORKER, at=8, waiting_for="approval")
    assert here.runs.fields("ada/1").waiting_for == "approval"
    run.transition(RunStatus.RUNNING, Cause.WORKER, at=9)
    assert here.runs.fields("ada/1").waiting_for == ""
    assert here.runs.active() == "ada/1"
    run.transition(RunStatus.FAILED, Cause.WORKER, at=10, error={"code": "x", "message": "y"})
    snapshot = here.runs.get("ada/1")
    assert snapshot is not None
    assert (snapshot.started_at, snapshot.ended_at, snapshot.duration_ms) == (7, 10, 3)
    assert snapshot.error is not None
    assert snapshot.error.code == "x"
    assert (here.runs.active(), here.runs.unfinished()) == (None, [])
    with pytest.raises(IllegalTransition):
        run.transition(RunStatus.RUNNING, Cause.WORKER, at=11)


def test_runs_are_in_the_order_of_their_decisions(devices: Devices) -> None:
    (here,) = devices(1)
    for number, name in enumerate("zya"):
        here.runs.create(RunIntent(id=f"ada/{name}"), at=number, agent="a")
    assert here.runs.ids() == ["ada/z", "ada/y", "ada/a"]
    latest = here.runs.latest()
    assert latest is not None
    assert latest.id == "ada/a"
    assert [run.number for run in here.runs] == [1, 2, 3]


def test_a_step_left_open_is_closed_by_the_next_worker(devices: Devices) -> None:
    (here,) = devices(1)
    run = here.runs.create(INTENT, at=5, agent="travel")
    run.steps.begin(StepType.TOOL_CALL, at=6, call="c", name="t", input={}).end(8)
    assert run.close_open_step(9) is None
    run.steps.begin(StepType.OUTPUT, at=9, start=4)
    left = run.close_open_step(12)
    assert left is not None
    assert (left.type, left.start) == (StepType.OUTPUT, 4)
    assert (run.steps[-1].end, run.steps[-1].duration_ms, len(run.steps)) == (4, 3, 2)


def test_approvals_are_listed_in_the_order_they_were_asked(devices: Devices) -> None:
    (here,) = devices(1)
    run = here.runs.create(INTENT, at=5, agent="travel")
    arguments: JSON = {"hotel": "Adler", "nights": 2.0}
    asked = Approval("c2", "book", arguments, arguments_hash(arguments), asked_at=7, expires_at=99)
    run.approvals.put(asked)
    run.approvals.put(Approval("c1", "book", {}, "", asked_at=6, status=ApprovalStatus.APPROVED))
    assert [approval.call for approval in run.approvals] == ["c1", "c2"]
    assert run.approvals.pending() == [asked]
    assert arguments_hash({"nights": 2, "hotel": "Adler"}) == asked.arguments_hash


def test_usage_and_limits() -> None:
    assert Usage(2, 3, "exact").total_tokens == 5
    assert Limits.from_json({"max_steps": 0, "max_tokens": "x", "timeout_seconds": 1}) == Limits(
        timeout_seconds=1
    )
    assert Limits.from_json(None) == Limits(10, 4000, 120)


def test_entries_of_another_shape_are_no_runs(devices: Devices) -> None:
    (here,) = devices(1)
    root = here.doc.get("runs", type=Map)
    root["a"] = 1
    root["b"] = Map({"number": 1, "status": "running"})
    root["c"] = Map({"number": 1, "status": "odd", "steps": Array([1]), "approvals": Map({"x": 2})})
    assert here.runs.ids() == ["c"]
    run = here.runs.get("c")
    assert run is not None
    assert (run.status, run.steps[0].type, run.approvals) == (RunStatus.FAILED, "", ())
