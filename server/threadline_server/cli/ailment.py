"""What a check of `threadline doctor` finds wrong."""

from __future__ import annotations

from collections.abc import Callable

from threadline_server.settings import Settings


class Ailment(Exception):
    """A check failed; the message says what is wrong and how to mend it."""


Check = Callable[[Settings], str]
"""Gives back what is well, in a few words. Raises Ailment, CouldNotStart, or another error of the project."""
