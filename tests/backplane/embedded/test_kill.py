"""`kill -9` in the middle of appending: every acknowledged turn is there, and nothing has holes."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from threadline_server.backplane.base import DocumentName
from threadline_server.backplane.embedded import EmbeddedBackplane

CHILD = Path(__file__).with_name("appending_child.py")
ROUNDS = 6


def append_and_be_killed(directory: Path, lines: int) -> dict[str, int]:
    """Kill the child after so many acknowledgements; the highest acknowledged clock of each document."""
    child = subprocess.Popen([sys.executable, str(CHILD), str(directory)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    output = [child.stdout.readline() for _ in range(lines)]
    child.kill()
    output += child.communicate()[0].splitlines(keepends=True)
    acknowledged: dict[str, int] = {}
    for line in output:
        document, clock = line.decode().split()
        acknowledged[document] = int(clock)
    return acknowledged


@pytest.mark.asyncio
async def test_no_acknowledged_turn_is_lost(tmp_path: Path) -> None:
    chance = random.Random(1)
    for _ in range(ROUNDS):
        acknowledged = append_and_be_killed(tmp_path, chance.randrange(1, 4_000))
        store = EmbeddedBackplane(tmp_path)
        await store.open()
        for document, clock in acknowledged.items():
            stored = await store.load(DocumentName(document))
            clocks = [logged.turn.entries[0].ranges[0].start for logged in stored.tail]
            assert clocks == list(range(len(clocks)))
            assert len(clocks) > clock
        await store.close()
