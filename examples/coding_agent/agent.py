"""The agent: turns words into code, runs it in the session's kernel, and says what came of it.

Variables are in the session's state after every execution, so every device sees what the kernel holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from examples.coding_agent.kernel import Kernels
from examples.coding_agent.wording import code_for

from threadline.agents import Agent, DriverEvent, Said, Session, Task, Thought, ToolFailed, tool

_VARIABLES = re.compile(r"\bvariables\b", re.IGNORECASE)
_EARLIER = re.compile(r"\b(?:earlier|before|so far)\b", re.IGNORECASE)

kernels = Kernels(Path(os.environ.get("CODING_AGENT_WORKSPACE", ".")))
kernels.enabled = os.environ.get("CODING_AGENT_EXECUTE", "") == "1"


async def _execute(code: str, session: Session) -> dict[str, Any]:
    if not kernels.enabled:
        raise ToolFailed("Running code is off; it is enabled with CODING_AGENT_EXECUTE=1.")
    done = await (await kernels.of(session.id)).execute(code)
    if done.status == "kernel_died":
        session.delete("variables")
    else:
        session.set("variables", {**session.get("variables", {}), **done.variables})
    session.set("last_execution", {"code": code, "status": done.status, "attachments": done.attachments})
    return {"status": done.status, "output": done.text, "attachments": len(done.attachments)}


@tool(description="Run Python code in the session's notebook")
async def run_code(code: str, session: Session) -> dict[str, Any]:
    return await _execute(code, session)


@tool(description="Run Python code that a person has looked at first", requires_approval=True)
async def run_approved_code(code: str, session: Session) -> dict[str, Any]:
    return await _execute(code, session)


class NotebookDriver:
    """Needs no model: it goes by words. An `Agent(model=..., tools=[run_code])` goes by a model."""

    async def run(self, task: Task) -> AsyncGenerator[DriverEvent, None]:
        yield Thought("Looking at what is asked.")
        code = code_for(task.words)
        if code is not None:
            context = task.context if isinstance(task.context, dict) else {}
            name = "run_approved_code" if context.get("require_approval") else "run_code"
            outcome = await task.call(name, {"code": code})
            yield Said(_told(code, outcome.output if outcome.fault is None else outcome.text))
        elif _VARIABLES.search(task.words):
            known: dict[str, Any] = task.session.get("variables", {})
            yield Said(", ".join(f"{n} ({v['type']})" for n, v in sorted(known.items())) or "None yet.")
        elif _EARLIER.search(task.words):
            asked = [turn.content for turn in task.turns if turn.role == "user"][:-1]
            yield Said(f"You asked {len(asked)} times: " + "; ".join(asked))
        else:
            yield Said("I write and run Python: ask me to load a CSV file, or give me code.")


def _told(code: str, outcome: Any) -> str:
    output = outcome["output"] if isinstance(outcome, dict) else str(outcome)
    return f"```python\n{code}\n```\n{output}"


agent = Agent(name="notebook", driver=NotebookDriver(), tools=[run_code, run_approved_code])
