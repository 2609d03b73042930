"""Agents behind the HelpDesk chat protocol: `serve(agent)`, or `create_app(agent)` for another server."""

from threadline.agents.helpdesk.app import create_app
from threadline.agents.helpdesk.serving import serve

__all__ = ["create_app", "serve"]
