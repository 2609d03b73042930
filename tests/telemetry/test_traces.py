"""Traces: of an update from its device to the others, and of a run over its steps and model requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai.models.test import TestModel
from tests.raw_device import raw_device

import threadline
from threadline.agents import Agent, tool
from threadline_server.app import RunningServer, running_server
from threadline_server.settings import load
from threadline_server.telemetry import otel


@tool(description="Choose the city")
def choose_city(city: str) -> str:
    return f"{city} it is"


agent = Agent(name="travel", model=TestModel(call_tools=["choose_city"]), tools=[choose_city])


class Collector:
    """What would have gone to a collector."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.traces: otel.OpenTelemetry | None = None

    def to_here(self, endpoint: str, *, ratio: float, node: str, version: str) -> otel.OpenTelemetry:
        self.traces = otel.OpenTelemetry(self.exporter, ratio=ratio, node=node, version=version)
        return self.traces

    def spans(self, name: str = "") -> list[ReadableSpan]:
        assert self.traces is not None
        self.traces.provider.force_flush()
        return [span for span in self.exporter.get_finished_spans() if name in ("", span.name)]

    def within(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """The spans right below one, as they began."""
        children = [span for span in self.spans() if span.parent and span.parent.span_id == _id(parent)]
        return sorted(children, key=lambda span: span.start_time or 0)


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()
    monkeypatch.setattr(otel, "to_collector", collector.to_here)
    yield collector
    otel.trace_model_requests(None)


@asynccontextmanager
async def traced_node(directory: Path, **more: object) -> AsyncIterator[RunningServer]:
    traces = {"traces_endpoint": "http://127.0.0.1:4318", **more}
    async with running_server(load({"port": 0, "data": directory, **traces}, {})) as server:
        yield server


@pytest.mark.asyncio
async def test_an_update_is_traced_from_its_device_to_the_others(
    tmp_path: Path, collector: Collector
) -> None:
    async with traced_node(tmp_path) as server:
        async with raw_device(server.url, "trip", "ada") as ada, raw_device(server.url, "trip", "bob") as bob:
            await ada.set("/secret-city", "Berlin")
            await ada.until_saved()
            await bob.until(lambda: "/secret-city" in bob.state)
        update = collector.spans("update")[-1]
    assert [part.name for part in collector.within(update)] == ["judge", "append", "fan out", "make durable"]
    assert update.attributes is not None
    assert (update.attributes["threadline.document"], update.attributes["threadline.role"]) == (
        "trip",
        "server",  # a new session begins with what the server writes
    )
    judge, append, *_ = collector.within(update)
    assert (judge.start_time, judge.end_time) == (update.start_time, append.start_time)
    assert "Berlin" not in str([span.to_json() for span in collector.spans()])
    assert "secret-city" not in str([span.to_json() for span in collector.spans()])


@pytest.mark.asyncio
async def test_a_run_is_traced_over_its_steps_and_model_requests(
    tmp_path: Path, collector: Collector
) -> None:
    async with traced_node(tmp_path, agent=("tests.telemetry.test_traces:agent",)) as server:
        async with threadline.connect(server.url, token="ada") as client:
            session = await client.open("trip")
            run = await session.send("Somewhere warm, tell nobody")
            await run.wait()
        (attempt,) = collector.spans("run")
    names = [span.name for span in collector.spans()]
    steps = [span.name for span in collector.within(attempt) if span.name.startswith("step")]
    assert steps == ["step tool", "step output"]
    assert attempt.attributes is not None
    assert attempt.attributes["threadline.status"] == "completed"
    assert [name for name in names if name.startswith("chat")], "the model's requests are traced, too"
    assert {_trace(span) for span in collector.spans() if span.name.startswith("chat")} == {_trace(attempt)}
    assert "tell nobody" not in str([span.to_json() for span in collector.spans()])


def _trace(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


@pytest.mark.asyncio
async def test_a_part_of_the_traces_may_be_kept(tmp_path: Path, collector: Collector) -> None:
    async with traced_node(tmp_path, traces_ratio=0.0) as server:
        async with raw_device(server.url, "trip", "ada") as ada:
            await ada.set("/city", "Berlin")
            await ada.until_saved()
        assert collector.spans() == []


@pytest.mark.asyncio
async def test_without_an_endpoint_nobody_is_asked(tmp_path: Path, collector: Collector) -> None:
    async with traced_node(tmp_path, traces_endpoint=None) as server:
        assert server.node.rooms.host.tracing is None
        assert collector.traces is None
