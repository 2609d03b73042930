"""The composition root: builds everything of one node from its settings, and is the only reader of them.

node = Node(settings)          nothing is opened yet
async with node: ...           the store is held, rooms live, upkeep runs
running_server(settings)       the same behind a listening socket
"""

from threadline_server.app.core import Core
from threadline_server.app.edge_parts import web_page_directory
from threadline_server.app.node import Node, OnCode
from threadline_server.app.running import RunningServer, create_app, running_server, running_worker
from threadline_server.app.stores import build_backplane

__all__ = [
    "Core",
    "Node",
    "OnCode",
    "RunningServer",
    "build_backplane",
    "create_app",
    "running_server",
    "running_worker",
    "web_page_directory",
]
