"""The import arrows of ARCHITECTURE.md, read from the source by its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from compile_hot_modules import HOT

ROOT = Path(__file__).parents[1]
TREES = (ROOT / "client_py", ROOT / "server")

SHARED_BY_ADAPTERS = tuple(
    f"threadline_server.backplane.{path.stem}"
    for path in (ROOT / "server/threadline_server/backplane").glob("*.py")
    if path.stem != "__init__"
)

# What a module (by prefix) may import of this project (by prefix); its own prefix is always allowed.
ARROWS: dict[str, tuple[str, ...]] = {
    "threadline.errors": (),
    "threadline.ids": (),
    "threadline.actors": ("threadline.ids", "threadline.errors"),
    "threadline.protocol": ("threadline.errors", "threadline.ids"),
    "threadline.document": ("threadline.errors", "threadline.ids", "threadline.actors"),
    "threadline": (),
    "threadline_server.telemetry": (),
    "threadline_server.background": (),
    "threadline_server.backplane.base": ("threadline",),
    "threadline_server.backplane.embedded": (
        "threadline",
        "threadline_server.background",
        *SHARED_BY_ADAPTERS,
    ),
    "threadline_server.backplane.redis": ("threadline", *SHARED_BY_ADAPTERS),
    "threadline_server.backplane": ("threadline",),
    "threadline_server.rooms": (
        "threadline",
        "threadline_server.background",
        "threadline_server.backplane.base",
        "threadline_server.telemetry",
    ),
    "threadline_server.runs": (
        "threadline",
        "threadline_server.rooms",
        "threadline_server.backplane.base",
        "threadline_server.telemetry",
    ),
    "threadline_server.upkeep": (
        "threadline",
        "threadline_server.rooms",
        "threadline_server.backplane.base",
        "threadline_server.telemetry",
    ),
    "threadline_server.trials": ("threadline",),
    "threadline_server.edge": (
        "threadline",
        "threadline_server.rooms",
        "threadline_server.backplane.base",
        "threadline_server.telemetry",
    ),
    "threadline_server.settings": (
        "threadline",
        "threadline_server.rooms.options",
        "threadline_server.runs.options",
        "threadline_server.edge.options",
    ),
    "threadline_server.startup": ("threadline.errors",),
    "threadline_server.serving": ("threadline_server.startup",),
    "threadline_server.agent_loading": ("threadline", "threadline_server.startup"),
    "threadline_server.app": ("threadline", "threadline_server"),
    "threadline_server.cli": ("threadline", "threadline_server"),
    "threadline_server": ("threadline_server.cli",),
}

PURE = ("threadline.protocol", "threadline.document")
IMPURE_LIBRARIES = frozenset(
    {
        "asyncio",
        "anyio",
        "socket",
        "ssl",
        "threading",
        "subprocess",
        "sqlite3",
        "redis",
        "httpx",
        "websockets",
    }
    | {"time", "random", "secrets", "uvicorn", "starlette", "fastapi"}
)
# A default for what callers pass in, and nothing else.
DEFAULT_SOURCES = {"threadline.document.order_key": {"secrets"}}
ONLY_FOR = {"sqlite3": "threadline_server.backplane.embedded", "redis": "threadline_server.backplane.redis"}


def modules() -> Iterator[tuple[str, Path]]:
    for tree in TREES:
        for path in sorted(tree.rglob("*.py")):
            parts = path.relative_to(tree).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path


def imports_of(name: str, path: Path) -> Iterator[str]:
    """Absolute names a module imports, those under `if TYPE_CHECKING` included."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(), path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{_base_of(node, package)}.{alias.name}" for alias in node.names)


def _base_of(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def _of_project(name: str) -> bool:
    return _within(name, "threadline") or _within(name, "threadline_server")


def rule_for(module: str) -> str:
    """The longest prefix in ARROWS that covers `module`."""
    return max((prefix for prefix in ARROWS if _within(module, prefix)), key=len)


MODULES = list(modules())


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_imports_follow_the_arrows(name: str, path: Path) -> None:
    rule = rule_for(name)
    allowed = (rule, *ARROWS[rule])
    crossing = [
        imported
        for imported in imports_of(name, path)
        if _of_project(imported) and not any(_within(imported, prefix) for prefix in allowed)
    ]
    assert crossing == [], f"{name} may import {allowed}"


@pytest.mark.parametrize(
    ("name", "path"),
    [(name, path) for name, path in MODULES if any(_within(name, pure) for pure in PURE)],
    ids=[name for name, _ in MODULES if any(_within(name, pure) for pure in PURE)],
)
def test_pure_packages_do_no_io_and_read_no_clock(name: str, path: Path) -> None:
    impure = {i.partition(".")[0] for i in imports_of(name, path)} & IMPURE_LIBRARIES
    assert impure == DEFAULT_SOURCES.get(name, set())


@pytest.mark.parametrize("library", ONLY_FOR)
def test_a_stores_library_stays_in_its_adapter(library: str) -> None:
    users = [
        name
        for name, path in MODULES
        if _within(name, "threadline_server")
        and any(_within(imported, library) for imported in imports_of(name, path))
    ]
    assert [name for name in users if not _within(name, ONLY_FOR[library])] == []


def test_only_app_and_cli_read_settings() -> None:
    readers = {
        name
        for name, path in MODULES
        if any(_within(imported, "threadline_server.settings") for imported in imports_of(name, path))
    }
    assert {
        name for name in readers if not name.startswith(("threadline_server.app", "threadline_server.cli"))
    } == set()


def test_relative_imports_are_resolved() -> None:
    node = ast.parse("from ..b import c").body[0]
    assert isinstance(node, ast.ImportFrom)
    assert _base_of(node, "a.x") == "a.b"


SUSPENDS = (ast.Await, ast.AsyncWith, ast.AsyncFor, ast.Yield, ast.YieldFrom)
ENDS_AT_ONCE = ("asyncio.timeout(", "self._repairing", "self._one_at_a_time")
"""What `async with` may have in compiled code: the end of these never waits."""


def handlers(tree: ast.AST) -> Iterator[ast.stmt]:
    """What runs while an exception may be handled."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            yield from node.finalbody
            for handler in node.handlers:
                yield from handler.body


@pytest.mark.parametrize("module", HOT)
def test_compiled_code_never_waits_while_it_handles_an_exception(module: str) -> None:
    """It would leave that exception behind as the one that all other tasks handle, and a `finally` elsewhere
    raises it once more.
    """
    (path,) = [path for tree in TREES if (path := (tree / module).with_suffix(".py")).exists()]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    waits = [
        f"line {node.lineno}: {ast.unparse(node)[:60]}"
        for part in handlers(tree)
        for node in ast.walk(part)
        if isinstance(node, SUSPENDS)
    ]
    waits += [
        f"line {node.lineno}: async with {ast.unparse(item)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
        if not ast.unparse(item).startswith(ENDS_AT_ONCE)
    ]
    assert waits == []
