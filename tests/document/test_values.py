from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math

import pytest
from pydantic import BaseModel, computed_field

from threadline.document.values import load_as, plain, same, to_json
from threadline.errors import NotSerializable


class Item(BaseModel):
    name: str
    price: float = 1.0


class Cart(BaseModel):
    items: list[Item] = []
    opened: datetime.date | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> float:
        return sum(item.price for item in self.items)


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Colour(enum.StrEnum):
    RED = "red"


def test_models_and_dataclasses_go_in_as_json_and_come_out_typed() -> None:
    cart = Cart(items=[Item(name="pen", price=44.97)], opened=datetime.date(2025, 5, 1))
    stored = to_json(cart)
    assert stored == {"items": [{"name": "pen", "price": 44.97}], "opened": "2025-05-01"}
    loaded = load_as(stored, Cart)
    assert isinstance(loaded, Cart)
    assert loaded.total == 44.97
    assert to_json(Point(1)) == {"x": 1, "y": 0}
    assert load_as({"x": 1, "y": 2}, Point) == Point(1, 2)
    assert load_as(to_json([Point(1)]), list[Point]) == [Point(1)]


def test_data_that_does_not_fit_the_type_is_given_back_raw() -> None:
    assert load_as({"z": 1}, Point) == {"z": 1}
    assert load_as({"items": 3}, Cart) == {"items": 3}
    assert load_as(None, Cart) is None


def test_plain_json_goes_in() -> None:
    value = {"a": [1, 2.5, None, True, "é"], "t": (1, 2), "c": Colour.RED}
    assert to_json(value) == {"a": [1, 2.5, None, True, "é"], "t": [1, 2], "c": "red"}
    assert type(to_json(Colour.RED)) is str


@pytest.mark.parametrize(
    "value",
    [
        lambda: 1,
        object(),
        {1, 2},
        b"bytes",
        math.nan,
        math.inf,
        2**53,
        {1: "a"},
        "\ud800",
        {"\ud800": 1},
        datetime.date(2025, 1, 1),
        Item,
        [[[object()]]],
    ],
)
def test_what_a_document_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(NotSerializable):
        to_json(value)


def test_nesting_has_a_bound() -> None:
    value: list[object] = []
    for _ in range(100):
        value = [value]
    with pytest.raises(NotSerializable, match="nested"):
        to_json(value)


def test_the_error_names_the_path() -> None:
    with pytest.raises(NotSerializable, match="/cart/0/when"):
        to_json([{"when": object()}], "/cart")


def test_whatever_is_found_in_a_document_becomes_json() -> None:
    found = {"n": math.nan, "i": [math.inf, 2.0, 2.5], "b": b"\x00", "big": 2**60, "o": object()}
    assert plain(found) == {"n": None, "i": [None, 2, 2.5], "b": "base64:AA==", "big": 2**60, "o": None}
    json.dumps(plain(found), allow_nan=False)


def test_equality_of_json() -> None:
    assert same({"a": [1, None]}, {"a": [1.0, None]})
    assert not same(True, 1)
    assert not same(0, False)
    assert not same([1], [1, 2])
    assert not same({"a": 1}, {"b": 1})
