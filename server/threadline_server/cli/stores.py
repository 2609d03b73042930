"""The store that a verb works on, for as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from threadline.errors import ConfigurationError, StoreBusy, StoreError
from threadline_server.app import build_backplane
from threadline_server.backplane.base import Backplane
from threadline_server.backplane.sealed import refuse_sealed
from threadline_server.settings import Settings
from threadline_server.startup import CouldNotStart

ENCRYPTION = ("encryption_keys", "encryption_keys_file", "encryption_service")
STORE = ("data", "redis", "objects", *ENCRYPTION, "start_timeout_s")


@asynccontextmanager
async def opened(settings: Settings, *, read_only: bool = False) -> AsyncIterator[Backplane]:
    """The store of these settings. One that is only read may be in use by a node; one that is changed may
    only be if it is Redis. Raises CouldNotStart with the fix.
    """
    backplane = build_backplane(settings, read_only=read_only)
    try:
        await _open(backplane)
    except StoreBusy as error:
        raise CouldNotStart(
            f"{error.message} A node that runs does this itself or over HTTP: it compacts by itself, and "
            "DELETE /api/v1/sessions/SESSION deletes."
        ) from error
    except (StoreError, ConfigurationError) as error:
        raise CouldNotStart(error.message) from error
    try:
        yield backplane
    finally:
        await backplane.close()


async def _open(backplane: Backplane) -> None:
    await backplane.open()
    try:
        await refuse_sealed(backplane)
    except (StoreError, ConfigurationError):
        await backplane.close()
        raise
