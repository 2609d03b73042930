from __future__ import annotations

from threadline_server.telemetry.metrics import Metrics


def test_sources_are_read_at_the_time_of_the_scrape() -> None:
    stats = {"members": 1, "turns_total": 5}
    metrics = Metrics()
    metrics.add("rooms", lambda: stats)
    stats["members"] = 3

    text = metrics.text().decode()

    assert "threadline_rooms_members 3.0" in text
    assert "# TYPE threadline_rooms_turns_total counter" in text
    assert "threadline_rooms_turns_total 5.0" in text


def test_two_apps_in_one_process_keep_their_metrics_apart() -> None:
    first, second = Metrics(), Metrics()
    first.add("rooms", lambda: {"loaded": 1})
    second.add("rooms", lambda: {"loaded": 2})
    assert "threadline_rooms_loaded 1.0" in first.text().decode()
    assert "threadline_rooms_loaded 2.0" in second.text().decode()
