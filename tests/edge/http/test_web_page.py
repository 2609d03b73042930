from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from threadline_server.edge.http.web_page import add_web_page


async def _get(directory: Path | None, path: str) -> httpx.Response:
    app = FastAPI()
    add_web_page(app, directory)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    site = tmp_path / "dist"
    (site / "assets").mkdir(parents=True)
    (site / "index.html").write_text("<!doctype html>hello")
    (site / "assets" / "index-abc123.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    return site


@pytest.mark.asyncio
async def test_the_built_page_is_served_under_a_strict_policy(built: Path) -> None:
    page = await _get(built, "/")
    assert page.text == "<!doctype html>hello"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-cache"


@pytest.mark.asyncio
async def test_hashed_assets_are_cached_for_ever(built: Path) -> None:
    assert "immutable" in (await _get(built, "/assets/index-abc123.js")).headers["cache-control"]


@pytest.mark.asyncio
async def test_nothing_outside_the_directory_is_served(built: Path) -> None:
    for path in ("/../secret", "/%2e%2e/secret", "/assets/..%2f..%2fsecret"):
        assert (await _get(built, path)).status_code == 404


@pytest.mark.asyncio
async def test_without_a_built_page_one_reads_how_to_get_it() -> None:
    page = await _get(None, "/")
    assert page.status_code == 200
    assert "make demo" in page.text
