"""The device of the documentation, as it stands there, against a started server."""

from __future__ import annotations

import asyncio
import re
import sys
import textwrap
from pathlib import Path

import pytest
from tests.client.conftest import PATIENCE_S, Place
from tests.client.test_runs import TRAVEL
from tests.server_process import clean_environment

EXAMPLE = Path(__file__).parents[2] / "examples" / "device.py"

IMPORT_FAST = """
import sys, threadline
heavy = {"pycrdt", "pydantic", "websockets", "httpx", "asyncio"} & set(sys.modules)
assert not heavy, heavy
assert "connect" in dir(threadline)
"""


async def run_python(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(),
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.asyncio
async def test_the_device_example_runs(place: Place, tmp_path: Path) -> None:
    await place.start()
    await place.work(TRAVEL)
    source = EXAMPLE.read_text().replace("http://127.0.0.1:8000", place.url)
    script = tmp_path / "device.py"
    script.write_text(source)
    output = await run_python(str(script))
    lines = output.splitlines()
    assert re.match(r"session_start\b", lines[0])
    assert any(line.startswith("done") for line in lines)
    assert "completed" in lines[-1]


@pytest.mark.asyncio
async def test_importing_is_fast_because_names_load_when_used() -> None:
    await run_python("-c", textwrap.dedent(IMPORT_FAST))


def test_every_public_name_is_there() -> None:
    import threadline

    for name in threadline.__all__:
        assert getattr(threadline, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(threadline, "no_such_name")  # noqa: B009  (a type checker knows better)
