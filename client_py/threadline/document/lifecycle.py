"""The life of a run, as one table.

A run is created `queued` by the decider. Who may cause a transition:

* *decider*: the holder of the session's lease, turning intents into decisions;
* *worker*: whoever executes the run under that lease;
* *upkeep*: the scan that ends runs which nobody can continue.

Devices cause nothing themselves: they ask by intent. Terminal states are final.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from threadline.errors import SessionError


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    MAX_STEPS_REACHED = "max_steps_reached"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL

    @property
    def is_active(self) -> bool:
        """Taken by a worker and not ended: it stands in the way of the next run."""
        return self in (RunStatus.RUNNING, RunStatus.WAITING)


class Cause(StrEnum):
    DECIDER = "decider"
    WORKER = "worker"
    UPKEEP = "upkeep"


@dataclass(frozen=True, slots=True)
class Transition:
    source: RunStatus
    target: RunStatus
    causes: frozenset[Cause]
    when: str


class IllegalTransition(SessionError):
    """A run cannot go from the state it is in to the one asked for, or not by this cause."""

    code = "illegal_transition"


TERMINAL = frozenset(
    {
        RunStatus.COMPLETED,
        RunStatus.FAILED,
        RunStatus.CANCELLED,
        RunStatus.TIMEOUT,
        RunStatus.MAX_STEPS_REACHED,
    }
)

_S = RunStatus
_WORKER = frozenset({Cause.WORKER})
_DECIDER = frozenset({Cause.DECIDER})
_WORKER_OR_UPKEEP = frozenset({Cause.WORKER, Cause.UPKEEP})
_ANY = frozenset(Cause)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(_S.QUEUED, _S.RUNNING, _WORKER, "a worker takes it"),
    Transition(_S.QUEUED, _S.CANCELLED, _ANY, "it is cancelled before it starts"),
    Transition(
        _S.QUEUED, _S.FAILED, _ANY, "it is rejected because the session is busy, or no agent takes it"
    ),
    Transition(_S.QUEUED, _S.COMPLETED, _WORKER, "the run that it steers has answered it"),
    Transition(_S.QUEUED, _S.TIMEOUT, _WORKER_OR_UPKEEP, "it waits for a worker longer than it may"),
    Transition(_S.RUNNING, _S.WAITING, _WORKER, "a tool needs an approval, or the agent input"),
    Transition(_S.RUNNING, _S.COMPLETED, _WORKER, "the agent is done"),
    Transition(_S.RUNNING, _S.FAILED, _WORKER_OR_UPKEEP, "the agent fails, or attempts run out"),
    Transition(_S.RUNNING, _S.CANCELLED, _ANY, "somebody stops it"),
    Transition(_S.RUNNING, _S.TIMEOUT, _WORKER_OR_UPKEEP, "its time is over"),
    Transition(_S.RUNNING, _S.MAX_STEPS_REACHED, _WORKER, "the next step would be one too many"),
    Transition(_S.WAITING, _S.RUNNING, _WORKER, "what it waited for is decided"),
    Transition(_S.WAITING, _S.FAILED, _WORKER_OR_UPKEEP, "attempts run out"),
    Transition(_S.WAITING, _S.CANCELLED, _ANY, "somebody stops it"),
    Transition(_S.WAITING, _S.TIMEOUT, _WORKER_OR_UPKEEP, "nobody decides in time"),
)

_TABLE = {(t.source, t.target): t for t in TRANSITIONS}


def check(source: RunStatus, target: RunStatus, cause: Cause) -> Transition:
    """The transition from `source` to `target`. Raises IllegalTransition."""
    transition = _TABLE.get((source, target))
    if transition is None:
        raise IllegalTransition(f"A run that is {source} cannot become {target}.")
    if cause not in transition.causes:
        raise IllegalTransition(f"The {cause} may not make a run that is {source} {target}.")
    return transition


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {RunStatus.QUEUED}"]
    lines += [f"    {t.source} --> {t.target}: {t.when}" for t in TRANSITIONS]
    lines += [f"    {status} --> [*]" for status in RunStatus if status.is_terminal]
    return "\n".join(lines) + "\n"
