"""The accessibility rules of axe-core, run inside a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Page

_ENGINE = Path(__file__).parents[2] / "web_demo" / "node_modules" / "axe-core" / "axe.min.js"

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


async def violations_light_and_dark(page: Page) -> list[str]:
    """What axe finds in either appearance; the page is left in that of the system."""
    found = []
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {violation}" for violation in await violations(page)]
    await page.emulate_media(color_scheme="null")
    return found


async def violations(page: Page) -> list[str]:
    """What axe finds wrong with the page as it stands: the rule, what to do, and the first elements."""
    # What fades in is judged when it has: colours half way are nobody's choice.
    await page.evaluate(
        """() => Promise.all(document.getAnimations()
            .filter((animation) => animation.effect.getComputedTiming().iterations !== Infinity)
            .map((animation) => animation.finished.catch(() => undefined)))"""
    )
    await page.evaluate(_ENGINE.read_text(encoding="utf-8") + "; undefined")
    found: list[dict[str, Any]] = await page.evaluate(
        "async (tags) => (await axe.run(document, {runOnly: tags})).violations", _RULES
    )
    return [
        f"{violation['id']}: {node['target']} {node['html'][:160]} {node['failureSummary']}"
        for violation in found
        for node in violation["nodes"][:3]
    ]
