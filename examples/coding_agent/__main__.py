"""python -m examples.coding_agent [--execute] [--port 8000] [--workspace DIR] [--data DIR | --redis URL]

Running code is off unless `--execute` is given; `--check` plays a dialogue with code and ends. The limits are
in the documentation.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from examples.coding_agent.agent import kernels
from examples.coding_agent.app import coding_app
from examples.coding_agent.settings import Options
from examples.hosting import hosted

from threadline_server.app import running_server
from threadline_server.settings import Settings

DIALOGUE = ("Load data.csv", "What are the columns?", "Create a histogram of age")
AGENT = ("examples.coding_agent.agent:agent",)


@asynccontextmanager
async def running(store: dict[str, Any], options: Options, port: int = 0) -> AsyncIterator[tuple[str, str]]:
    """The URLs of the application and of the Threadline server under it. `store`: `data` or `redis`."""
    expire_s = options.max_age_hours * 3600
    upkeep_s = min(30.0, expire_s / 4)
    settings = Settings(
        port=0, agent=AGENT, stop_grace_s=0.5, expire_after_s=expire_s, upkeep_every_s=upkeep_s, **store
    )
    try:
        async with running_server(settings) as server, hosted(coding_app(server.url, options), port) as url:
            yield url, server.url
    finally:
        await kernels.close_all()


async def main(given: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as temporary:
        kernels.workspace = given.workspace or Path(temporary)
        kernels.enabled = given.execute or given.check
        if given.check:
            (kernels.workspace / "data.csv").write_text("name,age\nAda,36\nAlan,41\nGrace,36\n")
        store = {"redis": given.redis} if given.redis else {"data": given.data or Path(temporary) / "store"}
        async with running(store, Options.from_environment(), given.port) as (url, server):
            if not given.check:
                print(f"coding agent at {url}, its sessions at {server}", flush=True)
                await asyncio.Event().wait()
            return await check(url)


async def check(url: str) -> int:
    async with httpx.AsyncClient(base_url=url, timeout=120) as http:
        for words in DIALOGUE:
            body = {"query": words, "context": {"session_id": "user_1_notebook_1"}}
            answer = (await http.post("/api/agent/quick", json=body)).raise_for_status().json()
            print(f"you:   {words}\nagent: {answer['messages'][0]['content']}")
        info = (await http.get("/api/sessions/user_1_notebook_1")).json()
    return 0 if "df" in info["variables"] and "('36', 2)" in answer["messages"][0]["content"] else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", type=Path, help="where sessions are kept; a temporary directory without it")
    parser.add_argument("--redis", default="", help="keep sessions in this Redis instead")
    parser.add_argument("--workspace", type=Path, help="where code runs; a temporary directory without it")
    parser.add_argument("--execute", action="store_true", help="let the agent run code")
    parser.add_argument("--check", action="store_true", help="play a dialogue and end")
    sys.exit(asyncio.run(main(parser.parse_args())))
