"""The driver of an agent with everything its author put around it: context, window, limits, interceptors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from threadline.agents.driver import AgentDriver, DriverEvent, Task
from threadline.agents.surroundings import (
    STALE,
    Provider,
    Validator,
    in_words,
    live_context,
    stale_state,
)
from threadline.agents.tokens import ESTIMATE, TokenCounter
from threadline.agents.windows import Window
from threadline.errors import SessionError


class SystemFor(Protocol):
    def __call__(self, context: Mapping[str, Any], override: str) -> str: ...


@dataclass(frozen=True, slots=True)
class PreparedDriver:
    """Merges what providers know into the context, writes the instructions, cuts the history to its window.

    max_context_tokens: a history that is longer after that fails the run with `context_too_long`
    """

    driver: AgentDriver
    system_for: SystemFor
    providers: Sequence[Provider] = ()
    validators: Sequence[Validator] = ()
    window: Window | None = None
    max_context_tokens: int | None = None
    counter: TokenCounter = field(default=ESTIMATE)

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        async with aclosing(self.driver.run(await self._prepared(task))) as events:
            async for event in events:
                yield event

    async def _prepared(self, task: Task) -> Task:
        given = task.context if isinstance(task.context, Mapping) else {}
        context = {**await live_context(self.providers, task.session), **given}
        stale = await stale_state(self.validators, task.session)
        system = self.system_for(context, task.system)
        if stale:
            context[STALE] = [item.key for item in stale]
            system = "\n\n".join(part for part in (system, in_words(stale)) if part)
        turns = task.turns if self.window is None else await self.window.select(task.turns)
        task = replace(task, context=context, system=system, turns=turns)
        self._check_size(task)
        return task

    def _check_size(self, task: Task) -> None:
        if self.max_context_tokens is None:
            return
        counted = self.counter.turns(task.turns)
        tokens = counted.tokens + self.counter.of_text(task.system) + self.counter.of_text(task.goal)
        if tokens > self.max_context_tokens:
            raise SessionError(
                f"The context is {tokens} tokens ({counted.source}); this agent takes "
                f"{self.max_context_tokens}.",
                code="context_too_long",
            )
