"""`threadline worker`: agents for the sessions of other nodes."""

from __future__ import annotations

import os

import click

from threadline_server.app import Core
from threadline_server.cli.running import run_worker
from threadline_server.settings import load
from threadline_server.telemetry.logs import set_up_logs


@click.command()
@click.argument("agents", metavar="MODULE:AGENT...", nargs=-1, required=True)
@click.option("--redis", help="Redis of the nodes whose sessions these agents answer in. [THREADLINE_REDIS]")
@click.option("--log-level", help="Least level logged: debug, info, warning, error. [THREADLINE_LOG_LEVEL]")
@click.option("--config", help="File of settings. [THREADLINE_CONFIG]")
def worker(agents: tuple[str, ...], redis: str | None, log_level: str | None, config: str | None) -> None:
    """Run agents for sessions in Redis, beside any number of nodes and other workers.

    Without Redis the node runs its agents itself: `threadline serve --agent MODULE:AGENT`.
    """
    settings = load({"agent": agents, "redis": redis, "log_level": log_level, "config": config}, os.environ)
    if settings.redis is None:
        raise click.UsageError(
            "A worker shares Redis with its nodes; give --redis URL. On one machine without Redis, run the "
            "agent in the node: threadline serve --agent " + " --agent ".join(agents)
        )
    set_up_logs(settings.log_level, settings.log_format)
    run_worker(settings, _announce)


def _announce(core: Core) -> None:
    assert core.worker is not None
    names = ", ".join(agent.name for agent in core.worker.agents)
    click.echo(f"Working as {names}  (Ctrl+C stops it)")
