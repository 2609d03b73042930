"""Real browsers against a real demo server."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from tests.e2e.browser_device import BrowserDevice
from tests.server_process import ServerProcess, server_process
from tests.signing import SECRET

WEB_DEMO = Path(__file__).parents[2] / "web_demo"
DEMO_AGENT = "threadline.agents.travel:agent"

# Nothing of the browser's own may reach for the network.
BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def _chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def web_page() -> Path:
    """The built page; built here where it is not."""
    built = WEB_DEMO / "dist"
    if not (built / "index.html").exists():
        npm = shutil.which("npm")
        assert npm is not None, "The web page is not built and npm is not installed."
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=WEB_DEMO, check=True)
        subprocess.run([npm, "run", "build"], cwd=WEB_DEMO, check=True)
    return built


@pytest.fixture
def agent() -> str:
    """Which agent answers; a test module may name another."""
    return DEMO_AGENT


@pytest_asyncio.fixture(loop_scope="module")
async def demo(tmp_path: Path, web_page: Path, agent: str) -> AsyncIterator[ServerProcess]:
    """A server as `threadline demo` has it: the page, a worker, an agent, and any token is a name."""
    async with server_process(tmp_path / "data", "--agent", agent) as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for the tests of a file: it takes as long to start as a test. Their devices share nothing in it."""
    chromium = _chromium()
    if chromium is None:
        pytest.fail("Install Chromium, or name it in CHROMIUM.")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_FLAGS))
        try:
            yield running
        finally:
            await running.close()


class Devices:
    """Browser devices of one test, which end with it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self.all: list[BrowserDevice] = []

    async def device(
        self, user: str, name: str, *, phone: bool = False, token: str | None = None
    ) -> BrowserDevice:
        made = await BrowserDevice.start(self._browser, self._url, user, name, phone=phone, token=token)
        self.all.append(made)
        return made


@pytest_asyncio.fixture(loop_scope="module")
async def devices(browser: Browser, demo: ServerProcess) -> AsyncIterator[Devices]:
    """An error on a browser's console, such as a violation of the content policy, fails the test."""
    async with watched_devices(browser, demo.url) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def guarded(tmp_path: Path, web_page: Path, agent: str) -> AsyncIterator[ServerProcess]:
    """A server that knows people by signed tokens."""
    arguments = ("--agent", agent, "--auth", "token", "--auth-secret", SECRET, "--link-poll-s", "0.1")
    async with server_process(tmp_path / "data", *arguments) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def known_devices(browser: Browser, guarded: ServerProcess) -> AsyncIterator[Devices]:
    """Devices of the guarded server; give each a token."""
    async with watched_devices(browser, guarded.url) as made:
        yield made


@asynccontextmanager
async def watched_devices(browser: Browser, url: str) -> AsyncIterator[Devices]:
    made = Devices(browser, url)
    yield made
    complaints = [complaint for device in made.all for complaint in device.complaints]
    for device in made.all:
        await device.context.close()
    assert complaints == []
