"""The page of all settings, made from their declarations: `threadline config docs > docs/settings.md`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from threadline.protocol.limits import Limits
from threadline_server.edge.options import EdgeOptions
from threadline_server.rooms.options import RoomOptions
from threadline_server.runs.options import RunOptions
from threadline_server.settings import Settings, is_bound

HEAD = """# Settings

This page is made by `threadline config docs`.

A setting has one name. `upkeep_every_s` is the flag `--upkeep-every-s`, the variable
`THREADLINE_UPKEEP_EVERY_S` and the line `upkeep_every_s = 30` of the file that `--config` (or
`THREADLINE_CONFIG`) names.

**A flag beats the variable, the variable beats the file, the file beats the default.** `PORT` is honoured as
the weakest variable, since platforms set it. In a variable, lists are separated by commas; in the file they
are TOML lists. Paths are relative to the directory in which the server starts.

What is unknown, cannot be, or contradicts something else ends a start with exit code 2 and the fix;
`threadline config check` says so beforehand, and `threadline config show` who set what.
"""

BOUNDS = {
    "Rooms: sessions that live on a node": RoomOptions,
    "Runs: agents at work": RunOptions,
    "The edge: who comes in": EdgeOptions,
    "The wire": Limits,
}


def settings_page() -> str:
    """Markdown."""
    own = [name for name in Settings.model_fields if not is_bound(name)]
    sections = {"The node": own} | {title: _names(kind) for title, kind in BOUNDS.items()}
    tables = ["\n".join(_table(title, names)) for title, names in sections.items()]
    return "\n".join([HEAD, *tables])


def _names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if is_bound(field.name)]


def _table(title: str, names: Iterable[str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| setting | default | what |"
    yield "|---|---|---|"
    for name in names:
        field = Settings.model_fields[name]
        yield f"| `{name}` | {_default(field.default)} | {(field.description or '').replace('|', '/')} |"
    yield ""


def _default(value: object) -> str:
    return "" if value in (None, ()) else str(value)
