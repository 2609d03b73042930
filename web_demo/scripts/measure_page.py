"""Prints what the page weighs, how quickly it is there, and how smoothly a long session scrolls.

    .venv/bin/python web_demo/scripts/measure_page.py [MESSAGES]

Starts a server of its own on a free port and a headless Chromium; nothing is kept. Frame times of a headless
browser without a graphics card are an upper bound for what people see.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

import threadline

USER = "ada"
MOST_WAIT_MS = 120_000

DIST = Path(__file__).parents[1] / "dist"

# Notes when the first message is drawn: in the frame after it came into the page.
WATCH = """new MutationObserver((_, watch) => {
  if (!document.querySelector("[data-testid=message]")) return;
  watch.disconnect();
  requestAnimationFrame(() => performance.mark("drawn"));
}).observe(document, {childList: true, subtree: true})"""

MARKS = """() => Object.fromEntries(["drawn", "threadline open", "threadline synced"]
    .map((name) => [name, performance.getEntriesByName(name)[0]?.startTime ?? null]))"""

SCROLL = """async ([frames, step]) => {
  const log = document.querySelector("[data-testid=transcript]");
  const times = [];
  let last = performance.now();
  for (let number = 0; number < frames; number += 1) {
    log.scrollTop -= step;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}"""
SPEEDS = {"reading": 40, "flicking": 400, "dragging the bar": 4_000}


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
    said = []
    async for line in server.stdout:
        said.append(line.decode())
        if found := re.search(r"listening on (http://\S+)", said[-1], re.IGNORECASE):
            return found[1]
    raise SystemExit("The server did not start:\n" + "".join(said))


async def measure(url: str, messages: int) -> None:
    say(f"{_first_load_kib():9.1f} KiB gzip of script at first load")
    await _fill(url, messages)
    async with async_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = await browser.new_page()
        page.set_default_timeout(MOST_WAIT_MS)
        await page.add_init_script(
            """localStorage.setItem("threadline.identity", '{"token":"ada","name":"ada"}')"""
        )
        await page.add_init_script(WATCH)
        say(f"{messages} messages")
        await page.goto(f"{url}/#/s/long")
        await _report(page, "from the server")
        await page.reload()
        await _report(page, "from the local copy")
        for speed, step in SPEEDS.items():
            times = sorted(await page.evaluate(SCROLL, [120, step]))
            most = times[int(len(times) * 0.95)]
            say(f"{statistics.median(times):9.1f} ms  median frame while {speed}, 95th percentile {most:.1f}")
        await browser.close()


async def _report(page: Page, whence: str) -> None:
    await page.locator("[data-testid=message]").last.wait_for()
    await page.locator("[data-word=saved]").wait_for()
    marks = await page.evaluate(MARKS)
    drawn = marks["drawn"]
    say(f"{drawn:9.0f} ms  to the first message, {whence}")
    began = max(mark for mark in marks.values() if mark is not None and mark < drawn)
    say(f"{drawn - began:9.0f} ms  of these after it was all there")


def _first_load_kib() -> float:
    page = (DIST / "index.html").read_text(encoding="utf-8")
    scripts = [path for path in (DIST / "assets").glob("*.js") if path.name in page]
    return sum(len(gzip.compress(path.read_bytes())) for path in scripts) / 1024


async def _fill(url: str, messages: int) -> None:
    async with threadline.connect(url, token=USER, device="filler") as client:
        session = await client.open("long")
        for number in range(messages):
            session.add_message("user", f"Message {number} of a long conversation, with a few words in it.")
            if number % 500 == 499:
                await session.saved()
        await session.saved()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
