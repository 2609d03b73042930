"""A line of the log for each run that ends: which, how, and how long it took; never what was said."""

from __future__ import annotations

import structlog

from threadline.document.lifecycle import RunStatus
from threadline.document.runs import Run
from threadline.ids import SessionId

_WENT_WRONG = (RunStatus.FAILED, RunStatus.TIMEOUT, RunStatus.MAX_STEPS_REACHED)

_log = structlog.get_logger()


def log_run(session: SessionId, run: Run) -> None:
    """A warning where it did not go well. A run that waits has not ended."""
    if not run.status.is_terminal:
        return
    write = _log.warning if run.status in _WENT_WRONG else _log.info
    write(
        "run ended",
        session=session,
        run=run.id,
        agent=run.agent,
        status=str(run.status),
        duration_ms=run.duration_ms,
        steps=len(run.steps),
        tokens=run.usage.total_tokens,
        attempt=run.attempt,
        error=None if run.error is None else run.error.code,
    )
