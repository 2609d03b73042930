"""The kit for agent authors: tools, agents, and what drives them."""

from threadline.agents.agent import Agent
from threadline.agents.driver import AgentDriver, DriverEvent, Said, Task, Thought, ToolOutcome, Turn, Used
from threadline.agents.function import as_agent
from threadline.agents.tool import Tool, ToolFailed, create_tool, tool
from threadline.session import Session

__all__ = [
    "Agent",
    "AgentDriver",
    "DriverEvent",
    "Said",
    "Session",
    "Task",
    "Thought",
    "Tool",
    "ToolFailed",
    "ToolOutcome",
    "Turn",
    "Used",
    "as_agent",
    "create_tool",
    "tool",
]
