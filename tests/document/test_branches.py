"""Transcripts as trees, by cases that the TypeScript client reads too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline.document.branches import line_before
from threadline.document.messages import Author, Message

CASES = json.loads(
    resources.files("threadline.document").joinpath("fixtures/branches.json").read_text("utf-8")
)


def _messages(rows: Sequence[Sequence[Any]]) -> list[Message]:
    return [
        Message(id=name, role=role, author=Author("ada"), created_at=0, text=name, parent=parent)
        for name, role, parent in rows
    ]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_leads_to_a_question(case: dict[str, Any]) -> None:
    messages = _messages(case["messages"])
    for question, before in case["before"].items():
        assert [message.id for message in line_before(messages, question)] == before


def test_a_question_that_is_elsewhere_has_everything_before_it() -> None:
    messages = _messages(CASES[0]["messages"])
    assert line_before(messages, "elsewhere") == messages


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.integers(-2, 12)), min_size=1, max_size=12)
)
def test_any_parents_lead_to_a_start(rows: list[tuple[str, int]]) -> None:
    parents = ["start" if parent == -2 else None if parent == -1 else f"m{parent}" for _, parent in rows]
    messages = _messages([[f"m{number}", role, parents[number]] for number, (role, _) in enumerate(rows)])
    for message in messages:
        line = [found.id for found in line_before(messages, message.id)]
        assert len(line) == len(set(line))
