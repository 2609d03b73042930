"""`threadline demo`: server, worker and web page in one process."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from threadline_server.app import RunningServer, web_page_directory
from threadline_server.cli import second_life
from threadline_server.cli.exits import Exit, say
from threadline_server.cli.invitation import local_network_address, open_browser, qr_code
from threadline_server.cli.running import run_node
from threadline_server.settings import Settings, load
from threadline_server.startup import CouldNotStart
from threadline_server.telemetry.logs import set_up_logs

SESSION = "demo"
DEMO_AGENT = "threadline.agents.travel:agent"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104


@click.command()
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one. Default 8000, or PORT.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Keep the sessions in this directory. Default: temporary."
)
@click.option("--agent", help="Agent to talk to, as MODULE:AGENT. Default: the built-in travel planner.")
@click.option("--lan", is_flag=True, help="Serve the local network; devices pair with a one-time code.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def demo(port: int | None, data: Path | None, agent: str | None, lan: bool, no_browser: bool) -> int:
    """Try Threadline: server, worker and web page in one process on this machine.

    On this machine any token is a name. With --lan other devices of the local network can join.
    """
    with _directory(data) as directory:
        settings = _settings(directory, port, agent, lan)
        set_up_logs("warning", "auto")
        hall = _Hall(_shown_host(lan), kept=data, with_browser=not (no_browser or lan))
        if not second_life.possible():
            run_node(settings, hall.announce, on_code=hall.show_code)
            return Exit.DONE
        fixed = settings.model_copy(update={"port": settings.port or _free_port(settings.host)})
        return Exit(second_life.live(lambda first: _one_life(fixed, hall, first)))


def _one_life(settings: Settings, hall: _Hall, first: bool) -> int:
    announce = hall.announce if first else hall.announce_return
    try:
        run_node(settings, announce, on_code=hall.show_code, kill=second_life.kill_soon)
    except CouldNotStart as error:
        return say(error, Exit.COULD_NOT_START)
    return Exit.DONE


def _free_port(host: str) -> int:
    """The same for every life: devices come back to where they were."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


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


class _Hall:
    """What is said at the terminal. The first code is there before the server listens, and waits."""

    def __init__(self, host: str, *, kept: Path | None, with_browser: bool) -> None:
        self._host = host
        self._kept = kept
        self._with_browser = with_browser
        self._url = ""
        self._code = ""

    def announce(self, server: RunningServer) -> None:
        self._url = f"http://{self._host}:{server.url.rpartition(':')[2]}"
        page = f"{self._url}/?session={SESSION}"
        paired = server.node.pairing is not None
        click.echo(f"\n  Threadline demo, listening on {self._url}\n")
        click.echo(f"  Browser    {f'{self._url}/pair' if paired else page}")
        token = "TOKEN" if paired else "ada"
        click.echo(f"  Terminal   threadline chat {self._url} {SESSION} --token {token}")
        click.echo(
            f"  Sessions   {f'{self._kept} (kept)' if self._kept else 'temporary, gone when this stops'}"
        )
        if web_page_directory() is None:
            click.echo("  The web page is not built; `make demo` in a checkout builds it.")
        click.echo("\n  Open it twice, as two people or two devices. Ctrl+C stops it.")
        if self._code:
            self._show_code()
        if self._with_browser:
            open_browser(page)

    def announce_return(self, server: RunningServer) -> None:
        self._url = f"http://{self._host}:{server.url.rpartition(':')[2]}"
        click.echo("  The node was killed, and is back.")
        if self._code:
            self._show_code()

    def show_code(self, code: str) -> None:
        self._code = code
        if self._url:
            self._show_code()

    def _show_code(self) -> None:
        click.echo(f"\n  Pair a device with the code {self._code} at {self._url}/pair, or scan:\n")
        click.echo(qr_code(f"{self._url}/pair#{self._code}"))
