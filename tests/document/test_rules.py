"""The write rules, asked the way the gate asks them."""

from __future__ import annotations

from typing import Any

import pytest

from threadline.actors import Actor, Role
from threadline.document.judgement import LIST_POSITION, Content, ContentKind, Path
from threadline.document.rules import SESSION_RULES, rule_at, rules_for
from threadline.document.schema import schema

ADA = Actor("ada", Role.EDITOR, "phone")
EVE = Actor("eve", Role.EDITOR)
OWNER = Actor("olga", Role.OWNER)
VIEWER = Actor("vera", Role.VIEWER)
AGENT = Actor("agent:travel", Role.AGENT)
SERVER = Actor("server:", Role.SERVER)
MINE = "ada/0190"
KINDS = {
    "value": ContentKind.VALUE,
    "text": ContentKind.TEXT,
    "map": ContentKind.MAP,
    "array": ContentKind.ARRAY,
}


def value(item: object, *, plain: bool = True) -> Content:
    return Content(ContentKind.VALUE, item, plain)


def of(kind: ContentKind) -> Content:
    return Content(kind)


def judge(actor: Actor, path: Path, content: Content, client: int = 1) -> str | None:
    return SESSION_RULES.judge(actor, client, path, content)


ALLOWED: list[tuple[Actor, Path, Content]] = [
    (ADA, ("messages", MINE), of(ContentKind.MAP)),
    (ADA, ("messages", MINE, "role"), value("user")),
    (ADA, ("messages", MINE, "author"), value({"user": "ada", "device": "phone", "name": "Ada"})),
    (ADA, ("messages", MINE, "created_at"), value(1.0)),
    (ADA, ("messages", MINE, "text"), of(ContentKind.TEXT)),
    (ADA, ("messages", MINE, "text", LIST_POSITION), of(ContentKind.STRING)),
    (ADA, ("messages", MINE, "status"), value("retracted")),
    (ADA, ("messages", MINE, "data"), value({"x": [1]})),
    (ADA, ("messages", MINE, "role"), of(ContentKind.DELETED)),
    (ADA, ("state", "/trip/city"), value("Berlin")),
    (ADA, ("state", "/agentx"), value(1)),
    (ADA, ("counters", "views/1"), value(3)),
    (ADA, ("intents", MINE), value({"kind": "run", "device": "phone", "at": 1, "message": MINE})),
    (ADA, ("intents", MINE), value({"kind": "approval", "run": "r", "call": "c", "decision": "approve"})),
    (ADA, ("notes", "x"), of(ContentKind.XML)),
    (ADA, ("notes", LIST_POSITION), of(ContentKind.FORMAT)),
    (OWNER, ("meta", "title"), value("Berlin")),
    (OWNER, ("meta", "/context/location"), value("Köln")),
    (AGENT, ("messages", "agent:travel/1"), of(ContentKind.MAP)),
    (AGENT, ("messages", "agent:travel/1", "role"), value("assistant")),
    (AGENT, ("messages", "agent:travel/1", "status"), value("streaming")),
    (AGENT, ("state", "/agent:plan"), value(1)),
    (AGENT, ("runs", MINE), of(ContentKind.MAP)),
    (AGENT, ("runs", MINE, "steps"), of(ContentKind.ARRAY)),
    (AGENT, ("runs", MINE, "steps", LIST_POSITION), of(ContentKind.MAP)),
    (AGENT, ("runs", MINE, "steps", LIST_POSITION, "text"), of(ContentKind.TEXT)),
    (AGENT, ("runs", MINE, "steps", LIST_POSITION, "text", LIST_POSITION), of(ContentKind.STRING)),
    (AGENT, ("runs", MINE, "approvals", "call-1"), value({"status": "pending"})),
    (AGENT, ("runs", MINE, "status"), value("running")),
    (SERVER, ("messages", MINE, "seq"), value([1, "n"])),
    (SERVER, ("counters", "views/0"), value(3)),
    (SERVER, ("meta", "schema"), value(1)),
]

