"""The saved word: what a person needs to know of where their changes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Saved:
    """`saved`: everything made here is durable. `saving`: on its way, for as long as a server without its
    store takes. `offline`: kept here until there is a connection. `failed`: the server did not take it and
    will not.

    waiting: changes made here that are not known to be durable
    """

    word: Literal["saved", "saving", "offline", "failed"]
    waiting: int
