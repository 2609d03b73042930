"""The dashboard and the alert rules name only metrics that nodes have, and no label is an id."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from tests.contract.redis_servers import redis_server
from tests.raw_device import raw_device

from threadline_server.app import running_server
from threadline_server.settings import load

OPS = Path(__file__).parents[2] / "ops"
LABELS = {
    "chore",
    "reason",
    "status",
    "le",
    "generation",
    "implementation",
    "major",
    "minor",
    "patchlevel",
    "version",
}
AGENT = ("threadline.agents.travel:agent",)

_METRIC = re.compile(r"\b(?:threadline|process|python)_\w+\b")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scraped(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The families of an embedded node and of one on Redis, each with a worker and a session in use."""
    with redis_server() as redis:
        texts = [
            await _scrape(data=tmp_path_factory.mktemp("data"), agent=AGENT),
            await _scrape(redis=redis.url, agent=AGENT, expire_after_s=3600.0),
        ]
    return [family for text in texts for family in text_string_to_metric_families(text)]


async def _scrape(**where: object) -> str:
    webhook = {"webhook_url": "http://127.0.0.1:1/", "webhook_secret": "0123456789abcdef"}
    async with (
        running_server(load({"port": 0, **webhook, **where}, {})) as server,
        raw_device(server.url, "a-session-of-ada", "ada") as ada,
        httpx.AsyncClient() as client,
    ):
        await ada.set("/city", "Berlin")
        await ada.until_saved()
        return (await client.get(f"{server.url}/metrics")).text


def _queries() -> Iterator[tuple[str, str]]:
    board = json.loads((OPS / "grafana-dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for rule in _rules():
        yield rule["alert"], rule["expr"]


def _rules() -> list[dict[str, Any]]:
    found = importlib.import_module("yaml").safe_load((OPS / "prometheus-alerts.yaml").read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


@pytest.mark.redis
@pytest.mark.asyncio(loop_scope="module")
async def test_every_metric_that_is_named_exists(scraped: list[Any]) -> None:
    there = {sample.name for family in scraped for sample in family.samples}
    missing = {(title, name) for title, query in _queries() for name in _METRIC.findall(query)} - {
        (title, name) for title, _ in _queries() for name in there
    }
    assert missing == set()


@pytest.mark.redis
@pytest.mark.asyncio(loop_scope="module")
async def test_labels_are_few_and_never_ids(scraped: list[Any]) -> None:
    samples = [sample for family in scraped for sample in family.samples]
    assert {label for sample in samples for label in sample.labels} <= LABELS
    assert not [s for s in samples if "ada" in f"{s.name}{s.labels}"]


@pytest.mark.redis
@pytest.mark.asyncio(loop_scope="module")
async def test_what_operators_ask_about_is_counted(scraped: list[Any]) -> None:
    there = {sample.name.removeprefix("threadline_") for family in scraped for sample in family.samples}
    assert {
        *("rooms_members", "rooms_open", "rooms_updates_total", "rooms_bytes_total", "rooms_behind"),
        *("rooms_flush_turns_bucket", "rooms_append_seconds_bucket", "rooms_acknowledge_seconds_bucket"),
        *("backplane_turns_waiting", "backplane_hole_repairs_total", "runs_ended_total"),
        *("worker_executing", "edge_closings_total", "loop_lag_seconds_bucket", "gc_pause_seconds_total"),
        *("rooms_joins_cached_total", "backplane_record_cache_hits_total", "upkeep_rounds_total"),
    } <= there


def test_alerts_say_what_is_wrong_and_what_to_do() -> None:
    for rule in _rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]


def test_panels_lie_side_by_side_and_each_says_what_it_shows() -> None:
    panels = json.loads((OPS / "grafana-dashboard.json").read_text())["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(panel["type"] == "row" or panel["description"] for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
