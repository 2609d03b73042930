"""What processes write down beside sessions: how runs ended, and which agents are at work."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.runs.offices import SESSION, Office, eventually, saying, scripted

from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Run, Usage
from threadline_server.runs.roster import Roster
from threadline_server.runs.tally import Tally

pytestmark = pytest.mark.asyncio

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


def ended(ago: timedelta, status: RunStatus = RunStatus.COMPLETED, user: str = "ada") -> Run:
    at_ms = round((NOW - ago).timestamp() * 1000)
    return Run(
        "r",
        1,
        status,
        agent="travel",
        requested_by={"user": user},
        usage=Usage(1, 2, cost_usd=0.5),
        started_at=at_ms - 100,
        ended_at=at_ms,
    )


async def test_processes_add_up_by_hour_agent_and_user(office: Office) -> None:
    one, other = Tally(office.backplane), Tally(office.backplane)
    for tally in (one, other):
        tally.note(SESSION, ended(timedelta(minutes=5)))
        tally.note(SESSION, ended(timedelta(minutes=50), RunStatus.FAILED, "bob"))
        tally.note(SESSION, ended(timedelta(days=3), RunStatus.CANCELLED))
    await asyncio.gather(one.flush(), other.flush())
    day = await one.total(None, None, NOW - timedelta(hours=24), NOW)
    assert (day.runs, day.completed, day.failed, day.success_rate) == (4, 2, 2, 50.0)
    assert (day.avg_duration_ms, day.tokens, day.cost_usd) == (100, 12, 2.0)
    week = await other.total("ada", "travel", NOW - timedelta(days=7), NOW)
    assert (week.runs, week.cancelled) == (4, 2)
    assert (await other.total("ada", "travel", NOW - timedelta(minutes=10), NOW)).runs == 2
    assert (await other.total("cay", None, NOW - timedelta(days=7), NOW)).runs == 0
    assert (await other.total(None, "other", NOW - timedelta(days=7), NOW)).avg_duration_ms is None


async def test_runs_that_go_on_do_not_count(office: Office) -> None:
    tally = Tally(office.backplane)
    tally.note(SESSION, Run("r", 1, RunStatus.RUNNING))
    assert tally.stats()["runs_total"] == 0


async def test_agents_of_other_processes_are_known(office: Office) -> None:
    here = Roster(office.backplane, [scripted(saying("hi"), "here")], "here")
    agents = [scripted(saying("hi"), name) for name in ("a", "here")]
    elsewhere = Roster(office.backplane, agents, "there")
    saying_so = asyncio.create_task(elsewhere.run())
    try:

        async def both() -> bool:
            seen = [card.name for card in await Roster(office.backplane).known()]
            return seen == ["a", "here"] and [card.name for card in await here.known()] == ["here", "a"]

        await eventually(both)
    finally:
        saying_so.cancel()
        await asyncio.wait([saying_so])
