from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Map

from threadline.document.session_document import SessionDocument
from threadline.document.state import FlatState
from threadline.errors import NotSerializable

Devices = Callable[[int], list[SessionDocument]]
Meet = Callable[..., None]

SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5)
KEYS = st.text(alphabet="ab~/*{[@ é", max_size=3)
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def state() -> FlatState:
    return FlatState(root("state"))


def root(name: str) -> Map[Any]:
    doc: Doc[Any] = Doc()
    entries: Map[Any] = doc.get(name, type=Map)
    return entries


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_is_set_is_read_back(values: dict[str, Any]) -> None:
    stored = state()
    for key, value in values.items():
        stored.set(key, value)
        assert stored.get(key) == value
    assert stored.to_dict() == values


@given(VALUES, VALUES)
def test_a_difference_write_ends_at_the_value_and_a_second_one_changes_nothing(
    before: Any, after: Any
) -> None:
    stored = state()
    stored.set("k", before)
    stored.set("k", after)
    assert stored.get("k") == after
    assert not stored.set("k", after)


@settings(max_examples=1000)
@given(st.lists(VALUES, max_size=6), st.data())
def test_lists_extended_apart_keep_both_parts(base: list[Any], data: st.DataObject) -> None:
    here, there = _two_with("list", base)
    for document, name in ((here, "left"), (there, "right")):
        place = data.draw(st.integers(0, len(base)))
        document.state.set("list", [*base[:place], {"by": name}, *base[place:]])
    _exchange(here, there)
    merged = here.state.get("list")
    assert isinstance(merged, list)
    assert merged == there.state.get("list")
    assert len(merged) == len(base) + 2
    assert {"by": "left"} in merged
    assert {"by": "right"} in merged


@settings(max_examples=1000)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), SCALARS, max_size=5), st.data())
def test_different_fields_changed_apart_both_win(base: dict[str, Any], data: st.DataObject) -> None:
    here, there = _two_with("model", base)
    here.state.set("model", base | {"left": data.draw(VALUES)})
    there.state.set("model", base | {"right": data.draw(VALUES)})
    expected = base | {
        "left": _member(here.state.get("model"), "left"),
        "right": _member(there.state.get("model"), "right"),
    }
    _exchange(here, there)
    assert here.state.get("model") == there.state.get("model") == expected


@settings(max_examples=200)
@given(st.lists(VALUES, min_size=3, max_size=3), st.lists(VALUES, min_size=3, max_size=3))
def test_any_two_histories_converge(left: list[Any], right: list[Any]) -> None:
    here, there = _two_with("k", None)
    for document, values in ((here, left), (there, right)):
        for value in values:
            document.state.set("k", value)
    _exchange(here, there)
    assert here.state.to_dict() == there.state.to_dict()
    assert here.digest() == there.digest()
    here.state.set("k", {"after": 1})
    assert here.state.to_dict() == {"k": {"after": 1}}


def test_the_same_dict_and_list_made_apart_keep_both_parts(devices: Devices, meet: Meet) -> None:
    here, there = devices(2)
    here.state.update({"cart": ["pen"], "trip": {"city": "Berlin"}})
    there.state.update({"cart": ["ink"], "trip": {"nights": 2}})
    meet(here, there)
    assert sorted(here.state.to_dict()["cart"]) == ["ink", "pen"]  # type: ignore[type-var, arg-type]
    assert here.state.get("trip") == {"city": "Berlin", "nights": 2}


def test_a_removed_element_stays_removed_though_another_device_edits_it(devices: Devices, meet: Meet) -> None:
    here, there = devices(2)
    here.state.set("cart", [{"name": "pen", "qty": 1}, {"name": "ink", "qty": 2}])
    meet(here, there)
    here.state.set("cart", [{"name": "ink", "qty": 2}])
    there.state.set("cart", [{"name": "pen", "qty": 9}, {"name": "ink", "qty": 2}])
    meet(here, there)
    assert here.state.get("cart") == there.state.get("cart") == [{"name": "ink", "qty": 2}]


def test_equal_leaves_are_not_written_again(devices: Devices) -> None:
    (here,) = devices(1)
    here.state.set("trip", {"city": "Berlin", "nights": 2})
    before = here.doc.get_state()
    assert not here.state.set("trip", {"nights": 2.0, "city": "Berlin"})
    assert here.doc.get_state() == before


def test_replace_writes_all_of_it_anew() -> None:
    stored = state()
    stored.set("list", ["a", "b"])
    assert stored.replace("list", ["a", "b"])
    assert stored.get("list") == ["a", "b"]


def test_delete_clear_and_dict_access() -> None:
    stored = state()
    stored.update({"a": {"b": [1]}, "ab": 2})
    assert "a" in stored
    assert stored.delete("a")
    assert not stored.delete("a")
    assert (stored.get("a", "none"), len(stored), list(stored)) == ("none", 1, ["ab"])
    assert stored.clear()
    assert stored.to_dict() == {}


def test_a_key_of_a_foreign_client_is_read_overwritten_and_removed() -> None:
    entries = root("state")
    stored = FlatState(entries)
    entries["budget"] = 150
    assert stored.get("budget") == 150
    assert "budget" in stored
    stored.set("budget", 200)
    assert dict(entries) == {"/budget": 200}
    entries["budget"] = 1
    assert stored.get("budget") == 200
    stored.delete("budget")
    assert dict(entries) == {}


def test_expiry_is_kept_beside_the_value() -> None:
    stored = state()
    stored.set("code", {"digits": 1234}, expires_at_ms=2000)
    stored.set("other", 1)
    assert stored.get("code") == {"digits": 1234}
    assert (stored.expires_at_ms("code"), stored.expires_at_ms("other")) == (2000, None)
    assert (stored.expired(1999), stored.expired(2000)) == ([], ["code"])
    stored.set("code", {"digits": 1234})
    assert stored.expires_at_ms("code") is None


def test_a_prefix_keeps_to_itself() -> None:
    entries = root("meta")
    entries["title"] = "T"
    context = FlatState(entries, "/context")
    context.set("city", {"name": "Köln"})
    assert context.to_dict() == {"city": {"name": "Köln"}}
    assert "title" not in context
    assert entries["/context/city/name"] == "Köln"


def test_nothing_is_written_when_one_of_several_values_cannot_be() -> None:
    stored = state()
    with pytest.raises(NotSerializable, match="/b/x"):
        stored.update({"a": 1, "b": {"x": object()}})
    assert stored.to_dict() == {}


@pytest.mark.row("S1-22")
def test_ten_thousand_set_and_delete_cycles_stay_small(devices: Devices) -> None:
    (here,) = devices(1)
    for number in range(10_000):
        here.state.set("k", number)
        here.state.delete("k")
    assert len(here.doc.get_update()) < 2000


def _member(value: object, key: str) -> object:
    assert isinstance(value, dict)
    return value[key]


def _two_with(key: str, value: object) -> tuple[SessionDocument, SessionDocument]:
    here, there = (SessionDocument(Doc(client_id=number)) for number in (1, 2))
    here.state.set(key, value)
    _exchange(here, there)
    return here, there


def _exchange(here: SessionDocument, there: SessionDocument) -> None:
    update, other = here.doc.get_update(), there.doc.get_update()
    here.doc.apply_update(other)
    there.doc.apply_update(update)
