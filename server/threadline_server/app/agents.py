"""The agents that settings name, and who hears of their runs."""

from __future__ import annotations

from threadline.agents import Agent, as_agent
from threadline.errors import ConfigurationError
from threadline_server.agent_loading import load_agent
from threadline_server.backplane.base import Backplane
from threadline_server.runs.roster import Roster
from threadline_server.runs.webhooks import WebhookOptions, Webhooks
from threadline_server.runs.worker import Worker
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart


def agent_at(path: str) -> Agent:
    try:
        return as_agent(load_agent(path))
    except ConfigurationError as error:
        raise CouldNotStart(f"--agent {path}: {error.message}") from error


def roster_of(backplane: Backplane, worker: Worker | None) -> Roster:
    return Roster(backplane) if worker is None else Roster(backplane, worker.agents, worker.holder)


def webhooks_of(settings: Settings, backplane: Backplane) -> Webhooks | None:
    url, secret = settings.webhook_url, settings.webhook_secret
    if url is None or secret is None:
        return None
    return Webhooks(WebhookOptions(url, secret.get_secret_value().encode()), backplane)
