"""The HelpDesk protocol over HTTP and WebSocket, as its clients speak it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import websockets
from examples.helpdesk import deployment, shop
from tests.examples.running import run_example

from threadline.agents import Agent, AgentResult, InterceptorError, LLMRequest, Session, create_app, serve
from threadline.errors import ConfigurationError

Host = Callable[[Any], Awaitable[str]]
Json = dict[str, Any]

LAPTOP = 'add_to_cart name="Laptop" price=999.99'
CART = {"cart": {"items": [{"name": "Laptop", "price": 999.99, "quantity": 1}]}}


def user(words: str, **data: Any) -> Json:
    return {"role": "user", "content": words, "data": data}


class Client:
    """Sends and keeps messages as a HelpDesk client does."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self.url = url
        self.history: list[Json] = []

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self._http.post(self.url + path, json=body)

    async def chat(self, message: Json, **extras: Any) -> Json:
        self.history.append(message)
        answer = await self.post("/api/chat", {"messages": self.history, **extras})
        assert answer.status_code == 200, answer.text
        self.history.append(answer.json())
        return self.history[-1]

    async def say(self, words: str) -> Json:
        return await self.chat({"role": "user", "content": words})

    async def events(self, path: str, *messages: Json) -> list[Json]:
        answer = await self.post(path, {"messages": list(messages)})
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
def client_of(host: Host, http: httpx.AsyncClient) -> Callable[[Any], Awaitable[Client]]:
    async def start(agent: Any) -> Client:
        return Client(http, await host(create_app(agent)))

    return start


ClientOf = Callable[[Any], Awaitable[Client]]


@pytest.mark.asyncio
@pytest.mark.row("S4-39")
async def test_agents_and_functions_are_served(client_of: ClientOf, http: httpx.AsyncClient) -> None:
    def count(messages: list[Json], context: Json, session: Session) -> AgentResult:
        session.set("calls", session.get("calls", 0) + 1)
        return AgentResult(text=f"{len(messages)} messages")

    for served in (shop.agent, count):
        client = await client_of(served)
        assert (await http.get(f"{client.url}/health")).json() == {"status": "ok"}
    answer = await client.say("hello")
    assert answer["content"] == "1 messages"
    assert answer["data"]["session"] == {"calls": 1}
    with pytest.raises(ConfigurationError, match="create_app"):
        serve(shop.agent, workers=2)


@pytest.mark.asyncio
@pytest.mark.row("S4-39")
async def test_the_example_runs_by_one_command() -> None:
    output = await run_example("examples.helpdesk", "--check")
    assert output.splitlines()[-1] == "agent: Order placed! Total: $1029.98"


@pytest.mark.asyncio
@pytest.mark.row("S4-48")
async def test_an_answer_has_every_field(client_of: ClientOf) -> None:
    client = await client_of(shop.agent)
    for path in ("/api/chat", "/api/sendMessage"):
        given = {"messages": [user(LAPTOP)], "source": "web", "thread_id": "t1"}
        answer = (await client.post(path, given)).json()
        assert (answer["role"], answer["content"]) == ("assistant", "Added 1 x Laptop. Total: $999.99")
        data = answer["data"]
        assert data["session"] == CART
        assert data["tool_calls"] == data["approvals"] == data["cmds"] == data["executed_cmds"] == []
        (made,) = data["executed_tool_calls"]
        assert (made["name"], made["output"]) == ("add_to_cart", answer["content"])
        assert made["input"] == {"name": "Laptop", "price": 999.99}
        meta = answer["meta_data"]
        assert meta["request_context"] == {"source": "web", "thread_id": "t1"}
        assert (meta["has_pending_approvals"], meta["is_complete"]) == (False, True)


@pytest.mark.asyncio
@pytest.mark.row("S4-49")
async def test_the_session_comes_with_the_message(client_of: ClientOf) -> None:
    client = await client_of(shop.agent)
    answer = await client.chat(user("view_cart", session=CART))
    assert answer["content"] == "1 items. Total: $999.99"


