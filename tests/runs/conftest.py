from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.runs.offices import Office, an_office


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A node with one session in it, without a worker."""
    async with an_office(tmp_path) as office:
        yield office
