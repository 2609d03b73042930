"""`threadline session`: looking after sessions, one or all, in the store of a node or of many."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from threadline.ids import SessionId, parse_session_id
from threadline_server.cli.options import settings_options
from threadline_server.cli.session_change import compact, rm
from threadline_server.cli.session_log import tail
from threadline_server.cli.session_verify import verify
from threadline_server.cli.session_view import ls, show
from threadline_server.cli.stores import STORE, opened
from threadline_server.edge.attachments import attached
from threadline_server.settings import Settings
from threadline_server.upkeep.archive import Archive, read_archive, write_archive
from threadline_server.upkeep.transfer import put, take


@click.group()
def session() -> None:
    """Look at sessions, prove that they are sound, move and remove them.

    ls, show, tail, verify and export read, beside a running node too. The others change the store: of the
    embedded one its node must be stopped first, nodes on Redis go on meanwhile.
    """


for verb in (ls, show, tail, verify, compact, rm):
    session.add_command(verb)


@session.command()
@click.argument("session_id", metavar="SESSION")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@settings_options(*STORE)
def export(session_id: str, file: Path, settings: Settings) -> None:
    """Write SESSION with all its documents into FILE, which must not be there yet. It is not encrypted."""
    archive = asyncio.run(_take(settings, parse_session_id(session_id)))
    try:
        with file.open("x", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in write_archive(archive))
    except OSError as error:
        raise click.UsageError(
            f"{file} cannot be written ({error.strerror}). Choose another file."
        ) from error
    held = f"{len(archive.documents)} documents, {len(archive.blobs)} attachments"
    click.echo(f"Session {archive.record.id}: {held} in {file}")


@session.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings_options(*STORE)
def import_(file: Path, settings: Settings) -> None:
    """Store the session that FILE holds, under its own id. Doing it again changes nothing."""
    with file.open(encoding="utf-8") as lines:
        archive = read_archive(lines)
    new = asyncio.run(_put(settings, archive))
    click.echo(f"Session {archive.record.id}: {'stored' if new else 'was there already'}")


async def _take(settings: Settings, session_id: SessionId) -> Archive:
    async with opened(settings, read_only=True) as backplane:
        return await take(backplane, session_id, attached)


async def _put(settings: Settings, archive: Archive) -> bool:
    async with opened(settings) as backplane:
        return await put(backplane, archive)
