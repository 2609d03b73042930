"""Which tests show which rows of the table of capabilities: `python -m tests.rows [--write] [RESULTS ...]`.

A test names its rows, `@pytest.mark.row("S4-25", "S4-26")`. This reads the marks from the source, prints row
and tests, and with `--write` puts them into `docs/capabilities.md`. Given files of `pytest --row-results`,
as `make rows` does, it prints every row with its tests and what came of them; 1 where a row is open.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.row_results import Result, results_in

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "capabilities.md"

_ROW = re.compile(r"^\| (S\d-\d+) \| (.*?) \|.*\|$", re.MULTILINE)


def marked() -> dict[str, list[tuple[str, str]]]:
    """Row id to (file, test), in the order of the rows."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, rows in _tests(ast.parse(path.read_text(), path)):
            for row in rows:
                found[row].append((str(path.relative_to(ROOT)), name))
    return dict(sorted(found.items(), key=lambda item: _place(item[0])))


def _tests(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            rows = [row for decorator in node.decorator_list for row in _rows(decorator)]
            if rows:
                yield node.name, rows


def _rows(decorator: ast.expr) -> list[str]:
    if not isinstance(decorator, ast.Call) or ast.unparse(decorator.func) != "pytest.mark.row":
        return []
    return [argument.value for argument in decorator.args if isinstance(argument, ast.Constant)]  # type: ignore[misc]


def _place(row: str) -> tuple[str, int]:
    group, _, number = row.partition("-")
    return group, int(number)


def with_tests(page: str) -> str:
    """The page with the last column of every row as the marks say."""
    shown = marked()
    return _ROW.sub(lambda row: f"| {row[1]} | {row[2]} | {_links(shown.get(row[1], []))} |", page)


def _links(tests: list[tuple[str, str]]) -> str:
    return "<br>".join(f"[{words_of(name)}](../{path})" for path, name in tests)


def words_of(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def rows_of_the_table() -> dict[str, str]:
    """Row id to what it is, in their order."""
    found = sorted(_ROW.findall(PAGE.read_text()), key=lambda row: _place(row[0]))
    return dict(found)


def standing(row: str, results: dict[str, Result]) -> str:
    """`passed` where a test of the row did and none failed, else why it is open."""
    outcomes = [result for result in results.values() if row in result.rows]
    kinds = {result.result for result in outcomes}
    if "failed" in kinds:
        return "FAILED"
    if "passed" in kinds:
        return "passed"
    return "; ".join(f"{result.result}: {result.why}" for result in outcomes) or "NO TEST RAN"


def told(results: dict[str, Result]) -> Iterator[str]:
    """Every row with its tests and what came of them, then the sums."""
    rows = rows_of_the_table()
    for row in rows:
        yield f"{row:6} {standing(row, results)}"
        yield from (f"       {r.result:8} {test}" for test, r in results.items() if row in r.rows)
    for group in sorted({row[:2] for row in rows}):
        of_group = [row for row in rows if row.startswith(group)]
        shown = [row for row in of_group if standing(row, results) == "passed"]
        yield f"{group}: {len(shown)} of {len(of_group)} rows shown"


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    if "--write" in sys.argv[1:]:
        PAGE.write_text(with_tests(PAGE.read_text()))
    if not arguments:
        for row, tests in marked().items():
            print(row, *(f"{path}::{name}" for path, name in tests), sep="\n    ")
        return 0
    results = {test: result for path in arguments for test, result in results_in(Path(path)).items()}
    print("\n".join(told(results)))
    return 1 if any(standing(row, results) != "passed" for row in rows_of_the_table()) else 0


if __name__ == "__main__":
    sys.exit(main())
