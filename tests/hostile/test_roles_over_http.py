"""Every role and call of a session over HTTP: what is allowed is done, what is not changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.hostile.house import HOST, House, member_of

from threadline.document.lifecycle import RunStatus
from threadline.document.session_document import SessionDocument

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGER = "stranger"
ROLES = ("owner", "editor", "viewer", "agent", STRANGER)
ALL = frozenset({"owner", "editor", "viewer", "agent"})
WRITERS = frozenset({"owner", "editor"})
OWNERS = frozenset({"owner"})


@dataclass(frozen=True, slots=True)
class Call:
    """path:    below the session
    answer:  what those get who may do it
    waits:   whether a run of the host's waits there for a word, which is RUN and CALL in the body
    """

    method: str
    path: str
    allowed: frozenset[str]
    answer: int = 200
    body: Any = None
    waits: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


CALLS = (
    Call("GET", "", ALL),
    Call("GET", "/history", ALL),
    Call("GET", "/replay", ALL),
    Call("GET", "/export", ALL),
    Call("GET", "/runs", ALL),
    Call("GET", "/members", ALL),
    Call("PATCH", "", WRITERS, body={"title": "Theirs"}),
    Call("DELETE", "", OWNERS, 204),
    Call("POST", "/runs", WRITERS, 202, {"goal": "go"}),
    Call("POST", "/cancel", WRITERS | {"agent"}, waits=True),
    Call(
        "POST", "/approvals", WRITERS, 202, {"run": "RUN", "call": "CALL", "decision": "approve"}, waits=True
    ),
    Call("POST", "/undo", WRITERS, 409, {"run": "RUN"}, waits=True),
    Call("POST", "/compact", OWNERS, body={"retract": []}),
    Call("POST", "/attachments?name=a.txt", WRITERS, 201, b"words"),
    Call("PUT", "/members/bob", OWNERS, body={"role": "editor"}),
    Call("DELETE", "/members/bob", OWNERS, 204),
    Call("GET", "/invitations", OWNERS),
    Call("POST", "/invitations", OWNERS, 201, {}),
)


async def made(house: House, role: str, *, waits: bool) -> tuple[str, dict[str, str]]:
    """A session that the host shares, and what RUN and CALL stand for in it."""
    session = await house.session("editor" if role == STRANGER else role)
    names: dict[str, str] = {}
    async with house.api(HOST) as client, house.device(session, HOST) as host:
        await house.grant(client, session, "bob", "viewer")
        if waits:
            asked = await client.post(f"/api/v1/sessions/{session}/runs", json={"goal": "pay"})
            runs, run = SessionDocument(host.doc).runs, asked.json()["run"]
            await host.until(lambda: runs.status(run) is RunStatus.WAITING, "the agent asked for a word")
            waiting = runs.get(run)
            assert waiting is not None
            names = {"RUN": run, "CALL": waiting.approvals[0].call}
    return session, names


async def everything(house: House, session: str) -> tuple[str, object, object]:
    """The content, the record and the members, as the host sees them."""
    async with house.device(session, HOST) as device, house.api(HOST) as client:
        path = f"/api/v1/sessions/{session}"
        answers = [(await client.get(f"{path}{each}")).json() for each in ("/members", "/invitations", "")]
        return device.digest(), answers[:2], {**answers[2], "last_activity": None}


async def make(call: Call, client: httpx.AsyncClient, session: str, names: dict[str, str]) -> httpx.Response:
    url = f"/api/v1/sessions/{session}{call.path}"
    if isinstance(call.body, bytes):
        return await client.request(
            call.method, url, content=call.body, headers={"Content-Type": "text/plain"}
        )
    body = call.body and {key: names.get(str(value), value) for key, value in call.body.items()}
    return await client.request(call.method, url, json=body)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_who_may_call_what(house: House, role: str, call: Call) -> None:
    session, names = await made(house, role, waits=call.waits)
    async with house.api(STRANGER if role == STRANGER else member_of(role)) as client:
        if role in call.allowed:
            answer = await make(call, client, session, names)
            assert answer.status_code == call.answer, answer.text
            return
        before = await everything(house, session)
        answer = await make(call, client, session, names)
        assert answer.status_code == 403, answer.text
        assert answer.json()["error"]["code"] in ("forbidden", "refused")
        assert await everything(house, session) == before
