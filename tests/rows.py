"""Which tests show which rows of the table of capabilities: `python tests/rows.py [--write]`.

A test names its rows, `@pytest.mark.row("S4-25", "S4-26")`. This reads the marks from the source, prints row
and tests, and with `--write` puts them into `docs/capabilities.md`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

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


def main() -> None:
    for row, tests in marked().items():
        print(row, *(f"{path}::{name}" for path, name in tests), sep="\n    ")
    if "--write" in sys.argv[1:]:
        PAGE.write_text(with_tests(PAGE.read_text()))


if __name__ == "__main__":
    main()
