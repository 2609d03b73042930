"""`threadline doctor`: would a node start here? Each check names its remedy."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from threadline.errors import ConfigurationError, StoreError
from threadline_server.app import build_backplane
from threadline_server.backplane.base import Backplane
from threadline_server.cli.exits import Exit
from threadline_server.cli.options import settings_options
from threadline_server.serving import listen
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart

LEAST_FREE_BYTES = 256 * 1024 * 1024
LEAST_OPEN_FILES_SPARE = 64

Check = Callable[[Settings], str]


class Ailment(Exception):
    """A check failed; the message is the remedy."""


@click.command()
@settings_options("host", "port", "data", "redis", "durability", "start_timeout_s", "max_connections")
@click.pass_context
def doctor(ctx: click.Context, settings: Settings) -> None:
    """Check what a node needs: address, data directory, disk, limits of this system.

    Exits with 1 when something would keep a node from running well.
    """
    ailments = 0
    for name, check in _checks(settings):
        try:
            click.echo(f"ok    {name}: {check(settings)}")
        except (Ailment, CouldNotStart) as ailment:
            ailments += 1
            click.echo(f"FIX   {name}: {ailment}")
    if ailments:
        ctx.exit(Exit.FAILED)


def _checks(settings: Settings) -> Iterator[tuple[str, Check]]:
    yield "python", _python
    yield "address", _address
    yield "open files", _open_files
    if settings.redis is None:
        yield "data directory", _data
        yield "disk", _disk
    else:
        yield "redis", _redis


def _python(_: Settings) -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _address(settings: Settings) -> str:
    listen(settings.host, settings.port).close()
    return f"{settings.host} port {settings.port} is free"


def _open_files(settings: Settings) -> str:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + LEAST_OPEN_FILES_SPARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        raise Ailment(
            f"this shell allows {soft} open files, fewer than --max-connections {settings.max_connections} "
            f"may need. Run `ulimit -n {needed}` before the server (hard limit {hard}), or lower the setting."
        )
    return f"{soft} allowed"


def _data(settings: Settings) -> str:
    existing = _nearest_existing(settings.data)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise Ailment(
            f"{existing} cannot be written ({error.strerror}). Give this user the right, or choose another "
            "directory with --data."
        ) from error
    return f"{settings.data.resolve()} can be written"


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(_nearest_existing(settings.data)).free
    if free < LEAST_FREE_BYTES:
        raise Ailment(f"only {free >> 20} MiB are free; sessions cannot be stored when the disk is full.")
    return f"{free >> 20} MiB free"


def _redis(settings: Settings) -> str:
    return asyncio.run(_durability_of(build_backplane(settings)))


async def _durability_of(backplane: Backplane) -> str:
    """Opening asks the store for all that a node needs of it."""
    try:
        await backplane.open()
    except (StoreError, ConfigurationError) as error:
        raise Ailment(error.message) from error
    await backplane.close()
    return f"acknowledgements mean '{backplane.durability}'"


def _nearest_existing(path: Path) -> Path:
    return next(parent for parent in (path.resolve(), *path.resolve().parents) if parent.exists())
