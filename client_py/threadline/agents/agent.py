"""An agent: a name, instructions, tools, and what drives it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from threadline.agents.demo import DemoDriver
from threadline.agents.driver import AgentDriver
from threadline.agents.tool import Tool, as_tool
from threadline.errors import ConfigurationError

DEFAULT_NAME = "assistant"
DEMO_MODEL = "demo"

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")


class Agent:
    """What an agent author writes.

    name:           how sessions and people call it, 1 to 64 characters of `[A-Za-z0-9._@-]` model:
    `demo` for the driver that needs no key driver:         whatever implements `AgentDriver`, in place of a
    model's name system_prompt:  instructions that do not change; `system_context` is a text, or a function
    of the run's context
    """

    def __init__(
        self,
        tools: Iterable[Tool | Callable[..., Any]] | None = None,
        model: str = DEMO_MODEL,
        *,
        name: str = DEFAULT_NAME,
        description: str = "",
        system_prompt: str = "",
        system_context: str | Callable[[Mapping[str, Any]], str] | None = None,
        driver: AgentDriver | None = None,
    ) -> None:
        if _NAME.fullmatch(name) is None:
            raise ConfigurationError(
                f"An agent's name is 1 to 64 characters of A-Z a-z 0-9 . _ @ -; {name!r} is not."
            )
        self.name = name
        self.model = model
        self.description = description
        self.system_prompt = system_prompt
        self.system_context = system_context
        self.tools = _by_name(map(as_tool, tools or ()))
        self.driver = driver or driver_for(model)

    def system_for(self, context: Mapping[str, Any], override: str = "") -> str:
        """The instructions of one run: the prompt, or what replaces it, then what the context adds."""
        added = self.system_context(context) if callable(self.system_context) else self.system_context
        return "\n\n".join(part for part in (override or self.system_prompt, added) if part)

    def __repr__(self) -> str:
        return f"<Agent {self.name}: {len(self.tools)} tools, {self.model}>"


def driver_for(model: str) -> AgentDriver:
    """The driver of a model's name. Raises ConfigurationError where there is none."""
    if model == DEMO_MODEL:
        return DemoDriver()
    raise ConfigurationError(
        f"There is no driver for the model {model!r}. Use model='demo', or pass driver=, an object with "
        "`run(task)` as threadline.agents.driver.AgentDriver says."
    )


def _by_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    named: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in named:
            raise ConfigurationError(f"Two tools have the name {tool.name}.")
        named[tool.name] = tool
    return named
