"""Exit codes of every verb: 0 done, 1 failed, 2 usage, 3 could not start."""

from __future__ import annotations

import textwrap
from enum import IntEnum

import click

from threadline.errors import ThreadlineError


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    COULD_NOT_START = 3


def say(error: ThreadlineError, code: Exit) -> Exit:
    """What went wrong, in one paragraph on standard error; gives back the code."""
    click.echo(textwrap.fill(f"threadline: {error.message}", 100, break_on_hyphens=False), err=True)
    return code
