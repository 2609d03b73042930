"""What can be typed into `threadline chat` beside messages: lines that begin with a slash."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from threadline.errors import ThreadlineError
from threadline.live_session import LiveSession
from threadline.run import Run
from threadline_server.cli.chat_screen import ChatScreen

HELP = """\
/stop                 stop the run that is at work
/approve [CALL]       let a waiting call go ahead
/reject [REASON]      keep the waiting call from being made
/state [KEY [VALUE]]  show the state, or one key, or set one (VALUE is JSON or plain text)
/who                  who is here
/undo                 take back your last change
/title TEXT           name the session
/export               the conversation as Markdown
/quit                 leave; runs go on"""

Word = Callable[[LiveSession, ChatScreen, str], Awaitable[None]]


class Quit(Exception):
    """The user wants to leave."""


async def obey(session: LiveSession, screen: ChatScreen, line: str) -> None:
    """Do what a line with a slash says; what is wrong with it is shown. Raises Quit."""
    name, _, rest = line[1:].partition(" ")
    word = WORDS.get(name)
    if word is None:
        screen.note(f"there is no /{name}; /help lists what there is")
        return
    try:
        await word(session, screen, rest.strip())
    except ThreadlineError as error:
        screen.note(error.message)


async def _stop(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    unfinished = session.document.runs.unfinished()
    if not unfinished:
        screen.note("nothing is at work")
    for run in unfinished:
        await session.run(run).cancel(rest)


async def _approve(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    await _waiting(session).approve(rest or None)


async def _reject(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    await _waiting(session).reject(reason=rest)


def _waiting(session: LiveSession) -> Run:
    run = session.active_run
    if run is None:
        raise ThreadlineError("nothing waits for a word")
    return run


async def _state(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    key, _, value = rest.partition(" ")
    if value:
        session[key] = _json_or_text(value.strip())
    elif key:
        screen.note(json.dumps(session.get(key), ensure_ascii=False))
    else:
        screen.note(json.dumps(session.to_dict(), ensure_ascii=False, indent=2))


async def _who(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    for member in session.presence:
        screen.note(f"{member.user} on {member.device}" if member.device else member.user)


async def _undo(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    screen.note("taken back" if session.undo() else "there is nothing to take back")


async def _title(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    session.title = rest


async def _export(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    screen.write(str(session.export("markdown")))


async def _help(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    screen.write(HELP + "\n")


async def _quit(session: LiveSession, screen: ChatScreen, rest: str) -> None:
    raise Quit


WORDS: dict[str, Word] = {
    "stop": _stop,
    "approve": _approve,
    "reject": _reject,
    "state": _state,
    "who": _who,
    "undo": _undo,
    "title": _title,
    "export": _export,
    "help": _help,
    "quit": _quit,
}


def _json_or_text(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
