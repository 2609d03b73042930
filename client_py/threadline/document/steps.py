"""The steps of a run: what the agent thought, called, got back and said, in order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pycrdt import Array, Map, Text

from threadline.document.shared_map import SharedMap, plain_values, text_at
from threadline.document.values import JSON, mapping_of, number_of, text_of, to_json


class StepType(StrEnum):
    THINKING = "thinking"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    OUTPUT = "output"
    ERROR = "error"


COUNTED = frozenset({StepType.TOOL_CALL, StepType.OUTPUT})
"""What `max_steps` counts: tool calls and answers; thoughts, results and errors are parts of them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as documents and events carry it: a stable code and a sentence."""

    code: str
    message: str

    def to_json(self) -> dict[str, JSON]:
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is now. `number` counts from 1; times are Unix milliseconds.

    `start` and `end` of an output step are where its part of the reply's text begins and ends, in UTF-16
    units.
    """

    number: int
    type: str
    at: int
    attempt: int = 1
    call: str = ""
    name: str = ""
    input: JSON = None
    output: JSON = None
    text: str = ""
    start: int = 0
    end: int | None = None
    error: Fault | None = None
    ended_at: int | None = None
    duration_ms: int | None = None
    usage: JSON = None


class Steps:
    """The steps of one run: a sequence of snapshots to read, appended to by the worker."""

    def __init__(self, array: Array[Any]) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: int) -> Step:
        position = index if index >= 0 else len(self) + index
        entry = self._array[position]
        return read_step(position + 1, entry if isinstance(entry, Map) else Map())

    def since(self, index: int) -> list[Step]:
        """Steps from a position on."""
        return [self[position] for position in range(index, len(self))]

    def begin(self, step_type: StepType, *, at: int, attempt: int = 1, **fields: object) -> StepWriter:
        """Append a step that is open until its writer ends it. A thought brings its own Text."""
        entry: dict[str, object] = {"type": str(step_type), "at": at, "attempt": attempt}
        entry |= {key: to_json(value, f"/{key}") for key, value in fields.items() if value is not None}
        if step_type is StepType.THINKING:
            entry["text"] = Text("")
        shared: SharedMap = Map(entry)
        with self._array.doc.transaction():
            self._array.append(shared)
        return StepWriter(shared, at)


class StepWriter:
    """The one who appended a step adds to it until it ends."""

    def __init__(self, entry: SharedMap, at: int) -> None:
        self._entry = entry
        self._at = at
        self.ended = False

    @property
    def text(self) -> Text:
        """The Text of a thought. Raises KeyError for other steps."""
        text = text_at(self._entry, "text")
        if text is None:
            raise KeyError("text")
        return text

    def end(self, at: int, **fields: object) -> None:
        """Close the step; a second call changes nothing."""
        if self.ended:
            return
        self.ended = True
        with self._entry.doc.transaction():
            for key, value in fields.items():
                if value is not None:
                    self._entry[key] = to_json(value, f"/{key}")
            self._entry["duration_ms"] = max(0, at - self._at)
            self._entry["ended_at"] = at


def open_step(array: Array[Any]) -> tuple[Step, StepWriter] | None:
    """The last step with its writer, if it was never ended: what a lost worker left behind."""
    if not len(array):
        return None
    entry = array[len(array) - 1]
    if not isinstance(entry, Map) or "ended_at" in entry:
        return None
    step = read_step(len(array), entry)
    return step, StepWriter(entry, step.at)


def read_step(number: int, entry: SharedMap) -> Step:
    if not entry.is_integrated:
        return Step(number=number, type="", at=0)
    with entry.doc.transaction():
        fields = plain_values(entry)
        text = text_at(entry, "text")
        body = "" if text is None else str(text)
    return Step(
        number=number,
        type=text_of(fields.get("type")),
        at=number_of(fields.get("at")),
        attempt=number_of(fields.get("attempt"), 1),
        call=text_of(fields.get("call")),
        name=text_of(fields.get("name")),
        input=fields.get("input"),
        output=fields.get("output"),
        text=body,
        start=number_of(fields.get("start")),
        end=optional_number(fields.get("end")),
        error=read_fault(fields.get("error")),
        ended_at=optional_number(fields.get("ended_at")),
        duration_ms=optional_number(fields.get("duration_ms")),
        usage=fields.get("usage"),
    )


def read_fault(value: JSON) -> Fault | None:
    fields = mapping_of(value)
    return Fault(text_of(fields.get("code")), text_of(fields.get("message"))) if fields else None


def optional_number(value: JSON) -> int | None:
    return None if value is None else number_of(value)
