"""Authentication: tickets and kept tokens, told apart by how they begin, and what one way of it knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from threadline.errors import Unauthorized
from threadline_server.edge import kept_tokens, tickets
from threadline_server.edge.authentication import Principal
from threadline_server.edge.kept_tokens import KeptTokens
from threadline_server.edge.revocations import Revocations
from threadline_server.edge.tickets import Tickets

Identify = Callable[[str], Awaitable[Principal]]


class TokenAuthenticator:
    """`identify` knows the tokens that were not given out here; it is asked about an empty one too.

    `tokens_in_url` allows in addresses what else only a ticket may do there.
    """

    def __init__(
        self,
        identify: Identify,
        kept: KeptTokens,
        tickets: Tickets,
        revocations: Revocations,
        *,
        tokens_in_url: bool,
    ) -> None:
        self._identify_other = identify
        self._kept = kept
        self._tickets = tickets
        self._revocations = revocations
        self._tokens_in_url = tokens_in_url
        self.accepted_total = 0
        self.refused_total = 0

    async def authenticate(self, token: str, *, in_url: bool = False) -> Principal:
        try:
            principal = self._revocations.check(await self._identify(token, in_url))
        except Unauthorized:
            self.refused_total += 1
            raise
        self.accepted_total += 1
        return principal

    async def _identify(self, token: str, in_url: bool) -> Principal:
        if token.startswith(tickets.PREFIX):
            return await self._tickets.redeem(token)
        if token and in_url and not self._tokens_in_url:
            raise Unauthorized("In an address only a ticket is taken; ask for one at /api/v1/tickets.")
        if token.startswith(kept_tokens.PREFIX):
            return await self._kept.authenticate(token)
        return await self._identify_other(token)

    def stats(self) -> dict[str, float]:
        return {
            "tokens_accepted_total": self.accepted_total,
            "tokens_refused_total": self.refused_total,
            "revocations": len(self._revocations),
        }
