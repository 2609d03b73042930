"""Starts of the command line in processes of their own, which one server forks (`tests.cli.starting`)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.server_process import clean_environment

ROOT = Path(__file__).parents[2]


class Starter:
    """The process that forks. One start at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.starting"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=ROOT,
            env=clean_environment(),
        )

    def start(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """(exit code, everything printed) of a verb that ends by itself."""
        asked = {
            "arguments": list(arguments),
            "environment": dict(environment or {}),
            "directory": str(directory),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["code"], answer["said"]

    def stop(self) -> None:
        self._process.communicate("")
