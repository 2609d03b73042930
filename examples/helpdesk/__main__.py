"""python -m examples.helpdesk [--agent shop|deployment] [--port 8000] [--check]

Serves an agent; with `--check` it plays a dialogue against it and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import httpx
from examples.helpdesk import deployment, shop
from examples.hosting import hosted

from threadline.agents import create_app, serve

AGENTS = {"shop": shop.agent, "deployment": deployment.agent}
SHOPPING = (
    'add_to_cart name="Laptop" price=999.99',
    'add_to_cart name="Mouse" price=29.99',
    "view_cart",
    "checkout",
)


async def shopping(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Fills the cart, checks out, approves; the last answer."""
    history: list[dict[str, Any]] = []
    answer: dict[str, Any] = {}
    for words in SHOPPING:
        history.append({"role": "user", "content": words})
        answer = (await http.post(f"{url}/api/chat", json={"messages": history})).raise_for_status().json()
        history.append(answer)
        print(f"you:   {words}\nagent: {answer['content']}")
    for call in answer["data"]["tool_calls"]:
        call["execute"] = True
    body = {"messages": [{"role": "user", "content": "yes", "data": answer["data"]}]}
    answer = (await http.post(f"{url}/api/chat", json=body)).raise_for_status().json()
    print(f"agent: {answer['data']['executed_tool_calls'][0]['output']}")
    return answer


async def check() -> int:
    async with hosted(create_app(shop.agent)) as url, httpx.AsyncClient(timeout=30) as http:
        answer = await shopping(http, url)
    paid = answer["data"]["executed_tool_calls"][0]["output"] == "Order placed! Total: $1029.98"
    return 0 if paid and answer["data"]["session"] == {} else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", choices=AGENTS, default="shop")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.check:
        sys.exit(asyncio.run(check()))
    serve(AGENTS[given.agent], port=given.port)


if __name__ == "__main__":
    main()
