"""Small files of sessions: what is taken, how it is given back, and where it ends."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from threadline.ids import SessionId, uuid7
from threadline_server.backplane.base import BlobNotFound
from threadline_server.backplane.embedded import EmbeddedBackplane
from threadline_server.edge.access import Access
from threadline_server.edge.attachments import AttachmentRefused, Attachments, clean_name
from threadline_server.edge.authentication import TrustingAuthenticator
from threadline_server.edge.http.attachments import attachment_routes
from threadline_server.edge.http.caller import caller_of
from threadline_server.edge.http.errors import add_error_handlers
from threadline_server.edge.http.request_frame import RequestFrame
from threadline_server.edge.options import DEFAULT_OPTIONS

BOUNDS = replace(
    DEFAULT_OPTIONS,
    max_attachment_bytes=100,
    max_attachments_per_session=3,
    max_attachment_bytes_per_session=150,
)
PATH = "/api/v1/sessions/trip/attachments"


def as_user(name: str, content_type: str = "text/plain") -> dict[str, str]:
    return {"Authorization": f"Bearer {name}", "Content-Type": content_type}


@pytest_asyncio.fixture
async def backplane(tmp_path: Path) -> AsyncIterator[EmbeddedBackplane]:
    store = EmbeddedBackplane(tmp_path)
    await store.open()
    yield store
    await store.close()


@pytest_asyncio.fixture
async def client(backplane: EmbeddedBackplane) -> AsyncIterator[httpx.AsyncClient]:
    """Ada owns `trip`, Bob may read it."""
    clock = itertools.count(1_700_000_000_000, 1000)
    access = Access(backplane, open_to_all=False, now_ms=lambda: next(clock), new_lineage=uuid7)
    app = FastAPI()
    add_error_handlers(app)
    app.add_middleware(RequestFrame, max_body_bytes=10, max_attachment_bytes=BOUNDS.max_attachment_bytes)
    app.include_router(
        attachment_routes(Attachments(backplane, BOUNDS), access, caller_of(TrustingAuthenticator()))
    )
    await access.enter(SessionId("trip"), await TrustingAuthenticator().authenticate("ada"))
    await backplane.update_session(SessionId("trip"), members={"bob": "viewer"})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def _attach(
    client: httpx.AsyncClient, name: str, data: bytes, content_type: str = "text/plain", user: str = "ada"
) -> httpx.Response:
    return await client.post(PATH, params={"name": name}, content=data, headers=as_user(user, content_type))


@pytest.mark.asyncio
async def test_a_file_is_given_back_as_it_was_to_whoever_may_read_the_session(
    client: httpx.AsyncClient,
) -> None:
    made = await _attach(client, "plän.txt", b"two nights\n\x00", "text/plain; charset=utf-8")
    assert made.status_code == 201
    view = made.json()
    assert (view["name"], view["type"], view["size"]) == ("plän.txt", "text/plain", 12)
    found = await client.get(f"{PATH}/{view['id']}", headers=as_user("bob"))
    assert found.content == b"two nights\n\x00"
    assert found.headers["content-type"].startswith("text/plain")
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    disposition = found.headers["content-disposition"]
    assert disposition == "attachment; filename=\"pl_n.txt\"; filename*=UTF-8''pl%C3%A4n.txt"


@pytest.mark.asyncio
@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "text/xml", "text/javascript"])
async def test_what_a_browser_would_run_is_served_as_bytes(
    client: httpx.AsyncClient, content_type: str
) -> None:
    made = (await _attach(client, "x", b"<script>alert(1)</script>", content_type)).json()
    assert made["type"] == content_type
    found = await client.get(f"{PATH}/{made['id']}", headers=as_user("ada"))
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"].startswith("attachment;")


@pytest.mark.asyncio
async def test_programs_and_types_that_are_none_are_refused(client: httpx.AsyncClient) -> None:
    for content_type in ("application/x-msdownload", "application/x-sh", "text", "a b/c"):
        answer = await _attach(client, "x", b"1", content_type)
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "attachment_refused")


@pytest.mark.asyncio
async def test_readers_and_strangers_attach_nothing(client: httpx.AsyncClient) -> None:
    assert (await _attach(client, "x", b"1", user="bob")).status_code == 403
    assert (await _attach(client, "x", b"1", user="eve")).status_code == 403
    made = (await _attach(client, "x", b"1")).json()
    assert (await client.get(f"{PATH}/{made['id']}", headers=as_user("eve"))).status_code == 403
    assert (await client.get(f"{PATH}/nothing", headers=as_user("ada"))).status_code == 404


@pytest.mark.asyncio
async def test_size_count_and_sum_are_bounded_also_after_a_restart(
    client: httpx.AsyncClient, backplane: EmbeddedBackplane
) -> None:
    assert (await _attach(client, "x", b"1" * 101)).status_code == 413
    assert (await _attach(client, "x", b"1" * 100)).status_code == 201
    full = await _attach(client, "x", b"1" * 51)
    assert (full.status_code, full.json()["error"]["code"]) == (429, "limit_exceeded")
    assert (await _attach(client, "x", b"1")).status_code == 201
    fresh = Attachments(backplane, BOUNDS)
    await fresh.add(SessionId("trip"), name="x", type="text/plain", data=b"1")
    assert (await _attach(client, "x", b"1")).status_code == 429


@pytest.mark.asyncio
async def test_files_go_with_the_session(client: httpx.AsyncClient, backplane: EmbeddedBackplane) -> None:
    made = (await _attach(client, "x", b"1")).json()
    await backplane.delete_session(SessionId("trip"))
    assert (await client.get(f"{PATH}/{made['id']}", headers=as_user("ada"))).status_code == 410
    assert (await _attach(client, "x", b"1")).status_code == 410
    with pytest.raises(BlobNotFound):
        await backplane.get_blob(SessionId("trip"), made["id"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.txt", "b.txt"),
        ("gpj\u202eexe.\x07", "gpjexe"),
        ("a b.txt", "a b.txt"),
    ],
)
def test_names_are_made_harmless(given: str, kept: str) -> None:
    assert clean_name(given) == kept


@pytest.mark.parametrize("given", ["", "../", "\u202e", "x" * 201])
def test_names_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(AttachmentRefused):
        clean_name(given)
