"""`/api/v1/agents`: who may be asked for work."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from threadline_server.edge.authentication import Principal
from threadline_server.edge.http.caller import Caller
from threadline_server.edge.http.errors import documented


class ToolCard(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def requires_approval(self) -> bool: ...


class AgentCard(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def tools(self) -> Sequence[ToolCard]: ...


KnownAgents = Callable[[], Awaitable[Sequence[AgentCard]]]


class ToolView(BaseModel):
    name: str
    description: str
    requires_approval: bool


class AgentView(BaseModel):
    """`id` is what `agent_id` names."""

    id: str
    description: str
    model: str
    tools: list[ToolView]


class AgentListing(BaseModel):
    """Those of this node first; the first of all answers where none is named."""

    agents: list[AgentView]


def agent_routes(known: KnownAgents, caller: Caller) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["agents"])
    Me = Annotated[Principal, Depends(caller)]  # noqa: N806

    @router.get("/agents", responses=documented())
    async def agents(me: Me) -> AgentListing:
        """List the agents that workers run now."""
        return AgentListing(agents=[_view(card) for card in await known()])

    return router


def _view(card: AgentCard) -> AgentView:
    tools = [
        ToolView(name=tool.name, description=tool.description, requires_approval=tool.requires_approval)
        for tool in card.tools
    ]
    return AgentView(id=card.name, description=card.description, model=card.model, tools=tools)
