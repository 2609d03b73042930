"""`threadline session ls` and `show`: which sessions there are, and what is stored of one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import click

from threadline.document.session_document import SessionDocument
from threadline.errors import ProtocolError, StoreError
from threadline.ids import SessionId, split_document_name
from threadline_server.backplane.base import DocumentName, SessionPage, SessionQuery, SessionRecord, Stored
from threadline_server.cli.options import settings_options
from threadline_server.cli.session_names import SESSION
from threadline_server.cli.stores import STORE, opened
from threadline_server.rooms.replica import Replica
from threadline_server.settings import Settings

MOST_LISTED = 1_000


@click.command()
@click.option("--user", help="Sessions that this user owns or was granted.")
@click.option("--status", help="Sessions whose latest run is in this state.")
@click.option("--agent", help="Sessions whose latest run is this agent's.")
@click.option("--text", help="Sessions with these words in the title.")
@click.option("--limit", type=click.IntRange(1, MOST_LISTED), default=50, help="At most so many. Default 50.")
@settings_options(*STORE)
def ls(
    settings: Settings, user: str | None, status: str | None, agent: str | None, text: str | None, limit: int
) -> None:
    """List sessions, the last active first."""
    query = SessionQuery(visible_to=user, status=status, agent=agent, text=text, limit=limit)
    page = asyncio.run(_list(settings, query))
    for record in page.sessions:
        state = record.status or "-"
        click.echo(f"{record.id:<24} {record.owner:<16} {when(record.active_ms)}  {state:<10} {record.title}")
    if not page.sessions:
        click.echo("No session is like that.")
    elif page.cursor is not None:
        click.echo(f"There are more than {len(page.sessions)}; --limit shows up to {MOST_LISTED}.")


async def _list(settings: Settings, query: SessionQuery) -> SessionPage:
    """One page of up to `query.limit`, which may be more than the store gives at once."""
    found: list[SessionRecord] = []
    async with opened(settings, read_only=True) as backplane:
        while True:
            page = await backplane.list_sessions(query)
            found += page.sessions
            if page.cursor is None or len(found) >= query.limit:
                return SessionPage(tuple(found[: query.limit]), page.cursor)
            query = SessionQuery(
                visible_to=query.visible_to,
                status=query.status,
                agent=query.agent,
                text=query.text,
                limit=query.limit,
                cursor=page.cursor,
            )


@click.command()
@click.argument("session", type=SESSION)
@settings_options(*STORE)
def show(session: SessionId, settings: Settings) -> None:
    """Tell what is stored of SESSION: its record, its documents, how much is in them; no content."""
    record, documents = asyncio.run(_load(settings, session))
    for name, value in _record_lines(record):
        click.echo(f"{name:<9} {value}")
    for document, stored in documents.items():
        for line in _document_lines(document, stored):
            click.echo(line)


async def _load(
    settings: Settings, session: SessionId
) -> tuple[SessionRecord, dict[DocumentName, Stored | StoreError]]:
    found: dict[DocumentName, Stored | StoreError] = {}
    async with opened(settings, read_only=True) as backplane:
        record = await backplane.get_session(session)
        for name in dict.fromkeys((DocumentName(session), *await backplane.list_documents(session))):
            try:
                found[name] = await backplane.load(name)
            except StoreError as error:
                found[name] = error
    return record, found


def _record_lines(record: SessionRecord) -> Iterator[tuple[str, str]]:
    yield "session", record.id
    yield "title", record.title or "-"
    yield "owner", record.owner
    yield "members", ", ".join(f"{user} ({role})" for user, role in record.members.items()) or "-"
    yield "created", when(record.created_ms)
    yield "active", when(record.active_ms)
    yield "run", f"{record.status or '-'} {record.agent}".strip()
    yield "labels", ", ".join(record.labels) or "-"
    yield "lineage", record.lineage


def _document_lines(document: DocumentName, stored: Stored | StoreError) -> Iterator[str]:
    if isinstance(stored, StoreError):
        yield f"document  {document}: cannot be read: {stored.message}"
        return
    entries = [entry for logged in stored.tail for entry in logged.turn.entries]
    size = sum(len(entry.update) for entry in entries)
    yield (
        f"document  {document}: position {stored.position}, base of {len(stored.base or b''):,} bytes up to "
        f"{stored.base_position}, {len(stored.tail)} turns of {size:,} bytes after it"
    )
    if split_document_name(document)[1] is None:
        yield f"          {_counts(stored, [entry.update for entry in entries])}"


def _counts(stored: Stored, updates: list[bytes]) -> str:
    replica = Replica()
    try:
        replica.integrate([*([stored.base] if stored.base else []), *updates])
    except (StoreError, ProtocolError) as error:
        return f"its content cannot be read: {error.message}"
    content = SessionDocument(replica.document())
    messages, runs = len(content.messages.ids(retracted=True)), len(content.runs.ids())
    return f"{messages} messages, {runs} runs, {len(content.intents.ids())} intents that nobody decided yet"


def when(unix_ms: int) -> str:
    """A time as people and logs write it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(unix_ms / 1000))
