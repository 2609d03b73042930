"""The bounds and waits of runs, with their defaults; the app fills them from the settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunOptions:
    lease_ttl_s: float = 15.0
    """How long a worker that is silent keeps a session; then another goes on with its runs."""

    linger_s: float = 2.0
    """How long a worker keeps a session in which nothing is left to do."""

    scan_every_s: float = 5.0
    """How often a worker looks for sessions that nobody works on, should a hint have been lost."""

    scan_back_s: float = 86_400.0
    """A worker that starts looks at sessions that were active so recently."""

    scan_sessions: int = 200
    """Sessions that one look takes in at most."""

    batch_ms: float = 30.0
    """Tokens of a reply are gathered for so long into one update."""

    max_attempts: int = 3
    """Workers that may be lost over a run before it fails."""

    max_sessions_worked: int = 1_000
    """Sessions that one worker works on at once; others wait for the next look."""

    approval_timeout_s: float = 86_400.0
    """How long a call waits for a person's word."""

    abandon_runs_after_s: float = 86_400.0
    """A run that no worker took, or that its workers left, is ended after so long; 0 lets it wait."""

    max_history_messages: int = 1_000
    """Messages of the transcript that an agent is given, the newest ones."""
