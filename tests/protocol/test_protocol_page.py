"""PROTOCOL.md says what the code does: tables are the constants, examples decode to what they claim."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from threadline.protocol import hocuspocus, ywebsocket
from threadline.protocol.close_codes import CLOSE_CODES
from threadline.protocol.limits import DEFAULT_LIMITS
from threadline.protocol.notices import Hello, decode_note

PAGE = (Path(__file__).parents[2] / "PROTOCOL.md").read_text("utf-8")
EXAMPLE = re.compile(r"^(C>S|S>C) +((?:[0-9a-f]{2} +)+)(\w+)", re.MULTILINE)

NAMES = {
    "step1": "SyncStep1",
    "step2": "SyncStep2",
    "update": "Update",
    "awareness": "AwarenessUpdate",
    "authenticate": "Authenticate",
    "authenticated": "Authenticated",
    "stateless": "Stateless",
    "syncStatus": "SyncStatus",
    "close": "CloseDocument",
    "ping": "Ping",
    "pong": "Pong",
}


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def examples(language: str) -> list[tuple[str, bytes, str]]:
    text = block(language)
    found = EXAMPLE.findall(text)
    assert len(found) == len(text.splitlines())
    return [(way, bytes.fromhex(frame), word) for way, frame, word in found]


@pytest.mark.parametrize(("way", "frame", "word"), examples("y-websocket"))
def test_ywebsocket_examples(way: str, frame: bytes, word: str) -> None:
    decode = ywebsocket.decode_from_client if way == "C>S" else ywebsocket.decode_from_server
    message = decode(frame)
    assert type(message).__name__ == NAMES[word]
    assert ywebsocket.encode(message) == frame


@pytest.mark.parametrize(("way", "frame", "word"), examples("hocuspocus"))
def test_hocuspocus_examples(way: str, frame: bytes, word: str) -> None:
    decode = hocuspocus.decode_from_client if way == "C>S" else hocuspocus.decode_from_server
    found = decode(frame)
    assert type(found.message).__name__ == NAMES[word]
    assert hocuspocus.encode(found.address, found.message) == frame


def test_the_hello_example_reads() -> None:
    assert isinstance(decode_note(block("json")), Hello)


def test_the_close_code_table_is_the_constants() -> None:
    rows = re.findall(r"^\| (\d{4}) \| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(str(close.code), close.name, close.sentence) for close in CLOSE_CODES]


def test_the_limits_table_is_the_defaults() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| .* \|$", PAGE, re.MULTILINE)
    defaults = dataclasses.asdict(DEFAULT_LIMITS)
    assert {name: float(value.replace(",", "")) for name, value in rows} == defaults
