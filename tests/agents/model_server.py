"""A server that speaks the API of OpenAI's chat completions, and does what a test says: it streams, fails,
stalls, and asks to come back later.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

Chunk = dict[str, Any]


@dataclass
class Answer:
    """`chunks` are streamed; another `status` comes with `body`; `stall` sends nothing after the headers."""

    chunks: list[Chunk] = field(default_factory=list)
    status: int = 200
    body: dict[str, Any] = field(default_factory=dict)
    stall: bool = False


def text(*pieces: str, usage: tuple[int, int] = (10, 5)) -> Answer:
    return Answer([*({"content": piece} for piece in pieces), {"usage": usage}])


def calls(*wanted: tuple[str, dict[str, Any]], usage: tuple[int, int] = (10, 5)) -> Answer:
    made = [
        {
            "index": i,
            "id": f"call_{name}_{i}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(a)},
        }
        for i, (name, a) in enumerate(wanted)
    ]
    return Answer([{"tool_calls": [call]} for call in made] + [{"usage": usage, "finish": "tool_calls"}])


def failure(status: int, message: str, code: str = "") -> Answer:
    return Answer(status=status, body={"error": {"message": message, "code": code or None, "type": "error"}})


class ModelServer:
    """Gives `answers` one after another, the last for ever, and keeps the requests."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.requests: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.url = ""
        self.name = "small"
        self.clients: list[AsyncOpenAI] = []
        self.listening: asyncio.Server | None = None

    def model(self, name: str = "small") -> OpenAIChatModel:
        self.name = name
        client = AsyncOpenAI(base_url=self.url, api_key="sk-none-of-your-business", max_retries=1)
        self.clients.append(client)
        return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        self.requests.append(json.loads(await reader.readexactly(int(length))))
        self.asked.set()
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if answer.status != 200:
            body = json.dumps(answer.body).encode()
            headers = (
                f"HTTP/1.1 {answer.status} No\r\ncontent-type: application/json\r\nretry-after-ms: 1\r\n"
            )
            writer.write(f"{headers}content-length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
            return True
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        await writer.drain()
        if answer.stall:
            await reader.read()
            self.left.set()
            return False
        for chunk in answer.chunks:
            writer.write(f"data: {json.dumps(_wire(chunk, self.name))}\n\n".encode())
            await writer.drain()
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()
        return False


def _wire(chunk: Chunk, model: str) -> dict[str, Any]:
    whole: dict[str, Any] = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model}
    if "usage" in chunk:
        read, written = chunk["usage"]
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        finish = {"index": 0, "delta": {}, "finish_reason": chunk.get("finish", "stop")}
        return {**whole, "choices": [finish], "usage": usage}
    return {
        **whole,
        "choices": [{"index": 0, "delta": {"role": "assistant", **chunk}, "finish_reason": None}],
    }


@asynccontextmanager
async def model_server(*answers: Answer) -> AsyncIterator[ModelServer]:
    server = ModelServer(list(answers))
    listening = server.listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()
        for client in server.clients:
            await client.close()
