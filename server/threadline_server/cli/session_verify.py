"""`threadline session verify`: do log, base and replicas agree?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import click

from threadline.errors import SessionError, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.base import Backplane, DocumentName
from threadline_server.cli.exits import Exit
from threadline_server.cli.options import settings_options
from threadline_server.cli.session_names import SESSION
from threadline_server.cli.stores import STORE, opened
from threadline_server.settings import Settings
from threadline_server.trials.device import Device, NotReached, WaitedInVain
from threadline_server.upkeep.transfer import sessions_of
from threadline_server.upkeep.verification import Verification, digest_of
from threadline_server.upkeep.verification import verify as verify_stored

LOOKS = 40
LOOK_EVERY_S = 0.25


@click.command()
@click.argument("sessions", metavar="[SESSION]...", type=SESSION, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every session of the store.")
@click.option("--url", "urls", multiple=True, help="Compare with the replica of this node, too; repeatable.")
@click.option("--token", default="threadline-verify", help="A token that those nodes take.")
@settings_options(*STORE)
@click.pass_context
def verify(
    ctx: click.Context,
    sessions: tuple[SessionId, ...],
    everything: bool,
    urls: tuple[str, ...],
    token: str,
    settings: Settings,
) -> None:
    """Prove that what is stored of each SESSION agrees with itself, and with the replicas of nodes.

    Reads log, base and index in full, and with --url what a device would be given. Ends with 1 where
    something does not agree.
    """
    if bool(sessions) == everything:
        raise click.UsageError("Name sessions, or give --all.")
    faults = asyncio.run(_Verifying(settings, urls, token).run(sessions))
    if faults:
        click.echo(f"{faults} documents are not sound.", err=True)
        ctx.exit(Exit.FAILED)


class _Verifying:
    def __init__(self, settings: Settings, urls: tuple[str, ...], token: str) -> None:
        self._settings = settings
        self._urls = urls
        self._token = token

    async def run(self, sessions: tuple[SessionId, ...]) -> int:
        """How many documents are not sound; each is told as it is done."""
        faults = 0
        async with opened(self._settings, read_only=True) as backplane:
            async for session in _named(sessions) if sessions else sessions_of(backplane):
                faults += await self._session(backplane, session)
        return faults

    async def _session(self, backplane: Backplane, session: SessionId) -> int:
        documents = dict.fromkeys((DocumentName(session), *await backplane.list_documents(session)))
        return sum([await self._document(backplane, document) for document in documents])

    async def _document(self, backplane: Backplane, document: DocumentName) -> bool:
        faults: list[str] = []
        try:
            found = await self._stored(backplane, document)
            faults += found.faults
            told = f"position {found.position}, {found.base_bytes:,} bytes and {found.turns} turns"
            told += f", content {found.digest[:16]}" if found.digest else ""
        except (StoreError, SessionError) as error:
            faults.append(error.message)
            told = "cannot be read"
        if not faults and "~" not in document:
            for url in self._urls:
                faults += await self._differs(backplane, document, url)
        click.echo(f"{'FIX ' if faults else 'ok  '}  {document}: {told}")
        for fault in faults:
            click.echo(f"        {fault}")
        return bool(faults)

    async def _stored(self, backplane: Backplane, document: DocumentName) -> Verification:
        stored = await backplane.load(document)
        return await asyncio.to_thread(verify_stored, document, stored)

    async def _differs(self, backplane: Backplane, document: DocumentName, url: str) -> list[str]:
        """Nothing when the replica that a node gives out has, at some moment, what is stored."""
        try:
            async with Device(url, document, self._token) as device:
                await device.until_synced()
                for _ in range(LOOKS):
                    found = await self._stored(backplane, document)
                    if digest_of(document, device.doc) == found.digest:
                        return []
                    await asyncio.sleep(LOOK_EVERY_S)
        except (NotReached, WaitedInVain) as error:
            return [f"{url} does not give out a replica: {error}"]
        return [f"The replica of {url} has other content than the store, for {LOOKS * LOOK_EVERY_S:g} s now."]


async def _named(sessions: tuple[SessionId, ...]) -> AsyncIterator[SessionId]:
    for session in sessions:
        yield session
