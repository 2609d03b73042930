"""`serve(agent)`: the HelpDesk application on a port, until interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import uvicorn
from fastapi import APIRouter

from threadline.agents.agent import Agent
from threadline.agents.helpdesk.app import create_app
from threadline.errors import ConfigurationError


def serve(
    agent: Agent | Callable[..., Any],
    port: int = 8000,
    host: str = "127.0.0.1",
    reload: bool = False,
    log_level: str = "info",
    workers: int = 1,
    timeout_keep_alive: int = 5,
    additional_routers: Iterable[APIRouter] = (),
    ws_ping_interval: float = 20.0,
    ws_ping_timeout: float = 20.0,
) -> None:
    """Serve an agent on this machine alone, unless `host` says otherwise. Returns when it was interrupted.

    Raises ConfigurationError for `reload` and several `workers`: those need an application that uvicorn
    can import.
    """
    if reload or workers != 1:
        raise ConfigurationError(
            "An agent object cannot be reloaded or shared by processes; write `app = create_app(agent)` in a "
            "module and run `uvicorn module:app --reload` or `--workers N`."
        )
    uvicorn.run(
        create_app(agent, additional_routers=additional_routers),
        host=host,
        port=port,
        log_level=log_level,
        timeout_keep_alive=timeout_keep_alive,
        ws="websockets-sansio",
        ws_ping_interval=ws_ping_interval,
        ws_ping_timeout=ws_ping_timeout,
    )
