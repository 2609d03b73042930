"""Records what came of the tests that show rows of the table of capabilities, in parallel runs too.

`pytest --row-results FILE` writes `{test: {"rows": [...], "result": "passed", "why": ""}}` for `tests.rows`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROPERTY = "row"


@dataclass(slots=True)
class Result:
    """`why`: the reason that a skipped test gives."""

    rows: list[str] = field(default_factory=list)
    result: str = "passed"
    why: str = ""

    def take(self, report: pytest.TestReport) -> None:
        """One phase of the test; the worst counts."""
        if report.failed:
            self.result = "failed"
        elif hasattr(report, "wasxfail"):
            self.result, self.why = "expected to fail", str(report.wasxfail)
        elif report.skipped and self.result != "failed":
            self.result, self.why = "skipped", _reason(report)


class RowResults:
    """A plugin. Workers attach the rows to their reports; whoever gets all reports writes the file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._results: dict[str, Result] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            rows = [row for mark in item.iter_markers(PROPERTY) for row in mark.args]
            item.user_properties += [(PROPERTY, row) for row in rows]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        rows = [str(value) for name, value in report.user_properties if name == PROPERTY]
        if rows:
            self._results.setdefault(report.nodeid, Result(rows)).take(report)

    def pytest_sessionfinish(self) -> None:
        if self._path is None:
            return
        told = {test: _fields(result) for test, result in sorted(self._results.items())}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(told, indent=1) + "\n")


def results_in(path: Path) -> dict[str, Result]:
    """What a run wrote."""
    return {test: Result(**fields) for test, fields in json.loads(path.read_text()).items()}


def _fields(result: Result) -> dict[str, object]:
    return {"rows": result.rows, "result": result.result, "why": result.why}


def _reason(report: pytest.TestReport) -> str:
    """`longrepr` of a skip is (file, line, "Skipped: reason")."""
    return str(report.longrepr[2]).removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
