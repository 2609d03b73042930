"""Prints how quickly the built page is there, and how smoothly a long session scrolls.

    .venv/bin/python web_demo/scripts/measure_page.py [MESSAGES]

Starts a server of its own on a free port and a headless Chromium; nothing is kept. Frame times of a headless
browser without a graphics card are an upper bound for what people see.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import statistics
import sys
import tempfile
import time

from playwright.async_api import Page, async_playwright

import threadline

USER = "ada"
MOST_WAIT_MS = 120_000

SCROLL = """async (frames) => {
  const log = document.querySelector("[data-testid=transcript]");
  const times = [];
  let last = performance.now();
  for (let number = 0; number < frames; number += 1) {
    log.scrollTop -= 40;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}"""


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


async def main(messages: int) -> None:
    with tempfile.TemporaryDirectory() as data:
        server = await asyncio.create_subprocess_exec(
            sys.executable, *("-m", "threadline_server", "serve", "--port", "0", "--data", data),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            await measure(await _address(server), messages)
        finally:
            server.terminate()
            await server.communicate()


async def _address(server: asyncio.subprocess.Process) -> str:
    assert server.stdout is not None
    async for line in server.stdout:
        if found := re.search(r"listening on (http://\S+)", line.decode(), re.IGNORECASE):
            return found[1]
    raise SystemExit("The server did not start.")


async def measure(url: str, messages: int) -> None:
    await _fill(url, messages)
    async with async_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = await browser.new_page()
        page.set_default_timeout(MOST_WAIT_MS)
        await page.add_init_script(
            """localStorage.setItem("threadline.identity", '{"token":"ada","name":"ada"}')"""
        )
        say(f"{messages} messages")
        first_ms = await _until_message(page, f"{url}/#/s/long")
        say(f"{first_ms:9.0f} ms  from the address to the first message")
        await page.locator("[data-word=saved]").wait_for()
        say(f"{await _until_message(page, ''):9.0f} ms  the same from the local copy")
        await page.locator("[data-word=saved]").wait_for()
        times = sorted(await page.evaluate(SCROLL, 120))
        say(f"{statistics.median(times):9.1f} ms  median frame while scrolling")
        say(f"{times[int(len(times) * 0.95)]:9.1f} ms  95th percentile")
        await browser.close()


async def _fill(url: str, messages: int) -> None:
    async with threadline.connect(url, token=USER, device="filler") as client:
        session = await client.open("long")
        for number in range(messages):
            session.add_message("user", f"Message {number} of a long conversation, with a few words in it.")
            if number % 500 == 499:
                await session.saved()
        await session.saved()


async def _until_message(page: Page, address: str) -> float:
    """Milliseconds until a message is drawn; an empty address loads the page again."""
    began = time.perf_counter()
    await (page.goto(address) if address else page.reload())
    await page.locator("[data-testid=message]").last.wait_for()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
