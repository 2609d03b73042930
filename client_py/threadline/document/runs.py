"""Runs: what an agent was asked to do, how it goes, and how it ended. Written by agents and the server
alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any

from pycrdt import Array, Map

from threadline.document.approvals import Approval, Approvals
from threadline.document.changes import Changes
from threadline.document.intents import RunIntent
from threadline.document.lifecycle import Cause, RunStatus, check
from threadline.document.shared_map import SharedMap, array_at, keys_of, map_at, plain_values, value_at
from threadline.document.steps import Fault, Step, Steps, StepType, open_step, optional_number, read_fault
from threadline.document.values import (
    JSON,
    mapping_of,
    number_of,
    plain,
    strings_of,
    text_of,
    to_json,
)

REQUIRED_KEYS = ("number", "status", "steps", "approvals")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use. `max_steps` counts tool calls and answers, `max_tokens` those that the model puts
    out, `max_history` the messages that the agent is given (0: as many as its worker allows).
    """

    max_steps: int = 10
    max_tokens: int = 4000
    timeout_seconds: int = 120
    max_history: int = 0

    @classmethod
    def from_json(cls, value: JSON) -> Limits:
        """Positive numbers are taken over; what is missing or makes no sense stays at its default."""
        fields = mapping_of(value)
        known = {limit.name: number_of(fields.get(limit.name)) for limit in dataclass_fields(cls)}
        return cls(**{name: number for name, number in known.items() if number > 0})

    def to_json(self) -> dict[str, JSON]:
        """What is set; a history without a bound of its own is left out."""
        return {name: number for name, number in asdict(self).items() if number > 0}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens used, and where the numbers come from: `reported` by the model, `exact`, or an `estimate`.

    `cost_usd` is what they cost, None where the price of the model is not known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    source: str = "estimate"
    cost_usd: float | None = None

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is now. Times are Unix milliseconds; `attempt` is 0 until a worker takes it.

    `steers` is the run that was under way when this was asked for, to be told its message; `joined` is the
    same run once it has taken the message and answers it.
    """

    id: str
    number: int
    status: RunStatus
    agent: str = ""
    goal: str = ""
    input: dict[str, JSON] = field(default_factory=dict)
    context: JSON = None
    limits: Limits = Limits()
    tools: tuple[str, ...] | None = None
    model: str = ""
    system: str = ""
    steps: tuple[Step, ...] = ()
    usage: Usage = Usage()
    attempt: int = 0
    requested_by: dict[str, JSON] = field(default_factory=dict)
    stopped_by: dict[str, JSON] = field(default_factory=dict)
    approvals: tuple[Approval, ...] = ()
    waiting_for: str = ""
    message: str = ""
    steers: str = ""
    joined: str = ""
    created_at: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    error: Fault | None = None
    undone_by: dict[str, JSON] = field(default_factory=dict)

    @property
    def duration_ms(self) -> int | None:
        """From start to end; None while it runs or where it never started."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0, self.ended_at - self.started_at)

    @property
    def tool_calls(self) -> int:
        return sum(step.type == StepType.TOOL_CALL for step in self.steps)


