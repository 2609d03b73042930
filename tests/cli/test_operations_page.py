"""docs/operations.md, followed as it is written: each command of its pages is run, in order.

Places are put under a directory of the test and ports are free ones; a load is as long as a test may be.
Commands that change the embedded store wait until the node is stopped, as the page says.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.starter import Starter
from tests.raw_device import raw_device
from tests.server_process import ThreadlineProcess

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
NOT_BESIDE_A_NODE = ("session compact", "session rm", "restore")

_FENCE = re.compile(r"^```(sh|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(PAGE.read_text()) if kind == language]


def commands() -> Iterator[str]:
    for block in blocks("sh"):
        yield from (line.removeprefix("threadline ") for line in block.splitlines())


def placed(text: str, directory: Path, url: str = "") -> str:
    """`text` with its places under `directory`."""
    for place in ("/var/lib", "/backups"):
        text = text.replace(place, str(directory))
    for address in ("https://chat.example.com", "http://127.0.0.1:8000"):
        text = text.replace(address, url)
    text = text.replace("--port 8000", "--port 0").replace("port = 8000", "port = 0").replace(" --follow", "")
    return text.replace("--devices 200 --sessions 20", "--devices 4 --sessions 2 --step-s 0.2 --most 50")


@pytest.mark.asyncio
async def test_every_command_of_the_page_does_what_it_says(tmp_path: Path, starter: Starter) -> None:
    (tmp_path / "threadline.toml").write_text(placed(blocks("toml")[0], tmp_path))
    (tmp_path / "travel.py").write_text("from threadline.agents.travel import agent\n")
    every = [line for line in commands() if line]
    assert any(line.startswith("serve") for line in every)
    beside = [line for line in every if not line.startswith(("serve", *NOT_BESIDE_A_NODE))]
    after = [line for line in every if line.startswith(NOT_BESIDE_A_NODE)]
    node = ThreadlineProcess("serve", "--config", "threadline.toml", cwd=tmp_path)
    await node.start()
    try:
        async with raw_device(node.url, "trip", "ada") as ada:
            await ada.say("Somewhere warm")
            await ada.until_saved()
        for line in beside:
            try:
                await asyncio.to_thread(follow, starter, line, tmp_path, node.url)
            except AssertionError as error:
                said = "\n".join(node.output)
                raise AssertionError(
                    f"{error}\nThe node at {node.url} said (alive: {node.alive}):\n{said}"
                ) from None
    finally:
        await node.stop()
    for line in after:
        follow(starter, line, tmp_path, "")


def follow(starter: Starter, line: str, directory: Path, url: str) -> None:
    arguments = shlex.split(placed(line, directory, url))
    code, said = starter.start(arguments, directory)
    wanted = (0, 1) if arguments[0] in ("doctor", "load") else (0,)  # those speak of this machine
    assert code in wanted, f"{line}\n{said}"
    assert "Traceback" not in said, f"{line}\n{said}"
