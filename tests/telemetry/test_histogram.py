from __future__ import annotations

import asyncio
import gc

import pytest

from threadline_server.telemetry.garbage import Garbage
from threadline_server.telemetry.histogram import Histogram
from threadline_server.telemetry.loop_lag import LoopLag
from threadline_server.telemetry.metrics import Labelled, Metrics


def test_a_histogram_counts_up_to_each_bound_and_a_label_splits_a_number() -> None:
    sizes = Histogram((1, 10))
    for value in (1, 1, 5, 50):
        sizes.observe(value)
    metrics = Metrics()
    metrics.add("rooms", lambda: {"flush_turns": sizes})
    metrics.add("edge", lambda: {"closings_total": Labelled("reason", {"too_fast": 2})})
    text = metrics.text().decode()
    for line in (
        'threadline_rooms_flush_turns_bucket{le="1.0"} 2.0',
        'threadline_rooms_flush_turns_bucket{le="10.0"} 3.0',
        'threadline_rooms_flush_turns_bucket{le="+Inf"} 4.0',
        "threadline_rooms_flush_turns_sum 57.0",
        'threadline_edge_closings_total{reason="too_fast"} 2.0',
    ):
        assert line in text
    assert metrics.values()["threadline_rooms_flush_turns_count"] == 4


@pytest.mark.asyncio
async def test_the_longest_lag_is_that_since_the_last_look() -> None:
    lag = LoopLag()
    lag.note(0.2)
    lag.note(-0.1)
    assert lag.stats()["lag_most_seconds"] == 0.2
    assert lag.stats()["lag_most_seconds"] == 0
    watching = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    watching.cancel()


def test_pauses_of_the_garbage_collector_are_counted_while_watched() -> None:
    garbage = Garbage()
    with garbage.watched():
        gc.collect()
    counted = garbage.stats()["pauses_total"]
    gc.collect()
    assert counted >= 1
    assert garbage.stats()["pauses_total"] == counted
