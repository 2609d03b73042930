"""One run and three devices: any stops it, any decides its calls, and what is decided happens once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from tests.api.conftest import PATIENCE_S, Api

from threadline.document.approvals import Approval
from threadline.live_session import LiveSession

pytestmark = pytest.mark.asyncio

PROMPT_S = 1.0


async def joined(stack: AsyncExitStack, api: Api, *users: str) -> list[LiveSession]:
    clients = [await stack.enter_async_context(api.connect(user)) for user in users]
    return [await client.open("s") for client in clients]


async def test_a_second_device_stops_a_run_at_once(
    api: Api, full: bool, figures: Callable[[str], None]
) -> None:
    async with AsyncExitStack() as stack:
        phone, laptop = await joined(stack, api, "ada", "bob")
        run = await phone.send("wait")
        await laptop.until(lambda: laptop.run(run.id).output == "I wait.")
        began_s = time.monotonic()
        await laptop.run(run.id).cancel("enough")
        await phone.until(lambda: run.is_over)
        took_s = time.monotonic() - began_s
        figures(f"a run was stopped from another device in {took_s * 1000:.0f} ms")
        assert took_s < (PROMPT_S if full else PATIENCE_S)
        assert (run.status, run.output) == ("cancelled", "I wait.")
        snapshot = run.snapshot
        assert snapshot is not None
        assert snapshot.stopped_by["user"] == "bob"
        assert snapshot.usage.total_tokens > 0


async def test_a_call_that_three_devices_decide_at_once_is_made_once(api: Api) -> None:
    async with AsyncExitStack() as stack:
        phone, laptop, tablet = await joined(stack, api, "ada", "bob", "cay")
        run = await phone.send("pay")
        for session in (phone, laptop, tablet):
            await session.until(lambda session=session: bool(session.run(run.id).pending))  # type: ignore[misc]
        await tablet.run(run.id).approve()
        await tablet.run(run.id).approve()
        await laptop.run(run.id).approve()
        await phone.run(run.id).reject(reason="too late")
        async with asyncio.timeout(PATIENCE_S):
            await run.wait()
            await phone.until(lambda: not phone.document.intents.ids())
        (approval,) = approvals(phone, run.id)
        assert (approval.status, phone.get("paid")) in (("approved", 5), ("rejected", None))
        for session in (laptop, tablet):
            await session.until(lambda session=session: session.run(run.id).is_over)  # type: ignore[misc]
            assert approvals(session, run.id) == (approval,)


def approvals(session: LiveSession, run: str) -> tuple[Approval, ...]:
    snapshot = session.run(run).snapshot
    assert snapshot is not None
    return snapshot.approvals


async def test_the_same_device_twice_at_the_same_moment_pays_once(api: Api) -> None:
    async with AsyncExitStack() as stack:
        _, _, tablet = await joined(stack, api, "ada", "bob", "cay")
        run = await tablet.send("pay")
        await tablet.until(lambda: bool(run.pending))
        await asyncio.gather(run.approve(), run.approve())
        assert await run.wait(PATIENCE_S) == "completed"
        assert tablet["paid"] == 5
        calls = [step for step in run.steps if step.type == "tool_result"]
        assert len(calls) == 1
