"""Which agents are at work, as workers say of themselves; an entry ends soon after its worker does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from threadline.agents.agent import Agent
from threadline.errors import StoreError
from threadline_server.backplane.base import Backplane

KIND = "agents"
LIFE_S = 60.0
AGAIN_S = 20.0


@dataclass(frozen=True, slots=True)
class ToolCard:
    name: str
    description: str
    requires_approval: bool


@dataclass(frozen=True, slots=True)
class AgentCard:
    """What may be told of an agent. `tools` are in the order of its author."""

    name: str
    description: str
    model: str
    tools: tuple[ToolCard, ...]


def card_of(agent: Agent) -> AgentCard:
    tools = (ToolCard(tool.name, tool.description, tool.requires_approval) for tool in agent.tools.values())
    return AgentCard(agent.name, agent.description, agent.model, tuple(tools))


class Roster:
    """`agents` are those of this process; `holder` names it among all that work."""

    def __init__(self, backplane: Backplane, agents: Iterable[Agent] = (), holder: str = "") -> None:
        self._backplane = backplane
        self._own = [card_of(agent) for agent in agents]
        self._holder = holder

    async def run(self) -> None:
        """Say again and again that they are there, until cancelled."""
        while True:
            for card in self._own:
                await self._announce(card)
            await asyncio.sleep(AGAIN_S)

    async def _announce(self, card: AgentCard) -> None:
        place, entry = f"{card.name}/{self._holder}", json.dumps(asdict(card)).encode()
        try:
            known = await self._backplane.get_value(KIND, place)
            await self._backplane.swap_value(KIND, place, known, entry, round(LIFE_S * 1000))
        except StoreError:
            return  # the store is away; it is said again soon

    async def known(self) -> Sequence[AgentCard]:
        """Every agent that somebody runs, those of this process first. Raises StoreError."""
        cards = {card.name: card for card in self._own}
        stored = await self._backplane.list_values(KIND)
        for _, entry in sorted(stored.items()):
            card = _decode(entry)
            cards.setdefault(card.name, card)
        return tuple(cards.values())


def _decode(entry: bytes) -> AgentCard:
    fields = json.loads(entry)
    return AgentCard(**{**fields, "tools": tuple(ToolCard(**tool) for tool in fields["tools"])})
