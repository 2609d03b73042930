"""Who may open a data directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from threadline.errors import StoreBusy, StoreError
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.backplane.embedded.lock import DirectoryLock

HOLD = """
import sys
from pathlib import Path
from threadline_server.backplane.embedded.lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def start_holder(directory: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HOLD, str(directory)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.asyncio
async def test_the_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreBusy, match=f"in use by process {holder.pid}"):
            await EmbeddedBackplane(tmp_path).open()
    finally:
        holder.kill()
        holder.communicate()
    backplane = EmbeddedBackplane(tmp_path)
    await backplane.open()
    await backplane.close()


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    first.acquire()
    with pytest.raises(StoreBusy):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


@pytest.mark.asyncio
async def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(StoreError, match="--data"):
        await EmbeddedBackplane(tmp_path / "file" / "data").open()


@pytest.mark.asyncio
async def test_a_file_that_is_no_store_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "threadline.sqlite3").write_text("this is a text, not a database " * 100)
    with pytest.raises(StoreError, match="cannot be opened as a store"):
        await EmbeddedBackplane(tmp_path).open()
    (tmp_path / "threadline.sqlite3").unlink()
    backplane = EmbeddedBackplane(tmp_path)
    await backplane.open()
    await backplane.close()
