"""The projection: whoever watched and whoever comes late have the same list."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc

from threadline.document.events import Event, EventType, Output, Thinking, is_finished
from threadline.document.intents import RunIntent
from threadline.document.lifecycle import Cause, RunStatus
from threadline.document.messages import Author
from threadline.document.runs import RunWriter
from threadline.document.schema import schema
from threadline.document.session_document import SessionDocument
from threadline.document.steps import Fault, StepType
from threadline.document.text_edit import truncate, utf16_length

RUN, REPLY = "ada/1", "agent:a/1"
Scene = Callable[["Stage"], None]


class Stage:
    """A worker that writes a run, and a device that watches it change by change."""

    def __init__(self) -> None:
        self.document = SessionDocument(Doc(client_id=1))
        self.seen: list[Event] = []
        self.clock = 0
        self.run: RunWriter = self.document.runs.create(RunIntent(id=RUN), at=0, agent="a")

    def look(self) -> None:
        self.seen += self.document.events(RUN, self.seen[-1].id if self.seen else None)

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def start(self) -> None:
        self.run.transition(RunStatus.RUNNING, Cause.WORKER, at=self.tick(), attempt=1)
        self.look()

    def think(self, *pieces: str) -> None:
        step = self.run.steps.begin(StepType.THINKING, at=self.tick())
        for piece in pieces:
            step.text.insert(len(step.text), piece)
            self.look()
        step.end(self.tick())

    def call(self, *, fails: bool = False) -> None:
        step = self.run.steps.begin(StepType.TOOL_CALL, at=self.tick(), call="c", name="t", input={"x": 1})
        self.look()
        step.end(self.tick())
        self.run.steps.begin(StepType.TOOL_RESULT, at=self.tick(), call="c", name="t", output=1).end(
            self.tick()
        )
        if fails:
            fault = Fault("tool_failed", "no").to_json()
            self.run.steps.begin(StepType.ERROR, at=self.tick(), name="t", error=fault).end(self.tick())
        self.look()

    def say(self, *pieces: str, lost: bool = False) -> None:
        if REPLY not in self.document.messages:
            author = Author("agent:a")
            self.document.messages.create(REPLY, role="assistant", author=author, created_at=1, run=RUN)
            self.run.set(message=REPLY)
        start = utf16_length(str(self.document.messages.text(REPLY)))
        step = self.run.steps.begin(StepType.OUTPUT, at=self.tick(), start=start)
        for piece in pieces:
            self.document.messages.append_text(REPLY, piece)
            self.look()
        if lost:
            truncate(self.document.messages.text(REPLY), start)
            self.run.close_open_step(self.tick())
        else:
            step.end(self.tick(), end=utf16_length(str(self.document.messages.text(REPLY))))

    def finish(self, status: RunStatus = RunStatus.COMPLETED, error: Fault | None = None) -> None:
        fields = {} if error is None else {"error": error.to_json()}
        self.run.transition(status, Cause.WORKER, at=self.tick(), **fields)
        self.look()


def joined(events: list[Event]) -> list[tuple[object, ...]]:
    """Events with neighbouring pieces of one text put together, which is how a late joiner gets them."""
    result: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, Output | Thinking):
            key = (event.type, event.step_number)
            if result and result[-1][:2] == key:
                result[-1] = (*key, f"{result[-1][2]}{event.content}")
            else:
                result.append((*key, event.content))
        else:
            result.append((event.type, event.id))
    return result


SCENES = st.lists(
    st.one_of(
        st.builds(lambda p: lambda s: s.think(*p), st.lists(st.text("aé🏨", min_size=1), max_size=3)),
        st.builds(lambda f: lambda s: s.call(fails=f), st.booleans()),
        st.builds(lambda p: lambda s: s.say(*p), st.lists(st.text("aé🏨", min_size=1), max_size=3)),
    ),
    max_size=6,
)


@pytest.mark.row("S3-32")
@given(SCENES, st.sampled_from([RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.TIMEOUT]))
def test_a_late_joiner_gets_the_list_of_one_who_watched(scenes: list[Scene], status: RunStatus) -> None:
    stage = Stage()
    stage.look()
    assert stage.seen == []
    stage.start()
    for scene in scenes:
        scene(stage)
    stage.finish(status)
    late = stage.document.events(RUN)
    assert joined(stage.seen) == joined(late)
    assert len({event.id for event in stage.seen}) == len(stage.seen)
    assert is_finished(late)
    assert [late[0].type, late[-1].type] == [EventType.SESSION_START, EventType.DONE]
    for position, event in enumerate(stage.seen):
        rest = stage.document.events(RUN, event.id)
        assert joined(stage.seen[position + 1 :]) == joined(rest)


def test_text_of_a_lost_attempt_is_replaced_at_its_offset() -> None:
    stage = Stage()
    stage.start()
    stage.say("Hello ", "wor", lost=True)
    stage.say("Hi ", "there")
    stage.finish()
    shown = ""
    for event in stage.seen:
        if isinstance(event, Output):
            shown = shown[: event.offset] + event.content
    assert shown == "Hi there"
    assert [event.content for event in stage.document.events(RUN) if isinstance(event, Output)] == [
        "Hi there"
    ]


def test_a_run_that_fails_says_why_before_it_is_done() -> None:
    stage = Stage()
    stage.start()
    stage.call(fails=True)
    stage.finish(RunStatus.FAILED, Fault("model_failed", "no answer"))
    assert [event.id for event in stage.seen[-2:]] == ["error", "done"]
    errors = [event.to_json() for event in stage.seen if event.type is EventType.ERROR]
    assert [(error["code"], error["tool_name"]) for error in errors] == [
        ("tool_failed", "t"),
        ("model_failed", ""),
    ]


def test_a_run_cancelled_in_the_queue_starts_and_is_done() -> None:
    stage = Stage()
    stage.finish(RunStatus.CANCELLED)
    assert [event.type for event in stage.seen] == [EventType.SESSION_START, EventType.DONE]


@pytest.mark.parametrize("event_id", ["", "nonsense", "1", ".start", "9²", "1.output.x", "1.output.²", None])
def test_an_unknown_id_gives_the_whole_list(event_id: str | None) -> None:
    stage = Stage()
    stage.start()
    stage.finish()
    assert len(stage.document.events(RUN, event_id)) == 2
    assert stage.document.events("ada/unknown") == []
    assert stage.document.events(RUN, "done") == []


def test_the_schema_names_the_same_events() -> None:
    assert schema()["events"] == [str(kind) for kind in EventType]
