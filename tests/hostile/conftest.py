"""One server for all attacks, each in a session of its own; at the end all are read from the disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from tests.hostile.house import House, house_in
from tests.raw_device import RawDevice, raw_device, until_equal
from tests.server_process import ServerProcess, server_process

from threadline.ids import uuid7


@dataclass(slots=True)
class Town:
    """The server, and the content of every session that a test left behind."""

    server: ServerProcess
    digests: dict[str, str] = field(default_factory=dict)

    async def assert_stored(self) -> None:
        """After a kill and a restart every session has the content that its bystander saw last."""
        await self.server.kill()
        await self.server.start()
        for session, digest in self.digests.items():
            async with raw_device(self.server.url, session, "auditor") as auditor:
                assert auditor.digest() == digest, session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with server_process(tmp_path_factory.mktemp("town") / "data") as server:
        town = Town(server)
        yield town
        await town.assert_stored()


@dataclass(slots=True)
class Scene:
    """An honest device in a session, and what the session holds before the attack."""

    town: Town
    session: str
    bystander: RawDevice
    before: str

    @property
    def url(self) -> str:
        return self.town.server.url

    async def attacker(self, user: str = "eve") -> RawDevice:
        """Another device in the session, joined and synced, with nothing unacknowledged."""
        device = RawDevice(self.session, user)
        await device.join(self.url)
        await device.until_synced()
        await device.until_saved()
        return device

    async def assert_untouched(self) -> None:
        """The bystander has seen nothing, a newcomer gets what was there, and the session still works."""
        assert self.town.server.alive, "\n".join(self.town.server.output)
        assert self.bystander.close_code is None
        assert self.bystander.digest() == self.before
        async with raw_device(self.url, self.session, "newcomer") as newcomer:
            assert newcomer.digest() == self.before
            await self.bystander.set("/still", "alive")
            await self.bystander.until_saved()
            await until_equal(self.bystander, newcomer)
        self.town.digests[self.session] = self.bystander.digest()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(town: Town) -> AsyncIterator[Scene]:
    session = uuid7()
    async with raw_device(town.server.url, session, "ada", "laptop") as bystander:
        message = await bystander.say("hello")
        await bystander.type(message, " wörld 😀")
        await bystander.set("/trip/city", "Berlin")
        await bystander.until_saved()
        yield Scene(town, session, bystander, bystander.digest())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("house")) as house:
        yield house
