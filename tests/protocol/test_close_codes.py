from __future__ import annotations

import json
from importlib import resources

from hypothesis import given
from hypothesis import strategies as st

from threadline.protocol import close_codes
from threadline.protocol.close_codes import CLOSE_CODES, fit_reason, parse_reason, should_come_back
from threadline.protocol.limits import MAX_CLOSE_REASON_BYTES


def test_json_for_typescript_is_current() -> None:
    text = resources.files("threadline.protocol").joinpath("close_codes.json").read_text("utf-8")
    assert json.loads(text) == close_codes.to_json()


def test_every_constant_is_in_the_table() -> None:
    constants = {value for value in vars(close_codes).values() if isinstance(value, close_codes.CloseCode)}
    assert constants == set(CLOSE_CODES)
    assert len(close_codes.BY_CODE) == len(close_codes.BY_NAME) == len(CLOSE_CODES)


def test_the_band_says_what_a_client_does() -> None:
    for close in CLOSE_CODES:
        assert close.comes_back == (close.code in (1012, 1013) or 4500 <= close.code < 4600), close.name
        assert should_come_back(close.code) == close.comes_back
    assert should_come_back(1006)


def test_every_sentence_is_one_and_says_what_to_do() -> None:
    for close in CLOSE_CODES:
        assert ";" in close.sentence, close.name
        assert close.name == close.name.lower()
        assert len(close.reason().encode()) < MAX_CLOSE_REASON_BYTES


@given(st.sampled_from(CLOSE_CODES), st.text())
def test_reasons_read_back(close: close_codes.CloseCode, detail: str) -> None:
    assert parse_reason(close.reason(detail)) == (close, detail)


def test_other_servers_reasons_are_left_as_they_are() -> None:
    assert parse_reason("provider_initiated") == (None, "provider_initiated")


@given(st.text(min_size=30))
def test_a_reason_is_cut_between_characters(text: str) -> None:
    data = fit_reason(text)
    assert len(data) <= MAX_CLOSE_REASON_BYTES
    assert text.startswith(data.decode()) or "?" in data.decode()
