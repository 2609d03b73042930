"""Many starts of the command line for the price of one: a process that has imported the server forks.

Each start is a process of its own, with its own arguments, environment and directory, and ends by itself with
the exit code of the command line. Run as `python -m tests.cli.starting`, it reads JSON lines `{arguments,
environment, directory}` and answers each with `{code, said}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from typing import Any

import threadline_server.app
import threadline_server.cli.demo
import threadline_server.cli.serve
import threadline_server.cli.worker  # noqa: F401
from threadline_server.cli.main import run

LONGEST_START_S = 30


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(_start(json.loads(line))), flush=True)


def _start(case: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _become(case, output.fileno())
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return {"code": os.waitstatus_to_exitcode(status), "said": output.read().decode()}


def _become(case: dict[str, Any], output: int) -> None:
    """The child: never returns."""
    code = 70
    try:
        signal.alarm(LONGEST_START_S)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(case["environment"])
        os.chdir(case["directory"])
        code = run(case["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
