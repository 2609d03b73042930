"""`threadline migrate`: every session of one store into another."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import click

from threadline.errors import SessionError, StoreError
from threadline_server.cli.exits import Exit
from threadline_server.cli.options import settings_options
from threadline_server.cli.stores import ENCRYPTION, opened
from threadline_server.edge import invitations, kept_tokens, revocations
from threadline_server.edge.attachments import attached
from threadline_server.edge.http import idempotency
from threadline_server.runs import tally
from threadline_server.settings import Settings
from threadline_server.upkeep.transfer import bury, copy_values, put, sessions_of, take

CARRIED = (kept_tokens.KIND, invitations.KIND, revocations.KIND, idempotency.KIND, tally.KIND)
"""Of the ledger: keys and linked devices, invitations, what was revoked, what was asked already, and counts
of runs. Tickets and pairings end within minutes, and data keys belong to one store.
"""


@click.command()
@click.option("--from", "source", required=True, metavar="STORE", help="A data directory, or a URL of Redis.")
@click.option("--to", "target", required=True, metavar="STORE", help="A data directory, or a URL of Redis.")
@settings_options("objects", *ENCRYPTION, "start_timeout_s")
@click.pass_context
def migrate(ctx: click.Context, source: str, target: str, settings: Settings) -> None:
    """Copy everything from one store into another: sessions with their files and members, deleted ones as
    deleted, keys, linked devices, invitations and revoked tokens.

    Stop the nodes of both first. What was copied already is left as it is, so a migration that was broken
    off is begun again with the same words. Devices then go on where they were.
    """
    if source == target:
        raise click.UsageError("--from and --to name the same store.")
    outcome = asyncio.run(_migrate(_at(settings, source), _at(settings, target)))
    click.echo(
        f"{outcome['copied']} sessions copied, {outcome['there']} were there, {outcome['failed']} failed; "
        f"{outcome['buried']} deleted ones noted, {outcome['values']} keys, invitations and counts copied"
    )
    if outcome["failed"]:
        ctx.exit(Exit.FAILED)


def _at(settings: Settings, store: str) -> Settings:
    """`settings` for another store."""
    where: dict[str, Any] = {"redis": store} if "://" in store else {"data": Path(store)}
    return Settings(**settings.model_dump(exclude_unset=True, exclude={"redis", "data"}), **where)


async def _migrate(source: Settings, target: Settings) -> Counter[str]:
    outcome: Counter[str] = Counter()
    async with opened(source) as old, opened(target) as new:
        async for session in sessions_of(old):
            try:
                stored = await put(new, await take(old, session, attached))
                outcome["copied" if stored else "there"] += 1
            except (StoreError, SessionError) as error:
                outcome["failed"] += 1
                click.echo(f"{session}: {error.message}", err=True)
        async for session, lineage in old.tombstones():
            try:
                outcome["buried"] += await bury(new, session, lineage)
            except (StoreError, SessionError) as error:
                outcome["failed"] += 1
                click.echo(f"{session}: {error.message}", err=True)
        for kind in CARRIED:
            outcome["values"] += await copy_values(old, new, kind)
    return outcome
