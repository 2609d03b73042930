"""The fields of a request that asks for a run, alone or together with a new session."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from threadline.document.values import to_json
from threadline_server.edge.http.asking import Wish

MAX_GOAL_CHARS = 100_000


class RunFields(BaseModel):
    """Whatever is left out is the agent's own."""

    model_config = ConfigDict(extra="forbid")

    agent: str = Field(default="", max_length=128, description="The agent that answers.")
    context: Any = Field(default=None, description="Anything that the agent should know; a string or JSON.")
    max_steps: int | None = Field(default=None, ge=1, le=1000)
    max_tokens: int | None = Field(default=None, ge=1)
    timeout_seconds: int | None = Field(default=None, ge=1)
    tools: list[str] | None = Field(default=None, max_length=100, description="The tools it may use.")
    model: str | None = Field(default=None, max_length=256)

    def wish(self, goal: str) -> Wish:
        """Raises NotSerializable for a context that a document cannot hold."""
        limits = {
            "max_steps": self.max_steps,
            "max_tokens": self.max_tokens,
            "timeout_seconds": self.timeout_seconds,
        }
        return Wish(
            goal=goal,
            agent=self.agent,
            context=to_json(self.context, "/context"),
            limits={name: value for name, value in limits.items() if value is not None},
            tools=None if self.tools is None else tuple(self.tools),
            model=self.model,
        )


class NewRun(RunFields):
    goal: str = Field(min_length=1, max_length=MAX_GOAL_CHARS)
