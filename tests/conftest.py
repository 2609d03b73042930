"""What every test may use: a started server, a place for figures, and how long the fault tests go on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio
from hypothesis import settings
from tests.row_results import RowResults
from tests.server_process import ServerProcess, server_process

settings.register_profile("threadline", deadline=None)  # nothing here is a matter of time
settings.load_profile("threadline")

FIGURES = "figures"
LONGEST = (
    "faults",
    "soak",
    "shipping",
    "attacks",
    "hostile",
    "backplane",
    "examples",
    "node",
    "test_documentation.py",
)
"""Where the longest files are. They come first, so that no process ends long after the others."""

IN_BROWSERS = "e2e"
ONE_IN = 5
"""Every so many files one is of those that drive a browser, which mostly wait: together they would wait for
each other's browsers, and nobody else had the processor then."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how often the fault tests kill the server")
    parser.addoption("--full", action="store_true", help="the fault tests at full length")
    parser.addoption("--row-results", type=Path, help="where to write what came of the rows")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist: its reports go to the one who writes
    config.pluginmanager.register(RowResults(None if is_worker else config.getoption("--row-results")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def part_of(path: Path) -> str:
        return path.relative_to(Path(__file__).parent).parts[0]

    def place(path: Path) -> int:
        part = part_of(path)
        return LONGEST.index(part) if part in LONGEST else len(LONGEST)

    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    others = sorted((path for path in files if part_of(path) != IN_BROWSERS), key=place)
    for number, path in enumerate(path for path in files if part_of(path) == IN_BROWSERS):
        others.insert(number * ONE_IN, path)
    items[:] = [item for path in others for item in files[path]]


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many times a fault test kills the server."""
    count = request.config.getoption("--kills")
    assert isinstance(count, int)
    return count


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the fault tests go on at full length."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever counts calls exactly: what counts them in this process looks at a clock that stands. Across
    the end of a minute one more is let through, since the minute before weighs less from then on.
    """
    began_s = time.time()
    monkeypatch.setattr("limits.aio.storage.memory.time", SimpleNamespace(time=lambda: began_s))


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A real server process on data of its own."""
    async with server_process(tmp_path / "data") as process:
        yield process


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell what a test measured. It is printed with the summary, whichever process ran the test."""

    def tell(text: str) -> None:
        request.node.user_properties.append((FIGURES, text.strip("\n")))

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of all tests, those of failed ones included."""
    lines = [
        str(text)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, text in report.user_properties
        if name == FIGURES
    ]
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(lines))
