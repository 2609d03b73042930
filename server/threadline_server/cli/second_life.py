"""A process that is started again when it was killed, by one that does nothing else."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType

Work = Callable[[bool], int]
"""Given whether this is its first life, works and gives back the exit code."""


def possible() -> bool:
    return hasattr(os, "fork")


def live(work: Work) -> int:
    """Do `work` in a child process, again each time it is killed with SIGKILL.

    Gives back its exit code, 1 where another signal ended it.

    SIGINT and SIGTERM are for the child. It ends when this process does, however that happens.
    """
    life_line, held = os.pipe()
    child = 0

    def pass_on(number: int, _: FrameType | None) -> None:
        if child:
            os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    first = True
    while True:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.close(held)
            _work_and_end(work, first, life_line)
        _, status = os.waitpid(child, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1
        first = False


def kill_soon(after_s: float = 0.1) -> None:
    """Kill this process, after the answer to whoever asked for it has left."""
    timer = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


def _work_and_end(work: Work, first: bool, life_line: int) -> None:
    """Nothing that the parent would clean up is cleaned up here."""
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        threading.Thread(target=_end_with, args=(life_line,), daemon=True).start()
        code = work(first)
    except BaseException:  # noqa: BLE001  (the process ends here, and says why)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_with(life_line: int) -> None:
    """The other end of the pipe is closed when the parent is gone."""
    os.read(life_line, 1)
    os.kill(os.getpid(), signal.SIGTERM)
