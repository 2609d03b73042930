"""`threadline demo`: server, worker and web page in one process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from threadline_server.app import RunningServer, web_page_directory
from threadline_server.cli.invitation import local_network_address, open_browser, qr_code
from threadline_server.cli.running import run_node
from threadline_server.settings import Settings, load
from threadline_server.startup import CouldNotStart
from threadline_server.telemetry.logs import set_up_logs

SESSION = "demo"
DEMO_AGENT = "threadline.agents.demo:agent"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104


@click.command()
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one. Default 8000, or PORT.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Keep the sessions in this directory. Default: temporary."
)
@click.option("--agent", help="Agent to talk to, as MODULE:AGENT. Default: the built-in travel planner.")
@click.option("--lan", is_flag=True, help="Serve the local network; devices pair with a one-time code.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def demo(port: int | None, data: Path | None, agent: str | None, lan: bool, no_browser: bool) -> None:
    """Try Threadline: server, worker and web page in one process on this machine.

    On this machine any token is a name. With --lan other devices of the local network can join.
    """
    with _directory(data) as directory:
        settings = _settings(directory, port, agent, lan)
        set_up_logs("warning", "auto")
        host = _shown_host(lan)
        run_node(
            settings,
            lambda server: _announce(server, host, None if data is None else data, no_browser),
            on_code=lambda code: _show_code(code, host, settings.port),
        )


def _settings(directory: Path, port: int | None, agent: str | None, lan: bool) -> Settings:
    flags = {
        "port": port,
        "data": directory,
        "agent": (agent or DEMO_AGENT,),
        "host": EVERY_ADDRESS if lan else None,
        "auth": "pairing" if lan else None,
    }
    return load(flags, os.environ)


def _shown_host(lan: bool) -> str:
    if not lan:
        return "127.0.0.1"
    address = local_network_address()
    if address is None:
        raise CouldNotStart("This machine has no address on a local network. Connect it, or leave out --lan.")
    return address


@contextmanager
def _directory(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="threadline-demo-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def _announce(server: RunningServer, host: str, data: Path | None, no_browser: bool) -> None:
    url = f"http://{host}:{server.url.rpartition(':')[2]}"
    page = f"{url}/?session={SESSION}"
    kept = f"{data} (kept)" if data else "temporary, gone when this stops"
    paired = server.node.pairing is not None
    click.echo("")
    click.echo(f"  Threadline demo, listening on {url}")
    click.echo("")
    click.echo(f"  Browser    {f'{url}/pair' if paired else page}")
    click.echo(f"  Terminal   threadline chat {url} {SESSION} --token {'TOKEN' if paired else 'ada'}")
    click.echo(f"  Sessions   {kept}")
    if web_page_directory() is None:
        click.echo("  The web page is not built; `make demo` in a checkout builds it.")
    click.echo("")
    click.echo("  Open it twice, as two people or two devices. Ctrl+C stops it.")
    if not (no_browser or paired):
        open_browser(page)


def _show_code(code: str, host: str, port: int) -> None:
    address = f"http://{host}:{port}/pair#{code}"
    click.echo(f"\n  Pair a device with the code {code} at http://{host}:{port}/pair, or scan:\n")
    click.echo(qr_code(address))
