"""Executions that are tried again by somebody else's library."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from tenacity import RetryCallState, retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from threadline.agents import Agent, DriverEvent, Said, Task
from threadline.errors import SessionError
from threadline.run import RunResult


class Flaky:
    """Answers the third time."""

    def __init__(self) -> None:
        self.tries = 0

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        self.tries += 1
        if self.tries < 3:
            raise ConnectionError("try again")
        yield Said("at last")


@pytest.mark.row("S3-46")
@pytest.mark.asyncio
async def test_an_execution_is_tried_three_times_with_growing_pauses() -> None:
    driver, slept = Flaky(), []
    agent = Agent(driver=driver)

    async def note(seconds: float) -> None:
        slept.append(seconds)

    @retry(
        stop=stop_after_attempt(3),
        wait=wait_exponential(multiplier=1, min=4, max=60),
        retry=retry_if_exception_type(SessionError),
        sleep=note,
    )
    async def execute_with_retry(goal: str) -> RunResult:
        return await agent.execute(goal=goal)

    result = await execute_with_retry("anything")
    assert (result.status, result.output, driver.tries) == ("completed", "at last", 3)
    assert slept == [4, 4]


@pytest.mark.asyncio
async def test_what_fails_every_time_is_raised_in_the_end() -> None:
    def last(state: RetryCallState) -> None:
        assert state.outcome is not None
        state.outcome.result()

    driver = Flaky()

    @retry(stop=stop_after_attempt(2), retry_error_callback=last)
    async def execute_with_retry(goal: str) -> RunResult:
        return await Agent(driver=driver).execute(goal=goal)

    with pytest.raises(SessionError, match="try again") as caught:
        await execute_with_retry("anything")
    assert caught.value.code == "agent_failed"
