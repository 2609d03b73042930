"""Metrics are read, never pushed: at each scrape every source is asked for its `stats()`.

So the hot path counts in plain integers and knows nothing of Prometheus.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from threadline_server.telemetry.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Labelled:
    """One number for each value of a label, of which there are few: never an id."""

    label: str
    values: Mapping[str, float]


Value = float | Labelled | Histogram
Stats = Callable[[], Mapping[str, Value]]
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry per app, so that several apps live in one process.

    A source `rooms` with `{"members": 3, "turns_total": 9}` becomes the gauge `threadline_rooms_members` and
    the counter `threadline_rooms_turns_total`: a name that ends in `_total` counts, any other is a level,
    unless its value is a histogram.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def add(self, source: str, stats: Stats) -> None:
        self._registry.register(_StatsCollector(source, stats))

    def values(self) -> dict[str, float]:
        """Every number without labels, by the name it has in the text."""
        return {
            sample.name: sample.value
            for family in self._registry.collect()
            for sample in family.samples
            if not sample.labels and not sample.name.endswith("_created")
        }

    def text(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self._registry)


class _StatsCollector(Collector):
    def __init__(self, source: str, stats: Stats) -> None:
        self._source = source
        self._stats = stats

    def collect(self) -> Iterator[Family]:
        for name, value in self._stats().items():
            yield _family(f"threadline_{self._source}_{name}", value)


def _family(name: str, value: Value) -> Family:
    text = name.replace("_", " ").capitalize() + "."
    if isinstance(value, Histogram):
        return HistogramMetricFamily(name, text, buckets=_buckets(value), sum_value=value.total)
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    if not isinstance(value, Labelled):
        return kind(name, text, value=value)
    family = kind(name, text, labels=[value.label])
    for label, number in value.values.items():
        family.add_metric([label], number)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Prometheus counts what is up to each bound, all smaller ones included."""
    upper = [*map(str, map(float, histogram.bounds)), "+Inf"]
    return list(zip(upper, map(float, itertools.accumulate(histogram.counts)), strict=True))