class Runs:
    """All runs of a session, in the order in which they were decided."""

    def __init__(self, entries: SharedMap) -> None:
        self._map = entries

    def __len__(self) -> int:
        return len(self.ids())

    def __iter__(self) -> Iterator[Run]:
        return (run for run in map(self.get, self.ids()) if run is not None)

    def __contains__(self, run_id: object) -> bool:
        return isinstance(run_id, str) and run_id in self._map

    def ids(self) -> list[str]:
        """Ids by `number`, then by id; entries that lack a required key are left out."""
        with self._map.doc.transaction():
            found = [(map_at(self._map, key), key) for key in keys_of(self._map)]
            numbered = [
                (number_of(plain(value_at(entry, "number"))), key)
                for entry, key in found
                if entry is not None and all(required in entry for required in REQUIRED_KEYS)
            ]
        return [key for _, key in sorted(numbered)]

    def get(self, run_id: str) -> Run | None:
        """A snapshot with all its steps; None where there is no such run."""
        entry = self._entry(run_id)
        return None if entry is None else _read(run_id, entry)

    def status(self, run_id: str) -> RunStatus | None:
        entry = self._entry(run_id)
        return None if entry is None else _status(entry)

    def latest(self) -> Run | None:
        ids = self.ids()
        return self.get(ids[-1]) if ids else None

    def unfinished(self) -> list[str]:
        """Ids of runs that have not ended, in order."""
        return [key for key in self.ids() if not (self.status(key) or RunStatus.FAILED).is_terminal]

    def active(self) -> str | None:
        """The run that is running or waiting, if there is one."""
        return next((key for key in self.unfinished() if self.status(key) is not RunStatus.QUEUED), None)

    def create(self, intent: RunIntent, *, at: int, agent: str, input_text: str = "") -> RunWriter:
        """Add a queued run under the intent's id, with its inner types, in one transaction.

        Raises ValueError where the run is there already.
        """
        if intent.id in self._map:
            raise ValueError(f"The run {intent.id} was already created.")
        fields: dict[str, object] = {
            "number": len(self._map) + 1,
            "agent": agent,
            "status": str(RunStatus.QUEUED),
            "input": {"message": intent.message or "", "text": input_text},
            "limits": Limits.from_json(intent.limits).to_json(),
            "requested_by": {"user": intent.user, "device": intent.device},
            "attempt": 0,
            "created_at": at,
        }
        optional: dict[str, object] = {
            "goal": intent.goal,
            "context": intent.context,
            "model": intent.model,
            "system": intent.system,
        }
        fields |= {key: value for key, value in optional.items() if value}
        if intent.tools is not None:
            fields["tools"] = list(intent.tools)
        entry: dict[str, object] = {key: to_json(value, f"/{key}") for key, value in fields.items()}
        entry |= {"steps": Array(), "approvals": Map()}
        with self._map.doc.transaction():
            self._map[intent.id] = Map(entry)
        return self.writer(intent.id)

    def writer(self, run_id: str) -> RunWriter:
        """Whoever executes or decides a run writes through this. Raises KeyError."""
        entry = self._entry(run_id)
        if entry is None:
            raise KeyError(run_id)
        return RunWriter(run_id, entry)

    def steps(self, run_id: str) -> Steps:
        """The steps of a run, readable from any position on. Raises KeyError."""
        return self.writer(run_id).steps

    def fields(self, run_id: str) -> Run:
        """A snapshot without steps and approvals, cheap enough to take at every change. Raises KeyError."""
        entry = self._entry(run_id)
        if entry is None:
            raise KeyError(run_id)
        return _read(run_id, entry, with_steps=False)

    def _entry(self, run_id: str) -> SharedMap | None:
        with self._map.doc.transaction():
            entry = map_at(self._map, run_id)
            if entry is None or any(key not in entry for key in REQUIRED_KEYS):
                return None
            return entry


