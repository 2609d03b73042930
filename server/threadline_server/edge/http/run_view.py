"""A run as HTTP shows it: the names that callers of agent APIs know."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from threadline.document.approvals import Approval
from threadline.document.runs import Run, Usage
from threadline.document.session_document import SessionDocument
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


class UsageView(BaseModel):
    """`source` says whether the model `reported` the numbers or they are an `estimate`; `cost_usd` is null
    where the price of the model is not known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    source: str = "estimate"
    cost_usd: float | None = None


class ApprovalView(BaseModel):
    """A call that waits for somebody's word (`status` is `pending`), or what was said."""

    call: str
    tool: str
    arguments: Any
    status: str
    decided_by: Any
    reason: str


class RunView(BaseModel):
    id: str
    status: str
    agent: str
    goal: str
    context: Any
    limits: LimitsView
    model: str
    steps: list[StepView]
    output: str
    approvals: list[ApprovalView]
    tokens_used: int
    usage: UsageView
    tool_calls: int
    duration_ms: int | None
    attempt: int
    error: FaultView | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


def view_of_run(run: Run, document: SessionDocument) -> RunView:
    limits = run.limits
    reply = document.messages.get(run.message) if run.message else None
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
        output="" if reply is None else reply.text,
        approvals=[_view_of_approval(approval) for approval in run.approvals],
        tokens_used=run.usage.total_tokens,
        usage=view_of_usage(run.usage),
        tool_calls=run.tool_calls,
        duration_ms=run.duration_ms,
        attempt=run.attempt,
        error=_view_of_fault(run.error),
        created_at=time_of(run.created_at),
        started_at=None if run.started_at is None else time_of(run.started_at),
        ended_at=None if run.ended_at is None else time_of(run.ended_at),
    )


def view_of_usage(usage: Usage) -> UsageView:
    return UsageView(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        source=usage.source,
        cost_usd=usage.cost_usd,
    )


def _view_of_approval(approval: Approval) -> ApprovalView:
    return ApprovalView(
        call=approval.call,
        tool=approval.tool,
        arguments=approval.arguments,
        status=approval.status,
        decided_by=approval.decided_by,
        reason=approval.reason,
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
