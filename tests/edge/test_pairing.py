from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from threadline.errors import StoreError, Unauthorized
from threadline_server.edge.pairing import KEY_FILE, TOKEN_LIFE_S, WRONG_TRIES, Pairing, kept_key

KEY = bytes(range(32))


class Clock:
    now_s = 1_800_000_000

    def __call__(self) -> int:
        return self.now_s


def pairing(codes: list[str], clock: Clock | None = None, key: bytes = KEY) -> Pairing:
    return Pairing(key, now_s=clock or Clock(), on_code=codes.append)


@pytest.mark.asyncio
async def test_a_code_gives_one_token_and_then_another_code_is_shown() -> None:
    codes: list[str] = []
    door = pairing(codes)
    token = door.redeem(codes[0].lower().replace("-", " "), "ada")
    assert (await door.authenticate(token)).user == "ada"
    assert len(codes) == 2
    with pytest.raises(Unauthorized):
        door.redeem(codes[0], "bob")


@pytest.mark.asyncio
async def test_tokens_survive_a_restart_but_not_their_life() -> None:
    clock = Clock()
    token = (first := pairing([], clock)).redeem(first.code, "ada")
    later = pairing([], clock)
    clock.now_s += TOKEN_LIFE_S - 1
    assert (await later.authenticate(token)).user == "ada"
    clock.now_s += 2
    with pytest.raises(Unauthorized, match="pair the device again"):
        await later.authenticate(token)


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


def _unsigned(token: str) -> str:
    header, claims, _ = token.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{none}.{claims}." if header else token


@pytest.mark.asyncio
async def test_forged_tokens_are_refused() -> None:
    door = pairing([])
    foreign = pairing([], key=bytes(32))
    token = door.redeem(door.code, "ada")
    for forged in (
        "",
        "ada",
        "a.b.c",
        foreign.redeem(foreign.code, "ada"),
        _unsigned(token),
        token[:-2] + "xx",
    ):
        with pytest.raises(Unauthorized):
            await door.authenticate(forged)


def test_the_key_is_kept_privately_in_the_data_directory(tmp_path: Path) -> None:
    first = kept_key(tmp_path / "data")
    assert kept_key(tmp_path / "data") == first
    assert (tmp_path / "data" / KEY_FILE).stat().st_mode & 0o077 == 0
    (tmp_path / "data" / KEY_FILE).write_bytes(b"short")
    with pytest.raises(StoreError, match="damaged"):
        kept_key(tmp_path / "data")
