"""A run as HTTP shows it: the names that callers of agent APIs know."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from threadline.document.runs import Run
from threadline.document.steps import Fault, Step
from threadline_server.edge.http.times import time_of

NOT_STARTED = "created"


class FaultView(BaseModel):
    code: str
    message: str


class StepView(BaseModel):
    """`type` is thinking, tool_call, tool_result, output or error."""

    number: int
    type: str
    name: str
    input: Any
    output: Any
    duration_ms: int | None
    error: FaultView | None


class LimitsView(BaseModel):
    max_steps: int
    max_tokens: int
    timeout_seconds: int


class RunView(BaseModel):
    id: str
    status: str
    agent: str
    goal: str
    context: Any
    limits: LimitsView
    model: str
    steps: list[StepView]
    tokens_used: int
    tool_calls: int
    duration_ms: int | None
    attempt: int
    error: FaultView | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


def view_of_run(run: Run) -> RunView:
    limits = run.limits
    return RunView(
        id=run.id,
        status=run.status,
        agent=run.agent,
        goal=run.goal,
        context=run.context,
        limits=LimitsView(
            max_steps=limits.max_steps,
            max_tokens=limits.max_tokens,
            timeout_seconds=limits.timeout_seconds,
        ),
        model=run.model,
        steps=[_view_of_step(step) for step in run.steps],
        tokens_used=run.usage.total_tokens,
        tool_calls=run.tool_calls,
        duration_ms=run.duration_ms,
        attempt=run.attempt,
        error=_view_of_fault(run.error),
        created_at=time_of(run.created_at),
        started_at=None if run.started_at is None else time_of(run.started_at),
        ended_at=None if run.ended_at is None else time_of(run.ended_at),
    )


def _view_of_step(step: Step) -> StepView:
    return StepView(
        number=step.number,
        type=step.type,
        name=step.name,
        input=step.input,
        output=step.text if step.output is None else step.output,
        duration_ms=step.duration_ms,
        error=_view_of_fault(step.error),
    )


def _view_of_fault(fault: Fault | None) -> FaultView | None:
    return None if fault is None else FaultView(code=fault.code, message=fault.message)
