from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline.protocol.credentials import Credentials, encode_credentials, from_pairs, parse_credentials
from threadline.protocol.errors import MalformedFrame

_LABELS = st.text(max_size=30).filter(str.isprintable)


@pytest.mark.golden_file("credentials")
def test_golden(case: dict[str, Any]) -> None:
    credentials = Credentials(**case["credentials"])
    assert parse_credentials(case["text"]) == credentials
    assert encode_credentials(credentials) == case["text"]


@given(st.text(st.characters(exclude_characters=" ")), _LABELS, _LABELS)
def test_round_trip(token: str, device: str, lineage: str) -> None:
    credentials = Credentials(token, device, lineage)
    assert parse_credentials(encode_credentials(credentials)) == credentials


@pytest.mark.parametrize(
    "text", ["ada lovelace", "ada admin=1", "ada device=%FF", "ada device=a device=b", "ada device=%0A"]
)
def test_refused(text: str) -> None:
    with pytest.raises(MalformedFrame):
        parse_credentials(text)


def test_a_token_with_a_space_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="space"):
        encode_credentials(Credentials("a b"))


def test_a_label_has_a_limit() -> None:
    with pytest.raises(MalformedFrame):
        from_pairs("ada", [("device", "x" * 300)])


def test_the_token_stays_out_of_logs() -> None:
    assert "secret" not in repr(Credentials("secret", "phone"))
