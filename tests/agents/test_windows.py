"""What of a history an agent is given, and how it is counted."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from tests.agents.stages import play

from threadline.agents import (
    Agent,
    CompactAbove,
    DriverEvent,
    Said,
    SemanticWindow,
    Session,
    SlidingWindow,
    SummaryWindow,
    Task,
    TokenCounter,
    Turn,
    compact,
)
from threadline.errors import SessionError

pytestmark = pytest.mark.asyncio


class Attentive:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.turns: Sequence[Turn] = ()

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        self.turns = task.turns
        yield Said("ok")


def history(count: int) -> list[Turn]:
    return [Turn("user" if n % 2 == 0 else "assistant", f"message number {n}") for n in range(count)]


async def given_to(window: Any, turns: list[Turn], **options: Any) -> Sequence[Turn]:
    driver = Attentive()
    await play(Agent(driver=driver, window=window, **options), *turns)
    return driver.turns


@pytest.mark.row("S1-8")
async def test_a_sliding_window_keeps_the_last() -> None:
    given = await given_to(SlidingWindow(10), history(50))
    assert [turn.content for turn in given] == [f"message number {n}" for n in range(40, 50)]


@pytest.mark.row("S1-9")
async def test_a_summary_stands_before_the_last_ten() -> None:
    asked: list[int] = []

    def summarise(older: Sequence[Turn]) -> str:
        asked.append(len(older))
        return "They counted."

    window = SummaryWindow(10, summarise)
    given = await given_to(window, history(50))
    assert (len(given), given[0].role, asked) == (11, "system", [40])
    assert given[0].content == "Summary of the conversation so far:\nThey counted."
    assert [turn.content for turn in given[1:]] == [f"message number {n}" for n in range(40, 50)]
    await given_to(window, history(50))
    assert asked == [40], "a window that did not move costs nothing again"
    assert len(await given_to(window, history(5))) == 5


async def test_a_summary_without_a_model_takes_what_is_said_most() -> None:
    turns = [Turn("user", "The order ORDER-123 is late. Nice day."), Turn("assistant", "ORDER-123 is late?")]
    turns += [Turn("user", "x")] * 10
    summary, *_ = await given_to(SummaryWindow(10), turns)
    assert "ORDER-123 is late" in summary.content
    long = [Turn("user", f"Sentence {n} about trains." * 3) for n in range(200)]
    summary, *_ = await given_to(SummaryWindow(10), long)
    assert len(summary.content) < 1300


@pytest.mark.row("S1-10")
async def test_what_has_to_do_with_the_question_is_found_among_sixty_turns() -> None:
    chance = random.Random(7)
    words = ["weather", "lunch", "train", "music", "garden", "coffee", "window", "letter", "river", "paint"]
    turns = [Turn("user", "My passport number is in the blue folder.")]
    turns += [Turn("assistant", " ".join(chance.choices(words, k=8))) for _ in range(58)]
    turns += [Turn("user", "Where is my passport?")]
    given = await given_to(SemanticWindow(keep=4, relevant=3), turns)
    assert given[0].content == "My passport number is in the blue folder."
    assert given[-1].content == "Where is my passport?"
    assert len(given) == 5
    assert len(await given_to(SemanticWindow(keep=4), [Turn("user", "the")] * 9)) == 4


@pytest.mark.row("S1-7")
async def test_compaction_begins_where_the_limit_is_passed() -> None:
    window = CompactAbove(100, SummaryWindow(4, lambda older: "short"))
    assert len(await given_to(window, history(6))) == 6
    assert len(await given_to(window, history(50))) == 5


@pytest.mark.row("S1-5", "S1-6", "S1-7")
async def test_a_transcript_is_compacted_for_good() -> None:
    session = Session(user_id="harsh")
    for number in range(50):
        session.add_message("user", f"message number {number}")
        assert session.token_count() > 0
    counted = session.token_count()
    assert await compact(session, max_tokens=100) is True
    assert len(session.messages) == 11
    assert session.messages[0].text.startswith("Summary of the conversation")
    assert session.messages[-1].text == "message number 49"
    assert session.token_count() < counted
    assert await compact(session, max_tokens=10_000) is False


@pytest.mark.row("S3-48")
async def test_a_context_that_is_too_long_has_a_code_and_a_shorter_one_passes() -> None:
    agent = Agent(driver=Attentive(), max_context_tokens=100)
    long = [{"role": "user", "content": "word " * 200}]
    with pytest.raises(SessionError) as raised:
        await agent.run(long)
    assert raised.value.code == "context_too_long"
    assert (await agent.run([{"role": "user", "content": "word " * 20}])).text == "ok"


async def test_tokens_say_where_they_come_from() -> None:
    class Letters:
        def encode(self, text: str) -> list[int]:
            return [ord(letter) for letter in text]

    estimate = TokenCounter().text("four words are here")
    assert (int(estimate), estimate.source) == (4, "estimate")
    exact = TokenCounter.of(Letters())
    assert (exact.text("abc").tokens, exact.text("abc").source) == (3, "exact")
    assert exact.turns([Turn("user", "abc"), Turn("user", "d")]).tokens == 4 + 8
