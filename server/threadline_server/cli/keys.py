"""`threadline keys`: master keys of what is encrypted at rest."""

from __future__ import annotations

import asyncio

import click

from threadline_server.app import build_backplane
from threadline_server.backplane.master_keys import new_line
from threadline_server.backplane.sealed import SealedBackplane
from threadline_server.cli.options import settings_options
from threadline_server.cli.stores import ENCRYPTION
from threadline_server.settings import Settings


@click.group()
def keys() -> None:
    """Make and change the master keys under which sessions are encrypted."""


@keys.command()
def new() -> None:
    """Print a fresh master key: a line for the file that --encryption-keys-file names."""
    click.echo(new_line())


@keys.command()
@settings_options("data", "redis", *ENCRYPTION)
def rotate(settings: Settings) -> None:
    """Put every session under the first master key of the file, or the current one of the service; the
    others can be taken away then.

    Nodes on Redis go on meanwhile. The embedded store is held by its node, so stop that first.
    """
    backplane = build_backplane(settings)
    if not isinstance(backplane, SealedBackplane):
        raise click.UsageError("Give the master keys with --encryption-keys-file, or --encryption-service.")
    changed = asyncio.run(_rotate(backplane))
    click.echo(f"{changed} keys were put under the first master key.")


async def _rotate(backplane: SealedBackplane) -> int:
    await backplane.open()
    try:
        return await backplane.keys.rotate()
    finally:
        await backplane.close()
