"""Input that is wrong rather than clever: each kind has a named code and a sentence, and hurts nobody."""

from __future__ import annotations

import pytest
from tests.hostile.conftest import Scene
from tests.raw_device import RawDevice, websocket_url
from websockets.asyncio.client import connect

from threadline.protocol import hocuspocus
from threadline.protocol.hocuspocus import Authenticate
from threadline.protocol.sync import SyncStep1
from threadline.protocol.varint import encode_text, encode_uint

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def closed_with(eve: RawDevice) -> tuple[int, str]:
    """The socket's close code and the name in its reason."""
    code = await eve.until_closed()
    return code, eve.close_reason.partition(":")[0]


def frame_of(session: str, kind: int, body: bytes = b"") -> bytes:
    return encode_text(session) + encode_uint(kind) + body


async def test_a_frame_of_an_unknown_type(scene: Scene) -> None:
    for kind in (4, 6, 11, 200):
        eve = await scene.attacker()
        await eve.send_bytes(frame_of(scene.session, kind))
        assert await closed_with(eve) == (4400, "malformed")
    await scene.assert_untouched()


async def test_a_frame_that_ends_too_early_or_too_late(scene: Scene) -> None:
    whole = hocuspocus.encode(scene.session, SyncStep1(b"\x00"))
    for frame in (b"", whole[:-1], whole + b"\x00", b"\xff" * 20, whole[:3], encode_text("")):
        eve = await scene.attacker()
        await eve.send_bytes(frame)
        assert await closed_with(eve) == (4400, "malformed")
    await scene.assert_untouched()


async def test_a_text_message_where_bytes_are_spoken(scene: Scene) -> None:
    eve = await scene.attacker()
    await eve.send_text("hello")
    assert await closed_with(eve) == (4400, "malformed")
    await scene.assert_untouched()


async def test_a_frame_that_is_too_large(scene: Scene) -> None:
    eve = await scene.attacker()
    await eve.send_large(encode_text(scene.session) + b"\x01", 80 * 1024 * 1024)
    assert await closed_with(eve) == (4413, "too_large")
    await scene.assert_untouched()


async def test_too_much_before_authentication(scene: Scene) -> None:
    async with connect(websocket_url(scene.url), compression=None, proxy=None, max_size=None) as socket:
        step1 = hocuspocus.encode(scene.session, SyncStep1(b"\x00"))
        for _ in range(2000):
            await socket.send(step1)
        await socket.wait_closed()
        assert socket.close_code == 4431
        assert socket.close_reason is not None
        assert socket.close_reason.startswith("not_authenticated")
    await scene.assert_untouched()


@pytest.mark.parametrize("name", ["a b", "x" * 129, "é", "a/b", "~me", "a~b~c"])
async def test_a_bad_session_id(scene: Scene, name: str) -> None:
    eve = RawDevice(name, "eve")
    await eve.join(scene.url)
    await eve.until(lambda: eve.denied is not None, "it was denied")
    assert eve.denied is not None
    assert "128 characters" in eve.denied
    await eve.leave()
    await scene.assert_untouched()


@pytest.mark.parametrize("name", ["server:", "agent:travel", "a b=c", "x" * 200])
async def test_a_token_that_is_no_name(scene: Scene, name: str) -> None:
    async with connect(websocket_url(scene.url), compression=None, proxy=None) as socket:
        await socket.send(hocuspocus.encode(scene.session, Authenticate(name, "4.8.0")))
        answer = await socket.recv()
        assert isinstance(answer, bytes)
        message = hocuspocus.decode_from_server(answer).message
        assert type(message).__name__ == "PermissionDenied"
    await scene.assert_untouched()


async def test_another_lineage(scene: Scene) -> None:
    async with connect(websocket_url(scene.url), compression=None, proxy=None) as socket:
        token = "eve lineage=01J00000000000000000000000"
        await socket.send(hocuspocus.encode(scene.session, Authenticate(token, "4.8.0")))
        answer = await socket.recv()
        assert isinstance(answer, bytes)
        assert "lineage_mismatch" in str(hocuspocus.decode_from_server(answer).message)
    await scene.assert_untouched()


async def test_somebody_elses_companion(scene: Scene) -> None:
    eve = RawDevice(f"{scene.session}~ada", "eve")
    await eve.join(scene.url)
    await eve.until(lambda: eve.denied is not None, "it was denied")
    assert eve.denied is not None
    assert eve.denied.startswith("forbidden")
    await eve.leave()
    await scene.assert_untouched()


async def test_a_web_page_of_a_foreign_origin(scene: Scene) -> None:
    with pytest.raises(Exception, match="403"):
        await connect(websocket_url(scene.url), origin="http://evil.example", proxy=None)  # type: ignore[arg-type]
    await scene.assert_untouched()
