"""`threadline session tail`: who writes into a session, turn by turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import click

from threadline.ids import COMPANION_MARK, SessionId
from threadline_server.backplane.base import DocumentName, Entry, LoggedTurn, Position
from threadline_server.cli.options import settings_options
from threadline_server.cli.session_names import SESSION
from threadline_server.cli.session_view import when
from threadline_server.cli.stores import STORE, opened
from threadline_server.settings import Settings

TURNS_AT_ONCE = 500
LOOK_EVERY_S = 0.5
MOST_LINES = 10_000


@click.command()
@click.argument("session", type=SESSION)
@click.option("-f", "--follow", is_flag=True, help="Go on as more is written, until Ctrl+C.")
@click.option(
    "-n", "--lines", type=click.IntRange(0, MOST_LINES), default=20, help="The last so many. Default 20."
)
@click.option("--user", help="The companion document of this user instead.")
@settings_options(*STORE)
def tail(session: SessionId, follow: bool, lines: int, user: str | None, settings: Settings) -> None:
    """Show the end of a session's log: position, time, who, how much. Contents are not shown."""
    document = DocumentName(session if user is None else f"{session}{COMPANION_MARK}{user}")
    asyncio.run(_tail(settings, document, lines, follow))


async def _tail(settings: Settings, document: DocumentName, lines: int, follow: bool) -> None:
    async with opened(settings, read_only=True) as backplane:
        stored = await backplane.load(document)
        for logged in stored.tail[len(stored.tail) - lines :] if lines else ():
            _print(logged)
        position = stored.position
        while follow:
            turns = await backplane.read(document, position, TURNS_AT_ONCE)
            for logged in turns:
                _print(logged)
                position = Position(logged.position)
            if len(turns) < TURNS_AT_ONCE:
                await asyncio.sleep(LOOK_EVERY_S)


def _print(logged: LoggedTurn) -> None:
    for line in lines_of(logged):
        click.echo(line)


def lines_of(logged: LoggedTurn) -> Iterator[str]:
    """One line per entry."""
    for entry in logged.turn.entries:
        yield (
            f"{logged.position:>8}  {when(entry.at_ms)}  {entry.user} ({entry.role})  "
            f"{len(entry.update):,} bytes  {_clocks(entry)}  {logged.turn.node}"
        )


def _clocks(entry: Entry) -> str:
    return " ".join(f"{clocks.client}:{clocks.start}-{clocks.end}" for clocks in entry.ranges) or "deletes"
