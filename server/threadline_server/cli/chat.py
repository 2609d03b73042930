"""`threadline chat`: a device in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import hashlib
import platform
import sys
import threading
from pathlib import Path
from typing import TextIO

import click

from threadline.client import Client, connect
from threadline.errors import ConfigurationError, StoreBusy
from threadline.ids import parse_session_id
from threadline.live_session import LiveSession
from threadline.run import Run
from threadline.session_file import default_path
from threadline_server.cli.chat_screen import ChatScreen
from threadline_server.cli.chat_words import Quit, obey

LINES_AHEAD = 100
FAREWELL_TIMEOUT_S = 5.0


@click.command()
@click.argument("url")
@click.argument("session")
@click.option("--token", default=None, help="Proof of who you are; by default your name on this machine.")
@click.option("--user", default="", help="Your name there, to begin a session while offline.")
@click.option("--device", default=platform.node(), show_default=True, help="What others see this device as.")
@click.option("--agent", default="", help="Which agent is to answer, where the server has several.")
@click.option(
    "--store", type=click.Path(path_type=Path), default=None, help="File for what is written offline."
)
def chat(
    url: str, session: str, token: str | None, user: str, device: str, agent: str, store: Path | None
) -> None:
    """Take part in SESSION on the server at URL, for example http://127.0.0.1:8000 trip.

    Type a message to ask the agent; /help lists the rest. Works offline too.
    """
    try:
        name = parse_session_id(session)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="SESSION") from None
    proof = token if token is not None else getpass.getuser()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_chat(url, name, proof, user, device[:128], agent, store or _store_of(url, proof)))


async def _chat(url: str, name: str, token: str, user: str, device: str, agent: str, store: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        client = await _enter(stack, url, token=token, user=user, device=device, store=store)
        session = await client.open(name)
        screen = ChatScreen(session, _write)
        watcher = client.spawn(_watch(session, screen))
        try:
            await _converse(session, screen, agent)
            await _say_farewell(session, screen)
        finally:
            watcher.cancel()


async def _enter(
    stack: contextlib.AsyncExitStack, url: str, *, token: str, user: str, device: str, store: Path
) -> Client:
    """A client with the offline store, or without where another terminal has it."""
    try:
        kept = connect(url, token=token, user=user, device=device, store=store)
        return await stack.enter_async_context(kept)
    except StoreBusy:
        click.echo("· another terminal has this device's store; here nothing is kept offline")
        return await stack.enter_async_context(connect(url, token=token, user=user, device=device))


async def _watch(session: LiveSession, screen: ChatScreen) -> None:
    """Show what is new, until cancelled."""
    while True:
        screen.show()
        await session.changed.wait()


async def _converse(session: LiveSession, screen: ChatScreen, agent: str) -> None:
    """Until the input ends or the user quits."""
    asked: list[Run] = []
    lines = _lines(sys.stdin)
    try:
        while (line := await lines.get()) is not None:
            if line.startswith("/"):
                await obey(session, screen, line)
            elif line:
                asked.append(await _ask(session, screen, line, agent))
    except Quit:
        return
    if not sys.stdin.isatty():
        await _see_out(session, asked)


async def _ask(session: LiveSession, screen: ChatScreen, line: str, agent: str) -> Run:
    run = await session.send(line, agent=agent)
    intent = session.document.intents.get(run.id)
    screen.own.add(getattr(intent, "message", None) or "")
    return run


async def _see_out(session: LiveSession, asked: list[Run]) -> None:
    """Piped input has ended: wait for the answers while there is a connection to get them by."""
    await session.until(lambda: all(run.is_over for run in asked) or not session.is_live)


async def _say_farewell(session: LiveSession, screen: ChatScreen) -> None:
    """What is not saved yet gets a moment; after that it is kept here."""
    try:
        await session.saved(FAREWELL_TIMEOUT_S if session.is_live else 0)
    except TimeoutError:
        screen.note("what is not saved is kept here and sent when you come back")
    screen.show()


def _lines(source: TextIO) -> asyncio.Queue[str | None]:
    """Lines of `source` as they are typed, then None. A thread reads, which ends with the process."""
    lines: asyncio.Queue[str | None] = asyncio.Queue(LINES_AHEAD)
    loop = asyncio.get_running_loop()

    def read() -> None:
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):  # the loop has ended
            for line in source:
                asyncio.run_coroutine_threadsafe(lines.put(line.strip()), loop).result()
            asyncio.run_coroutine_threadsafe(lines.put(None), loop).result()

    threading.Thread(target=read, name="threadline-chat-input", daemon=True).start()
    return lines


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _store_of(url: str, token: str) -> Path:
    """One file for each server and user, whose name tells neither."""
    if not url:
        raise ConfigurationError("The address of the server is missing.")
    name = hashlib.sha256(f"{url}\n{token}".encode()).hexdigest()[:16]
    return default_path().parent / "devices" / f"{name}.sqlite"
