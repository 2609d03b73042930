from __future__ import annotations

import pytest

from threadline.errors import Unauthorized
from threadline_server.edge.pairing import WRONG_TRIES, Pairing


def pairing(codes: list[str]) -> Pairing:
    return Pairing(on_code=codes.append)


def test_a_code_lets_one_in_and_then_another_code_is_shown() -> None:
    codes: list[str] = []
    door = pairing(codes)
    assert door.redeem(codes[0].lower().replace("-", " "), "ada") == "ada"
    assert len(codes) == 2
    with pytest.raises(Unauthorized):
        door.redeem(codes[0], "bob")


def test_guessing_is_bounded() -> None:
    codes: list[str] = []
    door = pairing(codes)
    for _ in range(WRONG_TRIES):
        with pytest.raises(Unauthorized):
            door.redeem("2222-2222", "eve")
    with pytest.raises(Unauthorized):
        door.redeem(codes[0], "eve")
    assert len(codes) == 2


@pytest.mark.parametrize("name", ["", "a b", "agent:x", "server:", "x" * 129])
def test_names_are_those_of_people(name: str) -> None:
    door = pairing([])
    with pytest.raises(ValueError, match="name"):
        door.redeem(door.code, name)