REFUSED: list[tuple[Actor, Path, Content]] = [
    (
        AGENT,
        ("intents", "agent:travel/1"),
        value({"kind": "approval", "run": "r", "call": "c", "decision": "approve"}),
    ),
    (EVE, ("messages", MINE), of(ContentKind.MAP)),
    (EVE, ("messages", MINE, "text", LIST_POSITION), of(ContentKind.STRING)),
    (ADA, ("messages", "no-owner"), of(ContentKind.MAP)),
    (ADA, ("messages", "agent:travel/1"), of(ContentKind.MAP)),
    (ADA, ("messages", MINE), value("not a map")),
    (ADA, ("messages", MINE, "role"), value("assistant")),
    (ADA, ("messages", MINE, "role"), value(["user"])),
    (ADA, ("messages", MINE, "author"), value({"user": "eve"})),
    (ADA, ("messages", MINE, "author"), value({"user": "ada", "name": {}})),
    (ADA, ("messages", MINE, "author"), value("ada")),
    (ADA, ("messages", MINE, "author"), of(ContentKind.MAP)),
    (ADA, ("messages", MINE, "created_at"), value(float("nan"), plain=False)),
    (ADA, ("messages", MINE, "seq"), value([1, "n"])),
    (ADA, ("messages", MINE, "received_at"), value(1)),
    (ADA, ("messages", MINE, "seq"), of(ContentKind.DELETED)),
    (ADA, ("messages", MINE, "status"), value("streaming")),
    (ADA, ("messages", MINE, "text"), of(ContentKind.XML)),
    (ADA, ("messages", MINE, "text", LIST_POSITION), of(ContentKind.EMBED)),
    (ADA, ("messages", LIST_POSITION, "x", "y", "z"), of(ContentKind.STRING)),
    (ADA, ("meta", "title"), value("mine")),
    (ADA, ("state", "/agent:plan"), value(1)),
    (ADA, ("state", "agent:plan/x"), value(1)),
    (ADA, ("state", "/agent:plan"), of(ContentKind.DELETED)),
    (ADA, ("state", "/trip"), of(ContentKind.MAP)),
    (ADA, ("state", "/" + "x" * 600), value(1)),
    (ADA, ("counters", "views/2"), value(1)),
    (ADA, ("counters", "views/0"), value(1)),
    (ADA, ("counters", "views"), value(1)),
    (ADA, ("counters", "views/1"), value("many")),
    (ADA, ("intents", "eve/1"), value({"kind": "run"})),
    (ADA, ("intents", MINE), value({"kind": "destroy"})),
    (ADA, ("intents", MINE), value({"kind": "cancel"})),
    (ADA, ("intents", MINE), value({"kind": "run", "at": b"x"}, plain=False)),
    (ADA, ("runs", MINE), of(ContentKind.MAP)),
    (ADA, ("runs", MINE, "approvals", "call-1"), value({"status": "approved"})),
    (ADA, ("runs", MINE, "status"), value("completed")),
    (OWNER, ("meta", "schema"), value(9)),
    (OWNER, ("meta", "title"), value("x" * 201)),
    (OWNER, ("meta", "else"), value(1)),
    (AGENT, ("messages", "agent:travel/1", "role"), value("user")),
    (AGENT, ("messages", "agent:other/1"), of(ContentKind.MAP)),
    (AGENT, ("messages", MINE, "text", LIST_POSITION), of(ContentKind.STRING)),
    (AGENT, ("meta", "schema"), value(1)),
    (VIEWER, ("state", "/x"), value(1)),
    (VIEWER, ("notes", "x"), value(1)),
]


@pytest.mark.parametrize(("actor", "path", "content"), ALLOWED, ids=str)
def test_allowed(actor: Actor, path: Path, content: Content) -> None:
    assert judge(actor, path, content) is None


@pytest.mark.parametrize(("actor", "path", "content"), REFUSED, ids=str)
def test_refused_with_a_reason(actor: Actor, path: Path, content: Content) -> None:
    assert judge(actor, path, content)


@pytest.mark.parametrize(
    ("actor", "path", "allowed"),
    [
        (ADA, ("messages", MINE), False),
        (ADA, ("messages", MINE, "role"), False),
        (ADA, ("messages", MINE, "data"), True),
        (ADA, ("messages", MINE, "text", LIST_POSITION), True),
        (EVE, ("messages", MINE, "text", LIST_POSITION), False),
        (ADA, ("state", "/trip/city"), True),
        (ADA, ("state", "/agent:plan"), False),
        (AGENT, ("state", "/agent:plan"), True),
        (ADA, ("counters", "views/1"), False),
        (ADA, ("intents", MINE), False),
        (ADA, ("runs", MINE, "error"), False),
        (AGENT, ("runs", MINE), False),
        (AGENT, ("runs", MINE, "waiting_for"), True),
        (ADA, ("notes", "x"), True),
        (VIEWER, ("notes", "x"), False),
        (SERVER, ("messages", MINE), True),
    ],
    ids=str,
)
def test_deletes(actor: Actor, path: Path, allowed: bool) -> None:
    assert SESSION_RULES.may_delete(actor, path, "ada") is allowed


def test_a_companion_is_its_users_alone() -> None:
    rules = rules_for("ada")
    draft, reader = ("draft", LIST_POSITION), Actor("ada", Role.VIEWER)
    assert rules.judge(reader, 1, draft, of(ContentKind.STRING)) is None
    assert rules.judge(reader, 1, ("state", "/theme"), value("dark")) is None
    assert rules.judge(reader, 1, ("read", "phone"), value(3)) is None
    assert rules.may_delete(reader, draft, "ada")
    assert rules.judge(EVE, 1, draft, of(ContentKind.STRING))
    assert rules.judge(ADA, 1, ("read", "phone"), of(ContentKind.MAP))
    assert rules.judge(ADA, 1, ("draft", LIST_POSITION), of(ContentKind.EMBED))
    assert not rules.may_delete(EVE, draft, "ada")
    assert (rules.root_kind("draft"), rules.root_kind("other")) == (ContentKind.TEXT, None)


def test_the_roots_of_a_session() -> None:
    kinds = {root: SESSION_RULES.root_kind(root) for root in schema()["session"]}
    assert set(kinds.values()) == {ContentKind.MAP}
    assert SESSION_RULES.root_kind("notes") is None
    assert rules_for(None) is SESSION_RULES


def test_the_description_and_the_table_agree() -> None:
    """Every field of `schema.json` has the writers, deleters and kind that the table gives it."""
    for path, described in _described():
        rule = rule_at(path)
        assert rule is not None, path
        assert rule.kind is KINDS[described["type"]], path
        assert {str(role) for role in rule.writers} == set(described["writers"]), path
        assert rule.own is described.get("creator", False), path
        assert path[0] != "meta" or {str(r) for r in rule.deleters} == {
            "server",
            *described.get("deleters", []),
        }


def _described() -> list[tuple[Path, dict[str, Any]]]:
    found: list[tuple[Path, dict[str, Any]]] = []
    for root, description in schema()["session"].items():
        if "entry" in description:
            found.append(((root, "*"), description["entry"]))
        for name, field in description.get("fields", {}).items():
            key = name.removesuffix("*")
            found.append(((root, key) if root == "meta" else (root, "*", key), field))
    return found
