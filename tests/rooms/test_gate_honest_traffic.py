"""Whatever unmodified Yjs does, the gate lets it pass, and nobody reads anything else than Yjs does."""

from __future__ import annotations

import pytest
from tests.rooms.honest_traffic import Traffic, assert_alike, assert_remembered, fuzz_cases, pass_through
from tests.rooms.open_rules import ROOTS, OpenRules

pytestmark = pytest.mark.node

SCENARIOS = (
    "text",
    "rich",
    "xml",
    "nested",
    "keys",
    "fields",
    "offline",
    "stale",
    "tabs",
    "merged",
    "kept",
    "restores",
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_random_sessions(scenario: str) -> None:
    rules = OpenRules(ROOTS)
    with Traffic(scenario, first_seed=1, cases=fuzz_cases(12)) as traffic:
        for case in traffic.cases():
            passed = pass_through(case, rules)
            snapshot = assert_alike(case, passed)
            assert_remembered(passed, snapshot, rules)
            traffic.answer(passed.updates, snapshot)


@pytest.mark.parametrize("scenario", ["keys", "contests"])
def test_replacing_values_needs_no_right_to_delete(scenario: str) -> None:
    rules = OpenRules(ROOTS, deletes=False)
    with Traffic(scenario, first_seed=1, cases=fuzz_cases(25)) as traffic:
        for case in traffic.cases():
            passed = pass_through(case, rules)
            traffic.answer(passed.updates, assert_alike(case, passed))


@pytest.mark.parametrize("scenario", ["burst", "paste", "chapters"])
def test_much_at_once(scenario: str) -> None:
    rules = OpenRules({})
    with Traffic(scenario, first_seed=1, cases=1) as traffic:
        for case in traffic.cases():
            passed = pass_through(case, rules)
            traffic.answer(passed.updates, assert_alike(case, passed))
