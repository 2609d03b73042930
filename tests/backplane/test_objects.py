"""Objects in a directory and in a bucket behave alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.backplane.s3_server import Bucket

from threadline.errors import ConfigurationError, StoreError
from threadline.ids import SessionId
from threadline_server.backplane.objects import Objects, blob_key, cold_key, open_objects, session_prefix


@pytest.fixture(params=["directory", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "directory":
        return open_objects(str(tmp_path / "objects"))
    request.getfixturevalue("bucket")
    return open_objects("s3://trips/threadline")


@pytest.mark.asyncio
async def test_what_is_put_comes_back(objects: Objects) -> None:
    assert await objects.get("a/one") is None
    await objects.put("a/one", b"1" * 300_000)
    await objects.put("a/one", b"2" * 200_000)
    await objects.put("a/empty", b"")
    assert await objects.get("a/one") == b"2" * 200_000
    assert await objects.get("a/empty") == b""


@pytest.mark.asyncio
async def test_deleting_is_idempotent(objects: Objects) -> None:
    await objects.put("a/one", b"1")
    await objects.delete("a/one")
    await objects.delete("a/one")
    assert await objects.get("a/one") is None


@pytest.mark.asyncio
async def test_everything_under_a_prefix_goes_and_nothing_else(objects: Objects) -> None:
    for n in range(130):
        await objects.put(f"a/b/{n}", b"x")
    await objects.put("a/bc", b"stays")
    await objects.delete_under("a/b")
    await objects.delete_under("a/b")
    assert await objects.get("a/b/77") is None
    assert await objects.get("a/bc") == b"stays"


@pytest.mark.asyncio
async def test_a_store_that_refuses_is_a_store_error(bucket: Bucket) -> None:
    objects = open_objects("s3://trips")
    bucket.refuse = True
    with pytest.raises(StoreError, match="could not write a/one"):
        await objects.put("a/one", b"1")


@pytest.mark.asyncio
async def test_a_directory_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        await open_objects(str(tmp_path / "file")).put("a/one", b"1")


def test_a_bad_address_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="s3://bucket/prefix"):
        open_objects("s3://")


def test_names_lead_nowhere_else() -> None:
    session = SessionId("..")
    for key in (blob_key(session, "../../etc/passwd"), cold_key(session, "..~ada", "1-ab")):
        assert key.startswith(session_prefix(session) + "/")
        assert ".." not in key
