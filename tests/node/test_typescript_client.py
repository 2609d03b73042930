"""The TypeScript client against a started server, run by its own test runner in Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web_demo"
TIMEOUT_S = 120


@pytest.mark.node
@pytest.mark.row("S3-29")
def test_a_goal_is_executed_and_followed_from_typescript() -> None:
    """`client.agent(name).executeStream({goal})`, from `session_start` to `done`."""
    npx = shutil.which("npx")
    assert npx is not None, "Node is not installed"
    command = [npx, "--no-install", "vitest", "run", "tests/real_server.test.ts", "-t", "executeStream"]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "1 passed" in said, said
