"""A Python replica for the TypeScript tests: one JSON request a line in, one answer a line out.

Request: `{"update": hex, "edits": [...]}`; the answer is `{"update": hex, "digest": ...}`, all that the
replica then holds. Edits: `["set", key, value]`, `["append", key, value]`, `["add", counter, amount]`, and
`["insert", index, text]` into the draft.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pycrdt import Doc

from threadline.document.companion import CompanionDocument
from threadline.document.session_document import SessionDocument


def answer(request: dict[str, Any]) -> dict[str, str]:
    doc: Doc[Any] = Doc()
    session, companion = SessionDocument(doc), CompanionDocument(doc)
    doc.apply_update(bytes.fromhex(request["update"]))
    for kind, target, value in request["edits"]:
        if kind == "set":
            session.state.set(target, value)
        elif kind == "append":
            stored = session.state.get(target)
            session.state.set(target, [*(stored if isinstance(stored, list) else []), value])
        elif kind == "add":
            session.counters.add(target, value)
        elif kind == "insert":
            text = companion.draft.text
            index = min(target, len(text))
            companion.draft.text = text[:index] + value + text[index:]
    return {"update": doc.get_update().hex(), "digest": session.digest()}


for line in sys.stdin:
    sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
    sys.stdout.flush()
