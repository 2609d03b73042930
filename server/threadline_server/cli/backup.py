"""`threadline backup` and `restore`: a copy of the embedded store while its node runs, and a store of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from threadline.ids import uuid7
from threadline_server.backplane.embedded.backup import back_up
from threadline_server.backplane.embedded.backup import restore as restore_store
from threadline_server.cli.options import settings_options
from threadline_server.settings import Settings

REDIS = (
    "Redis makes its own backups: copy its append-only directory, or the file that BGSAVE writes (see the "
    "page of your Redis). `threadline migrate --from redis://... --to DIR` copies every session into "
    "an embedded store."
)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@settings_options("data", "redis")
def backup(target: Path, settings: Settings) -> None:
    """Copy the embedded store into the directory TARGET, which must not be there yet.

    The node may run: the copy is of one moment and has everything that was acknowledged before it. It holds
    what people wrote as the store does, encrypted only if that is.
    """
    _refuse_redis(settings)
    note = back_up(settings.data, target, time.time_ns() // 1_000_000, _Progress())
    click.echo(f"{note.sessions} sessions, {note.bytes:,} bytes in {target}")


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--same-lineage",
    is_flag=True,
    help="Nothing was written after the backup: let devices go on with their copies.",
)
@settings_options("data", "redis")
def restore(source: Path, same_lineage: bool, settings: Settings) -> None:
    """Make a store of the backup SOURCE in --data, which must not be there yet.

    Devices set aside what they have that the backup lacks, join anew, and bring over what is their own.
    """
    _refuse_redis(settings)
    sessions = restore_store(source, settings.data, same_lineage=same_lineage, new_lineage=uuid7)
    click.echo(f"{sessions} sessions in {settings.data}. Start a node there.")


def _refuse_redis(settings: Settings) -> None:
    if settings.redis is not None:
        raise click.UsageError(REDIS)


class _Progress:
    """Tells of every tenth part, on a terminal only."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, copied: int, pages: int) -> None:
        tenths = 10 * copied // max(1, pages)
        if tenths > self._told and sys.stderr.isatty():
            self._told = tenths
            click.echo(f"{tenths * 10} %", err=True)
