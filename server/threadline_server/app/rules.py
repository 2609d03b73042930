"""The write rules of sessions, with an application's own."""

from __future__ import annotations

from threadline.document.root_rules import RootRule
from threadline.document.rules import SessionRules
from threadline_server.agent_loading import load_agent
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart


def rules_of(settings: Settings) -> SessionRules:
    if settings.root_rules is None:
        return SessionRules()
    found = load_agent(settings.root_rules, "--root-rules")
    if not isinstance(found, dict) or not all(isinstance(rule, RootRule) for rule in found.values()):
        raise CouldNotStart(f"--root-rules {settings.root_rules}: it must be a dict of RootRule by root.")
    try:
        return SessionRules(found)
    except ValueError as error:
        raise CouldNotStart(f"--root-rules {settings.root_rules}: {error}") from error
