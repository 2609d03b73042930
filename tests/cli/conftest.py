from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.starter import Starter


@pytest.fixture(scope="session")
def starter() -> Iterator[Starter]:
    """One for all tests of a worker: what it costs is importing the server."""
    starter = Starter()
    yield starter
    starter.stop()
