"""A node that asks for tokens, and a session of its own for each case, with a member of any role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.raw_device import RawDevice, raw_device
from tests.signing import SECRET, token_of

from threadline_server.app import RunningServer, running_server
from threadline_server.settings import load

HOST = "host"
PERSON, AGENT = "ada", "agent:travel"
ROLES = ("owner", "editor", "viewer", "agent")


def member_of(role: str) -> str:
    """The user who has this role: agents have no other, and people not that one."""
    return AGENT if role == "agent" else PERSON


@dataclass(slots=True)
class House:
    server: RunningServer
    key_of_agent: str
    made: int = 0

    async def session(self, role: str) -> str:
        """The host's, in which the member of this role and the host have said something each."""
        self.made += 1
        session, member = f"case-{self.made}", member_of(role)
        async with self.api(HOST) as client:
            await client.post("/api/v1/sessions", json={"id": session})
            await self.grant(client, session, member, "agent" if role == "agent" else "editor")
            async with self.device(session, member) as device:
                await device.say("mine", role="assistant" if role == "agent" else "user")
                await device.until_saved()
            async with self.device(session, HOST) as device:
                await device.say("theirs")
                await device.set("/there", "before")
                await device.until_saved()
            await self.grant(client, session, member, role)
        return session

    async def grant(self, client: httpx.AsyncClient, session: str, member: str, role: str) -> None:
        path = f"/api/v1/sessions/{session}/members/{member}"
        assert (await client.put(path, json={"role": role})).status_code == 200

    def token(self, user: str) -> str:
        return self.key_of_agent if user == AGENT else token_of(user)

    def device(self, session: str, user: str) -> AbstractAsyncContextManager[RawDevice]:
        return raw_device(self.server.url, session, user, token=self.token(user))

    def api(self, user: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        return httpx.AsyncClient(base_url=self.server.url, headers=headers)


@asynccontextmanager
async def house_in(data: Path) -> AsyncIterator[House]:
    signed = {"auth": "token", "auth_secret": SECRET, "operators": ("root",)}
    flags = {
        "port": 0,
        "data": data,
        "requests_per_minute": 100_000,
        "agent": ("tests.api.obedient_agent:agent",),
    }
    async with running_server(load({**signed, **flags}, {})) as server:
        house = House(server, "")
        async with house.api("root") as root:
            made = await root.post("/api/v1/keys", json={"label": "travel", "agent": "travel"})
        house.key_of_agent = made.json()["token"]
        yield house
