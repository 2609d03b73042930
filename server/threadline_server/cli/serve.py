"""`threadline serve`: a node."""

from __future__ import annotations

import click

from threadline_server.app import RunningServer
from threadline_server.cli.options import settings_options
from threadline_server.cli.running import run_node
from threadline_server.settings import Settings
from threadline_server.telemetry.logs import set_up_logs


@click.command()
@settings_options()
def serve(settings: Settings) -> None:
    """Run a node. Bounds that few people change are listed by `threadline config docs`."""
    set_up_logs(settings.log_level, settings.log_format)
    run_node(settings, _announce)


def _announce(server: RunningServer) -> None:
    click.echo(f"Listening on {server.url}  (Ctrl+C stops it)")
