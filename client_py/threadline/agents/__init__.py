"""The kit for agent authors: tools, agents, and what drives them."""

from typing import TYPE_CHECKING, Any

from threadline.agents.agent import Agent
from threadline.agents.compaction import compact
from threadline.agents.driver import AgentDriver, DriverEvent, Said, Task, Thought, ToolOutcome, Turn, Used
from threadline.agents.function import as_agent
from threadline.agents.interceptors import InterceptorError, LLMRequest, LLMResponse
from threadline.agents.message import AgentMessage
from threadline.agents.response import AgentResponse, AgentResult, PendingToolCall, ToolApproval, ToolResult
from threadline.agents.surroundings import OlderThan, Stale
from threadline.agents.tokens import TokenCount, TokenCounter
from threadline.agents.tool import Tool, ToolFailed, create_tool, tool
from threadline.agents.windows import CompactAbove, SemanticWindow, SlidingWindow, SummaryWindow
from threadline.session import Session

if TYPE_CHECKING:
    from threadline.agents.helpdesk import create_app, serve

_LATE = ("create_app", "serve")
"""Loaded when used: they bring a web server along."""

__all__ = [
    "Agent",
    "AgentDriver",
    "AgentMessage",
    "AgentResponse",
    "AgentResult",
    "CompactAbove",
    "DriverEvent",
    "InterceptorError",
    "LLMRequest",
    "LLMResponse",
    "OlderThan",
    "PendingToolCall",
    "Said",
    "SemanticWindow",
    "Session",
    "SlidingWindow",
    "Stale",
    "SummaryWindow",
    "Task",
    "Thought",
    "TokenCount",
    "TokenCounter",
    "Tool",
    "ToolApproval",
    "ToolFailed",
    "ToolOutcome",
    "ToolResult",
    "Turn",
    "Used",
    "as_agent",
    "compact",
    "create_app",
    "create_tool",
    "serve",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'threadline.agents' has no attribute {name!r}")
    from threadline.agents import helpdesk

    return getattr(helpdesk, name)