@pytest.mark.asyncio
@pytest.mark.row("S4-49")
async def test_the_platform_context_reaches_the_agent(client_of: ClientOf) -> None:
    def tell(messages: list[Json], context: Json) -> str:
        return str(context["tenant_name"])

    client = await client_of(tell)
    message = {"role": "user", "content": "who?", "platform_context": {"tenant_name": "acme", "more": 1}}
    assert (await client.chat(message))["content"] == "acme"


@pytest.mark.asyncio
@pytest.mark.row("S4-50")
async def test_a_cleared_session_stays_cleared_when_the_history_is_sent_again(client_of: ClientOf) -> None:
    client = await client_of(shop.agent)
    await client.say(LAPTOP)
    answer = await client.say('add_to_cart name="Mouse" price=29.99')
    assert len(answer["data"]["session"]["cart"]["items"]) == 2
    asked = await client.say("checkout")
    for call in asked["data"]["tool_calls"]:
        call["execute"] = True
    done = await client.chat(user("yes", **asked["data"]))
    assert done["data"]["executed_tool_calls"][0]["output"] == "Order placed! Total: $1029.98"
    assert done["data"]["session"] == {}
    last = await client.say("view_cart")
    assert (last["content"], last["data"]["session"]) == ("Your cart is empty", {})


@pytest.mark.asyncio
@pytest.mark.row("S4-30", "S4-31")
async def test_a_call_waits_for_a_word_and_the_session_is_kept_between(client_of: ClientOf) -> None:
    client = await client_of(deployment.agent)
    await client.say('configure service="api" environment="staging"')
    await client.say("validate the deployment")
    asked = await client.say("execute")
    (call,) = asked["data"]["tool_calls"]
    assert (call["name"], call["execute"]) == ("execute", False)
    assert asked["meta_data"]["has_pending_approvals"] is True
    assert asked["data"]["session"]["deployment"]["stage"] == "validated"
    rejected = dict(call, rejection_reason="not on Friday")
    answer = await client.chat(user("no", session=asked["data"]["session"], tool_calls=[rejected]))
    assert answer["data"]["executed_tool_calls"][0]["output"] == "Tool rejected: not on Friday"
    assert answer["data"]["session"]["deployment"]["stage"] == "validated"
    approval = dict(asked["data"]["approvals"][0], execute=True)
    answer = await client.chat(user("yes", session=asked["data"]["session"], approvals=[approval]))
    (made,) = answer["data"]["executed_approvals"]
    assert (made["type"], made["output"]) == ("tool_call", "Deployed api to staging")
    assert answer["data"]["session"]["deployment"]["stage"] == "deployed"


@pytest.mark.asyncio
@pytest.mark.row("S4-31")
async def test_a_rejected_approval_says_so_in_its_own_words(client_of: ClientOf) -> None:
    client = await client_of(shop.agent)
    asked = await client.chat(user("checkout", session=CART))
    approval = dict(asked["data"]["approvals"][0], rejection_reason="too much")
    answer = await client.chat(user("no", session=CART, approvals=[approval]))
    assert answer["data"]["executed_approvals"][0]["output"] == "Rejected: too much"
    assert answer["data"]["session"] == CART


@pytest.mark.asyncio
@pytest.mark.row("S4-29", "S4-54")
async def test_a_deployment_keeps_to_its_order(client_of: ClientOf) -> None:
    client = await client_of(deployment.agent)
    assert (await client.say("validate"))["content"] == "Error: configure the deployment first"
    told = await client.say('configure service="api" environment="production"')
    assert told["content"] == "Configured api for production"
    assert (await client.say("validate"))["content"] == "Validated api"


