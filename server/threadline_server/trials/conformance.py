"""Runs every promise against a server, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx

from threadline.errors import ProtocolError
from threadline_server.trials.device import Dialect, WaitedInVain
from threadline_server.trials.promises import PROMISES, Broken, Promise, Server


@dataclass(frozen=True, slots=True)
class Finding:
    """`broken` is what was seen instead, empty where the promise is kept."""

    promise: Promise
    dialect: Dialect
    broken: str


async def conformance(server: Server, promises: Sequence[Promise] = PROMISES) -> AsyncIterator[Finding]:
    """Raises NotReached where there is no server. The sessions that were made are deleted at the end."""
    try:
        for promise in promises:
            for dialect in promise.dialects:
                yield Finding(promise, dialect, await _broken(server, promise, dialect))
    finally:
        await delete_sessions(server.url, server.token, server.sessions)


async def _broken(server: Server, promise: Promise, dialect: Dialect) -> str:
    try:
        await promise.check(server, dialect)
    except (Broken, WaitedInVain) as broken:
        return str(broken)
    except ProtocolError as error:
        return f"the server sent what cannot be read: {error.message}"
    return ""


async def delete_sessions(url: str, token: str, sessions: list[str]) -> None:
    """As far as the server lets us: they are trials and of no use to anybody."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        for session in sessions:
            try:
                await client.delete(f"/api/v1/sessions/{session}")
            except httpx.HTTPError:
                return
