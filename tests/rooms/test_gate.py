"""The gate on updates made by hand and by pycrdt."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from threadline.actors import Actor, Role
from threadline.document.judgement import Content, ContentKind, Path
from threadline_server.rooms.gate import Gate


class Open:
    """Rules that allow everything, and know a text `t`, a map `m` and an array `a`."""

    def root_kind(self, root: str) -> ContentKind | None:
        return {"t": ContentKind.TEXT, "m": ContentKind.MAP, "a": ContentKind.ARRAY}.get(root)

    def judge(self, actor: Actor, client: int, path: Path, content: Content) -> str | None:
        return None

    def may_delete(self, actor: Actor, path: Path, owner: str) -> bool:
        return True


@pytest.fixture
def ada() -> Actor:
    return Actor("ada", Role.EDITOR)


def test_an_honest_update_passes_as_it_is(ada: Actor) -> None:
    document: Doc[Any] = Doc(client_id=7)
    document.get("t", type=Text).insert(0, "hello")
    document.get("m", type=Map)["key"] = "value"
    update = document.get_update()
    gate = Gate(Open())
    verdict = gate.admit(update, ada)
    assert verdict.update == update
    assert [(each.client, each.start, each.end) for each in verdict.ranges] == [(7, 0, 6)]
    assert verdict.created == {"m": ["key"]}
    assert not verdict.gap
    assert gate.owner(7) == "ada"


def test_what_is_known_is_dropped(ada: Actor) -> None:
    document: Doc[Any] = Doc(client_id=7)
    document.get("t", type=Text).insert(0, "hello")
    gate = Gate(Open())
    gate.admit(document.get_update(), ada)
    verdict = gate.admit(document.get_update(), ada, whole=True)
    assert verdict.update is None
    assert not verdict.ranges
    assert not verdict.gap
