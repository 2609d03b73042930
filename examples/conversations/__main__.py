"""python -m examples.conversations [--check]: plays the five dialogues and the patterns against a server."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from examples.conversations import patterns
from examples.conversations.dialogues import DIALOGUES, USER, play

import threadline
from threadline_server.app import running_server
from threadline_server.settings import Settings

AGENTS = tuple(
    f"examples.conversations.agents:{name}_agent" for name in ("support", "code", "flights", "hotels")
)


def settings(data: Path) -> Settings:
    return Settings(port=0, data=data, agent=AGENTS, stop_grace_s=0.5)


async def main() -> None:
    with tempfile.TemporaryDirectory() as data:
        async with running_server(settings(Path(data))) as server:
            for name, dialogue in DIALOGUES.items():
                played = await play(server.url, dialogue)
                print(f"# {name}")
                for (device, words), answer in zip(dialogue.turns, played.answers, strict=True):
                    print(f"{device}: {words}\nagent: {answer}")
            await _patterns(server.url)


async def _patterns(url: str) -> None:
    async with threadline.connect(url, token=USER) as phone, threadline.connect(url, token=USER) as laptop:
        one, two = await phone.open("trip"), await laptop.open("trip")
        children = await patterns.trip(one)
        print(
            "# patterns\nhierarchy:", [(child.id, child["city"], child["travellers"]) for child in children]
        )
        await patterns.search(one)
        print("ephemeral:", one["results"])
        patterns.locate(one, "Delhi", at_s=0)
        print("stale:", await patterns.what_is_stale(one))
        print("merged:", await patterns.add_at_once(one, two))
        await patterns.forget(one)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
