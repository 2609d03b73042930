"""Scripted dialogues, each turn from some device of one user, against a running server."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import threadline
from threadline.ids import uuid7
from threadline.live_session import LiveSession

USER = "harsh"
ANSWER_S = 60.0


@dataclass(frozen=True, slots=True)
class Dialogue:
    """`turns` are pairs of device and words; the answers so far and the state are there to be looked at."""

    agent: str
    turns: Sequence[tuple[str, str]]
    user: str = USER


@dataclass(slots=True)
class Played:
    answers: list[str] = field(default_factory=list)
    state: dict[str, object] = field(default_factory=dict)
    history: list[dict[str, str]] = field(default_factory=list)


SUPPORT = Dialogue(
    "support",
    [
        ("phone", "My order ORDER-123 arrived broken"),
        ("phone", "I would like a refund"),
        ("laptop", "And the box was open"),
    ],
)
CODE = Dialogue(
    "code", [("laptop", "Write me a button"), ("laptop", "Make it red"), ("phone", "Make it blue")]
)
TRAVEL = Dialogue("flights", [("phone", "Book me a flight to Berlin next Tuesday in the morning")])
FLIGHTS = Dialogue(
    "flights", [("phone", "Find me flights to Berlin"), ("phone", "Next Tuesday"), ("laptop", "Morning")]
)
HOTELS = Dialogue("hotels", [("phone", "Find hotels in Berlin"), ("laptop", "Under $150 a night")])
DIALOGUES = {"support": SUPPORT, "code": CODE, "travel": TRAVEL, "flights": FLIGHTS, "hotels": HOTELS}


async def play(url: str, dialogue: Dialogue) -> Played:
    """Say every turn on its device and wait for the answer. Raises TimeoutError."""
    played = Played()
    name = uuid7()
    async with AsyncExitStack() as stack:
        sessions: dict[str, LiveSession] = {}
        for device, words in dialogue.turns:
            if device not in sessions:
                client = threadline.connect(url, token=dialogue.user, device=device)
                sessions[device] = await (await stack.enter_async_context(client)).open(name)
            run = await sessions[device].send(words, agent=dialogue.agent)
            result = await run.result(ANSWER_S)
            played.answers.append(result.output)
        played.state = sessions[device].to_dict()
        played.history = [dict(message) for message in sessions[device].get_history()]
    return played
