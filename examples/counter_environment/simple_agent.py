"""NeMo Gym's own SimpleAgent against a running environment.

    python3.12 simple_agent.py URL example.jsonl ROLLOUTS

Runs with the Python that has nemo-gym 0.4.0 (3.12 or later) and nothing of this project. The policy model is
scripted: it emits both additions in one output, then reads, then answers. Prints the rewards as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, Request
from nemo_gym.config_types import BaseServerConfig, ModelServerRef, ResourcesServerRef
from nemo_gym.server_utils import (
    GlobalAIOHTTPAsyncClientConfig,
    ServerClient,
    get_response_json,
    raise_for_status,
    set_global_aiohttp_client,
)
from omegaconf import OmegaConf
from responses_api_agents.simple_agent.app import SimpleAgent, SimpleAgentConfig

AGENT, MODEL, RESOURCES = "counter_simple_agent", "policy_model", "counter_environment"


def model() -> FastAPI:
    app = FastAPI()

    @app.post("/v1/responses")
    async def responses(request: Request) -> dict[str, Any]:
        given = (await request.json())["input"]
        words = given[0]["content"]
        done = sum(1 for item in given if item.get("type") == "function_call_output")
        additions = [{"count": int(number)} for number in re.findall(r"add (\d+)", words)]
        if done == 0:
            output = [call(place, "increment_counter", change) for place, change in enumerate(additions)]
        elif done == len(additions):
            output = [call(done, "get_counter_value", {})]
        else:
            text = {"type": "output_text", "text": given[-1]["output"], "annotations": []}
            output = [
                {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
            ]
        return {
            "id": "r",
            "created_at": 0,
            "model": "scripted",
            "object": "response",
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }

    return app


def call(place: int, name: str, arguments: dict[str, int]) -> dict[str, Any]:
    return {"type": "function_call", "call_id": f"c{place}", "name": name, "arguments": json.dumps(arguments)}


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def address(of: socket.socket) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": of.getsockname()[1]}


async def main(url: str, rows: list[dict[str, Any]], rollouts: int) -> list[float]:
    set_global_aiohttp_client(GlobalAIOHTTPAsyncClientConfig())  # else it looks for a command line of its own
    agent_at, model_at = listener(), listener()
    environment = urlsplit(url)
    names = {
        AGENT: {"responses_api_agents": {"simple_agent": address(agent_at)}},
        MODEL: {"responses_api_models": {"scripted": address(model_at)}},
        RESOURCES: {
            "resources_servers": {"counter": {"host": environment.hostname, "port": environment.port}}
        },
    }
    client = ServerClient(
        head_server_config=BaseServerConfig(host="127.0.0.1", port=11000),
        global_config_dict=OmegaConf.create(names),
    )
    config = SimpleAgentConfig(
        name=AGENT,
        entrypoint="app.py",
        resources_server=ResourcesServerRef(type="resources_servers", name=RESOURCES),
        model_server=ModelServerRef(type="responses_api_models", name=MODEL),
        **address(agent_at),
    )
    agent = SimpleAgent(config=config, server_client=client)
    apps = [(agent.setup_webserver(), agent_at), (model(), model_at)]
    servers = [uvicorn.Server(uvicorn.Config(app, log_level="error")) for app, _ in apps]
    serving = [
        asyncio.create_task(server.serve(sockets=[at])) for server, (_, at) in zip(servers, apps, strict=True)
    ]

    async def run(row: dict[str, Any], task: int, rollout: int) -> float:
        body = {**row, "_ng_task_index": task, "_ng_rollout_index": rollout}
        response = await client.post(server_name=AGENT, url_path="/run", json=body)
        await raise_for_status(response)
        return float((await get_response_json(response))["reward"])

    rewards = await asyncio.gather(
        *(run(row, task, rollout) for task, row in enumerate(rows) for rollout in range(rollouts))
    )
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*serving)
    return list(rewards)


if __name__ == "__main__":
    given = [json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines()]
    print(json.dumps(asyncio.run(main(sys.argv[1], given, int(sys.argv[3])))), flush=True)
