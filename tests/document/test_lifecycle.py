from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from threadline.document.lifecycle import (
    TERMINAL,
    TRANSITIONS,
    Cause,
    IllegalTransition,
    RunStatus,
    check,
    diagram,
)
from threadline.document.schema import schema


def test_the_table_is_all_there_is() -> None:
    allowed = {(t.source, t.target): t.causes for t in TRANSITIONS}
    for source, target, cause in itertools.product(RunStatus, RunStatus, Cause):
        if cause in allowed.get((source, target), ()):
            assert check(source, target, cause).target is target
        else:
            with pytest.raises(IllegalTransition):
                check(source, target, cause)


def test_every_state_is_reached_and_every_terminal_one_is_final() -> None:
    assert {t.target for t in TRANSITIONS} | {RunStatus.QUEUED} == set(RunStatus)
    assert TERMINAL.isdisjoint(t.source for t in TRANSITIONS)
    assert {t.source for t in TRANSITIONS} | TERMINAL == set(RunStatus)


def test_whatever_has_not_ended_can_be_cancelled_and_time_out() -> None:
    for status in set(RunStatus) - TERMINAL:
        assert check(status, RunStatus.CANCELLED, Cause.WORKER)
        assert check(status, RunStatus.TIMEOUT, Cause.WORKER)
        assert not status.is_terminal


def test_the_schema_names_the_same_states() -> None:
    assert schema()["session"]["runs"]["fields"]["status"]["enum"] == [str(status) for status in RunStatus]
    assert schema()["terminal"] == [str(status) for status in RunStatus if status.is_terminal]


def test_the_diagram_has_a_line_for_each_transition() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert sum("-->" in line for line in lines) == len(TRANSITIONS) + len(TERMINAL) + 1


def test_the_diagram_of_the_documentation_is_the_tables() -> None:
    page = Path(__file__).parents[2] / "docs" / "agents.md"
    assert f"```mermaid\n{diagram()}```" in page.read_text()
