"""The example's options, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """max_age_hours:    a conversation idle for longer is deleted
    max_concurrent:   how many conversations there may be; a further one is refused
    history_limit:    how many turns of a conversation are kept in view
    """

    max_age_hours: float = 24.0
    max_concurrent: int = 1000
    history_limit: int = 100

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Options:
        """Raises ValueError for what is no number above zero."""
        given = {
            "max_age_hours": float(environment.get("SESSION_MAX_AGE_HOURS", "24")),
            "max_concurrent": int(environment.get("SESSION_MAX_CONCURRENT", "1000")),
            "history_limit": int(environment.get("SESSION_HISTORY_LIMIT", "100")),
        }
        for name, value in given.items():
            if value <= 0:
                raise ValueError(f"SESSION_{name.upper()} is a number above zero.")
        return cls(given["max_age_hours"], int(given["max_concurrent"]), int(given["history_limit"]))
