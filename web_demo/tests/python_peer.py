"""A Python replica for the TypeScript tests: one JSON request a line in, one answer a line out.

Request: `{"update": hex, "edits": [...]}`; the answer is `{"update": hex, "digest": ...}`, all that the
replica then holds. Edits: `["set", key, value]`, `["append", key, value]`, `["add", counter, amount]`, and
`["insert", index, text]` into the draft.

Request: `{"judge": [role, root, key, value]}`; the answer is `{"reason": ...}`, null where it is allowed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pycrdt import Doc

from threadline.actors import Actor, Role
from threadline.document.companion import CompanionDocument
from threadline.document.judgement import Content, ContentKind
from threadline.document.rules import SESSION_RULES
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


def judge(role: str, root: str, key: str, value: object) -> dict[str, str | None]:
    """By the server's table, for the user ada, who writes under the client id 1."""
    actor = Actor("ada", Role(role))
    return {"reason": SESSION_RULES.judge(actor, 1, (root, key), Content(ContentKind.VALUE, value))}


for line in sys.stdin:
    request = json.loads(line)
    said = judge(*request["judge"]) if "judge" in request else answer(request)
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
