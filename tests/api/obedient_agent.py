"""An agent that ends as its goal says, and that writes into the state what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from threadline.agents import Agent, DriverEvent, Said, Session, Task, tool


@tool(description="Remember a value")
def remember(key: str, value: Any, session: Session) -> str:
    session.set(key, value)
    return f"{key} is {value}"


@tool(description="Pay", requires_approval=True)
def pay(amount: int, session: Session) -> str:
    session.set("paid", session.get("paid", 0) + amount)
    return f"paid {amount}"


@tool(description="Read the first line of a file")
def read_file(platform_context: dict[str, Any]) -> str:
    return f"{platform_context['file_path']} is a {platform_context['file_type']} file"


class Obedient:
    """`fail`, `wait`, `pay`, `read`, `remember KEY VALUE, ...`; says anything else back."""

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        goal = task.goal or task.words
        if goal == "fail":
            raise RuntimeError("as told")
        if goal == "wait":
            yield Said("I wait.")
            await asyncio.Event().wait()
        if goal == "pay":
            yield Said((await task.call("pay", {"amount": 5})).text)
        elif goal == "read":
            yield Said((await task.call("read_file", {})).text)
        elif goal.startswith("remember "):
            for wish in goal.removeprefix("remember ").split(", "):
                key, value = wish.split(" ")
                yield Said((await task.call("remember", {"key": key, "value": value})).text + ". ")
        else:
            yield Said(f"{goal}, as you say.")


agent = Agent(
    name="obedient", description="Does as it is told", driver=Obedient(), tools=[remember, pay, read_file]
)