class RunWriter:
    """Changes to one run. Every change of state goes through the table of `lifecycle`."""

    def __init__(self, run_id: str, entry: SharedMap) -> None:
        self.id = run_id
        self._entry = entry
        steps, approvals = array_at(entry, "steps"), map_at(entry, "approvals")
        if steps is None or approvals is None:
            raise KeyError(run_id)
        self._steps = steps
        self.steps = Steps(steps)
        self.approvals = Approvals(approvals)

    @property
    def status(self) -> RunStatus:
        return _status(self._entry)

    def transition(self, target: RunStatus, cause: Cause, *, at: int, **fields: object) -> None:
        """Go to `target`, stamping start or end, with other fields in the same transaction.

        Raises IllegalTransition.
        """
        check(self.status, target, cause)
        with self._entry.doc.transaction():
            self.set(**fields)
            if target is RunStatus.RUNNING and "started_at" not in self._entry:
                self._entry["started_at"] = at
            if self.status is RunStatus.WAITING and "waiting_for" in self._entry:
                del self._entry["waiting_for"]
            if target.is_terminal:
                self._entry["ended_at"] = at
            self._entry["status"] = str(target)

    def set(self, **fields: object) -> None:
        """Write plain fields; None leaves a field as it is. Raises NotSerializable."""
        with self._entry.doc.transaction():
            for key, value in fields.items():
                if value is not None:
                    self._entry[key] = to_json(value, f"/{key}")

    def set_usage(self, usage: Usage) -> None:
        self.set(usage={name: value for name, value in asdict(usage).items() if value is not None})

    @property
    def changes(self) -> Changes:
        """What the run has changed of the state, as far as it was written."""
        return Changes.from_json(plain(value_at(self._entry, "changes")))

    def close_open_step(self, at: int) -> Step | None:
        """End the step that a lost worker left open. Gives back that step."""
        found = open_step(self._steps)
        if found is None:
            return None
        step, writer = found
        writer.end(at, end=step.start if step.type == StepType.OUTPUT else None)
        return step

    def void_outputs(self) -> None:
        """Empty every answer given so far: its text is taken back, and a later step says it again."""
        for step in self._steps:
            if isinstance(step, Map) and text_of(value_at(step, "type")) == StepType.OUTPUT:
                step["start"] = step["end"] = 0


def _status(entry: SharedMap) -> RunStatus:
    name = text_of(value_at(entry, "status"))
    return RunStatus(name) if name in set(RunStatus) else RunStatus.FAILED


def _read(run_id: str, entry: SharedMap, *, with_steps: bool = True) -> Run:
    with entry.doc.transaction():
        fields = plain_values(entry)
        steps, approvals = (_inner(entry)) if with_steps else ((), ())
    tools = fields.get("tools")
    return Run(
        id=run_id,
        number=number_of(fields.get("number")),
        status=_status(entry),
        agent=text_of(fields.get("agent")),
        goal=text_of(fields.get("goal")),
        input=mapping_of(fields.get("input")),
        context=fields.get("context"),
        limits=Limits.from_json(fields.get("limits")),
        tools=strings_of(tools) if isinstance(tools, list) else None,
        model=text_of(fields.get("model")),
        system=text_of(fields.get("system")),
        steps=steps,
        usage=_read_usage(fields.get("usage")),
        attempt=number_of(fields.get("attempt")),
        requested_by=mapping_of(fields.get("requested_by")),
        stopped_by=mapping_of(fields.get("stopped_by")),
        approvals=approvals,
        waiting_for=text_of(fields.get("waiting_for")),
        message=text_of(fields.get("message")),
        steers=text_of(fields.get("steers")),
        joined=text_of(fields.get("joined")),
        created_at=number_of(fields.get("created_at")),
        started_at=optional_number(fields.get("started_at")),
        ended_at=optional_number(fields.get("ended_at")),
        error=read_fault(fields.get("error")),
        undone_by=mapping_of(fields.get("undone_by")),
    )


def _inner(entry: SharedMap) -> tuple[tuple[Step, ...], tuple[Approval, ...]]:
    steps: Array[Any] | None = array_at(entry, "steps")
    approvals = map_at(entry, "approvals")
    return (
        () if steps is None else tuple(Steps(steps).since(0)),
        () if approvals is None else tuple(Approvals(approvals)),
    )


def _read_usage(value: JSON) -> Usage:
    fields = mapping_of(value)
    return Usage(
        input_tokens=number_of(fields.get("input_tokens")),
        output_tokens=number_of(fields.get("output_tokens")),
        source=text_of(fields.get("source"), "estimate"),
        cost_usd=_cost_of(fields.get("cost_usd")),
    )


def _cost_of(value: JSON) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
