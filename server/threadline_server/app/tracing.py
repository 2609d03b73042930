"""Traces, where settings ask for them."""

from __future__ import annotations

from importlib import metadata

from threadline_server.backplane.base import Backplane
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart
from threadline_server.telemetry.tracing import Tracing


def tracing_of(settings: Settings, backplane: Backplane) -> Tracing | None:
    """OpenTelemetry is looked for only where it is asked for."""
    if settings.traces_endpoint is None:
        return None
    try:
        from threadline_server.telemetry.otel import to_collector, trace_model_requests
    except ImportError as error:
        raise CouldNotStart(
            "--traces-endpoint needs a library that is not installed: install threadline[telemetry]."
        ) from error
    version = metadata.version("threadline")
    traces = to_collector(
        settings.traces_endpoint, ratio=settings.traces_ratio, node=backplane.node, version=version
    )
    trace_model_requests(traces)
    return traces
