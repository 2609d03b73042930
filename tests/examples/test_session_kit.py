"""A test file written for another kit's `Session` passes on ours, under the module name that it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WRITTEN = Path(__file__).parent / "published" / "session_kit_test_session.py.txt"


@pytest.mark.row("S4-55")
def test_a_test_file_for_the_other_kit_passes_as_it_is(tmp_path: Path) -> None:
    package = tmp_path / "dcaf" / "core"
    package.mkdir(parents=True)
    (package / "session.py").write_text("from threadline import Session as Session\n")
    (tmp_path / "test_session.py").write_text(WRITTEN.read_text())
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_session.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout
    assert "22 passed" in run.stdout
