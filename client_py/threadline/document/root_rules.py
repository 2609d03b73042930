"""Write rules for an application's own roots: who may write and delete there, and what.

    ROOTS = {"board": RootRule(writers=frozenset({Role.OWNER}))}

The server takes them with `--root-rules MODULE:ROOTS`. A root without a rule is open to whoever may edit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from threadline.actors import Actor, Role
from threadline.document.judgement import Content, Path

WHO_EDITS = frozenset({Role.OWNER, Role.EDITOR, Role.AGENT, Role.SERVER})


@dataclass(frozen=True, slots=True)
class RootRule:
    """`check` gives the reason why not, or None; it is told the actor, the path inside the root and the
    content, never what the document holds. Viewers write nowhere, whatever is said here.
    """

    writers: frozenset[Role] = WHO_EDITS
    deleters: frozenset[Role] = WHO_EDITS
    check: Callable[[Actor, Path, Content], str | None] | None = None

    def judge(self, actor: Actor, path: Path, content: Content) -> str | None:
        if actor.role not in self.writers:
            return f"{path[0]} is not written by the role {actor.role}"
        return None if self.check is None else self.check(actor, path, content)
