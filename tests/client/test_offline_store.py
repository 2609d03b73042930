"""The offline store: what is kept comes back, folded or not, and belongs to one user and one process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pycrdt import Map

from threadline.errors import ConfigurationError, StoreBusy, StoreError
from threadline.offline_file import OwnRange, SetAside
from threadline.offline_store import FOLD_AFTER_UPDATES, OfflineStore
from threadline.replica import Replica


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[OfflineStore]:
    store = OfflineStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.mark.asyncio
async def test_a_document_comes_back_as_it_was(tmp_path: Path) -> None:
    replica = Replica(client_id=5)
    state = replica.doc.get("state", type=Map)
    async with opened(tmp_path / "ada.sqlite") as store:
        replica.on_update = lambda update: store.keep("trip", update)
        for number in range(20):
            state[f"/{number}"] = number
        store.keep_own("trip", OwnRange(5, 20, 12))
        store.keep_place("trip", "lineage-1", "owner")
    async with opened(tmp_path / "ada.sqlite") as store:
        copy = await store.load("trip")
        assert copy is not None
        assert (copy.lineage, copy.role) == ("lineage-1", "owner")
        assert copy.own == (OwnRange(5, 20, 12),)
        assert copy.own[0].waiting == 8
        again = Replica()
        for update in copy.updates:
            again.feed_whole(update)
        assert again.everything() == replica.everything()
        assert await store.documents() == ["trip"]
        assert await store.load("other") is None


@pytest.mark.asyncio
async def test_many_updates_are_folded_into_one(tmp_path: Path) -> None:
    replica = Replica()
    state = replica.doc.get("state", type=Map)
    async with opened(tmp_path / "s.sqlite") as store:
        replica.on_update = lambda update: store.keep("trip", update)
        while not store.wants_whole("trip"):
            state["/n"] = "x"
        store.keep_whole("trip", replica.everything())
        state["/n"] = "last"
        copy = await store.load("trip")
        assert copy is not None
        assert len(copy.updates) == 2 < FOLD_AFTER_UPDATES


@pytest.mark.asyncio
async def test_one_file_is_of_one_user(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.sqlite") as store:
        assert await store.user() is None
        await store.bind("ada")
        await store.bind("ada")
        with pytest.raises(ConfigurationError, match="belongs to ada"):
            await store.bind("bob")


@pytest.mark.asyncio
async def test_a_second_opener_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.sqlite"):
        with pytest.raises(StoreBusy):
            await OfflineStore(tmp_path / "s.sqlite").open()


@pytest.mark.asyncio
async def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").write_bytes(b"not a database, but long enough to be looked at as one" * 40)
    with pytest.raises(StoreError, match=r"s\.sqlite"):
        await OfflineStore(tmp_path / "s.sqlite").open()


@pytest.mark.asyncio
async def test_a_copy_set_aside_leaves_the_document_empty(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.sqlite") as store:
        store.keep("trip", b"\x00\x00")
        store.keep_place("trip", "old", "owner")
        aside = SetAside("trip", "old", "lineage_mismatch", "another session", b"\x00\x00", 12)
        await store.flush()
        await store.set_aside(aside)
        assert await store.load("trip") is None
        assert await store.list_set_aside() == [aside]
        await store.remove_set_aside("trip")
        assert await store.list_set_aside() == []


@pytest.mark.asyncio
async def test_a_write_that_nobody_waits_for_is_made_before_the_file_is_closed(
    tmp_path: Path,
) -> None:
    replica = Replica()
    async with opened(tmp_path / "s.sqlite") as store:
        free = threading.Event()
        store._thread.submit(free.wait)  # the disk is slow
        replica.on_update = lambda update: store.keep("trip", update)
        replica.doc.get("state", type=Map)["/k"] = "kept"
        writing = asyncio.create_task(store.flush())
        await asyncio.sleep(0)
        writing.cancel()
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        free.set()
        await closing
    async with opened(tmp_path / "s.sqlite") as store:
        copy = await store.load("trip")
        assert copy is not None
        assert len(copy.updates) == 1
