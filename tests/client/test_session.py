"""A session that stands alone: the dict of S4, the transcript of S1, undo, export, a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, computed_field

from threadline.errors import NotSerializable, SessionError, SessionNotFound
from threadline.sensitive import SensitiveKeyWarning
from threadline.session import Session


class Item(BaseModel):
    name: str
    price: float = 0


class Cart(BaseModel):
    items: list[Item] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> float:
        return sum(item.price for item in self.items)


@dataclass
class Point:
    x: int
    y: int = 0


class Clock:
    now_ms = 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(Session, "_now_ms", lambda session: clock.now_ms)
    return clock


@pytest.mark.row("S4-1", "S4-16")
def test_an_empty_session() -> None:
    session = Session()
    assert session.is_empty
    assert not session.is_modified
    assert (len(session), session.keys(), session.to_dict()) == (0, [], {})


@pytest.mark.row("S4-2", "S4-3", "S4-4", "S4-5")
def test_get_set_and_their_defaults() -> None:
    session = Session()
    session.set("count", 1)
    assert session.get("count") == 1
    assert session.get("missing") is None
    assert session.get("missing", 0) == 0
    with pytest.raises(TypeError):
        session.get("count", None, int)  # type: ignore[call-overload]


@pytest.mark.row("S4-6", "S4-7", "S4-8", "S4-9")
def test_it_is_a_dict() -> None:
    session = Session()
    session["a"] = 1
    assert session["a"] == 1
    assert "a" in session
    assert session.has("a")
    assert not session.has("b")
    assert len(session) == 1
    assert list(session) == session.keys() == ["a"]
    with pytest.raises(KeyError):
        session["b"]
    del session["a"]
    session.delete("a")
    assert session.is_empty


def test_none_is_a_value() -> None:
    session = Session()
    session["nothing"] = None
    assert "nothing" in session
    assert session.get("nothing", 5) is None


@pytest.mark.row("S4-10", "S4-11", "S4-13")
def test_items_and_to_dict_are_plain() -> None:
    session = Session()
    session.update({"cart": Cart(items=[Item(name="pen", price=2)]), "point": Point(1)})
    assert dict(session.items()) == session.to_dict()
    assert session.to_dict() == {
        "cart": {"items": [{"name": "pen", "price": 2}]},
        "point": {"x": 1, "y": 0},
    }
    assert json.loads(json.dumps(session.to_dict())) == session.to_dict()


@pytest.mark.row("S4-14")
def test_from_dict_is_not_modified() -> None:
    assert Session.from_dict(None).is_empty
    session = Session.from_dict({"a": [1, 2]})
    assert session["a"] == [1, 2]
    assert not session.is_modified


@pytest.mark.row("S4-12", "S4-15")
def test_what_modifies() -> None:
    changes: list[Callable[[Session], object]] = [
        lambda s: s.set("k", 1),
        lambda s: s.__setitem__("k", 1),
        lambda s: s.update({"k": 1}),
        lambda s: s.delete("a"),
        lambda s: s.clear(),
    ]
    for change in changes:
        session = Session.from_dict({"a": 1})
        change(session)
        assert session.is_modified
    nothings: list[Callable[[Session], object]] = [
        lambda s: s.update({}),
        lambda s: s.delete("missing"),
        lambda s: s.get("a"),
        lambda s: s.to_dict(),
    ]
    for nothing in nothings:
        session = Session.from_dict({"a": 1})
        nothing(session)
        assert not session.is_modified
    empty = Session()
    empty.clear()
    assert not empty.is_modified


@pytest.mark.row("S4-17", "S4-18", "S4-19", "S4-20")
def test_models_and_dataclasses_come_back_typed() -> None:
    session = Session()
    session["cart"] = Cart(items=[Item(name="pen", price=19.99), Item(name="ink", price=24.98)])
    cart = session.get("cart", Cart(), as_type=Cart)
    assert isinstance(cart, Cart)
    assert cart.total == pytest.approx(44.97)
    session["point"] = Point(1, 2)
    assert session.get("point", as_type=Point) == Point(1, 2)
    assert session.get("other", Cart(), as_type=Cart) == Cart()
    assert session.get("other", as_type=Cart) is None
    session["point"] = {"z": 1}
    assert cast(Any, session.get("point", as_type=Point)) == {"z": 1}


@pytest.mark.row("S4-21")
@pytest.mark.parametrize("value", [1, 1.5, "text", True, False, None, [1, [2]], {"a": {"b": []}}])
def test_json_comes_back_as_it_was(value: object) -> None:
    session = Session()
    session["k"] = value
    assert session["k"] == value
    assert type(session["k"]) is type(value)


@pytest.mark.row("S4-22")
@pytest.mark.parametrize("value", [lambda: 1, object(), {1, 2}, float("nan"), {"a": print}])
def test_what_cannot_be_stored_fails_at_once(value: object) -> None:
    session = Session.from_dict({"k": 1})
    with pytest.raises(NotSerializable):
        session.set("k", value)
    with pytest.raises(NotSerializable):
        session.update({"other": 2, "k": value})
    assert session.to_dict() == {"k": 1}


def test_a_value_is_gone_after_its_time(clock: Clock) -> None:
    session = Session()
    session.set("code", "1234", ttl=1)
    session.set("kept", 1)
    clock.now_ms += 999
    assert session["code"] == "1234"
    clock.now_ms += 1
    assert "code" not in session
    assert session.get("code", "gone") == "gone"
    assert session.keys() == ["kept"]
    with pytest.raises(ValueError, match="above zero"):
        session.set("code", "1", ttl=0)


@pytest.mark.row("S1-2", "S1-3", "S1-6")
def test_the_transcript() -> None:
    session = Session(user_id="ada")
    for number in range(3):
        session.add_message("user", f"question {number}")
        session.add_message("agent", f"answer {number}")
    assert session.get_history()[:2] == [
        {"role": "user", "content": "question 0"},
        {"role": "assistant", "content": "answer 0"},
    ]
    assert [m.text for m in session.messages[-2:]] == ["question 2", "answer 2"]
    assert len(session.get_history(4)) == 4
    before = session.token_count()
    session.add_message("user", "more words, so more tokens")
    assert session.token_count() > before > 0
    assert session.token_count(len) > 0
    with pytest.raises(ValueError, match="boss"):
        session.add_message("boss", "no such role")


def test_a_compacted_list_takes_the_place_of_the_old_one() -> None:
    session = Session(user_id="ada")
    for number in range(50):
        session.add_message("user", str(number))
    summary = {"role": "system", "content": "They counted."}
    session.messages = [summary, *session.messages[-10:]]
    assert len(session.messages) == 11
    assert session.get_history()[0] == summary
    assert [m.text for m in session.messages[1:]] == [str(n) for n in range(40, 50)]
    session.add_message("user", "next")
    assert session.messages[-1].text == "next"
    session.messages = ["a", session.messages[3], "b", session.messages[5], "c"]
    assert [m.text for m in session.messages] == ["a", "42", "b", "44", "c"]
    with pytest.raises(SessionError, match="order"):
        session.messages = session.messages[::-1]


def test_undo_takes_back_ones_last_edits() -> None:
    session = Session(user_id="ada")
    session["a"] = 1
    session["a"] = 2
    session.add_message("user", "hello")
    session.update({"b": [1], "c": {"d": 1}})
    assert session.undo()
    assert session.to_dict() == {"a": 2}
    assert session.undo()
    assert len(session.messages) == 0
    assert session.undo()
    assert session.to_dict() == {"a": 1}
    assert session.undo()
    assert session.is_empty
    assert not session.undo()


def test_undo_leaves_what_another_device_did_since() -> None:
    mine, theirs = Session(), Session()
    mine["key"] = "mine"
    theirs.document.doc.apply_update(mine.document.doc.get_update())
    theirs["key"] = "theirs"
    theirs["other"] = 1
    mine.document.doc.apply_update(theirs.document.doc.get_update())
    mine.undo()
    assert mine.to_dict() == {"key": "theirs", "other": 1}


def test_a_child_reads_what_its_parent_has() -> None:
    parent = Session()
    parent["city"] = "Berlin"
    child = parent.child()
    assert child["city"] == "Berlin"
    child["own"] = 1
    assert "own" not in parent
    parent["city"] = "Hamburg"
    assert child["city"] == "Hamburg"
    child["city"] = "Munich"
    assert (child["city"], parent["city"]) == ("Munich", "Hamburg")
    del child["city"]
    assert child["city"] == "Hamburg"


@pytest.mark.row("S1-1", "S1-11", "S1-12", "S1-16")
def test_created_saved_and_loaded(tmp_path: Path) -> None:
    store = tmp_path / "sessions.sqlite"
    session = Session.create("harsh", store=store)
    session["k"] = {"a": 1}
    session.add_message("user", "hi")
    assert session.is_modified
    session.save()
    assert not session.is_modified
    again = Session.load(session.id, store=store)
    assert (again.user_id, again.to_dict()) == ("harsh", {"k": {"a": 1}})
    assert again.get_history() == [{"role": "user", "content": "hi"}]
    child = again.child("part")
    child.save()
    assert Session.load("part", store=store)["k"] == {"a": 1}
    with pytest.raises(SessionNotFound, match="abc123"):
        Session.load("abc123", store=store)


@pytest.mark.row("S1-17")
def test_an_export_has_the_documented_shape_and_comes_back_equal() -> None:
    session = Session(session_id="trip", user_id="ada")
    session.title = "A trip"
    session.context.update({"location": "Berlin", "timezone": "CET", "preferences": {"seat": "aisle"}})
    session["list"] = [1, {"a": []}]
    session.counters.add("views", 3)
    session.add_message("user", "hi\n```python\nx = 1\n```")
    session.add_message("assistant", "hello", data={"k": [1]})
    data = session.export()
    assert isinstance(data, dict)
    assert data["user_id"] == "ada"
    assert data["context"]["preferences"] == {"seat": "aisle"}
    again = Session.import_(json.loads(json.dumps(data)))
    assert again.export() == data
    assert "```python\nx = 1\n```" in str(session.export("markdown"))
    assert str(session.export("markdown")).startswith("# A trip\n")
    with pytest.raises(ValueError, match="xml"):
        session.export("xml")


def test_plain_messages_can_be_imported() -> None:
    session = Session.import_(
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    )
    assert [m["content"] for m in session.get_history()] == ["a", "b"]
    with pytest.raises(SessionError, match="list of messages"):
        Session.import_({"messages": ["text"]})


def test_a_branch_goes_on_by_itself() -> None:
    session = Session(user_id="ada")
    first = session.add_message("user", "one")
    session.add_message("user", "two")
    branch = session.branch(at=first)
    branch.add_message("user", "other")
    assert [m.text for m in branch.messages] == ["one", "other"]
    assert [m.text for m in session.messages] == ["one", "two"]
    with pytest.raises(SessionError, match="no message"):
        session.branch(at="nobody/1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5), st.dictionaries(st.text(max_size=5), JSON))
def test_whatever_is_set_is_what_is_read(first: dict[str, Any], second: dict[str, Any]) -> None:
    session = Session.from_dict(first)
    assert session.to_dict() == first
    session.update(second)
    assert session.to_dict() == {**first, **second}
    if second:
        session.undo()
    assert session.to_dict() == first


@pytest.mark.row("S4-52")
@pytest.mark.parametrize("key", ["password", "user_password", "api_key", "API-Key", "access_token", "ssn"])
def test_a_key_that_looks_like_a_secret_is_warned_of(key: str) -> None:
    session = Session()
    with pytest.warns(SensitiveKeyWarning, match="Keep a reference"):
        session.set(key, "hunter2")
    with pytest.warns(SensitiveKeyWarning):
        session.update({key: ["hunter2"]})
    session.set(key, "vault:payments/key")
    session.set(f"{key}_ref", "env:PAYMENTS")
    assert session[key] == "vault:payments/key"


def test_ordinary_keys_are_not_warned_of() -> None:
    session = Session()
    for key in ("total_tokens", "secretary", "keys", "passport_city", "tokens"):
        session.set(key, 1)
