"""python -m examples.counter_environment [--check] [--serve --port 11001] [--threadline URL]

Runs the five rows and prints their rewards; with `--serve` it goes on serving the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from examples.counter_environment.agent import Rollout
from examples.counter_environment.counter import StatefulCounter
from examples.counter_environment.make_rows import load
from examples.hosting import hosted

from threadline.environment import environment_app
from threadline_server.app import running_server
from threadline_server.settings import Settings


async def main(given: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        server = given.threadline
        if not server:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = Settings(port=0, data=data, stop_grace_s=0.5, expire_after_s=given.expire_after_s)
            server = (await stack.enter_async_context(running_server(settings))).url
        url = await stack.enter_async_context(hosted(environment_app(StatefulCounter(), server), given.port))
        if given.serve:
            print(f"environment at {url}, its sessions at {server}", flush=True)
            await asyncio.Event().wait()
        async with httpx.AsyncClient(timeout=30) as http:
            rewards = await asyncio.gather(*(Rollout(http, url).run(row) for row in load()))
    for index, reward in enumerate(rewards):
        print(f"row {index}: reward {reward}")
    return 0 if rewards == [1.0] * 5 else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="run the rows, end with 1 where a reward is not 1.0"
    )
    parser.add_argument("--serve", action="store_true", help="serve until interrupted")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--threadline", default="", help="a server that is running; one is started without it"
    )
    parser.add_argument("--expire-after-s", type=float, default=86_400.0, help="idle rollouts are deleted")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
