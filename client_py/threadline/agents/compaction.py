"""Compaction: a transcript that has grown too long is given a shorter one in its place, for good."""

from __future__ import annotations

from threadline.agents.driver import Turn
from threadline.agents.tokens import ESTIMATE, TokenCounter
from threadline.agents.windows import SummaryWindow
from threadline.live_session import LiveSession
from threadline.session import Session


async def compact(
    session: Session,
    *,
    max_tokens: int,
    window: SummaryWindow | None = None,
    counter: TokenCounter = ESTIMATE,
) -> bool:
    """Put a summary in the place of all but the last messages, if they are more than `max_tokens`.

    True where it did. What is left out is retracted, not destroyed. On a session of a server that is done by
    the server, for its owner; others can retract their own messages alone. Agents there are given a window
    instead.
    """
    window = window or SummaryWindow()
    messages = session.messages[:]
    turns = [Turn(message.role, message.text) for message in messages]
    if counter.turns(turns).tokens <= max_tokens or len(turns) <= window.keep:
        return False
    summary, *_ = await window.select(turns)
    session.messages = [summary.content, *messages[-window.keep :]]
    if isinstance(session, LiveSession):
        await session.saved()
    return True
