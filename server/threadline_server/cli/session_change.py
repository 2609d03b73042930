"""`threadline session compact` and `rm`."""

from __future__ import annotations

import asyncio

import click

from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, DocumentName
from threadline_server.cli.options import settings_options
from threadline_server.cli.session_names import SESSION
from threadline_server.cli.stores import STORE, opened
from threadline_server.rooms.compaction import compact as compact_room
from threadline_server.rooms.registry import Rooms
from threadline_server.settings import Settings

_SESSIONS = click.argument("sessions", metavar="SESSION...", type=SESSION, nargs=-1, required=True)


@click.command()
@_SESSIONS
@settings_options(*STORE)
def compact(sessions: tuple[SessionId, ...], settings: Settings) -> None:
    """Give each SESSION a new base and shorten its log. Nodes do this by themselves when a log is long."""
    for document, turns in asyncio.run(_compact(settings, sessions)):
        click.echo(f"{document}: {turns} turns went into the base" if turns else f"{document}: nothing to do")


async def _compact(settings: Settings, sessions: tuple[SessionId, ...]) -> list[tuple[DocumentName, int]]:
    async with opened(settings) as backplane, Rooms(backplane, settings.room_options) as rooms:
        return [
            (document, await _compact_one(backplane, rooms, document))
            for session in sessions
            for document in await _documents(backplane, session)
        ]


async def _documents(backplane: Backplane, session: SessionId) -> tuple[DocumentName, ...]:
    await backplane.get_session(session)
    return await backplane.list_documents(session)


async def _compact_one(backplane: Backplane, rooms: Rooms, document: DocumentName) -> int:
    """Turns that the log lost. Raises StoreError where the new base was not stored."""
    room = await rooms.open(document)
    turns = room.log.tail_turns
    if turns:
        failures = rooms.host.counts.compaction_failures
        await compact_room(room)
        if rooms.host.counts.compaction_failures > failures:
            raise click.ClickException(f"{document} could not be compacted; the log has the reason.")
    return turns


@click.command()
@_SESSIONS
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_options(*STORE)
def rm(sessions: tuple[SessionId, ...], yes: bool, settings: Settings) -> None:
    """Delete each SESSION for good: its log, its documents, its blobs. Its name is not given out again."""
    if not yes:
        click.confirm(f"Delete {', '.join(sessions)} for good?", abort=True)
    asyncio.run(_delete(settings, sessions))
    click.echo(f"Deleted {', '.join(sessions)}")


async def _delete(settings: Settings, sessions: tuple[SessionId, ...]) -> None:
    async with opened(settings) as backplane:
        for session in sessions:
            await backplane.get_session(session)  # one that never was is said
        for session in sessions:
            await backplane.delete_session(session)
