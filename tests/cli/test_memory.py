"""What large updates leave behind is used again, and not given to the system and taken anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

from threadline_server.cli import memory

ROUNDS = 50
PIECES = 8
SIZE = 900_000
PAGE_BYTES = 4096
FAULTS = f"""
import resource
from threadline_server.cli import memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

{{begin}}
[b"x" * {SIZE} for _ in range({PIECES})]
before = faults()
for _ in range({ROUNDS}):
    [b"x" * {SIZE} for _ in range({PIECES})]
print(faults() - before)
"""


def faults_of(begin: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(begin=begin)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_memory_is_kept_for_the_next_large_update() -> None:
    pages = ROUNDS * PIECES * SIZE // PAGE_BYTES
    assert faults_of("assert memory.keep()") < pages / 20
    assert faults_of("") > pages / 2


def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert memory.keep() is False
