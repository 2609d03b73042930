from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from threadline.document.order_key import is_order_key, key_between, keys_between


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_any_place_has_room(places: list[int]) -> None:
    keys: list[str] = []
    for place in places:
        index = place % (len(keys) + 1)
        low = keys[index - 1] if index else None
        high = keys[index] if index < len(keys) else None
        key = key_between(low, high)
        assert is_order_key(key)
        keys.insert(index, key)
    assert keys == sorted(set(keys))


def test_appending_and_prepending_keep_keys_short() -> None:
    appended = keys_between(None, None, 5000)
    assert appended == sorted(appended)
    assert max(map(len, appended)) <= 10
    key = appended[0]
    for _ in range(5000):
        key = key_between(None, key)
    assert len(key) <= 10


def test_the_same_place_on_two_devices_gives_different_keys() -> None:
    assert len({key_between("a0V", "a1V") for _ in range(1000)}) == 1000


def test_what_is_no_order_key() -> None:
    assert not any(map(is_order_key, ["", "a", "a0", "a00", "1aV", "*a0V", "a0V ", "b0V", "aé1", "a" * 600]))
    assert all(map(is_order_key, ["a0V", "b00V", "ZzV", "Yzz1"]))
