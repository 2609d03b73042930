"""Too much, too large, too slow, too often."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import random
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
from tests.attacks.broken_updates import attic
from tests.attacks.mark import EDITOR, Mark, Succeeded
from tests.hostile import updates
from tests.raw_device import PATIENCE_S, RawDevice, websocket_url
from tests.signing import token_of
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from threadline.protocol import hocuspocus
from threadline.protocol.hocuspocus import Authenticate, Stateless
from threadline.protocol.sync import SyncStep1
from threadline.protocol.varint import encode_text
from threadline.protocol.ywebsocket import AwarenessUpdate, QueryAwareness

SLOW_SOCKETS = 50
COMPRESSED = 0x40
"""RSV1, by which permessage-deflate marks a message."""


async def oversize(mark: Mark) -> None:
    """Messages beyond each bound, before and after a token."""
    async with mark.member() as eve:
        await eve.send_large(encode_text("trip") + b"\x01", 4 * 1024 * 1024)
        assert await eve.until_closed() == 4413
    async with mark.member() as eve:
        with contextlib.suppress(ConnectionClosed):
            await eve.send(Stateless("x" * 100_000))
        await eve.until(lambda: eve.close_code is not None, "it was closed")
    async with connect(websocket_url(mark.url), compression=None, proxy=None) as socket:
        with contextlib.suppress(ConnectionClosed):
            await socket.send(encode_text("trip") + b"\x02" + bytes(200_000))
            await socket.wait_closed()
        assert socket.close_code == 4413, socket.close_code


async def announced_and_not_sent(mark: Mark) -> None:
    """Large messages that are begun by many sockets at once, and go on a byte at a time."""
    frame = Frame(Opcode.BINARY, encode_text(attic()) + b"\x00\x02" + bytes(900_000)).serialize(mask=True)
    begun: list[RawDevice] = []
    for _ in range(8):
        eve = RawDevice(attic(), EDITOR, token=token_of(EDITOR))
        await eve.join(mark.url)
        await eve.until_synced()
        eve.transport.write(frame[:70_000])
        begun.append(eve)
    for at in range(70_000, 70_040):
        for eve in begun:
            eve.transport.write(frame[at : at + 1])
        await asyncio.sleep(0.002)
    for eve in begun:
        await eve.abandon()


@asynccontextmanager
async def bare_socket(mark: Mark) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(mark.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def slowloris(mark: Mark) -> None:
    """Requests and handshakes that come a byte at a time and never end; nothing is answered to them."""
    beginnings = (
        b"GET /api/v1/sessions HTTP/1.1\r\nHost: a\r\nX-Long: ",
        b"GET /sync HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nX-Long: ",
        b"POST /api/v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{",
        b"G",
    )
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(bare_socket(mark)) for _ in range(SLOW_SOCKETS)]
        for number, (_, writer) in enumerate(sockets):
            writer.write(beginnings[number % len(beginnings)])
        for _ in range(20):
            for _, writer in sockets:
                writer.write(b"a")
            await asyncio.sleep(0.005)


async def endless_head(mark: Mark) -> None:
    """One header of many megabytes."""
    async with bare_socket(mark) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(16):
                writer.write(b"a" * 65_536)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                answer = await reader.read(64)
            if answer.startswith(b"HTTP/1.1 2"):
                raise Succeeded("a head of megabytes was taken")


async def pipelined_requests(mark: Mark) -> None:
    async with bare_socket(mark) as (reader, writer):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * 5_000)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                await reader.read(100)


async def flood_of_frames(mark: Mark) -> None:
    """Well-formed frames as fast as they go: pings, questions, presence, empty updates, stateless."""
    async with mark.member() as eve:
        presence = updates.awareness((eve.doc.client_id, 1, '{"evil":true}'))
        for _ in range(100):
            await eve.send_bytes(hocuspocus.PING_FRAME)
            await eve.send(QueryAwareness())
            await eve.send(AwarenessUpdate(presence))
            await eve.send(Stateless("x"))
            await eve.send_update(b"\x00\x00")
        for _ in range(10):
            await eve.send(SyncStep1(b"\x00"))
        await eve.until_answered()


async def flood_of_updates(mark: Mark) -> None:
    """Updates that may be written, as fast as they go, into a session of eve's own."""
    async with mark.member(session=attic()) as eve:
        for number in range(500):
            await eve.set("/flood", number)
        await eve.until_answered()


