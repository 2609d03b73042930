"""Who calls: the bearer token of a request, authenticated."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from threadline_server.edge.authentication import Authenticator, Principal

Caller = Callable[..., Awaitable[Principal]]

_bearer = HTTPBearer(auto_error=False, description="The same token that a device uses for its WebSocket.")


def caller_of(authenticator: Authenticator) -> Caller:
    """A FastAPI dependency that gives the caller, or fails with Unauthorized.

    The query parameter is for EventSource, which cannot send headers; the header wins.
    """

    async def caller(
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        token: Annotated[str, Query(max_length=8192, include_in_schema=False)] = "",
    ) -> Principal:
        if bearer is not None:
            return await authenticator.authenticate(bearer.credentials)
        return await authenticator.authenticate(token, in_url=bool(token))

    return caller
