"""Checks of where sessions lie: the data directory with its disk and file, or Redis."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

from threadline.errors import ConfigurationError, StoreBusy, StoreError
from threadline_server.app import build_backplane
from threadline_server.backplane.base import Backplane, SessionQuery
from threadline_server.backplane.redis import RedisBackplane
from threadline_server.backplane.sealed import SealedBackplane, refuse_sealed
from threadline_server.cli.ailment import Ailment
from threadline_server.settings import Settings

LEAST_FREE_BYTES = 256 << 20
SYNCS = 5
SLOW_SYNC_S = 0.1
MOST_SKEW_S = 2.0


def data_directory(settings: Settings) -> str:
    existing = _nearest_existing(settings.data)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise Ailment(
            f"{existing} cannot be written ({error.strerror}). Give this user the right, or choose another "
            "directory with --data."
        ) from error
    return f"{settings.data.resolve()} can be written"


def disk(settings: Settings) -> str:
    free = shutil.disk_usage(_nearest_existing(settings.data)).free
    if free < LEAST_FREE_BYTES:
        raise Ailment(f"only {free >> 20} MiB are free; sessions cannot be stored when the disk is full.")
    return f"{free >> 20} MiB free"


def sync(settings: Settings) -> str:
    """An acknowledgement waits for about one."""
    took_s = _typical_sync_s(_nearest_existing(settings.data))
    if took_s > SLOW_SYNC_S:
        raise Ailment(
            f"this disk takes {took_s * 1000:.0f} ms to make a write durable, and each acknowledgement waits "
            "for that. Put --data on a local disk, best an SSD."
        )
    return f"{took_s * 1000:.1f} ms to make a write durable"


def _typical_sync_s(directory: Path) -> float:
    took_s = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(SYNCS):
            file.write(bytes(4096))
            file.flush()
            began_s = time.perf_counter()
            os.fsync(file.fileno())
            took_s.append(time.perf_counter() - began_s)
    return sorted(took_s)[SYNCS // 2]


def embedded(settings: Settings) -> str:
    """Read beside a node that may be using it; where nobody does, nothing is changed either."""
    if not any(settings.data.glob("*.sqlite3")):
        return "nothing there yet; the first start makes it"
    return asyncio.run(_look_into(build_backplane(settings, read_only=True)))


async def _look_into(backplane: Backplane) -> str:
    try:
        await backplane.open()
        await refuse_sealed(backplane)
        page = await backplane.list_sessions(SessionQuery(limit=1))
    except StoreBusy as error:
        return error.message
    except (StoreError, ConfigurationError) as error:
        raise Ailment(error.message) from error
    finally:
        await backplane.close()
    return "can be read" if page.sessions else "can be read, and has no session yet"


def redis(settings: Settings) -> str:
    return asyncio.run(_redis(build_backplane(settings)))


async def _redis(backplane: Backplane) -> str:
    """Opening asks the store for all that a node needs of it."""
    try:
        await backplane.open()
    except (StoreError, ConfigurationError) as error:
        raise Ailment(error.message) from error
    try:
        store = backplane.inner if isinstance(backplane, SealedBackplane) else backplane
        told = [f"acknowledgements mean '{backplane.durability}'"]
        if isinstance(store, RedisBackplane):
            for facts in await store.facts():
                _check_skew(facts.address, facts.ahead_s)
                told.append(f"{facts.address}: {facts.version}, {facts.used_bytes >> 20} MiB used")
        return "; ".join(told)
    finally:
        await backplane.close()


def _check_skew(address: str, ahead_s: float) -> None:
    if abs(ahead_s) > MOST_SKEW_S:
        raise Ailment(
            f"the clocks of this machine and of Redis at {address} are {abs(ahead_s):.1f} s apart. Let NTP "
            "keep both: `timedatectl set-ntp true`."
        )


def _nearest_existing(path: Path) -> Path:
    return next(parent for parent in (path.resolve(), *path.resolve().parents) if parent.exists())
