"""`threadline session`: one session as a file, out of a store and into one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from threadline.errors import StoreError
from threadline.ids import SessionId, parse_session_id
from threadline_server.app import build_backplane
from threadline_server.backplane.base import Backplane
from threadline_server.cli.options import settings_options
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart
from threadline_server.upkeep.archive import Archive, read_archive, write_archive
from threadline_server.upkeep.transfer import put, take

STORE = ("data", "redis", "objects", "encryption_keys", "encryption_keys_file", "start_timeout_s")


@click.group()
def session() -> None:
    """Write a session into a file, or read one from it.

    The embedded store is held by its node, so stop that first. The file is not encrypted.
    """


@session.command()
@click.argument("session_id", metavar="SESSION")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@settings_options(*STORE)
def export(session_id: str, file: Path, settings: Settings) -> None:
    """Write SESSION with all its documents into FILE, which must not be there yet."""
    archive = asyncio.run(_take(settings, parse_session_id(session_id)))
    try:
        with file.open("x", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in write_archive(archive))
    except OSError as error:
        raise click.UsageError(
            f"{file} cannot be written ({error.strerror}). Choose another file."
        ) from error
    click.echo(f"Session {archive.record.id}: {len(archive.documents)} documents in {file}")


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
    async with opened(settings) as backplane:
        return await take(backplane, session_id)


async def _put(settings: Settings, archive: Archive) -> bool:
    async with opened(settings) as backplane:
        return await put(backplane, archive)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Backplane]:
    """The store of these settings. Raises CouldNotStart with the fix."""
    backplane = build_backplane(settings)
    try:
        await backplane.open()
    except StoreError as error:
        raise CouldNotStart(error.message) from error
    try:
        yield backplane
    finally:
        await backplane.close()