@pytest.mark.asyncio
@pytest.mark.row("S4-51")
async def test_a_workflow_cleans_up_its_own_keys(client_of: ClientOf) -> None:
    client = await client_of(deployment.agent)
    state = {"deployment": {"service": "api"}, "deployment:log": ["a"], "user": "ada"}
    answer = await client.chat(user("finish the workflow", session=state))
    assert answer["data"]["session"] == {"user": "ada"}


@pytest.mark.asyncio
@pytest.mark.row("S4-39")
async def test_wrong_requests_are_told(client_of: ClientOf) -> None:
    client = await client_of(shop.agent)
    answer = await client.post("/api/chat", {"source": "web"})
    assert answer.status_code == 400
    assert answer.json() == {"detail": "'messages' field missing from request body"}
    wrong: list[Any] = [
        {"messages": []},
        {"messages": "hi"},
        {"messages": [1]},
        [],
        {"messages": [{"content": 7}]},
    ]
    for body in wrong:
        assert (await client.post("/api/chat", body)).status_code == 400
    raw = await client._http.post(client.url + "/api/chat", content=b"{")
    assert (raw.status_code, raw.json()) == (400, {"detail": "Invalid JSON"})
    large = await client._http.post(client.url + "/api/chat", content=b" " * (9 * 1024 * 1024))
    assert large.status_code == 413


@pytest.mark.asyncio
@pytest.mark.row("S4-47")
async def test_an_interceptor_stops_before_the_model(client_of: ClientOf) -> None:
    def refuse(request: LLMRequest) -> LLMRequest:
        raise InterceptorError("I cannot help with that.", code="blocked")

    client = await client_of(Agent(name="guarded", request_interceptors=refuse))
    assert (await client.say("hello"))["content"] == "I cannot help with that."


@pytest.mark.asyncio
@pytest.mark.row("S4-56")
async def test_events_are_streamed_as_lines(client_of: ClientOf) -> None:
    client = await client_of(shop.agent)
    for path in ("/api/chat-stream", "/api/sendMessageStream"):
        events = await client.events(path, user(LAPTOP))
        assert events[0]["type"] == "executed_tool_calls"
        text = "".join(event["text"] for event in events if event["type"] == "text_delta")
        assert text == "Added 1 x Laptop. Total: $999.99"
        done = events[-1]
        assert (done["type"], done["data"]["session"]) == ("done", CART)
        assert done["meta_data"]["is_complete"] is True
    kinds = [
        event["type"] for event in await client.events("/api/chat-stream", user("checkout", session=CART))
    ]
    assert kinds[-3:] == ["approvals", "tool_calls", "done"]


@pytest.mark.asyncio
@pytest.mark.row("S4-56")
async def test_a_failure_is_the_last_event(client_of: ClientOf) -> None:
    def broken(messages: list[Json], context: Json) -> str:
        raise RuntimeError("no model today")

    client = await client_of(broken)
    events = await client.events("/api/chat-stream", user("hello"))
    assert events[-1]["type"] == "error"
    assert "no model today" in events[-1]["error"]
    answer = await client.post("/api/chat", {"messages": [user("hello")]})
    assert answer.status_code == 500


@pytest.mark.asyncio
@pytest.mark.row("S4-56")
async def test_a_socket_stays_open_after_wrong_requests(client_of: ClientOf) -> None:
    client = await client_of(shop.agent)
    async with websockets.connect(client.url.replace("http", "ws") + "/api/chat-ws") as socket:
        await socket.send("{")
        assert json.loads(await socket.recv()) == {"type": "error", "error": "Invalid JSON"}
        await socket.send("{}")
        assert json.loads(await socket.recv()) == {"type": "error", "error": "Missing 'messages' field"}
        for state in ({}, CART):
            await socket.send(json.dumps({"messages": [user("view_cart", session=state)]}))
            event: Json = {}
            while event.get("type") != "done":
                event = json.loads(await socket.recv())
            assert event["data"]["session"] == state
