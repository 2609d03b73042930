"""What keeps a node from starting."""

from __future__ import annotations

from threadline.errors import ThreadlineError


class CouldNotStart(ThreadlineError):
    """Something around the server keeps it from starting; the message says what to change."""

    code = "could_not_start"
