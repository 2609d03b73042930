"""The machine-readable description of the documents, read from `schema.json`; TypeScript reads the same
file.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

SCHEMA_VERSION = 1
SESSION_ROOTS = ("meta", "messages", "state", "counters", "intents", "runs")
COMPANION_ROOTS = ("draft", "read", "state")


@cache
def schema() -> dict[str, Any]:
    """The description as JSON. Callers must not change it."""
    text = files("threadline.document").joinpath("schema.json").read_text(encoding="utf-8")
    description: dict[str, Any] = json.loads(text)
    return description
