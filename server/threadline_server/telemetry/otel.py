"""Traces by OpenTelemetry. Imported only where they are asked for; `threadline[telemetry]` brings it.

Model requests are traced by pydantic-ai itself, within the run's span, without what was said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from threadline_server.telemetry.tracing import Attributes, Part, Span


class OpenTelemetry:
    """`ratio` of the traces are kept, chosen by chance.

    provider: for libraries that trace by themselves
    """

    def __init__(self, exporter: SpanExporter, *, ratio: float, node: str, version: str) -> None:
        resource = Resource.create(
            {"service.name": "threadline", "service.instance.id": node, "service.version": version}
        )
        self.provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)))
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self.provider.get_tracer("threadline", version)

    def record(
        self, name: str, start_ns: int, end_ns: int, attributes: Attributes, parts: Sequence[Part]
    ) -> None:
        root = self._tracer.start_span(
            name, trace.set_span_in_context(trace.INVALID_SPAN), start_time=start_ns
        )
        if root.is_recording():
            root.set_attributes(attributes)
            within = trace.set_span_in_context(root)
            for part in parts:
                self._tracer.start_span(part.name, within, start_time=part.start_ns).end(part.end_ns)
        root.end(end_ns)

    @contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[Span]:
        with self._tracer.start_as_current_span(name, attributes=attributes) as span:
            yield _Span(self._tracer, span)

    def close(self) -> None:
        self.provider.shutdown()


class _Span:
    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    def child(self, name: str, attributes: Attributes) -> Span:
        within = trace.set_span_in_context(self._span)
        return _Span(self._tracer, self._tracer.start_span(name, within, attributes=attributes))

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, code: str) -> None:
        self._span.set_status(trace.StatusCode.ERROR, code)

    def end(self) -> None:
        self._span.end()


def to_collector(endpoint: str, *, ratio: float, node: str, version: str) -> OpenTelemetry:
    """Traces that go to a collector by OTLP over HTTP, for example http://127.0.0.1:4318."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    return OpenTelemetry(exporter, ratio=ratio, node=node, version=version)


def trace_model_requests(traces: OpenTelemetry | None) -> None:
    """Let pydantic-ai trace its requests there, without their content; None ends it."""
    try:
        from pydantic_ai import Agent
        from pydantic_ai.models.instrumented import InstrumentationSettings
    except ImportError:
        return
    if traces is None:
        Agent.instrument_all(False)
    else:
        Agent.instrument_all(InstrumentationSettings(tracer_provider=traces.provider, include_content=False))
