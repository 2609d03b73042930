"""Every bound on what a user, a socket or an address may take: it has a setting, a count in the metrics and a
refusal by name, which is a close code, or 429 with the time to come back.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from tests.app.conftest import guarded_node
from tests.hostile import updates
from tests.raw_device import PATIENCE_S, RawDevice, raw_device, websocket_url
from tests.signing import token_of
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from threadline.protocol import hocuspocus
from threadline.protocol.close_codes import BY_NAME
from threadline.protocol.hocuspocus import Authenticate, Stateless
from threadline.protocol.sync import SyncStep1
from threadline.protocol.ywebsocket import AwarenessUpdate
from threadline_server.app import RunningServer
from threadline_server.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOW: dict[str, object] = {
    "trusted_proxies": ("127.0.0.1",),
    "max_connections_per_user": 3,
    "max_connections_per_address": 2,
    "max_sessions_per_user": 2,
    "max_session_bytes": 40_000,
    "max_frame_bytes": 20_000,
    "max_step2_bytes": 30_000,
    "max_unauthenticated_frame_bytes": 10_000,
    "max_pending_bytes": 15_000,
    "max_pending_frames": 20,
    "max_pending_documents": 4,
    "max_documents_per_socket": 3,
    "max_denials": 2,
    "max_awareness_state_bytes": 1_000,
    "max_state_vector_bytes": 1_000,
    "frames_per_second": 400.0,
    "burst_s": 0.2,
    "abuse_s": 0.3,
    "requests_per_minute": 5,
    "max_request_bytes": 2_000,
}
"""One node with all of them, but for the time until a token."""


@dataclass(frozen=True, slots=True)
class House:
    server: RunningServer

    @property
    def url(self) -> str:
        return self.server.url

    def device(self, user: str) -> RawDevice:
        return RawDevice(f"of-{user}", user, token=token_of(user))

    def socket(self, **others: object) -> connect:
        return connect(websocket_url(self.url), compression=None, proxy=None, max_size=None, **others)  # type: ignore[arg-type]

    async def count(self, metric: str) -> float:
        async with httpx.AsyncClient(base_url=self.url) as client:
            text = (await client.get("/metrics")).text
        found = re.search(rf"^threadline_{re.escape(metric)} (\S+)$", text, re.MULTILINE)
        assert found is not None, metric
        return float(found[1])


Provoke = Callable[[House], Awaitable[str]]
"""Goes beyond one bound; gives back how that was refused: the name of a close code, or an HTTP status."""


async def joined(house: House, user: str) -> RawDevice:
    device = house.device(user)
    await device.join(house.url)
    await device.until_synced()
    await device.until_saved()
    return device


async def end_of(device: RawDevice) -> str:
    """The name of what ended the document or the socket."""
    await device.until(
        lambda: bool(device.document_closed or device.denied or device.close_code), "it was refused"
    )
    said = device.document_closed or device.denied or device.close_reason
    await device.leave()
    return said.partition(":")[0]


async def close_of(socket: ClientConnection) -> str:
    with suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE_S):
            async for _ in socket:
                pass
    return (socket.close_reason or "").partition(":")[0]


async def documents_of_a_user(house: House) -> str:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(raw_device(house.url, "of-una", "una", token=token_of("una")))
        more = house.device("una")
        await more.join(house.url)
        return await end_of(more)


async def sockets_of_an_address(house: House) -> str:
    headers = {"X-Forwarded-For": "203.0.113.7"}
    async with (
        house.socket(additional_headers=headers),
        house.socket(additional_headers=headers),
        house.socket(additional_headers=headers) as third,
    ):
        return await close_of(third)


async def sessions_of_a_user(house: House) -> str:
    for name in ("one", "two"):
        async with raw_device(house.url, f"sam-{name}", "sam", token=token_of("sam")):
            pass
    third = RawDevice("sam-three", "sam", token=token_of("sam"))
    await third.join(house.url)
    return await end_of(third)


async def bytes_of_a_session(house: House) -> str:
    device = await joined(house, "bea")
    for number in range(20):
        if device.document_closed is not None:
            break
        await device.set(f"/{number}", "x" * 5_000)
        await device.until(lambda: device.acknowledged == device.sent or device.document_closed is not None)
    return await end_of(device)


async def a_large_message(house: House) -> str:
    device = await joined(house, "leo")
    with suppress(ConnectionClosed):
        await device.send(Stateless("x" * 25_000))
    return await end_of(device)


async def a_large_update(house: House) -> str:
    device = await joined(house, "lou")
    with suppress(ConnectionClosed):
        await device.set("/x", "x" * 35_000)
    return await end_of(device)


async def a_large_message_without_a_token(house: House) -> str:
    async with house.socket() as socket:
        with suppress(ConnectionClosed):
            await socket.send(hocuspocus.encode("x", Stateless("x" * 12_000)))
        return await close_of(socket)


async def much_without_a_token(house: House) -> str:
    async with house.socket() as socket:
        with suppress(ConnectionClosed):
            for _ in range(3):
                await socket.send(hocuspocus.encode("x", Stateless("x" * 8_000)))
        return await close_of(socket)


async def many_messages_without_a_token(house: House) -> str:
    async with house.socket() as socket:
        with suppress(ConnectionClosed):
            for _ in range(30):
                await socket.send(hocuspocus.encode("x", SyncStep1(b"\x00")))
        return await close_of(socket)


async def many_documents_without_a_token(house: House) -> str:
    async with house.socket() as socket:
        with suppress(ConnectionClosed):
            for number in range(6):
                await socket.send(hocuspocus.encode(f"x{number}", SyncStep1(b"\x00")))
        return await close_of(socket)


async def many_documents(house: House) -> str:
    async with house.socket() as socket:
        with suppress(ConnectionClosed):
            for user in ("dan", "dee", "dov", "dot"):
                await socket.send(hocuspocus.encode(f"of-{user}", Authenticate(token_of(user), "4.8.0")))
        return await close_of(socket)


async def no_token_in_time(house: House) -> str:
    async with house.socket() as socket:
        return await close_of(socket)


async def many_bad_tokens(house: House) -> str:
    async with house.socket() as socket:
        with suppress(ConnectionClosed):
            for _ in range(2):
                await socket.send(hocuspocus.encode("x", Authenticate("bad", "4.8.0")))
                await socket.recv()
        return await close_of(socket)


async def too_many_frames(house: House) -> str:
    device = await joined(house, "flo")
    with suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE_S):
            while device.close_code is None:
                await device.send_bytes(hocuspocus.PING_FRAME)
                await asyncio.sleep(0)
    return await end_of(device)


async def a_large_presence(house: House) -> str:
    device = await joined(house, "pam")
    state = '{"x":"%s"}' % ("y" * 2_000)
    await device.send(AwarenessUpdate(updates.awareness((device.doc.client_id, 1, state))))
    return await end_of(device)


async def a_large_state_vector(house: House) -> str:
    device = await joined(house, "vic")
    await device.send(SyncStep1(b"\x00" * 2_000))
    return await end_of(device)


async def requests(house: House) -> str:
    headers = {"Authorization": f"Bearer {token_of('rob')}"}
    async with httpx.AsyncClient(base_url=house.url, headers=headers) as client:
        answers = [await client.get("/api/v1/sessions") for _ in range(6)]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    return str(answers[-1].status_code)


async def a_large_request(house: House) -> str:
    headers = {"Authorization": f"Bearer {token_of('ray')}"}
    async with httpx.AsyncClient(base_url=house.url, headers=headers) as client:
        return str((await client.post("/api/v1/sessions", content=b"x" * 3_000)).status_code)


def closings(reason: str) -> str:
    return f'edge_closings_total{{reason="{reason}"}}'


BOUNDS: dict[str, tuple[Provoke, str, str]] = {
    "max_connections_per_user": (documents_of_a_user, "overloaded", "users_refused_total"),
    "max_connections_per_address": (sockets_of_an_address, "overloaded", "addresses_refused_total"),
    "max_sessions_per_user": (sessions_of_a_user, "quota_exceeded", "access_sessions_refused_total"),
    "max_session_bytes": (bytes_of_a_session, "quota_exceeded", "rooms_outgrown_total"),
    "max_frame_bytes": (a_large_message, "too_large", closings("too_large")),
    "max_step2_bytes": (a_large_update, "too_large", closings("too_large")),
    "max_unauthenticated_frame_bytes": (
        a_large_message_without_a_token,
        "too_large",
        closings("too_large"),
    ),
    "max_pending_bytes": (much_without_a_token, "not_authenticated", closings("not_authenticated")),
    "max_pending_frames": (many_messages_without_a_token, "not_authenticated", closings("not_authenticated")),
    "max_pending_documents": (
        many_documents_without_a_token,
        "too_many_documents",
        closings("too_many_documents"),
    ),
    "max_documents_per_socket": (many_documents, "too_many_documents", closings("too_many_documents")),
    "max_denials": (many_bad_tokens, "unauthorized", closings("unauthorized")),
    "frames_per_second": (too_many_frames, "too_fast", closings("too_fast")),
    "max_awareness_state_bytes": (a_large_presence, "malformed", "rooms_malformed_total"),
    "max_state_vector_bytes": (a_large_state_vector, "too_large", closings("too_large")),
    "requests_per_minute": (requests, "429", "http_requests_turned_away_total"),
    "max_request_bytes": (a_large_request, "413", "http_bodies_too_large_total"),
}


@asynccontextmanager
async def built(data: Path, **settings: object) -> AsyncIterator[House]:
    async with guarded_node(data, **settings) as server:
        yield House(server)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with built(tmp_path_factory.mktemp("house"), **LOW) as house:
        yield house


@pytest.mark.usefixtures("one_minute")
@pytest.mark.parametrize("bound", BOUNDS)
async def test_a_bound_has_a_setting_a_count_and_a_name(house: House, bound: str) -> None:
    await check(house, bound, *BOUNDS[bound])


async def test_so_has_the_time_until_a_token(tmp_path: Path) -> None:
    """In a house of its own, because others would have to be quick in it too."""
    async with built(tmp_path, authentication_deadline_s=0.5) as house:
        timeout = "authentication_timeout"
        await check(house, "authentication_deadline_s", no_token_in_time, timeout, closings(timeout))


async def check(house: House, bound: str, provoke: Provoke, refusal: str, metric: str) -> None:
    assert bound in Settings.model_fields
    before = await house.count(metric)
    assert await provoke(house) == refusal
    assert refusal.isdigit() or refusal in BY_NAME
    assert await house.count(metric) > before
