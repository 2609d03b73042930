"""An agent that needs no model: it reads the task's words and drives the environment over HTTP.

It behaves as NeMo Gym's SimpleAgent does: seed, then tool calls, then verify, and with each request it sends
only the cookies of the response before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx

_STEP = re.compile(r"(add|subtract) (\d+)|(get the count)")
_TOOLS = {"add": "increment_counter", "subtract": "decrement_counter"}


def calls_in(words: str) -> list[tuple[str, dict[str, int]]]:
    """The tool calls that the words ask for, in their order."""
    return [
        ("get_counter_value", {}) if found[3] else (_TOOLS[found[1]], {"count": int(found[2])})
        for found in _STEP.finditer(words)
    ]


class Rollout:
    """One rollout against the environment at `url`."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url
        self.cookies: dict[str, str] = {}

    async def post(self, path: str, body: object = None) -> httpx.Response:
        header = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"cookie": header} if header else {}
        response = await self._http.post(f"{self._url}{path}", json=body, headers=headers)
        self.cookies = dict(response.cookies)
        self._http.cookies.clear()
        return response

    async def seed(self, row: Mapping[str, Any]) -> None:
        (await self.post("/seed_session", dict(row))).raise_for_status()

    async def act(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The output items of the response: calls, what came of them, and the answer."""
        output: list[dict[str, Any]] = []
        result = ""
        words = row["responses_create_params"]["input"][0]["content"]
        for place, (name, arguments) in enumerate(calls_in(words)):
            result = (await self.post(f"/{name}", arguments)).text
            call = {"call_id": f"call_{place}", "type": "function_call"}
            output.append({**call, "name": name, "arguments": json.dumps(arguments)})
            output.append({"call_id": f"call_{place}", "type": "function_call_output", "output": result})
        content = [{"type": "output_text", "text": f"The count is {result}.", "annotations": []}]
        return [*output, {"type": "message", "role": "assistant", "id": "m", "content": content}]

    async def verify(self, row: Mapping[str, Any], output: list[dict[str, Any]]) -> float:
        response = {
            "id": "response",
            "created_at": 0,
            "model": "scripted",
            "object": "response",
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        answer = await self.post("/verify", {**row, "response": response})
        return float(answer.raise_for_status().json()["reward"])

    async def run(self, row: Mapping[str, Any]) -> float:
        """The reward."""
        await self.seed(row)
        return await self.verify(row, await self.act(row))