async def flood_of_presence(mark: Mark) -> None:
    """A new presence with each frame, large ones too, in the bystanders' session."""
    async with mark.member() as eve:
        for clock in range(1, 200):
            state = '{"evil":true,"x":"%s"}' % ("y" * (10_000 if clock % 10 == 0 else 10))
            await eve.send(AwarenessUpdate(updates.awareness((eve.doc.client_id, clock, state))))
        await eve.until_answered()


async def flood_before_a_token(mark: Mark) -> None:
    async with connect(websocket_url(mark.url), compression=None, proxy=None, max_size=None) as socket:
        with contextlib.suppress(ConnectionClosed):
            for number in range(500):
                await socket.send(hocuspocus.encode(f"s{number}", SyncStep1(b"\x00")))
            await socket.wait_closed()
        assert socket.close_code in (4430, 4431), socket.close_code


async def many_documents(mark: Mark) -> None:
    """More documents on one socket than it may have, each of which makes a session."""
    async with connect(websocket_url(mark.url), compression=None, proxy=None, max_size=None) as socket:
        with contextlib.suppress(ConnectionClosed):
            for number in range(120):
                name = f"of-eve-{number}"
                await socket.send(hocuspocus.encode(name, Authenticate(token_of(EDITOR), "4.8.0")))
                if number % 20 == 19:
                    await socket.recv()
            async for _ in socket:  # the close comes behind what is not read yet
                pass
        assert socket.close_code == 4430, socket.close_code


async def flood_of_handshakes(mark: Mark) -> None:
    for _ in range(20):
        async with connect(websocket_url(mark.url), compression=None, proxy=None):
            pass


async def flood_of_requests(mark: Mark) -> None:
    """Far more than a caller may ask in a minute; most get 429 and are told when to come back."""
    headers = {"Authorization": f"Bearer {token_of('rita')}"}
    async with httpx.AsyncClient(base_url=mark.url, headers=headers) as client:
        for _ in range(100):
            answer = await client.get("/api/v1/sessions")
            assert answer.status_code in (200, 429), answer.status_code
            assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1


async def compression_bomb(mark: Mark) -> None:
    """Compressed frames though compression was not agreed on, and compressed requests."""
    bomb = zlib.compress(bytes(20 * 1024 * 1024), 9)[2:-4]
    async with connect(websocket_url(mark.url), proxy=None) as socket:  # offers permessage-deflate
        if socket.protocol.extensions:
            raise Succeeded("compression was agreed on")
        frame = bytearray(Frame(Opcode.BINARY, bomb[:20_000]).serialize(mask=True))
        frame[0] |= COMPRESSED
        socket.transport.write(bytes(frame))
        async with asyncio.timeout(PATIENCE_S):
            await socket.wait_closed()
        assert socket.close_code == 4400, socket.close_code
    headers = {"Authorization": f"Bearer {token_of(EDITOR)}", "Content-Encoding": "gzip"}
    async with httpx.AsyncClient(base_url=mark.url, headers=headers) as client:
        body = gzip.compress(b'{"title": "' + b"a" * 20_000_000 + b'"}')
        answer = await client.post("/api/v1/sessions", content=body)
        if answer.status_code < 400:
            raise Succeeded("a compressed request was unpacked")


async def noise(mark: Mark) -> None:
    """Random bytes at every layer."""
    for _ in range(5):
        async with bare_socket(mark) as (reader, writer):
            writer.write(os.urandom(random.randrange(1, 4_000)) + b"\r\n\r\n")
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(0.05):
                    await reader.read(100)
    async with mark.member() as eve:
        with contextlib.suppress(ConnectionClosed):
            await eve.send_bytes(os.urandom(random.randrange(1, 1_000)))
            await eve.until_answered()
