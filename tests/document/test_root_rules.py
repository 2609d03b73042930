from __future__ import annotations

import pytest

from threadline.actors import Actor, Role
from threadline.document.judgement import Content, ContentKind, Path
from threadline.document.root_rules import RootRule
from threadline.document.rules import SessionRules


def short(actor: Actor, path: Path, content: Content) -> str | None:
    fits = not isinstance(content.value, str) or len(content.value) < 10
    return None if fits else "a card has fewer than 10 characters"


RULES = SessionRules(
    {
        "board": RootRule(writers=frozenset({Role.OWNER}), deleters=frozenset({Role.OWNER})),
        "cards": RootRule(check=short),
    }
)
VALUE = Content(ContentKind.VALUE, "x")


@pytest.mark.parametrize(
    ("role", "root", "content", "allowed"),
    [
        (Role.OWNER, "board", VALUE, True),
        (Role.EDITOR, "board", VALUE, False),
        (Role.AGENT, "board", VALUE, False),
        (Role.VIEWER, "board", VALUE, False),
        (Role.EDITOR, "cards", VALUE, True),
        (Role.EDITOR, "cards", Content(ContentKind.VALUE, "x" * 10), False),
        (Role.VIEWER, "cards", VALUE, False),
        (Role.EDITOR, "elsewhere", VALUE, True),
        (Role.VIEWER, "elsewhere", VALUE, False),
    ],
)
def test_who_writes_where(role: Role, root: str, content: Content, allowed: bool) -> None:
    refusal = RULES.judge(Actor("ada", role), 1, (root, "k"), content)
    assert (refusal is None) == allowed, refusal


@pytest.mark.parametrize(
    ("role", "root", "allowed"),
    [(Role.OWNER, "board", True), (Role.EDITOR, "board", False), (Role.EDITOR, "cards", True)],
)
def test_who_deletes_where(role: Role, root: str, allowed: bool) -> None:
    assert RULES.may_delete(Actor("ada", role), (root, "k"), "bob") == allowed


def test_the_rules_of_the_schema_are_fixed() -> None:
    with pytest.raises(ValueError, match="messages"):
        SessionRules({"messages": RootRule()})
