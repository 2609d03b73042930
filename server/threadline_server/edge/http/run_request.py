"""The fields of a request that asks for a run, alone or together with a new session."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from threadline.document.values import JSON, to_json
from threadline.errors import SessionError
from threadline_server.edge.http.asking import Wish

MAX_GOAL_CHARS = 100_000
MAX_CONTEXT_BYTES = 131_072


class ContextTooLong(SessionError):
    """A context is stored with its run and goes to every device: what is large is named in it, not put in."""

    code = "context_too_long"


class RunFields(BaseModel):
    """Whatever is left out is the agent's own."""

    model_config = ConfigDict(extra="forbid")

    agent: str = Field(
        default="",
        max_length=128,
        validation_alias=AliasChoices("agent_id", "agent"),
        description="The agent that answers; `agent` is taken too.",
    )
    context: Any = Field(
        default=None,
        description="Anything that the agent should know; a string or JSON of at most "
        f"{MAX_CONTEXT_BYTES} bytes. Name files and other large things in it instead of putting them in.",
    )
    max_steps: int | None = Field(default=None, ge=1, le=1000)
    max_tokens: int | None = Field(default=None, ge=1)
    timeout_seconds: int | None = Field(default=None, ge=1)
    tools: list[Annotated[str, Field(max_length=128)]] | None = Field(
        default=None, max_length=100, description="The tools it may use."
    )
    model: str | None = Field(default=None, max_length=256)

    def wish(self, goal: str) -> Wish:
        """Raises ContextTooLong, and NotSerializable for a context that a document cannot hold."""
        limits = {
            "max_steps": self.max_steps,
            "max_tokens": self.max_tokens,
            "timeout_seconds": self.timeout_seconds,
        }
        return Wish(
            goal=goal,
            agent=self.agent,
            context=_bounded(to_json(self.context, "/context")),
            limits={name: value for name, value in limits.items() if value is not None},
            tools=None if self.tools is None else tuple(self.tools),
            model=self.model,
        )


def _bounded(context: JSON) -> JSON:
    size = 0 if context is None else len(json.dumps(context, ensure_ascii=False).encode())
    if size > MAX_CONTEXT_BYTES:
        raise ContextTooLong(
            f"The context is {size} bytes; at most {MAX_CONTEXT_BYTES} are taken. Name what is large in it, "
            "as a path or an attachment, instead of putting it in."
        )
    return context


class NewRun(RunFields):
    goal: str = Field(min_length=1, max_length=MAX_GOAL_CHARS)
