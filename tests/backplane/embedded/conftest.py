"""Embedded stores in a temporary directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from threadline_server.backplane.embedded import EmbeddedBackplane


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedBackplane]:
    backplane = EmbeddedBackplane(tmp_path / "data")
    await backplane.open()
    yield backplane
    await backplane.close()
