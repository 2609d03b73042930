"""The session kit under the name by which agents written elsewhere import it: `dcaf.core.session`.

Their test file cannot be had from a package registry; these are its checks, case by case.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

import threadline.session
from threadline.document.values import load_as, to_json

ALIAS = "dcaf.core.session"


@dataclass
class Plain:
    name: str
    value: int


class Model(BaseModel):
    name: str
    count: int = 0


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("dcaf", "dcaf.core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, ALIAS, threadline.session)
    yield importlib.import_module(ALIAS)


@pytest.mark.row("S4-55")
@pytest.mark.parametrize("value", ["Alice", 42, {"debug": True, "level": 3}, [1, 2, 3], None])
def test_a_value_is_got_as_it_was_set(kit: Any, value: object) -> None:
    session = kit.Session()
    session.set("key", "old")
    session.set("key", value)
    assert session.get("key") == value
    assert session.has("key")
    assert (session.get("missing"), session.get("missing", "fallback"), session.get("n", 0)) == (
        None,
        "fallback",
        0,
    )


@pytest.mark.row("S4-55")
def test_deleting_and_clearing(kit: Any) -> None:
    session = kit.Session()
    session.delete("nonexistent")
    session.clear()
    assert session.is_empty
    session.update({"a": 1, "b": 2})
    session.delete("a")
    assert (session.get("a"), session.is_empty) == (None, False)
    session.clear()
    assert (session.is_empty, len(session), session.to_dict()) == (True, 0, {})


@pytest.mark.row("S4-55")
def test_looking_and_brackets(kit: Any) -> None:
    session = kit.Session()
    session["a"] = 10
    session.set("b", 2)
    assert (sorted(session.keys()), dict(session.items())) == (["a", "b"], {"a": 10, "b": 2})
    assert ("a" in session, "c" in session, session.has("c"), len(session)) == (True, False, False, 2)
    assert session["a"] == 10
    with pytest.raises(KeyError):
        session["missing"]
    del session["a"]
    assert "a" not in session


@pytest.mark.row("S4-55")
def test_what_marks_a_session_modified(kit: Any) -> None:
    assert not kit.Session().is_modified
    changes: list[Callable[[Any], object]] = [
        lambda session: session.set("key", "value"),
        lambda session: session.delete("key"),
        lambda session: session.clear(),
        lambda session: session.update({"a": 1}),
        lambda session: session.__setitem__("key", "other"),
    ]
    for change in changes:
        session = kit.Session.from_dict({"key": "value"})
        assert not session.is_modified
        session.update({})
        assert not session.is_modified
        change(session)
        assert session.is_modified


@pytest.mark.row("S4-55")
def test_there_and_back(kit: Any) -> None:
    assert kit.Session.from_dict(None).is_empty
    assert kit.Session.from_dict({}).is_empty
    original = {"key": "value", "list": [1, 2, 3], "nested": {"deep": True}}
    session = kit.Session.from_dict(original)
    session.set("new", 1)
    assert "new" not in original
    session.delete("new")
    again = kit.Session.from_dict(session.to_dict())
    assert again.to_dict() == original


@pytest.mark.row("S4-55")
@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (Plain("test", 5), {"name": "test", "value": 5}),
        (Model(name="hello", count=7), {"name": "hello", "count": 7}),
    ],
)
def test_typed_values_are_stored_plain_and_come_back_typed(kit: Any, value: Any, raw: object) -> None:
    assert to_json(value) == raw
    session = kit.Session()
    session.set("item", value)
    assert (session.get("item"), type(session.get("item"))) == (raw, dict)
    assert session.get("item", as_type=type(value)) == value


@pytest.mark.row("S4-55")
def test_what_cannot_be_typed_is_given_raw(kit: Any) -> None:
    assert load_as(42, int) == 42
    assert load_as({"wrong": "keys"}, Plain) == {"wrong": "keys"}
    session = kit.Session.from_dict({"none": None})
    assert session.get("none", as_type=Plain) is None
