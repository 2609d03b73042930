"""A session as Markdown for people, and back.

Each message is a heading and its text as it is. What a reader does not need stands in comments that no
renderer shows: one per message, one for the session at the end. With them nothing is lost; whoever edits a
text need not mind them.

    <!-- threadline:message {"chars": 12, "id": "ada/…", "role": "user", …} -->
    <!-- threadline:session {"title": …, "state": …, "runs": …} -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from threadline.errors import SessionError

_MARK = re.compile(r"^<!-- threadline:(message|session) (\{.*\}) -->$", re.MULTILINE)
_HEADING = "\n\n## "


def write_markdown(exported: Mapping[str, Any]) -> str:
    """An export in the form `json` as Markdown."""
    parts = [f"# {_line(str(exported['title'] or exported['session_id']))}"]
    for message in exported["messages"]:
        text = str(message["content"])
        about = {name: value for name, value in message.items() if name != "content"} | {"chars": len(text)}
        parts.append(f"## {_heading(message)}\n{_mark('message', about)}\n\n{text}")
    rest = {name: value for name, value in exported.items() if name != "messages"}
    return "\n\n".join([*parts, _mark("session", rest)]) + "\n"


def read_markdown(text: str) -> dict[str, Any]:
    """The export that `text` was made of, with what was edited since. Raises SessionError for other texts."""
    exported: dict[str, Any] = {}
    messages: list[dict[str, Any]] = []
    for kind, about, body in _sections(text):
        if kind == "session":
            exported |= about
        else:
            about.pop("chars", None)
            messages.append({**about, "content": body})
    if not exported and not messages:
        raise SessionError("This Markdown is no export: nothing in it is marked as a message.")
    return {**exported, "messages": messages}


def _sections(text: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    position = 0
    while (mark := _MARK.search(text, position)) is not None:
        try:
            about = json.loads(mark[2])
        except ValueError as error:
            raise SessionError(f"A comment of this Markdown is damaged: {error}.") from error
        start = mark.end() + 2
        end = _end_of(text, start, about.get("chars")) if mark[1] == "message" else start
        yield mark[1], about, text[start:end]
        position = end


def _end_of(text: str, start: int, chars: object) -> int:
    """Where a message's text ends: by its length, or where it was edited, before what comes next."""
    if isinstance(chars, int) and chars >= 0 and _ends_at(text, start + chars):
        return start + chars
    following = _MARK.search(text, start)
    if following is None:
        return len(text.rstrip("\n"))
    heading = text.rfind(_HEADING, start, following.start())
    if following[1] == "message" and heading >= 0:
        return heading
    return max(start, following.start() - 2)


def _ends_at(text: str, end: int) -> bool:
    return text.startswith((_HEADING, "\n\n<!-- "), end)


def _mark(kind: str, about: Mapping[str, Any]) -> str:
    data = json.dumps(about, ensure_ascii=False, sort_keys=True)
    return f"<!-- threadline:{kind} {data.replace('>', chr(92) + 'u003e')} -->"


def _heading(message: Mapping[str, Any]) -> str:
    author = message["author"]
    at = _date(message["created_at"])
    return _line(f"{author['name'] or author['user'] or message['role']} ({message['role']}, {at})")


def _date(ms: int) -> str:
    try:
        return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return "at no known time"  # devices may write any number


def _line(text: str) -> str:
    return " ".join(text.split())
