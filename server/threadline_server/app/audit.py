"""The audit log of a process, as settings have it."""

from __future__ import annotations

from threadline_server.app.clock import unix_ms
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart
from threadline_server.telemetry.audit import Audit


def audit_of(settings: Settings) -> Audit:
    """Raises CouldNotStart where its file cannot be written."""
    try:
        return Audit(unix_ms, settings.audit_file)
    except OSError as error:
        raise CouldNotStart(
            f"The audit log {settings.audit_file} cannot be written ({error.strerror}); choose another file "
            "with --audit-file."
        ) from error
