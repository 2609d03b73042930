"""The pages of reference that follow from the code: `python -m tests.docs.reference_pages [--write]`.

Without `--write` it says which of them are out of date, and ends with 1 where any is.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from threadline.document import events
from threadline.protocol.close_codes import CLOSE_CODES
from threadline_server.app import Node
from threadline_server.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = Path(events.__file__).with_name("schema.json")
METHODS = ("get", "post", "put", "patch", "delete")

CLOSE_CODES_HEAD = """# Close codes

Why the server ends a document or a socket, and what the client does next. 44xx: stop, and tell the
person why. 45xx, 1012 and 1013: come back after a jittered wait. Over HTTP the same names are the `code`
of an error. Made from `threadline.protocol.close_codes`.
"""
EVENTS_HEAD = """# Events

What a run tells while it goes on. `run.events()`, `GET /api/v1/sessions/ID/stream` and `executeStream`
give the same list, and so does a replay. Every event has an `id` that names its place; asking from an
`id` gives exactly what came after. A piece of text says at which `offset` (UTF-16 units) it stands; one
at a lower offset than seen replaces what was there. Made from `threadline.document.events`.
"""
SCHEMA_HEAD = """# Schema

The session document, version {version}, as `schema.json` describes it for Python and TypeScript. Times
are Unix milliseconds; an entry's id is `USER/UUID7`, and only that user may create it. The server judges
every update by the column *who writes*, whoever sends it. Roots that are not listed are the
application's own: they are merged and stored, and never read.
"""
HTTP_API_HEAD = """# HTTP API

Send `Authorization: Bearer TOKEN`. A failure has the envelope `{"error": {"code", "message", "details",
"request_id"}}`. A running node has the shapes of bodies and answers at `/docs`, for programs at
`/openapi.json`; this page is made from the same description.
"""

Json = Mapping[str, Any]


def close_codes() -> Iterator[str]:
    yield CLOSE_CODES_HEAD
    yield "| code | name | come back | sentence |"
    yield "|---|---|---|---|"
    for close in CLOSE_CODES:
        yield f"| {close.code} | `{close.name}` | {'yes' if close.comes_back else ''} | {close.sentence} |"


def event_types() -> Iterator[str]:
    yield EVENTS_HEAD
    yield "| type | fields beside `id` and `run` |"
    yield "|---|---|"
    for kind in events.EventType:
        (found,) = [each for each in _event_classes() if each.type is kind]
        names = [field.name for field in dataclasses.fields(found) if field.name not in ("id", "run")]
        yield f"| `{kind}` | {', '.join(f'`{name}`' for name in names)} |"


def _event_classes() -> Iterator[Any]:
    for value in vars(events).values():
        if isinstance(value, type) and isinstance(vars(value).get("type"), events.EventType):
            yield value


def schema() -> Iterator[str]:
    told = json.loads(SCHEMA.read_text())
    yield SCHEMA_HEAD.format(version=told["version"])
    for document in ("session", "companion"):
        yield f"## The {document} document\n"
        for root, shape in told[document].items():
            yield from _root(root, shape)


def _root(name: str, shape: Json) -> Iterator[str]:
    key = f", by `{shape['key']}`" if "key" in shape else ""
    holds = f", {shape['holds']}" if "holds" in shape else ""
    yield f"### `{name}`\n"
    yield f"A {shape['type']}{key}{holds}. Who writes: {_writers(shape.get('entry', shape))}.\n"
    if "fields" in shape:
        yield "| field | type | required | who writes |"
        yield "|---|---|---|---|"
        yield from (_field(field, of) for field, of in shape["fields"].items())
        yield ""
    for kind, fields in shape.get("kinds", {}).items():
        yield f"* `{kind}`: {', '.join(f'`{field}`' for field in (*shape['common'], *fields))}"
    if "kinds" in shape:
        yield ""


def _field(name: str, of: Json) -> str:
    values = "".join(f" {value}" for value in of.get("enum", ()))
    kind = f"{of.get('json', of['type'])}{':' if values else ''}{values}"
    return f"| `{name}` | {kind} | {'yes' if of.get('required') else ''} | {_writers(of)} |"


def _writers(of: Json) -> str:
    return ", ".join(of.get("writers", ["see its fields"])) + (" (its creator)" if of.get("creator") else "")


def http_api() -> Iterator[str]:
    told = asyncio.run(_description())
    yield HTTP_API_HEAD
    yield "| call | what |"
    yield "|---|---|"
    for path, methods in told["paths"].items():
        for method in METHODS:
            if method in methods:
                yield _operation(f"{method.upper()} {path}", methods[method])


def _operation(call: str, operation: Json) -> str:
    words = " ".join(operation.get("description", operation.get("summary", "")).split()).replace("|", "/")
    return f"| `{call}` | {words} |"


async def _description() -> Json:
    """As a node with pairing has it, which has every path."""
    with tempfile.TemporaryDirectory() as data:
        node = Node(Settings(data=Path(data), auth="pairing"), on_code=lambda _: None)
        told: Json = node.app.openapi()
        return told


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "close_codes.md": close_codes,
    "events.md": event_types,
    "schema.md": schema,
    "http_api.md": http_api,
}


def text_of(page: str) -> str:
    return "\n".join(PAGES[page]()).rstrip() + "\n"


def main() -> int:
    stale = [page for page in PAGES if not _is_current(page)]
    for page in stale:
        print(f"docs/{page} is out of date")
        if "--write" in sys.argv[1:]:
            (DOCS / page).write_text(text_of(page))
    return 1 if stale and "--write" not in sys.argv[1:] else 0


def _is_current(page: str) -> bool:
    return (DOCS / page).is_file() and (DOCS / page).read_text() == text_of(page)


if __name__ == "__main__":
    sys.exit(main())
