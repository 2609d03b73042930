"""Rules for tests of the gate alone: everything is allowed, but what a test forbids."""

from __future__ import annotations

from collections.abc import Mapping

from threadline.actors import Actor
from threadline.document.judgement import Content, ContentKind, Path

ROOTS: Mapping[str, ContentKind] = {
    "t": ContentKind.TEXT,
    "m": ContentKind.MAP,
    "a": ContentKind.ARRAY,
    "x": ContentKind.XML,
}


class OpenRules:
    """`roots` are those of the schema. `deletes` False: nobody may delete anything outright."""

    def __init__(self, roots: Mapping[str, ContentKind] = ROOTS, *, deletes: bool = True) -> None:
        self.roots = roots
        self.deletes = deletes
        self.asked: list[tuple[Path, Content]] = []
        self.forbidden: dict[Path, str] = {}

    def root_kind(self, root: str) -> ContentKind | None:
        return self.roots.get(root)

    def judge(self, actor: Actor, client: int, path: Path, content: Content) -> str | None:
        self.asked.append((path, content))
        return self.forbidden.get(path)

    def may_delete(self, actor: Actor, path: Path, owner: str) -> bool:
        return self.deletes
