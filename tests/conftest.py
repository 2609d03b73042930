"""What every test may use: a started server, and how long the fault tests go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.server_process import ServerProcess, server_process


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=20, help="how often the fault tests kill the server")
    parser.addoption("--full", action="store_true", help="the fault tests at full length")


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


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A real server process on data of its own."""
    async with server_process(tmp_path / "data") as process:
        yield process
